//! The values of primitive types: kind of JSON value, form, range (FHIR, data types, section "Primitive Types").
//!
//! The published patterns are restated as small scanners, because a value is looked at once, in the way of every
//! write. Where these differ from the patterns on purpose, [`fault_in`] says so.

mod number;
mod temporal;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;

use fhir_definitions::{FhirVersion, JsonShape, Primitive};
use fhir_model::json::{Kind, Value};

use crate::finding::Rule;
use crate::report::Quoted;

/// Longest `string` or `markdown`, in characters (FHIR, data types, `string`).
pub(crate) const STRING_CHARS_MAX: usize = 1024 * 1024;

/// What is wrong with the value of a primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another kind of JSON value is needed.
    Kind(JsonShape),
    /// An empty string.
    Empty,
    /// White space and nothing else: allowed, but some readers cut it to nothing.
    Blank,
    /// A character below U+0020 other than tab and line breaks.
    Control(char),
    /// More than [`STRING_CHARS_MAX`].
    TooLong,
    /// Not the form of the type.
    Form,
    /// A day that no calendar has.
    NoSuchDay,
    /// A number out of range.
    Range,
}

impl Fault {
    pub(crate) fn rule(self) -> Rule {
        match self {
            Self::Kind(_) => Rule::JsonType,
            Self::Empty => Rule::StringEmpty,
            Self::Blank => Rule::StringBlank,
            Self::Control(_) => Rule::ControlCharacter,
            Self::TooLong => Rule::StringTooLong,
            Self::Form | Self::NoSuchDay => Rule::Format,
            Self::Range => Rule::Range,
        }
    }
}

/// What is wrong with `value` as a `primitive`, if something is.
///
/// Stricter than the published patterns: a day must exist, a number must fit, text has no control characters, base64
/// has its padding where it belongs.
#[inline]
pub(crate) fn fault_in(value: &Value, primitive: Primitive, version: FhirVersion) -> Option<Fault> {
    match (primitive.json_shape(), value) {
        (JsonShape::String, Value::String(text)) => text_fault(text, primitive, version),
        (JsonShape::Number, Value::Number(number)) => number::fault_in(number.as_str(), primitive, version),
        (JsonShape::Boolean, Value::Bool(_)) => None,
        (shape, _) => Some(Fault::Kind(shape)),
    }
}

fn text_fault(text: &str, primitive: Primitive, version: FhirVersion) -> Option<Fault> {
    if text.is_empty() {
        return Some(Fault::Empty);
    }
    match primitive {
        Primitive::String | Primitive::Markdown => text::free_text_fault(text),
        Primitive::Code => form(text::is_code(text, version)),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => form(text::is_uri(text)),
        Primitive::Id => form(fhir_model::Id::check(text).is_ok()),
        Primitive::Oid => form(text::is_oid(text, version)),
        Primitive::Uuid => form(text::is_uuid(text)),
        Primitive::Base64Binary => form(text::is_base64(text, version)),
        Primitive::Integer64 => number::integer64_fault(text),
        Primitive::Date => temporal::date_fault(text, version),
        Primitive::DateTime => temporal::date_time_fault(text, version),
        Primitive::Instant => temporal::instant_fault(text, version),
        Primitive::Time => temporal::time_fault(text, version),
        // The narrative has a module of its own; the others are not written as strings.
        Primitive::Xhtml
        | Primitive::Boolean
        | Primitive::Decimal
        | Primitive::Integer
        | Primitive::PositiveInt
        | Primitive::UnsignedInt => None,
    }
}

fn form(is_right: bool) -> Option<Fault> {
    (!is_right).then_some(Fault::Form)
}

/// A fault as a sentence.
pub(crate) struct Explained<'a> {
    pub(crate) fault: Fault,
    pub(crate) value: &'a Value,
    pub(crate) primitive: Primitive,
    pub(crate) version: FhirVersion,
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.primitive.name();
        let text = self.value.as_str().unwrap_or_default();
        match self.fault {
            Fault::Kind(shape) => wrong_kind(shape, self.value.kind(), name, f),
            Fault::Empty => f.write_str("a string must not be empty: remove the element or give it a value"),
            Fault::Blank => f.write_str(
                "this text is white space and nothing else: remove the element or write something",
            ),
            Fault::Control(char) => {
                write!(f, "the text holds the control character U+{:04X}: remove it", u32::from(char))
            }
            Fault::TooLong => {
                write!(f, "the text is longer than {STRING_CHARS_MAX} characters: shorten it or attach it")
            }
            Fault::Form => {
                let wanted = wanted_form(self.primitive, self.version);
                match self.value.as_number() {
                    Some(number) => write!(f, "{} is no {name}: write {wanted}", number.as_str()),
                    None => write!(f, "{} is no {name}: write {wanted}", Quoted(text)),
                }
            }
            Fault::NoSuchDay => write!(f, "{} is no {name}: there is no such day", Quoted(text)),
            Fault::Range => match self.value.as_number() {
                Some(number) => write!(f, "{number} is no {name}: write {}", wanted_range(self.primitive)),
                None => write!(f, "{} is no {name}: write {}", Quoted(text), wanted_range(self.primitive)),
            },
        }
    }
}

fn wrong_kind(shape: JsonShape, found: Kind, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match shape {
        JsonShape::Boolean => {
            write!(f, "a value of type {name} is true or false without quotes, not {found}")
        }
        JsonShape::Number => write!(f, "a value of type {name} is a number without quotes, not {found}"),
        JsonShape::String => write!(f, "a value of type {name} is a string in double quotes, not {found}"),
    }
}

fn wanted_form(primitive: Primitive, version: FhirVersion) -> &'static str {
    match primitive {
        Primitive::Date => "YYYY, YYYY-MM or YYYY-MM-DD",
        Primitive::DateTime => {
            "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00"
        }
        Primitive::Instant => "YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00",
        Primitive::Time => "hh:mm:ss, without a time zone",
        Primitive::Id => "1 to 64 of the characters A-Z a-z 0-9 - .",
        Primitive::Code => "text without white space at its ends, and no more than one blank between words",
        Primitive::Uri | Primitive::Url | Primitive::Canonical => "a URI, without white space",
        Primitive::Oid => "urn:oid: and numbers separated by full stops",
        Primitive::Uuid => "urn:uuid: and a UUID in lower case",
        Primitive::Base64Binary if version == FhirVersion::R5 => {
            "base64 (RFC 4648 section 4) with padding and without white space"
        }
        Primitive::Base64Binary => "base64 (RFC 4648 section 4) with padding",
        Primitive::Decimal if version == FhirVersion::Stu3 => "a number without an exponent",
        Primitive::Decimal => {
            "at most 18 digits before the decimal point, 17 after it, and 9 in the exponent"
        }
        Primitive::Integer | Primitive::Integer64 => {
            "a whole number without point, exponent or leading zeros"
        }
        Primitive::PositiveInt => "a whole number from 1 to 2147483647",
        Primitive::UnsignedInt => "a whole number from 0 to 2147483647",
        Primitive::Boolean => "true or false",
        Primitive::String | Primitive::Markdown | Primitive::Xhtml => "text",
    }
}

fn wanted_range(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::PositiveInt => "a whole number from 1 to 2147483647",
        Primitive::UnsignedInt => "a whole number from 0 to 2147483647",
        Primitive::Integer64 => "a whole number from -9223372036854775808 to 9223372036854775807",
        _ => "a whole number from -2147483648 to 2147483647",
    }
}
