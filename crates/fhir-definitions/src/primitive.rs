//! The primitive types: how each is written in JSON and which characters it allows.

use crate::format;

/// A primitive data type. Its name decides its lexical class; the versions differ in details (STU3 has no exponent
/// in `decimal`), which the published patterns tell: see [`TypeDef::pattern`](crate::TypeDef::pattern).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the FHIR type of that name")]
pub enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Integer64,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// The kind of JSON value that a primitive is written as (FHIR "JSON Representation of Resources").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonShape {
    /// `true` or `false`.
    Boolean,
    /// A number; its digits are significant.
    Number,
    /// A string.
    String,
}

impl Primitive {
    /// Every primitive of any version, by name.
    pub const ALL: [Self; 21] = [
        Self::Base64Binary,
        Self::Boolean,
        Self::Canonical,
        Self::Code,
        Self::Date,
        Self::DateTime,
        Self::Decimal,
        Self::Id,
        Self::Instant,
        Self::Integer,
        Self::Integer64,
        Self::Markdown,
        Self::Oid,
        Self::PositiveInt,
        Self::String,
        Self::Time,
        Self::UnsignedInt,
        Self::Uri,
        Self::Url,
        Self::Uuid,
        Self::Xhtml,
    ];

    /// The FHIR name of the type.
    pub const fn name(self) -> &'static str {
        format::PRIMITIVES[self as usize]
    }

    /// How its value is written in JSON. `integer64` is a string: JSON numbers lose digits in many readers.
    pub const fn json_shape(self) -> JsonShape {
        match self {
            Self::Boolean => JsonShape::Boolean,
            Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => JsonShape::Number,
            _ => JsonShape::String,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_variants_agree() {
        for (number, primitive) in Primitive::ALL.into_iter().enumerate() {
            assert_eq!(primitive as usize, number);
            assert_eq!(format!("{primitive:?}").to_lowercase(), primitive.name().to_lowercase());
        }
        assert!(Primitive::ALL.is_sorted_by(|a, b| a.name() < b.name()));
    }
}
