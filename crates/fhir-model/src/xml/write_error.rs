//! Why a tree cannot be written as XML.

use std::fmt;

use fhir_definitions::FhirVersion;

use super::error::XmlErrorKind;
use crate::json::Kind;

/// Why a tree cannot be written as XML, and where.
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::{object, xml};
///
/// let flag = object! { "resourceType": "Flag", "code": object! { "txt": "ramp" } };
/// let error = xml::write(&flag, Definitions::of(FhirVersion::R4), &mut Vec::new()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "at Flag.code.txt: CodeableConcept has no element 'txt', so XML cannot hold it: correct the name or remove it",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlWriteError {
    /// What is wrong.
    pub kind: XmlWriteErrorKind,
    /// The element, as a FHIRPath-like location: `Flag.code.coding[1].display`. Long paths are cut.
    pub path: String,
}

/// Why a tree cannot be written as XML. Names are cut after 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlWriteErrorKind {
    /// It is no resource of this version: there is no `resourceType`, or none that can have instances.
    NotAResource {
        /// The `resourceType`, if it is a string.
        found: Option<String>,
        /// The version.
        version: FhirVersion,
    },
    /// The definitions know no such member here.
    UnknownMember {
        /// The name of the member.
        name: String,
        /// The type, or the path of the backbone element, that does not have it.
        parent: String,
    },
    /// A value is of another kind than the definition says. Text that would read back as another kind counts.
    WrongKind {
        /// What belongs here.
        expected: &'static str,
        /// What is there.
        found: Kind,
    },
    /// An element that does not repeat is an array, or the other way round.
    WrongShape {
        /// Whether the element repeats.
        is_list: bool,
    },
    /// A `null` without an id or extension beside it.
    Null,
    /// An array without items.
    EmptyArray,
    /// An object without id or extensions beside a value.
    EmptyExtra,
    /// Id and extensions beside what is an attribute or narrative in XML.
    Extra,
    /// A character that XML 1.0 forbids.
    ForbiddenCharacter(char),
    /// A narrative that cannot stand in XML.
    Narrative {
        /// What is wrong with it.
        kind: Box<XmlErrorKind>,
        /// Where, in bytes from the start of the string.
        offset: usize,
    },
    /// The tree is nested more deeply than [`DEPTH_CEILING`](crate::json::DEPTH_CEILING), so no parser made it.
    TooDeep,
}

impl fmt::Display for XmlWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at {}: ", self.path)?;
        }
        write!(f, "{}", self.kind)
    }
}

impl std::error::Error for XmlWriteError {}

impl fmt::Display for XmlWriteErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAResource { found: None, .. } => {
                f.write_str("this is no resource: it needs a resourceType, which is a string")
            }
            Self::NotAResource { found: Some(name), version } => {
                write!(
                    f,
                    "FHIR {version} has no resource type '{name}', so it cannot be written as XML: correct resourceType"
                )
            }
            Self::UnknownMember { name, parent } => {
                write!(
                    f,
                    "{parent} has no element '{name}', so XML cannot hold it: correct the name or remove it"
                )
            }
            Self::WrongKind { expected, found } => {
                write!(f, "{expected} belongs here, and {found} cannot be written as one: correct the value")
            }
            Self::WrongShape { is_list: true } => {
                f.write_str("this element repeats: put its values into an array")
            }
            Self::WrongShape { is_list: false } => {
                f.write_str("this element does not repeat: write its value without an array")
            }
            Self::Null => f.write_str(
                "null without an id or extension beside it says nothing, and XML cannot hold it: remove it",
            ),
            Self::EmptyArray => f.write_str("an empty array says nothing, and XML cannot hold it: remove it"),
            Self::EmptyExtra => {
                f.write_str("an empty object beside a value says nothing, and XML cannot hold it: remove it")
            }
            Self::Extra => f.write_str("no id or extensions can stand beside this value: remove them"),
            Self::ForbiddenCharacter(char) => {
                write!(f, "XML cannot hold the character U+{:04X}: remove it", u32::from(*char))
            }
            Self::Narrative { kind, offset } => {
                write!(f, "the narrative is no XHTML, at byte {offset} of the string: {kind}")
            }
            Self::TooDeep => f.write_str("the tree is nested too deeply"),
        }
    }
}
