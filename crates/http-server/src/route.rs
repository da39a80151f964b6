//! From a path to what it names. Pure.

use fhir_definitions::{Definitions, FhirVersion, is_resource_type, resource_types};
use fhir_model::Id;
use hyper::Method;
use percent_encoding::percent_decode_str;
use rulebook::{Failure, Interaction, Rulebook};
use storage_api::Key;

/// What a path below a mount names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `[base]`
    Base,
    /// `[base]/metadata`
    Metadata,
    /// `[base]/$reindex`
    Reindex,
    /// `[base]/_history`
    SystemHistory,
    /// `[base]/[type]`
    Type(String),
    /// `[base]/[type]/_search`
    Search(String),
    /// `[base]/_search`
    SystemSearch,
    /// `[base]/[type]/[id]/[member]`, or `*` for every member
    Compartment(Key, Option<String>),
    /// `[base]/[type]/[id]/[member]/_search`, `[base]/[type]/[id]/_search`
    CompartmentSearch(Key, Option<String>),
    /// `[base]/[type]/_history`
    TypeHistory(String),
    /// `[base]/[type]/[id]`
    Instance(Key),
    /// `[base]/[type]/[id]/_history`
    InstanceHistory(Key),
    /// `[base]/[type]/[id]/_history/[vid]`
    Version(Key, String),
    /// `[base]/[type]/$validate` with an empty id, `[base]/[type]/[id]/$validate`
    Validate(Key),
    /// `[base]/[type]/[id]/$diff`
    Diff(Key),
    /// `[base]/$[name]`
    Operation(String),
}

