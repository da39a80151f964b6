//! What can be wrong with a FHIRPath Patch.

use std::fmt;

use fhir_model::json::Kind;
use fhirpath::{EvalError, ParseError};

use crate::error::quoted;
use crate::limits::Exceeded;

/// Why a resource is no FHIRPath Patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FhirPathPatchFault {
    /// It is not a Parameters resource.
    NotParameters,
    /// More operations than allowed.
    TooManyOperations {
        /// The number found.
        found: usize,
        /// The number allowed.
        operations_max: usize,
    },
    /// An element of Parameters that has another shape than the definition gives it.
    Shape {
        /// The element.
        element: &'static str,
        /// What it is to be.
        expected: &'static str,
        /// What it is.
        found: Kind,
    },
    /// A parameter that is not named `operation`.
    NotAnOperation(String),
    /// A part that the operation needs.
    Missing {
        /// Its name.
        part: &'static str,
    },
    /// A part that stands twice.
    Repeated {
        /// Its name.
        part: String,
    },
    /// A part that the operation does not have.
    Unused {
        /// Its name.
        part: String,
    },
    /// A part whose content is wrong.
    Part {
        /// Its name.
        part: &'static str,
        /// What is wrong with it.
        fault: PartFault,
    },
    /// `type` is none of add, insert, delete, replace, move.
    UnknownType(String),
    /// `path` is no FHIRPath expression.
    BadPath(ParseError),
}

/// What is wrong with the content of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartFault {
    /// It has neither a value nor parts nor a resource.
    Empty,
    /// It has more than one of value, parts and resource.
    Several,
    /// It has a value of another type.
    Type {
        /// What it is to be.
        expected: &'static str,
        /// The type of the value.
        found: String,
    },
    /// Parameters have no value of that name in this version.
    UnknownValue(String),
    /// It is an index and below 0.
    Negative,
    /// A resource without a type that this version knows.
    UnknownResource,
}

/// Why a FHIRPath Patch does not fit a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FhirPathPatchRefusal {
    /// The path gives no element.
    NoMatch,
    /// The path gives several elements.
    SeveralMatches {
        /// How many.
        found: usize,
    },
    /// The path gives a computed value.
    NotAnElement,
    /// The path begins with another type than that of the resource.
    OtherType {
        /// The type in the path.
        path: String,
        /// The type of the resource.
        resource: String,
    },
    /// The path cannot be evaluated.
    Evaluation(EvalError),
    /// The definitions know no such element there.
    UnknownElement {
        /// The name.
        name: String,
        /// The type, or the path of the backbone element, that does not have it.
        inside: String,
    },
    /// Something is to be added that does not repeat and is there.
    Exists {
        /// The name.
        name: String,
    },
    /// A place in a list is given, and the path does not end in the name of an element that repeats.
    NotAList,
    /// An index that the list does not have.
    OutOfRange {
        /// The index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// The resource as a whole can be neither deleted nor replaced by a patch.
    WholeResource,
    /// The value has a type that the element cannot have.
    WrongType {
        /// The types that it can have.
        expected: String,
        /// The type of the value.
        found: String,
    },
    /// The value is not written as one of the element's type.
    BadValue {
        /// The type of the element.
        expected: &'static str,
        /// The value; long ones are cut.
        found: String,
    },
    /// An element stands twice among the parts of a value, and does not repeat.
    Repeated {
        /// The name.
        name: String,
    },
    /// A limit is met.
    Exceeded(Exceeded),
}

impl From<Exceeded> for FhirPathPatchRefusal {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl fmt::Display for FhirPathPatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotParameters => f.write_str("a FHIRPath Patch is a Parameters resource"),
            Self::TooManyOperations { found, operations_max } => {
                write!(f, "{found} operations, and at most {operations_max} are applied: split the patch")
            }
            Self::Shape { element, expected, found } => write!(f, "{element} is {expected}, not {found}"),
            Self::NotAnOperation(name) => {
                write!(f, "the parameters of a FHIRPath Patch are named 'operation', not {}", quoted(name))
            }
            Self::Missing { part } => write!(f, "the part '{part}' is missing"),
            Self::Repeated { part } => write!(f, "the part {} stands twice", quoted(part)),
            Self::Unused { part } => write!(f, "this operation has no part {}: remove it", quoted(part)),
            Self::Part { part, fault } => write!(f, "the part '{part}': {fault}"),
            Self::UnknownType(name) => {
                let name = quoted(name);
                write!(f, "{name} is no operation: use add, insert, delete, replace or move")
            }
            Self::BadPath(error) => write!(f, "the part 'path' is no FHIRPath expression: {error}"),
        }
    }
}

impl fmt::Display for PartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty: give it a value, parts or a resource"),
            Self::Several => f.write_str("it has one of value, parts and resource only"),
            Self::Type { expected, found } => write!(f, "it is {expected}, not {}", quoted(found)),
            Self::UnknownValue(name) => write!(f, "Parameters has no element {}", quoted(name)),
            Self::Negative => f.write_str("places in a list are counted from 0"),
            Self::UnknownResource => f.write_str("its resource has no type that is known"),
        }
    }
}

impl fmt::Display for FhirPathPatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch => f.write_str("there is no such element in the resource"),
            Self::SeveralMatches { found } => {
                write!(f, "this gives {found} elements, and exactly one is needed: say which, as in name[0]")
            }
            Self::NotAnElement => f.write_str("this gives a computed value, not an element of the resource"),
            Self::OtherType { path, resource } => {
                write!(f, "the path is one of {}, the resource is a {}", quoted(path), quoted(resource))
            }
            Self::Evaluation(error) => write!(f, "the path cannot be evaluated: {error}"),
            Self::UnknownElement { name, inside } => {
                write!(f, "{} has no element {}", quoted(inside), quoted(name))
            }
            Self::Exists { name } => {
                write!(f, "the element {} is there and does not repeat: use replace", quoted(name))
            }
            Self::NotAList => f.write_str("the path does not end in the name of an element that repeats"),
            Self::OutOfRange { index, len } => {
                write!(f, "the list has {len} items, so there is no place {index}")
            }
            Self::WholeResource => f.write_str("a patch cannot delete or replace the resource itself"),
            Self::WrongType { expected, found } => {
                write!(f, "the element has the type {expected}, the value {found}")
            }
            Self::BadValue { expected, found } => write!(f, "{} is no {expected}", quoted(found)),
            Self::Repeated { name } => {
                write!(f, "the element {} stands twice in the value and does not repeat", quoted(name))
            }
            Self::Exceeded(exceeded) => exceeded.fmt(f),
        }
    }
}
