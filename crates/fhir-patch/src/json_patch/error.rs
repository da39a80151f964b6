//! What can be wrong with a JSON Patch.

use std::fmt;

use fhir_model::json::Kind;

use crate::error::quoted;
use crate::limits::Exceeded;
use crate::pointer::PointerFault;

/// Why a document is no JSON Patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonPatchFault {
    /// The document is not an array.
    NotAnArray(Kind),
    /// An operation is not an object.
    NotAnObject(Kind),
    /// More operations than allowed.
    TooManyOperations {
        /// The number found.
        found: usize,
        /// The number allowed.
        operations_max: usize,
    },
    /// A member that the operation needs.
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member that is to be a string.
    NotAString {
        /// Its name.
        member: &'static str,
        /// What it is.
        found: Kind,
    },
    /// `op` is none of add, remove, replace, move, copy, test.
    UnknownOperation(String),
    /// `path` or `from` is no JSON Pointer.
    BadPointer {
        /// Which.
        member: &'static str,
        /// What is wrong with it.
        fault: PointerFault,
    },
    /// A value is to be moved into itself.
    IntoItself,
}

/// Why a JSON Patch does not fit a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonPatchRefusal {
    /// The document has nothing there.
    NotFound {
        /// The first part of the path that leads nowhere, as a JSON Pointer.
        at: String,
    },
    /// The path leads into something that is neither object nor array.
    NotAContainer {
        /// The part of the path that leads there.
        at: String,
        /// What is there.
        found: Kind,
    },
    /// What stands for an item of an array is no index: digits without leading zeros (RFC 6901 section 4).
    BadIndex {
        /// The part of the path that leads to the array.
        at: String,
        /// What stands there.
        found: String,
    },
    /// An index beyond the end of its array.
    OutOfRange {
        /// The part of the path that leads to the array.
        at: String,
        /// The index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// A `test` found another value.
    TestFailed,
    /// The whole document cannot be removed.
    WholeDocument,
    /// A limit is met.
    Exceeded(Exceeded),
}

impl From<Exceeded> for JsonPatchRefusal {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl fmt::Display for JsonPatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArray(found) => write!(f, "a JSON Patch is an array of operations, not {found}"),
            Self::NotAnObject(found) => write!(f, "an operation is an object, not {found}"),
            Self::TooManyOperations { found, operations_max } => {
                write!(f, "{found} operations, and at most {operations_max} are applied: split the patch")
            }
            Self::Missing { member } => write!(f, "the member '{member}' is missing"),
            Self::NotAString { member, found } => write!(f, "the member '{member}' is a string, not {found}"),
            Self::UnknownOperation(name) => {
                let name = quoted(name);
                write!(f, "{name} is no operation: use add, remove, replace, move, copy or test")
            }
            Self::BadPointer { member, fault } => write!(f, "the member '{member}': {fault}"),
            Self::IntoItself => f.write_str("a value cannot be moved into itself"),
        }
    }
}

impl fmt::Display for JsonPatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { at } => write!(f, "there is nothing at {}", quoted(at)),
            Self::NotAContainer { at, found } => {
                write!(f, "{} is {found}, which has no members or items", quoted(at))
            }
            Self::BadIndex { at, found } => {
                let (at, found) = (quoted(at), quoted(found));
                write!(f, "{at} is an array, and {found} is no index: write digits without leading zeros")
            }
            Self::OutOfRange { at, index, len } => {
                write!(f, "the array {} has {len} items, so there is no place {index}", quoted(at))
            }
            Self::TestFailed => f.write_str("the value there is not the one to be tested for"),
            Self::WholeDocument => f.write_str("the whole document cannot be removed: delete the resource"),
            Self::Exceeded(exceeded) => exceeded.fmt(f),
        }
    }
}
