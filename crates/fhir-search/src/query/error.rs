//! Why a query text is refused.

use core::fmt;

use crate::terminology::Unlisted;

/// A parameter that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The parameter as it was written, with its modifier; empty if the query as a whole is meant.
    pub parameter: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The type has no such parameter.
    Unknown,
    /// FHIR has it, this server cannot search by it.
    Unsupported,
    /// The server can, but the API was told not to index words.
    WithoutFullText,
    /// It looks for words, and criteria compare values.
    NotInCriteria,
    /// What it finds is decided by other resources, and those may change without a version of the resource itself.
    OfOthers,
    /// The modifier is not one that the parameter has here.
    Modifier,
    /// It has no value.
    Empty,
    /// The value cannot be read.
    Malformed {
        /// What is expected.
        expected: &'static str,
    },
    /// A bare id, and references of several types.
    TypeNeeded,
    /// More values, or more parameters, than are taken.
    TooMany {
        /// How many are.
        max: usize,
    },
    /// It follows references, which those of contained resources are not, or asks for words, which they have not.
    Contained,
    /// More steps from reference to reference, or more parentheses within parentheses, than are taken.
    TooDeep {
        /// How many are.
        max: usize,
    },
    /// A search, however short, that comes to more comparisons than are made.
    TooBroad {
        /// How many are.
        max: usize,
    },
    /// The codes that a value set or a code system stands for cannot be told.
    Codes(Unlisted),
    /// Its value is longer than is taken.
    TooLong {
        /// How many bytes are.
        max: usize,
    },
    /// It shapes results and selects nothing, so it has no place in criteria.
    ShapesResults,
    /// Criteria without any criterion.
    NoCriterion,
    /// Criteria without one that an index can answer: an equality of a token with a code, a reference, a URI, an id,
    /// an exact text or a date.
    NotSelective,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, problem } = self;
        match problem {
            Problem::Unknown => write!(f, "{parameter} is not a search parameter of this type."),
            Problem::Unsupported => write!(f, "This server cannot search by {parameter}."),
            Problem::WithoutFullText => write!(
                f,
                "{parameter}: this API does not index the words of its resources. The setting full_text = \"on\" of its mount changes that."
            ),
            Problem::NotInCriteria => write!(
                f,
                "{parameter} has no place in criteria of a write: it looks for words, and criteria compare values."
            ),
            Problem::OfOthers => write!(
                f,
                "{parameter} has no place in criteria of a write: what it finds may change without a version of the \
                 resource itself. Name what the resource has: an identifier, a code, Type/id."
            ),
            Problem::Modifier => write!(f, "{parameter}: the parameter does not have this modifier here."),
            Problem::Empty => write!(f, "{parameter} has no value."),
            Problem::Malformed { expected } => {
                write!(f, "The value of {parameter} cannot be read; expected {expected}.")
            }
            Problem::TypeNeeded => {
                write!(f, "{parameter} may refer to several types: write Type/id.")
            }
            Problem::TooMany { max } if parameter.is_empty() => write!(f, "More than {max} parameters."),
            Problem::TooMany { max } => write!(f, "{parameter} has more than {max} values."),
            Problem::Contained => {
                f.write_str("What is contained in other resources is not found by chains, _has, _list, hierarchies or words.")
            }
            Problem::TooDeep { max } => write!(f, "{parameter} goes more than {max} levels deep."),
            Problem::TooBroad { max } => write!(
                f,
                "{parameter} makes the search come to more than {max} comparisons. Name the types that are meant, as in \
                 subject:Patient.name or _type=Patient, or ask for fewer values."
            ),
            Problem::Codes(Unlisted::Unknown) => write!(
                f,
                "{parameter}: the value set, code system or code is not known here. Store it as a resource with its url first."
            ),
            Problem::Codes(Unlisted::Rules) => write!(
                f,
                "{parameter}: the codes are described by rules. Store a ValueSet that lists them, or one with an expansion; \
                 of a CodeSystem the complete hierarchy."
            ),
            Problem::Codes(Unlisted::TooMany) => write!(f, "{parameter} stands for too many codes."),
            Problem::TooLong { max } => write!(f, "{parameter} has a value of more than {max} bytes."),
            Problem::ShapesResults => {
                write!(f, "{parameter} shapes results and selects nothing: criteria may not have it.")
            }
            Problem::NoCriterion => f.write_str("There is no criterion: that would mean every resource."),
            Problem::NotSelective => f.write_str(
                "Criteria need at least one equality of a code, a reference, a URI, an id, an exact text or a date.",
            ),
        }
    }
}

impl core::error::Error for QueryError {}
