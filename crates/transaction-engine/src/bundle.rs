//! A Bundle as it was sent.

use bytes::Bytes;
use fhir_definitions::Definitions;
use fhir_model::json::{self, JsonError, Limits, Value};

use crate::entry::{Entry, EntryError};
use crate::sent::Sent;

/// What a Bundle asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// All of it or nothing.
    Transaction,
    /// Each entry by itself.
    Batch,
}

impl Kind {
    /// `Bundle.type` of the request.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Batch => "batch",
        }
    }
}

/// A Bundle of requests. An entry that cannot be read takes its place with the reason: it fails a
/// transaction, and only itself in a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleRequest {
    /// What it asks for.
    pub kind: Kind,
    /// In the order in which they were sent.
    pub entries: Vec<Result<Entry, EntryError>>,
}

/// Why a body is no Bundle of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// It is no JSON.
    Json(JsonError),
    /// It is another resource.
    NotABundle {
        /// Its `resourceType`, or nothing.
        found: String,
    },
    /// `type` is neither `transaction` nor `batch`.
    Type {
        /// What it is, or nothing.
        found: String,
    },
    /// `entry` is no list.
    Entries,
    /// There are too many entries.
    TooMany {
        /// How many there may be.
        max: usize,
        /// How many there are.
        found: usize,
    },
}

/// What Bundles are read by.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Those of the FHIR version.
    pub definitions: Definitions,
    /// The public URL of the API without a slash at its end: entries may name resources by absolute URLs below it.
    pub base: &'a str,
    /// More entries are refused.
    pub entries_max: usize,
    /// Whether entries may be PATCH. FHIR has them from R4 on.
    pub patch: bool,
}

impl BundleRequest {
    /// Reads a Bundle from its JSON. Its resources stay text, of which the entries are slices: no more of them is held
    /// as a tree than the one that is being read.
    pub fn parse(text: &Bytes, limits: &Limits, reading: Reading<'_>) -> Result<Self, BundleError> {
        let mut sent: Vec<Option<Sent>> = Vec::new();
        let mut part = |place, value: Value| {
            if !matches!(value, Value::Object(_)) {
                return Value::Null;
            }
            // The place in `sent` stands for the resource.
            let stands = Value::from(sent.len() as u64);
            sent.push(Some(Sent::new(text.slice(place), &value, reading.definitions)));
            stands
        };
        let bundle =
            json::parse_parts(text, limits, &["entry", "resource"], &mut part).map_err(BundleError::Json)?;
        Self::of(bundle, reading, |value| {
            let place = usize::try_from(value.as_number()?.as_u64()?).ok()?;
            sent.get_mut(place)?.take()
        })
    }

    /// Reads a Bundle that is a tree, taking it apart: each resource becomes text.
    pub fn read(bundle: Value, reading: Reading<'_>) -> Result<Self, BundleError> {
        Self::of(bundle, reading, |value| {
            let is_object = matches!(value, Value::Object(_));
            is_object.then(|| Sent::new(Bytes::from(value.to_bytes()), &value, reading.definitions))
        })
    }

    fn of(
        bundle: Value,
        reading: Reading<'_>,
        mut resource: impl FnMut(Value) -> Option<Sent>,
    ) -> Result<Self, BundleError> {
        let kind = check_bundle(&bundle)?;
        let Value::Object(mut bundle) = bundle else { return Err(BundleError::Entries) };
        let entries = match bundle.remove("entry") {
            None => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(BundleError::Entries),
        };
        if entries.len() > reading.entries_max {
            return Err(BundleError::TooMany { max: reading.entries_max, found: entries.len() });
        }
        let read = |(index, entry)| Entry::read(index, entry, &mut resource, reading);
        Ok(Self { kind, entries: entries.into_iter().enumerate().map(read).collect() })
    }
}

/// What a Bundle asks for, if it is a Bundle of requests.
pub fn check_bundle(bundle: &Value) -> Result<Kind, BundleError> {
    let text = |name: &str| bundle.get(name).and_then(Value::as_str).unwrap_or_default();
    let short = |text: &str| text.chars().take(64).collect::<String>();
    if text("resourceType") != "Bundle" {
        return Err(BundleError::NotABundle { found: short(text("resourceType")) });
    }
    match text("type") {
        "transaction" => Ok(Kind::Transaction),
        "batch" => Ok(Kind::Batch),
        other => Err(BundleError::Type { found: short(other) }),
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::FhirVersion;

    use super::*;

    fn reading() -> Reading<'static> {
        Reading {
            definitions: Definitions::of(FhirVersion::R4),
            base: "http://h/R4",
            entries_max: 3,
            patch: true,
        }
    }

    fn parse(text: &'static str) -> Result<BundleRequest, BundleError> {
        BundleRequest::parse(&Bytes::from_static(text.as_bytes()), &Limits::default(), reading())
    }

    fn check_same(text: &'static str) {
        let tree = json::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(parse(text), BundleRequest::read(tree, reading()), "{text}");
    }

    #[test]
    fn text_and_tree_are_read_alike() {
        for text in [
            r#"{"resourceType":"Bundle","type":"batch"}"#,
            r#"{"resourceType":"Bundle","type":"batch","entry":{}}"#,
            r#"{"resourceType":"Bundle","type":"history"}"#,
            r#"{"resourceType":"List"}"#,
            r#"{"resourceType":"Bundle","type":"batch","entry":[{},{},{},{}]}"#,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":7},{"resource":null},[]]}"#,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"List"},"resource":{"resourceType":"List","id":"a","subject":{"reference":"Patient?identifier=b"}}}]}"#,
        ] {
            check_same(text);
        }
    }

    #[test]
    fn a_resource_stays_the_text_that_was_sent() {
        let text = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource": { "resourceType": "List", "id": "a" } ,"request":{"method":"PUT","url":"List/a"}}]}"#;
        let bundle = parse(text).unwrap();
        let sent = bundle.entries[0].as_ref().unwrap().resource.as_ref().unwrap();
        assert_eq!(&sent.text()[..], br#"{ "resourceType": "List", "id": "a" }"#);
        assert_eq!(sent.id(), Some("a"));
    }
}
