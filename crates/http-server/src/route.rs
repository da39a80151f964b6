//! From a path to what it names. Pure.

use fhir_definitions::{FhirVersion, is_resource_type};
use fhir_model::Id;
use hyper::Method;
use percent_encoding::percent_decode_str;
use rulebook::{Failure, Interaction};
use storage_api::Key;

/// What a path below a mount names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `[base]`
    Base,
    /// `[base]/metadata`
    Metadata,
    /// `[base]/_history`
    SystemHistory,
    /// `[base]/[type]`
    Type(String),
    /// `[base]/[type]/_history`
    TypeHistory(String),
    /// `[base]/[type]/[id]`
    Instance(Key),
    /// `[base]/[type]/[id]/_history`
    InstanceHistory(Key),
    /// `[base]/[type]/[id]/_history/[vid]`
    Version(Key, String),
}

impl Target {
    /// Reads the path below a mount. A slash at its end is passed over.
    pub(crate) fn parse(path: &str, version: FhirVersion) -> Result<Self, Failure> {
        let no_route = || Failure::NoRoute { path: path.chars().take(200).collect() };
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        let mut segments = Vec::with_capacity(4);
        for segment in trimmed.split('/') {
            if segments.len() == 4 {
                return Err(no_route());
            }
            segments.push(percent_decode_str(segment).decode_utf8().map_err(|_| no_route())?);
        }
        let resource_type = |name: &str| {
            if is_resource_type(version, name) {
                Ok(name.to_owned())
            } else if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                Err(Failure::UnknownType { name: name.chars().take(64).collect(), version })
            } else {
                Err(no_route())
            }
        };
        let key = |name: &str, id: &str| {
            let resource_type = resource_type(name)?;
            Id::check(id).map_err(|_| Failure::IllegalId { id: id.chars().take(80).collect() })?;
            Ok(Key::new(resource_type, id))
        };
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        match segments.as_slice() {
            [""] => Ok(Self::Base),
            ["metadata"] => Ok(Self::Metadata),
            ["_history"] => Ok(Self::SystemHistory),
            [name] => Ok(Self::Type(resource_type(name)?)),
            [name, "_history"] => Ok(Self::TypeHistory(resource_type(name)?)),
            [name, id] => Ok(Self::Instance(key(name, id)?)),
            [name, id, "_history"] => Ok(Self::InstanceHistory(key(name, id)?)),
            [name, id, "_history", version_id] => Ok(Self::Version(key(name, id)?, (*version_id).to_owned())),
            _ => Err(no_route()),
        }
    }

    /// The methods that this target has, for `Allow`.
    pub(crate) fn allow(&self) -> &'static [&'static str] {
        match self {
            Self::Base => &["OPTIONS"],
            Self::Metadata
            | Self::SystemHistory
            | Self::TypeHistory(_)
            | Self::InstanceHistory(_)
            | Self::Version(..) => &["GET", "HEAD", "OPTIONS"],
            Self::Type(_) => &["POST", "OPTIONS"],
            Self::Instance(_) => &["GET", "HEAD", "PUT", "DELETE", "OPTIONS"],
        }
    }

    /// The interaction of a method on this target. HEAD is a GET whose body is not sent.
    pub(crate) fn interaction(&self, method: &Method) -> Result<Interaction, Failure> {
        let read = matches!(*method, Method::GET | Method::HEAD);
        match (self, method) {
            (Self::Metadata, _) if read => Ok(Interaction::Capabilities),
            (Self::SystemHistory, _) if read => Ok(Interaction::HistorySystem),
            (Self::TypeHistory(_), _) if read => Ok(Interaction::HistoryType),
            (Self::InstanceHistory(_), _) if read => Ok(Interaction::HistoryInstance),
            (Self::Version(..), _) if read => Ok(Interaction::Vread),
            (Self::Instance(_), _) if read => Ok(Interaction::Read),
            (Self::Instance(_), &Method::PUT) => Ok(Interaction::Update),
            (Self::Instance(_), &Method::DELETE) => Ok(Interaction::Delete),
            (Self::Type(_), &Method::POST) => Ok(Interaction::Create),
            _ => Err(Failure::MethodNotAllowed {
                method: method.as_str().chars().take(32).collect(),
                allow: self.allow(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<Target, Failure> {
        Target::parse(path, FhirVersion::Stu3)
    }

    #[test]
    fn paths_name_targets() {
        let key = || Key::new("Flag", "a-1");
        for (path, expected) in [
            ("", Target::Base),
            ("/", Target::Base),
            ("/metadata", Target::Metadata),
            ("/_history/", Target::SystemHistory),
            ("/Flag", Target::Type("Flag".into())),
            ("/Flag/", Target::Type("Flag".into())),
            ("/Flag/_history", Target::TypeHistory("Flag".into())),
            ("/Flag/a-1", Target::Instance(key())),
            ("/Flag/a%2D1/", Target::Instance(key())),
            ("/Flag/a-1/_history", Target::InstanceHistory(key())),
            ("/Flag/a-1/_history/3", Target::Version(key(), "3".into())),
        ] {
            assert_eq!(parse(path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        let no_route = |path: &str| Err(Failure::NoRoute { path: path.to_owned() });
        for path in [
            "/nothing",
            "/Flag/a/b",
            "/Flag/a/_history/1/2",
            "/Flag//_history/1/x",
            "/Flag/a/_histories",
            "/%ff",
        ] {
            assert_eq!(parse(path), no_route(path), "{path}");
        }
        let unknown = Failure::UnknownType { name: "Flagg".into(), version: FhirVersion::Stu3 };
        assert_eq!(parse("/Flagg/1"), Err(unknown));
        assert_eq!(parse("/Flag/a_b"), Err(Failure::IllegalId { id: "a_b".into() }));
    }

    #[test]
    fn every_allowed_method_is_an_interaction_and_no_other() {
        for path in [
            "",
            "/metadata",
            "/_history",
            "/Flag",
            "/Flag/_history",
            "/Flag/1",
            "/Flag/1/_history",
            "/Flag/1/_history/1",
        ] {
            let target = parse(path).unwrap();
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
                let allowed = target.allow().contains(&method);
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                assert_eq!(target.interaction(&method).is_ok(), allowed, "{method} {path}");
            }
        }
    }
}
