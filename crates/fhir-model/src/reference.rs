//! `Reference.reference`: what it can point to (FHIR, references, literal references).

use std::fmt;

use crate::id::{Id, IdError, ResourceKey, TypeName, TypeNameError};

/// A literal reference, borrowed from the text it was read from. Printing gives that text.
///
/// ```
/// use fhir_model::{Reference, Target};
///
/// let reference = Reference::parse("https://example.org/fhir/Patient/1/_history/2").unwrap();
/// let Target::Literal { base, resource_type, id, version } = reference.target else { panic!() };
/// assert_eq!((base, resource_type, id, version), (Some("https://example.org/fhir"), "Patient", "1", Some("2")));
///
/// assert_eq!(Reference::parse("Flag/ra-1").unwrap().key().unwrap().to_string(), "Flag/ra-1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The text as it was written.
    pub text: &'a str,
    /// What it points to.
    pub target: Target<'a>,
    /// What follows `#`: for [`Target::Contained`] the id of the contained resource.
    pub fragment: Option<&'a str>,
}

/// What a [`Reference`] points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// `#id`: a contained resource; `#` alone is the resource that contains.
    Contained,
    /// `Type/id` or `Type/id/_history/version`, on this server or below a base.
    Literal {
        /// The base of an absolute URL without the slash at its end; none if relative.
        base: Option<&'a str>,
        /// The type; always a valid [`TypeName`].
        resource_type: &'a str,
        /// The id; always a valid [`Id`].
        id: &'a str,
        /// The version id, if a version is meant; always a valid [`Id`].
        version: Option<&'a str>,
    },
    /// Another absolute URI: no URL of a resource on a FHIR server.
    Uri(&'a str),
    /// `urn:uuid:`, and what follows. Bundles in use carry texts that are no UUID; they are kept.
    Uuid(&'a str),
    /// `urn:oid:`, and what follows.
    Oid(&'a str),
    /// `Type?query`: the one resource that the search finds, in a transaction.
    Conditional {
        /// The type; always a valid [`TypeName`].
        resource_type: &'a str,
        /// What follows the question mark, still percent-encoded.
        query: &'a str,
    },
}

/// Why a text is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceError {
    /// It is empty.
    Empty,
    /// It holds white space or a control character.
    BadCharacter(char),
    /// `urn:uuid:` or `urn:oid:` with nothing behind.
    EmptyUrn,
    /// It is neither absolute nor of the form `Type/id` or `Type?query`.
    NoForm,
    /// Its type is none.
    Type(TypeNameError),
    /// Its id is none.
    Id(IdError),
    /// Its version id is none.
    Version(IdError),
}

impl<'a> Reference<'a> {
    /// Reads a reference.
    pub fn parse(text: &'a str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        // Search criteria carry blanks now and then; anywhere else they are a mistake.
        let checked = text.split('?').next().unwrap_or(text);
        if let Some(bad) = checked.chars().find(|char| char.is_whitespace() || char.is_control()) {
            return Err(ReferenceError::BadCharacter(bad));
        }
        let (place, fragment) = match text.split_once('#') {
            Some((place, fragment)) => (place, Some(fragment)),
            None => (text, None),
        };
        Ok(Self { text, target: target(place)?, fragment })
    }

    /// The resource it names on this server, if it is relative and literal.
    pub fn key(&self) -> Option<ResourceKey> {
        match self.target {
            Target::Literal { base: None, resource_type, id, .. } => {
                Some(ResourceKey::new(TypeName::parse(resource_type).ok()?, Id::parse(id).ok()?))
            }
            _ => None,
        }
    }

    /// The type of the target, where the text tells it.
    pub fn resource_type(&self) -> Option<&'a str> {
        match self.target {
            Target::Literal { resource_type, .. } | Target::Conditional { resource_type, .. } => {
                Some(resource_type)
            }
            _ => None,
        }
    }
}

fn target(place: &str) -> Result<Target<'_>, ReferenceError> {
    if place.is_empty() {
        return Ok(Target::Contained);
    }
    if let Some(uuid) = strip_prefix_ignoring_case(place, "urn:uuid:") {
        return if uuid.is_empty() { Err(ReferenceError::EmptyUrn) } else { Ok(Target::Uuid(uuid)) };
    }
    if let Some(oid) = strip_prefix_ignoring_case(place, "urn:oid:") {
        return if oid.is_empty() { Err(ReferenceError::EmptyUrn) } else { Ok(Target::Oid(oid)) };
    }
    if has_scheme(place) {
        return Ok(below_base(place).unwrap_or(Target::Uri(place)));
    }
    if let Some((resource_type, query)) = place.split_once('?') {
        TypeName::check(resource_type).map_err(ReferenceError::Type)?;
        return Ok(Target::Conditional { resource_type, query });
    }
    relative(place)
}

/// Whether a text starts with the scheme of a URI (RFC 3986 section 3.1).
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'))
    })
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    if start.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

fn relative(place: &str) -> Result<Target<'_>, ReferenceError> {
    let (resource_type, rest) = place.split_once('/').ok_or(ReferenceError::NoForm)?;
    let (id, version) = match rest.split_once("/_history/") {
        Some((id, version)) => (id, Some(version)),
        None => (rest, None),
    };
    TypeName::check(resource_type).map_err(ReferenceError::Type)?;
    Id::check(id).map_err(ReferenceError::Id)?;
    if let Some(version) = version {
        Id::check(version).map_err(ReferenceError::Version)?;
    }
    Ok(Target::Literal { base: None, resource_type, id, version })
}

