//! A DocumentReference, seen as a pointer.

use fhir_model::json::Value;

use super::status::Status;

/// A view of a resource. Whether what is asked for is there and well-formed is not its matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointer<'a>(pub(super) &'a Value);

/// An identifier with both halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identifier<'a> {
    pub(super) system: &'a str,
    pub(super) value: &'a str,
}

/// Which pointer another one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replaced<'a> {
    pub(super) reference: Option<&'a str>,
    pub(super) identifier: Option<Identifier<'a>>,
}

impl<'a> Pointer<'a> {
    fn text(self, path: &[&str]) -> Option<&'a str> {
        path.iter().try_fold(self.0, |value, name| value.get(name))?.as_str()
    }

    pub(super) fn status(self) -> Option<Status> {
        Status::parse(self.text(&["status"])?)
    }

    /// The profiles that it claims.
    pub(super) fn profiles(self) -> impl Iterator<Item = &'a str> {
        let claimed = self.0.get("meta").and_then(|meta| meta.get("profile")?.as_array());
        claimed.unwrap_or_default().iter().filter_map(Value::as_str)
    }

    pub(super) fn master_identifier(self) -> Option<Identifier<'a>> {
        identifier(self.0.get("masterIdentifier")?)
    }

    pub(super) fn subject(self) -> Option<&'a str> {
        self.text(&["subject", "reference"])
    }

    pub(super) fn author(self) -> Option<&'a str> {
        self.0.get("author")?.as_array()?.first()?.get("reference")?.as_str()
    }

    pub(super) fn custodian(self) -> Option<&'a str> {
        self.text(&["custodian", "reference"])
    }

    /// Whether it takes the place of others, however many it says.
    pub(super) fn relates(self) -> bool {
        self.0.get("relatesTo").is_some()
    }

    /// The one that it takes the place of.
    pub(super) fn replaced(self) -> Option<Replaced<'a>> {
        let target = self.0.get("relatesTo")?.as_array()?.first()?.get("target")?;
        Some(Replaced {
            reference: target.get("reference").and_then(Value::as_str),
            identifier: target.get("identifier").and_then(identifier),
        })
    }

    pub(super) fn contents(self) -> &'a [Value] {
        self.0.get("content").and_then(Value::as_array).unwrap_or_default()
    }
}

/// `None` unless system and value are there and not empty.
fn identifier(value: &Value) -> Option<Identifier<'_>> {
    let part = |name| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(Identifier { system: part("system")?, value: part("value")? })
}

impl Identifier<'_> {
    /// What is used up for ever when a pointer of this patient gets this identifier. No part can
    /// hold the byte between them.
    pub(super) fn claim(self, nhs_number: &str) -> Vec<u8> {
        [nhs_number, self.system, self.value].join("\0").into_bytes()
    }
}
