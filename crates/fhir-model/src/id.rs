//! Names of things: resource types, logical ids, and the two together.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

/// Longest type name that is taken for one, in bytes. The longest of FHIR R4 has 33.
const TYPE_NAME_LENGTH_MAX: usize = 64;

/// A logical id: 1 to 64 of `A-Z a-z 0-9 - .` (FHIR, data types, `id`).
///
/// Ids are compared case-sensitively. Up to 24 bytes are stored in place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(CompactString);

/// A name that can be that of a resource type: an upper-case letter, then letters and digits, 64 at
/// most. Whether a version of FHIR has such a type is a question for its definitions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName(CompactString);

/// The identity of a resource on a server; prints as `Type/id`.
///
/// ```
/// use fhir_model::ResourceKey;
///
/// let key: ResourceKey = "Flag/ra-1".parse().unwrap();
/// assert_eq!((key.resource_type.as_str(), key.id.as_str()), ("Flag", "ra-1"));
/// assert_eq!(key.to_string(), "Flag/ra-1");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The type, such as `Flag`.
    pub resource_type: TypeName,
    /// The logical id.
    pub id: Id,
}

/// Why a text is no [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// It is empty.
    Empty,
    /// It is longer than 64 bytes.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It holds a character that ids cannot have.
    BadCharacter(char),
}

/// Why a text is no [`TypeName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeNameError {
    /// It is empty.
    Empty,
    /// It is longer than 64 bytes.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It does not start with an upper-case letter.
    BadStart(char),
    /// It holds a character that type names cannot have.
    BadCharacter(char),
}

/// Why a text is no [`ResourceKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKeyError {
    /// There is no `/`.
    NoSlash,
    /// What precedes the first `/` is no type name.
    Type(TypeNameError),
    /// What follows the first `/` is no id.
    Id(IdError),
}

impl Id {
    /// Checks a text and keeps it.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::check(text)?;
        Ok(Self(CompactString::new(text)))
    }

    /// Checks a text without keeping it.
    pub fn check(text: &str) -> Result<(), IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > 64 {
            return Err(IdError::TooLong { bytes: text.len() });
        }
        let bad = text.chars().find(|char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '.'));
        bad.map_or(Ok(()), |bad| Err(IdError::BadCharacter(bad)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TypeName {
    /// Checks a text and keeps it.
    pub fn parse(text: &str) -> Result<Self, TypeNameError> {
        Self::check(text)?;
        Ok(Self(CompactString::new(text)))
    }

    /// Checks a text without keeping it.
    pub fn check(text: &str) -> Result<(), TypeNameError> {
        let first = text.chars().next().ok_or(TypeNameError::Empty)?;
        if text.len() > TYPE_NAME_LENGTH_MAX {
            return Err(TypeNameError::TooLong { bytes: text.len() });
        }
        if !first.is_ascii_uppercase() {
            return Err(TypeNameError::BadStart(first));
        }
        let bad = text.chars().find(|char| !char.is_ascii_alphanumeric());
        bad.map_or(Ok(()), |bad| Err(TypeNameError::BadCharacter(bad)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceKey {
    /// The key of these two.
    pub const fn new(resource_type: TypeName, id: Id) -> Self {
        Self { resource_type, id }
    }

    /// The key of a type and an id given as text.
    pub fn parse(resource_type: &str, id: &str) -> Result<Self, ResourceKeyError> {
        let resource_type = TypeName::parse(resource_type).map_err(ResourceKeyError::Type)?;
        Ok(Self { resource_type, id: Id::parse(id).map_err(ResourceKeyError::Id)? })
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, TypeNameError> {
        Self::parse(text)
    }
}

impl FromStr for ResourceKey {
    type Err = ResourceKeyError;

    fn from_str(text: &str) -> Result<Self, ResourceKeyError> {
        let (resource_type, id) = text.split_once('/').ok_or(ResourceKeyError::NoSlash)?;
        Self::parse(resource_type, id)
    }
}

macro_rules! text_newtype {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
    )*};
}

text_newtype!(Id, TypeName);

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

impl fmt::Debug for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an id has at least one character"),
            Self::TooLong { bytes } => write!(f, "an id has at most 64 characters, this one has {bytes}"),
            Self::BadCharacter(char) => {
                write!(f, "an id has only letters, digits, '-' and '.', this one has {char:?}")
            }
        }
    }
}

impl fmt::Display for TypeNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name of a resource type has at least one letter"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the name of a resource type has at most {TYPE_NAME_LENGTH_MAX} letters, this one has {bytes}"
                )
            }
            Self::BadStart(char) => {
                write!(f, "the name of a resource type starts with an upper-case letter, not with {char:?}")
            }
            Self::BadCharacter(char) => {
                write!(f, "the name of a resource type has only letters and digits, this one has {char:?}")
            }
        }
    }
}

impl fmt::Display for ResourceKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("a resource is named as Type/id"),
            Self::Type(error) => error.fmt(f),
            Self::Id(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdError {}
impl std::error::Error for TypeNameError {}
impl std::error::Error for ResourceKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_of_its_characters() {
        for char in (0..=0x2FF_u32).filter_map(char::from_u32) {
            let allowed = matches!(char, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.');
            let expected = if allowed { Ok(()) } else { Err(IdError::BadCharacter(char)) };
            assert_eq!(Id::check(&char.to_string()), expected);
            assert_eq!(Id::check(&format!("a{char}")), expected);
        }
        assert_eq!(Id::parse("x".repeat(64).as_str()).unwrap().as_str().len(), 64);
        assert_eq!(Id::parse("x".repeat(65).as_str()), Err(IdError::TooLong { bytes: 65 }));
        assert_eq!(Id::parse(""), Err(IdError::Empty));
    }

    #[test]
    fn a_type_name_starts_upper_case_and_has_letters_and_digits() {
        for name in ["Flag", "A", "Base64", "ImmunizationRecommendation"] {
            assert_eq!(TypeName::parse(name).unwrap(), name);
        }
        assert_eq!(TypeName::check(""), Err(TypeNameError::Empty));
        assert_eq!(TypeName::check("flag"), Err(TypeNameError::BadStart('f')));
        assert_eq!(TypeName::check("_history"), Err(TypeNameError::BadStart('_')));
        assert_eq!(TypeName::check("Fl\u{e4}g"), Err(TypeNameError::BadCharacter('\u{e4}')));
        assert_eq!(TypeName::check("Flag "), Err(TypeNameError::BadCharacter(' ')));
        assert_eq!(TypeName::check(&"F".repeat(65)), Err(TypeNameError::TooLong { bytes: 65 }));
    }

    #[test]
    fn a_key_is_a_type_and_an_id() {
        let parse = |text: &str| text.parse::<ResourceKey>();
        assert_eq!(parse("Flag/1").unwrap().to_string(), "Flag/1");
        assert_eq!(parse("Flag"), Err(ResourceKeyError::NoSlash));
        assert_eq!(parse("Flag/"), Err(ResourceKeyError::Id(IdError::Empty)));
        assert_eq!(parse("/1"), Err(ResourceKeyError::Type(TypeNameError::Empty)));
        assert_eq!(parse("Flag/1/2"), Err(ResourceKeyError::Id(IdError::BadCharacter('/'))));
        assert!(parse("Flag/1").unwrap() < parse("Flag/2").unwrap());
        assert!(parse("Flag/2").unwrap() < parse("Patient/1").unwrap());
    }
}
