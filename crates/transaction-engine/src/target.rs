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
        let (path, query) = below.unwrap_or(url).split_once('?').unwrap_or((below.unwrap_or(url), ""));
        // Criteria name systems by URLs, which are not always percent-encoded.
        if below.is_none() && path.contains("://") {
            return Err(Problem::ForeignUrl(short(url)));
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        Ok((Self::path(path, definitions)?, pairs(query)?))
    }

    fn path(path: &str, definitions: Definitions) -> Result<Self, Problem> {
        let no_route = || Problem::NoRoute(short(&format!("/{path}")));
        let decoded = path.splitn(5, '/').map(|segment| percent_decode_str(segment).decode_utf8());
        let decoded = decoded.collect::<Result<Vec<_>, _>>().map_err(|_| no_route())?;
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        if segments.iter().any(|segment| segment.starts_with('$')) {
            return Err(Problem::Operation(short(path)));
        }
        if segments.len() > 1 && segments.contains(&"") {
            return Err(no_route());
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
            ["_search"] => Err(Problem::SearchByPost),
            [name] => named(name).map(Self::Type),
            [name, "_history"] => named(name).map(Self::TypeHistory),
            [name, .., "_search"] => named(name).and(Err(Problem::SearchByPost)),
            [name, id] => key(name, id).map(Self::Instance),
            [name, id, "_history"] => key(name, id).map(Self::InstanceHistory),
            [name, id, member] => {
                let owner = key(name, id)?;
                // Only some types have compartments.
                if definitions.compartment(name).is_none() {
                    return Err(no_route());
                }
                let member = if *member == "*" { None } else { Some(named(member)?) };
                Ok(Self::Compartment(owner, member))
            }
            [name, id, "_history", version] => Ok(Self::Version(key(name, id)?, (*version).to_owned())),
            _ => Err(no_route()),
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

/// The parameters in a query, decoded as those of single requests are.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let is_text = |part: &&str| percent_decode_str(part).decode_utf8().is_ok();
    if !is_text(&query) {
        let part = query.split(['&', '=']).find(|part| !is_text(part)).unwrap_or(query);
        return Err(Problem::Encoding(short(part)));
    }
    Ok(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

/// What a client sent, short enough to be quoted.
pub(crate) fn short(text: &str) -> String {
    const QUOTED_MAX: usize = 200;
    text.chars().take(QUOTED_MAX).collect()
}
