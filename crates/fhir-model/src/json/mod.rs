//! The lossless JSON tree: what was read is what is printed.
//!
//! Numbers keep their digits, objects the order of their members, and strings the escapes they
//! were written with, so that printing a parsed document gives the same bytes apart from white
//! space between tokens (RFC 8259 section 2). FHIR asks for the first: the precision of a decimal
//! is part of its value (FHIR, data types, `decimal`).

mod check;
mod error;
mod limits;
mod location;
mod macros;
mod number;
mod object;
mod parser;
mod scan;
mod text;
mod value;
mod writer;

pub use self::check::{RoundTrip, RoundTripFault, check_round_trip};
pub use self::error::{Expected, Found, JsonError, JsonErrorKind, NumberFault};
pub use self::limits::{DEPTH_CEILING, Limits};
pub use self::number::Number;
pub use self::object::Object;
pub use self::parser::{parse, parse_parts};
pub use self::text::Text;
pub use self::value::{Kind, Value};
pub use self::writer::write_string;

pub(crate) use self::location::line_and_column;
pub(crate) use self::writer::{BYTES_AT_FIRST, write_member_name, write_value};

#[cfg(test)]
mod tests;