impl Target {
    /// Reads the path below a mount. A slash at its end is passed over. An id is taken as it is;
    /// see [`check_id`](Self::check_id).
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
            let miswritten = || resource_types(version).iter().any(|known| known.eq_ignore_ascii_case(name));
            if is_resource_type(version, name) {
                Ok(name.to_owned())
            } else if name.starts_with(|first: char| first.is_ascii_uppercase()) || miswritten() {
                Err(Failure::UnknownType { name: name.chars().take(64).collect(), version })
            } else {
                Err(no_route())
            }
        };
        let key = |name: &str, id: &str| resource_type(name).map(|resource_type| Key::new(resource_type, id));
        // Only some types have compartments.
        let owner = |name: &str, id: &str| {
            let key = key(name, id)?;
            let compartment = Definitions::of(version).compartment(name);
            compartment.map(|_| key).ok_or_else(no_route)
        };
        let member = |name: &str| match name {
            "*" => Ok(None),
            name => resource_type(name).map(Some),
        };
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        if segments.len() > 1 && segments.contains(&"") {
            return Err(no_route());
        }
        match segments.as_slice() {
            [""] => Ok(Self::Base),
            ["metadata"] => Ok(Self::Metadata),
            ["$reindex"] => Ok(Self::Reindex),
            ["_history"] => Ok(Self::SystemHistory),
            ["_search"] => Ok(Self::SystemSearch),
            [name] if name.starts_with('$') => Ok(Self::Operation(name[1..].to_owned())),
            [name] => Ok(Self::Type(resource_type(name)?)),
            [name, "_search"] => Ok(Self::Search(resource_type(name)?)),
            [name, "_history"] => Ok(Self::TypeHistory(resource_type(name)?)),
            [name, "$validate"] => Ok(Self::Validate(key(name, "")?)),
            [name, id, "$validate"] => Ok(Self::Validate(key(name, id)?)),
            [name, id, "$diff"] => Ok(Self::Diff(key(name, id)?)),
            [_, operation] | [_, _, operation] if operation.starts_with('$') => Err(no_route()),
            [name, id] => Ok(Self::Instance(key(name, id)?)),
            [name, id, "_history"] => Ok(Self::InstanceHistory(key(name, id)?)),
            [name, id, "_search"] => Ok(Self::CompartmentSearch(owner(name, id)?, None)),
            [name, id, of] => Ok(Self::Compartment(owner(name, id)?, member(of)?)),
            [name, id, of, "_search"] => Ok(Self::CompartmentSearch(owner(name, id)?, member(of)?)),
            [name, id, "_history", version_id] => Ok(Self::Version(key(name, id)?, (*version_id).to_owned())),
            _ => Err(no_route()),
        }
    }

    /// Whether the id, if there is one, can be an id at all.
    pub(crate) fn check_id(&self) -> Result<(), Failure> {
        match self {
            Self::Validate(key) if key.id.is_empty() => Ok(()),
            Self::Instance(key)
            | Self::Compartment(key, _)
            | Self::CompartmentSearch(key, _)
            | Self::InstanceHistory(key)
            | Self::Version(key, _)
            | Self::Validate(key)
            | Self::Diff(key) => {
                Id::check(&key.id).map_err(|_| Failure::IllegalId { id: key.id.chars().take(80).collect() })
            }
            _ => Ok(()),
        }
    }

    /// Whether the parameters of a search come in a form.
    pub(crate) fn is_form(&self) -> bool {
        matches!(self, Self::Search(_) | Self::SystemSearch | Self::CompartmentSearch(..))
    }

    /// The resource type that it names.
    pub(crate) fn resource_type(&self) -> Option<&str> {
        match self {
            Self::Type(name) | Self::Search(name) | Self::TypeHistory(name) => Some(name),
            Self::Instance(key)
            | Self::InstanceHistory(key)
            | Self::Version(key, _)
            | Self::Validate(key)
            | Self::Diff(key) => Some(&key.kind),
            Self::Compartment(_, member) | Self::CompartmentSearch(_, member) => member.as_deref(),
            Self::Base
            | Self::Metadata
            | Self::Reindex
            | Self::SystemHistory
            | Self::SystemSearch
            | Self::Operation(_) => None,
        }
    }

    /// The operation that it names, without `$`.
    pub(crate) fn operation(&self) -> Option<&str> {
        match self {
            Self::Operation(name) => Some(name),
            _ => None,
        }
    }

    /// Whether content may come and go in its own form here.
    pub(crate) fn is_binary(&self) -> bool {
        match self {
            Self::Type(name) => name == "Binary",
            Self::Instance(key) | Self::Version(key, _) => key.kind == "Binary",
            _ => false,
        }
    }

    /// The interaction of a target that has only one.
    pub(crate) fn only_interaction(&self) -> Option<Interaction> {
        match self {
            Self::Metadata => Some(Interaction::Capabilities),
            Self::Reindex => Some(Interaction::Reindex),
            Self::SystemHistory => Some(Interaction::HistorySystem),
            Self::TypeHistory(_) => Some(Interaction::HistoryType),
            Self::InstanceHistory(_) => Some(Interaction::HistoryInstance),
            Self::Version(..) => Some(Interaction::Vread),
            Self::Compartment(..) | Self::CompartmentSearch(..) => Some(Interaction::SearchType),
            Self::SystemSearch => Some(Interaction::SearchSystem),
            Self::Diff(_) => Some(Interaction::Diff),
            Self::Base
            | Self::Type(_)
            | Self::Search(_)
            | Self::Instance(_)
            | Self::Validate(_)
            | Self::Operation(_) => None,
        }
    }

    /// The methods that this target has, for `Allow`.
    pub(crate) fn allow(&self, rulebook: &dyn Rulebook) -> &'static [&'static str] {
        match self {
            Self::Type(_) if !rulebook.offers(Interaction::SearchType) => &["POST", "OPTIONS"],
            Self::Base
                if rulebook.offers(Interaction::SearchSystem)
                    && rulebook.offers(Interaction::Transaction) =>
            {
                &["GET", "HEAD", "POST", "OPTIONS"]
            }
            Self::Base if rulebook.offers(Interaction::SearchSystem) => &["GET", "HEAD", "OPTIONS"],
            Self::Type(_)
                if rulebook.offers(Interaction::ConditionalPatch)
                    && !rulebook.offers(Interaction::ConditionalUpdate) =>
            {
                &["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]
            }
            Self::Type(_) if !rulebook.offers(Interaction::ConditionalUpdate) => {
                &["GET", "HEAD", "POST", "OPTIONS"]
            }
            Self::Base if rulebook.offers(Interaction::Transaction) => &["POST", "OPTIONS"],
            Self::Base => &["OPTIONS"],
            Self::Metadata
            | Self::Compartment(..)
            | Self::SystemHistory
            | Self::TypeHistory(_)
            | Self::InstanceHistory(_)
            | Self::Version(..)
            | Self::Diff(_) => &["GET", "HEAD", "OPTIONS"],
            Self::Type(_) if rulebook.offers(Interaction::ConditionalPatch) => {
                &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
            }
            Self::Type(_) => &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
            Self::Search(_)
            | Self::SystemSearch
            | Self::CompartmentSearch(..)
            | Self::Validate(_)
            | Self::Operation(_) => &["POST", "OPTIONS"],
            Self::Reindex => &["GET", "HEAD", "POST", "OPTIONS"],
            Self::Instance(_)
                if rulebook.offers(Interaction::Patch) && !rulebook.offers(Interaction::Update) =>
            {
                &["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"]
            }
            Self::Instance(_) if rulebook.offers(Interaction::Patch) => {
                &["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
            }
            Self::Instance(_) if !rulebook.offers(Interaction::Delete) => &["GET", "HEAD", "PUT", "OPTIONS"],
            Self::Instance(_) => &["GET", "HEAD", "PUT", "DELETE", "OPTIONS"],
        }
    }

    /// The interaction of a method on this target. HEAD is a GET whose body is not sent.
    pub(crate) fn interaction(
        &self,
        method: &Method,
        rulebook: &dyn Rulebook,
    ) -> Result<Interaction, Failure> {
        let read = matches!(*method, Method::GET | Method::HEAD);
        let patch = rulebook.offers(Interaction::Patch);
        let searches = rulebook.offers(Interaction::SearchType);
        let updates = rulebook.offers(Interaction::Update);
        let conditional = searches && rulebook.offers(Interaction::ConditionalUpdate);
        let by_form = matches!(self, Self::SystemSearch | Self::CompartmentSearch(..));
        if let Some(only) =
            self.only_interaction().filter(|_| if by_form { *method == Method::POST } else { read })
        {
            return Ok(only);
        }
        match (self, method) {
            (Self::Base, _) if read && rulebook.offers(Interaction::SearchSystem) => {
                Ok(Interaction::SearchSystem)
            }
            (Self::Instance(_), _) if read => Ok(Interaction::Read),
            (Self::Instance(_), &Method::PUT) if updates => Ok(Interaction::Update),
            (Self::Instance(_), &Method::PATCH) if patch => Ok(Interaction::Patch),
            (Self::Instance(_), &Method::DELETE) if rulebook.offers(Interaction::Delete) => {
                Ok(Interaction::Delete)
            }
            (Self::Type(_), _) if read && searches => Ok(Interaction::SearchType),
            (Self::Type(_), &Method::POST) => Ok(Interaction::Create),
            (Self::Type(_), &Method::PUT) if conditional => Ok(Interaction::ConditionalUpdate),
            (Self::Type(_), &Method::PATCH) if rulebook.offers(Interaction::ConditionalPatch) => {
                Ok(Interaction::ConditionalPatch)
            }
            (Self::Type(_), &Method::DELETE)
                if searches && rulebook.offers(Interaction::ConditionalDelete) =>
            {
                Ok(Interaction::ConditionalDelete)
            }
            (Self::Base, &Method::POST) if rulebook.offers(Interaction::Transaction) => {
                Ok(Interaction::Transaction)
            }
            (Self::Search(_), &Method::POST) => Ok(Interaction::SearchType),
            (Self::Reindex, &Method::POST) => Ok(Interaction::Reindex),
            (Self::Operation(_), &Method::POST) => Ok(Interaction::Operation),
            (Self::Validate(_), &Method::POST) => Ok(Interaction::Validate),
            _ => Err(Failure::MethodNotAllowed {
                method: method.as_str().chars().take(32).collect(),
                allow: self.allow(rulebook),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use rulebook::spine::Security;
    use rulebook::{ConflictBody, FhirRulebook, LockSettings, NrlRulebook, NrlSpec, SpineRulebook};

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
            ("/$reindex", Target::Reindex),
            ("/Flag", Target::Type("Flag".into())),
            ("/Flag/", Target::Type("Flag".into())),
            ("/Flag/_search", Target::Search("Flag".into())),
            ("/_search", Target::SystemSearch),
            ("/Patient/p/Flag", Target::Compartment(Key::new("Patient", "p"), Some("Flag".into()))),
            ("/Patient/p/*/", Target::Compartment(Key::new("Patient", "p"), None)),
            ("/Patient/p/_search", Target::CompartmentSearch(Key::new("Patient", "p"), None)),
            (
                "/Patient/p/Flag/_search",
                Target::CompartmentSearch(Key::new("Patient", "p"), Some("Flag".into())),
            ),
            ("/Flag/_history", Target::TypeHistory("Flag".into())),
            ("/Flag/a-1", Target::Instance(key())),
            ("/Flag/a%2D1/", Target::Instance(key())),
            ("/Flag/a-1/_history", Target::InstanceHistory(key())),
            ("/Flag/a-1/_history/3", Target::Version(key(), "3".into())),
            ("/Flag/a-1/$diff", Target::Diff(key())),
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
            "/Flag/a/Patient",
            "/Flag/a/*",
            "/Patient/a/b",
            "/Flag/a/_history/1/2",
            "/Flag//_history/1/x",
            "/Flag//",
            "//Flag",
            "/Flag/a/_histories",
            "/%ff",
        ] {
            assert_eq!(parse(path), no_route(path), "{path}");
        }
        for name in ["Flagg", "flag", "FLAG"] {
            let unknown = Failure::UnknownType { name: name.to_owned(), version: FhirVersion::Stu3 };
            assert_eq!(parse(&format!("/{name}/1")), Err(unknown));
        }
        let illegal = Err(Failure::IllegalId { id: "a_b".into() });
        for path in ["/Flag/a_b", "/Flag/a_b/_history", "/Flag/a_b/_history/1"] {
            assert_eq!(parse(path).unwrap().check_id(), illegal, "{path}");
        }
        assert_eq!(parse("/Flag/a-b.9").unwrap().check_id(), Ok(()));
    }

    #[test]
    fn every_allowed_method_is_an_interaction_and_no_other() {
        for path in [
            "",
            "/metadata",
            "/_history",
            "/$reindex",
            "/Flag",
            "/Flag/_search",
            "/_search",
            "/Patient/1/Flag",
            "/Patient/1/*",
            "/Patient/1/_search",
            "/Patient/1/Flag/_search",
            "/Flag/_history",
            "/Flag/1",
            "/Flag/1/_history",
            "/Flag/1/_history/1",
            "/Flag/$validate",
            "/Flag/1/$validate",
            "/Flag/1/$diff",
        ] {
            let target = parse(path).unwrap();
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
                let plain = FhirRulebook::new(FhirVersion::Stu3, LockSettings::of(FhirVersion::Stu3));
                let spine = SpineRulebook::new(SpineRulebook::default_locks(), ConflictBody::default());
                let nrl =
                    NrlRulebook::new(NrlRulebook::default_locks(), NrlSpec::default(), Security::default());
                for rulebook in [&plain as &dyn Rulebook, &spine, &nrl] {
                    let allowed = target.allow(rulebook).contains(&method);
                    let method = Method::from_bytes(method.as_bytes()).unwrap();
                    assert_eq!(target.interaction(&method, rulebook).is_ok(), allowed, "{method} {path}");
                }
            }
        }
    }
}
