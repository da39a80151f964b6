//! What can be wrong with a document, where, and what to do about it.

use std::fmt;

/// Why a document was refused, and where.
///
/// `Display` is one sentence with the place, and says what to change:
///
/// ```
/// use fhir_model::json::{Limits, parse};
///
/// let text = br#"{"resourceType": "Flag", "code": {"coding": [{"code": "a",}]}}"#;
/// let error = parse(text, &Limits::default()).unwrap_err();
/// assert_eq!(error.path, "Flag.code.coding[0]");
/// assert_eq!(
///     error.to_string(),
///     "line 1, column 59 (at Flag.code.coding[0]): expected the name of a member in double \
///      quotes, found '}': remove the comma before it or add a member",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start of the input.
    pub offset: usize,
    /// The line of that place, from 1.
    pub line: usize,
    /// The place in its line in characters, from 1.
    pub column: usize,
    /// The element there, as a FHIRPath-like location: `Flag.code.coding[1]`. It starts with the
    /// resource type if that stands before the place. Empty if nothing is known. Long paths and
    /// names are cut.
    pub path: String,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// Another token was needed here.
    Unexpected {
        /// What could have stood here.
        expected: Expected,
        /// What stands here.
        found: Found,
    },
    /// A word that is not `true`, `false` or `null`; at most 16 characters of it.
    BadWord(String),
    /// A number that is none by RFC 8259 section 6.
    BadNumber(NumberFault),
    /// A string does not end.
    UnterminatedString,
    /// A control character stands in a string unescaped.
    ControlCharacter(u8),
    /// A backslash is followed by something that is no escape.
    BadEscape(Found),
    /// `\u` names one half of a surrogate pair without the other.
    LoneSurrogate(u16),
    /// A member name stands twice in one object.
    DuplicateKey(String),
    /// Something follows the document.
    TrailingData(Found),
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// The document starts with a byte order mark.
    ByteOrderMark,
    /// More levels of nesting than allowed.
    TooDeep {
        /// The levels allowed.
        depth_max: usize,
    },
    /// More values than allowed.
    TooManyNodes {
        /// The values allowed.
        nodes_max: usize,
    },
    /// More bytes than allowed.
    TooLarge {
        /// The length of the document.
        bytes: usize,
        /// The length allowed.
        bytes_max: usize,
    },
}

/// What the grammar allows at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any value.
    Value,
    /// A value or `]`: the start of an array.
    ValueOrArrayEnd,
    /// A member name.
    MemberName,
    /// A member name or `}`: the start of an object.
    MemberNameOrObjectEnd,
    /// `:` after a member name.
    Colon,
    /// `,` or `]` after an item.
    CommaOrArrayEnd,
    /// `,` or `}` after a member.
    CommaOrObjectEnd,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A character.
    Char(char),
    /// Nothing: the input ends.
    End,
}

/// Why something is not a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFault {
    /// It does not have the shape of a number at all.
    NotANumber,
    /// A zero is followed by further digits.
    LeadingZero,
    /// No digit after the decimal point.
    NoFractionDigits,
    /// No digit in the exponent.
    NoExponentDigits,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } => {
                write!(f, "expected {expected}, found {found}")?;
                f.write_str(advice(*expected, *found))
            }
            Self::BadWord(word) => {
                write!(
                    f,
                    "'{word}' is no JSON value: write text in double quotes; true, false and null are lower case"
                )
            }
            Self::BadNumber(fault) => write!(f, "{fault}"),
            Self::UnterminatedString => f.write_str("this string does not end: add the closing quote"),
            Self::ControlCharacter(byte) => {
                write!(
                    f,
                    "a string holds the control character U+{byte:04X}: write it as an escape, such as \\n"
                )
            }
            Self::BadEscape(found) => {
                write!(
                    f,
                    "a backslash is followed by {found}: write \\\\ for a backslash, or one of \\\" \\/ \\b \\f \\n \\r \\t \\uXXXX"
                )
            }
            Self::LoneSurrogate(unit) => {
                write!(
                    f,
                    "\\u{unit:04x} is half of a surrogate pair: write both halves, or the character itself"
                )
            }
            Self::DuplicateKey(name) => {
                write!(f, "the member {name:?} stands twice in one object: keep one of them")
            }
            Self::TrailingData(found) => {
                write!(
                    f,
                    "the document ends before this place, but {found} follows: send one JSON value only"
                )
            }
            Self::InvalidUtf8 => f.write_str("these bytes are not UTF-8: encode the document in UTF-8"),
            Self::ByteOrderMark => f.write_str(
                "the document starts with a byte order mark: send it without (RFC 8259 section 8.1)",
            ),
            Self::TooDeep { depth_max } => {
                write!(f, "more than {depth_max} levels of nesting: this server reads no deeper document")
            }
            Self::TooManyNodes { nodes_max } => {
                write!(f, "more than {nodes_max} values: split the document")
            }
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "{bytes} bytes, and at most {bytes_max} are read: split the document")
            }
        }
    }
}

/// What to do about the mistakes that people make most often.
fn advice(expected: Expected, found: Found) -> &'static str {
    use Expected as E;
    match (expected, found) {
        (_, Found::End) => ": the document is cut off, send the rest",
        (_, Found::Char('\'')) => ": write names and text in double quotes",
        (_, Found::Char('/')) => ": remove the comment, JSON has none",
        (E::MemberName, Found::Char('}')) => ": remove the comma before it or add a member",
        (E::Value, Found::Char(']')) => ": remove the comma before it or add an item",
        (E::Value, Found::Char('}' | ',')) => ": write the value, or remove the member",
        (E::CommaOrArrayEnd | E::CommaOrObjectEnd, Found::Char('"' | '{' | '[')) => ": a comma is missing",
        (E::Value | E::ValueOrArrayEnd, Found::Char('+' | '.')) => {
            ": a number starts with a digit or a minus"
        }
        _ => "",
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "a value",
            Self::ValueOrArrayEnd => "a value or ']'",
            Self::MemberName => "the name of a member in double quotes",
            Self::MemberNameOrObjectEnd => "the name of a member in double quotes or '}'",
            Self::Colon => "':' between name and value",
            Self::CommaOrArrayEnd => "',' or ']'",
            Self::CommaOrObjectEnd => "',' or '}'",
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(char) if char.is_control() => write!(f, "the character U+{:04X}", u32::from(*char)),
            Self::Char(char) => write!(f, "'{char}'"),
            Self::End => f.write_str("the end of the input"),
        }
    }
}

impl fmt::Display for NumberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "this is no number: write digits, with a minus before and a point between if needed",
            Self::LeadingZero => "a number must not start with a zero that other digits follow: remove the zero, or write it as a string",
            Self::NoFractionDigits => "a number must not end at its decimal point: add digits or remove the point",
            Self::NoExponentDigits => "the exponent of this number has no digits: add them or remove it",
        })
    }
}

impl std::error::Error for NumberFault {}
