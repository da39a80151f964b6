//! What the URL of an entry names.

use fhir_definitions::{Definitions, is_resource_type};
use fhir_model::Id;
use percent_encoding::percent_decode_str;
use storage_api::Key;

use crate::entry::Problem;

/// What a URL below the base names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The base itself.
    Base,
    /// `metadata`
    Metadata,
    /// `_history`
    SystemHistory,
    /// `[type]`
    Type(String),
    /// `[type]/_history`
    TypeHistory(String),
    /// `[type]/[id]`
    Instance(Key),
    /// `[type]/[id]/[type]`, or `*` for all types
    Compartment(Key, Option<String>),
    /// `[type]/[id]/_history`
    InstanceHistory(Key),
    /// `[type]/[id]/_history/[vid]`
    Version(Key, String),
}

impl Target {
    /// Reads `Entry.request.url`: relative to the base, or absolute below it.
    pub(crate) fn parse(
        url: &str,
        definitions: Definitions,
        base: &str,
    ) -> Result<(Self, Vec<(String, String)>), Problem> {
        let below = url.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        if below.is_none() && url.contains("://") {
            return Err(Problem::ForeignUrl(short(url)));
        }
        let url = below.unwrap_or(url);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok((Self::path(path, definitions)?, pairs))
    }

    fn path(path: &str, definitions: Definitions) -> Result<Self, Problem> {
        let decoded = path.splitn(5, '/').map(|segment| percent_decode_str(segment).decode_utf8());
        let decoded = decoded.collect::<Result<Vec<_>, _>>().map_err(|_| Problem::NoRoute(short(path)))?;
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        if segments.iter().any(|segment| segment.starts_with('$')) {
            return Err(Problem::Operation(short(path)));
        }
        let named = |name: &str| {
            if is_resource_type(definitions.version(), name) {
                Ok(name.to_owned())
            } else {
                Err(Problem::UnknownType(short(name)))
            }
        };
        let key = |name: &str, id: &str| {
            let name = named(name)?;
            Id::check(id).map_err(|_| Problem::IllegalId(short(id)))?;
            Ok(Key::new(name, id))
        };
        match segments.as_slice() {
            [""] => Ok(Self::Base),
            ["metadata"] => Ok(Self::Metadata),
            ["_history"] => Ok(Self::SystemHistory),
            [name] => named(name).map(Self::Type),
            [name, "_history"] => named(name).map(Self::TypeHistory),
            [name, "_search"] => named(name).and(Err(Problem::SearchByPost)),
            [name, id] => key(name, id).map(Self::Instance),
            [name, id, "_history"] => key(name, id).map(Self::InstanceHistory),
            [name, id, member] => {
                let member = if *member == "*" { None } else { Some(named(member)?) };
                Ok(Self::Compartment(key(name, id)?, member))
            }
            [name, id, "_history", version] => Ok(Self::Version(key(name, id)?, (*version).to_owned())),
            _ => Err(Problem::NoRoute(short(path))),
        }
    }

    /// The type that it names.
    pub fn resource_type(&self) -> Option<&str> {
        match self {
            Self::Type(name) | Self::TypeHistory(name) => Some(name),
            Self::Instance(key) | Self::InstanceHistory(key) | Self::Version(key, _) => Some(&key.kind),
            Self::Base | Self::Metadata | Self::SystemHistory | Self::Compartment(..) => None,
        }
    }
}

/// What a client sent, short enough to be quoted.
pub(crate) fn short(text: &str) -> String {
    const QUOTED_MAX: usize = 200;
    text.chars().take(QUOTED_MAX).collect()
}
