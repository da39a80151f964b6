//! XML to the same tree as JSON, and back (FHIR, "XML Representation of Resources").
//!
//! XML says neither what is a list nor what is a number, so both ways need the definitions of a FHIR version.
//! What they do not know cannot be converted, and is an error that names the place.
//!
//! ```
//! use fhir_definitions::{Definitions, FhirVersion};
//! use fhir_model::json::Limits;
//! use fhir_model::xml;
//!
//! let r4 = Definitions::of(FhirVersion::R4);
//! let text = br#"<Flag xmlns="http://hl7.org/fhir"><status value="active"/><code><text value="ramp"/></code></Flag>"#;
//! let flag = xml::parse(text, r4, &Limits::default())?;
//! assert_eq!(flag.to_string(), r#"{"resourceType":"Flag","status":"active","code":{"text":"ramp"}}"#);
//!
//! // Stored JSON, members in any order, becomes XML in the order of the definition.
//! let stored = br#"{"code":{"text":"ramp"},"status":"active","resourceType":"Flag"}"#;
//! let mut out = Vec::new();
//! xml::from_json(stored, r4, &Limits::default(), &mut out)?;
//! assert_eq!(out, [xml::DECLARATION, text.as_slice()].concat());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | JSON | XML |
//! |---|---|
//! | `resourceType` | the name of the element, in the name space [`FHIR_NAMESPACE`] |
//! | member | child element; in the order of the definition, both in what is read and in what is written |
//! | array | the element, repeated |
//! | a primitive's value | attribute `value`; digits are kept, white space is written as character references |
//! | `_name` beside `name` | the attribute `id` and the child elements `extension` of the same element |
//! | `id` of an element, `url` of an extension | attributes |
//! | a resource in a resource | an element of its type inside the element |
//! | the string in `Narrative.div` | the XHTML element as it is written, byte by byte |
//!
//! Where the two differ in what they can say, nothing is dropped silently. A boolean or a number whose text is
//! none becomes a string, for the validator to refuse with a place. Refused as JSON that XML cannot say: `null`
//! without an id or extension beside it, empty arrays, empty objects beside a value, values of the wrong type, characters that XML 1.0 forbids.
//! The exceptions, all without meaning: comments and processing instructions between elements are skipped,
//! `xsi:schemaLocation` is ignored, `fhir_comments` of STU3 is not written. A narrative in JSON may leave out its
//! name space and may use HTML's named entities: both are put right in XML, which knows neither.
//!
//! A document type is refused whatever it declares, so there are no entities to expand and nothing to fetch.

mod attributes;
mod characters;
mod check;
mod convert;
mod error;
mod fault;
mod markup;
mod narrative;
mod parser;
mod scope;
mod sentences;
mod write_error;
mod writer;

pub use self::check::{XmlFault, XmlRoundTrip, check_xml};
pub use self::convert::{FromJsonError, from_json};
pub use self::error::{Construct, ElementHint, NarrativeFault, XmlError, XmlErrorKind};
pub use self::parser::parse;
pub use self::write_error::{XmlWriteError, XmlWriteErrorKind};
pub use self::writer::{write, write_pretty};

/// The name space of FHIR's own elements.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";

/// The name space of narrative.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// What every document that is written starts with.
pub const DECLARATION: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// An element with more attributes than this is refused: FHIR's own have three, XHTML's a handful. It bounds the
/// search for repeated ones.
pub const ATTRIBUTES_MAX: usize = 64;

/// More name space declarations than this in force at one place are refused: FHIR needs two. It bounds every lookup.
pub const NAMESPACES_MAX: usize = 32;

#[cfg(test)]
mod tests;