/// Reads `base/Type/id` or `base/Type/id/_history/version`; none if the URL ends differently.
fn below_base(url: &str) -> Option<Target<'_>> {
    let (unversioned, version) = match url.rsplit_once("/_history/") {
        Some((unversioned, version)) => (unversioned, Some(version)),
        None => (url, None),
    };
    let (rest, id) = unversioned.rsplit_once('/')?;
    let (base, resource_type) = rest.rsplit_once('/')?;
    let valid = TypeName::check(resource_type).is_ok()
        && Id::check(id).is_ok()
        && version.is_none_or(|version| Id::check(version).is_ok());
    // `https://Type/id` has no base: there, what looks like a type is the host.
    let has_host = base.split_once("://").is_some_and(|(_, host)| !host.is_empty());
    (valid && has_host).then_some(Target::Literal { base: Some(base), resource_type, id, version })
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a reference must not be empty: remove it or name its target"),
            Self::BadCharacter(char) => write!(f, "a reference must not hold {char:?}"),
            Self::EmptyUrn => f.write_str("a URN reference needs a value after its second colon"),
            Self::NoForm => {
                f.write_str("a reference is Type/id, Type/id/_history/version, #id or an absolute URI")
            }
            Self::Type(error) => error.fmt(f),
            Self::Id(error) => error.fmt(f),
            Self::Version(error) => write!(f, "the version of a reference is an id: {error}"),
        }
    }
}

impl std::error::Error for ReferenceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, target: Target<'_>, fragment: Option<&str>) {
        let reference = Reference::parse(text).unwrap();
        assert_eq!((reference.target, reference.fragment), (target, fragment), "for {text}");
        assert_eq!(reference.to_string(), text);
    }

    fn literal<'a>(base: Option<&'a str>, key: &'a str, version: Option<&'a str>) -> Target<'a> {
        let (resource_type, id) = key.split_once('/').unwrap();
        Target::Literal { base, resource_type, id, version }
    }

    #[test]
    fn relative_and_contained() {
        check("Patient/1", literal(None, "Patient/1", None), None);
        check("Patient/1/_history/2", literal(None, "Patient/1", Some("2")), None);
        check("Patient/1#frag", literal(None, "Patient/1", None), Some("frag"));
        check("#p1", Target::Contained, Some("p1"));
        check("#", Target::Contained, Some(""));
    }

    #[test]
    fn absolute() {
        let base = Some("https://a.org/fhir/R4");
        check("https://a.org/fhir/R4/Patient/1", literal(base, "Patient/1", None), None);
        check(
            "https://a.org/fhir/R4/Patient/1/_history/x.2#y",
            literal(base, "Patient/1", Some("x.2")),
            Some("y"),
        );
        check("http://a.org/Patient/1", literal(Some("http://a.org"), "Patient/1", None), None);
        for uri in [
            "http://Patient/1",
            "http:///Patient/1",
            "http://a.org/Patient?identifier=1",
            "http://a.org/patient/1",
            "http://a.org/Patient/1/_history/",
            "http://a.org/Patient/",
            "mailto:a@b.org",
            "urn:isbn:1",
            "http://a.org/fhir/Patient/1/$everything",
        ] {
            check(uri, Target::Uri(uri), None);
        }
        let canonical = Reference::parse("http://a.org/x#y").unwrap();
        assert_eq!((canonical.target, canonical.fragment), (Target::Uri("http://a.org/x"), Some("y")));
    }

    #[test]
    fn urns_and_conditions() {
        let uuid = "05efabf0-4be2-4561-91ce-51548425acb9";
        check(&format!("urn:uuid:{uuid}"), Target::Uuid(uuid), None);
        check(&format!("URN:UUID:{uuid}#a"), Target::Uuid(uuid), Some("a"));
        check("urn:uuid:patient-1", Target::Uuid("patient-1"), None);
        check("urn:oid:1.2.3", Target::Oid("1.2.3"), None);
        let query = "identifier=http://a.org/x|1&_tag=a b";
        check(&format!("Patient?{query}"), Target::Conditional { resource_type: "Patient", query }, None);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for (text, error) in [
            ("", ReferenceError::Empty),
            ("Patient", ReferenceError::NoForm),
            ("Patient/ 1", ReferenceError::BadCharacter(' ')),
            ("Patient/1\n", ReferenceError::BadCharacter('\n')),
            ("/Patient/1", ReferenceError::Type(TypeNameError::Empty)),
            ("patient/1", ReferenceError::Type(TypeNameError::BadStart('p'))),
            ("?a=b", ReferenceError::Type(TypeNameError::Empty)),
            ("Patient/", ReferenceError::Id(IdError::Empty)),
            ("Patient/1/", ReferenceError::Id(IdError::BadCharacter('/'))),
            ("Patient/1/_history/", ReferenceError::Version(IdError::Empty)),
            ("Patient/1/_history/2/3", ReferenceError::Version(IdError::BadCharacter('/'))),
            ("urn:uuid:", ReferenceError::EmptyUrn),
            ("urn:oid:#a", ReferenceError::EmptyUrn),
        ] {
            assert_eq!(Reference::parse(text), Err(error), "for {text:?}");
        }
    }

    #[test]
    fn only_relative_literals_are_keys_here() {
        let key = |text: &'static str| Reference::parse(text).unwrap().key().map(|key| key.to_string());
        assert_eq!(key("Patient/1/_history/3"), Some("Patient/1".into()));
        assert_eq!(key("http://a.org/fhir/Patient/1"), None);
        assert_eq!(key("Patient?_id=1"), None);
        assert_eq!(key("#Patient/1"), None);
        assert_eq!(Reference::parse("Patient?_id=1").unwrap().resource_type(), Some("Patient"));
    }
}
