//! What can be wrong with an expression, and with its evaluation.

use std::fmt;

/// Why a text is no FHIRPath expression, and where.
///
/// `Display` is one sentence with the place, and says what to change:
///
/// ```
/// use fhirpath::Expression;
///
/// let error = Expression::parse("Patient.name.where(use = )").unwrap_err();
/// assert_eq!(error.offset, 25);
/// assert_eq!(error.to_string(), "at character 26: expected an expression, found ')'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// The same place in characters, from 1.
    pub character: usize,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Another token was needed here.
    Unexpected {
        /// What could have stood here.
        expected: &'static str,
        /// What stands here; empty at the end of the text. Long tokens are cut.
        found: String,
    },
    /// A character that starts no token.
    BadCharacter(char),
    /// A string, a delimited identifier or a comment does not end.
    Unterminated(&'static str),
    /// A backslash is followed by something that is no escape.
    BadEscape,
    /// A date, time or number literal that has no meaning, such as month 13.
    BadLiteral(&'static str),
    /// No function has this name.
    UnknownFunction(String),
    /// A function is called with the wrong number of arguments.
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// Fewest arguments.
        min: usize,
        /// Most arguments.
        max: usize,
        /// The number given.
        found: usize,
    },
    /// The pattern given to a matching function is no regular expression of the supported kind.
    BadPattern(String),
    /// More literal patterns than allowed.
    TooManyPatterns {
        /// The patterns allowed.
        patterns_max: usize,
    },
    /// More levels of nesting than allowed.
    TooDeep {
        /// The levels allowed.
        depth_max: usize,
    },
    /// A longer text than allowed.
    TooLong {
        /// The length allowed, in bytes.
        bytes_max: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.character, self.kind)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } if found.is_empty() => {
                write!(f, "expected {expected}, but the expression ends here")
            }
            Self::Unexpected { expected, found } => write!(f, "expected {expected}, found '{found}'"),
            Self::BadCharacter('"') => f.write_str("write text in single quotes"),
            Self::BadCharacter(char) => write!(f, "the character {char:?} has no meaning here"),
            Self::Unterminated(what) => write!(f, "this {what} does not end"),
            Self::BadEscape => f.write_str(
                "a backslash is followed by no escape: write \\\\ for a backslash, or one of \\' \\\" \\` \\/ \\f \\n \\r \\t \\uXXXX",
            ),
            Self::BadLiteral(why) => f.write_str(why),
            Self::UnknownFunction(name) => write!(f, "there is no function '{name}'"),
            Self::ArgumentCount { function, min, max, found } if min == max => {
                write!(f, "{function}() takes {min} argument(s), not {found}")
            }
            Self::ArgumentCount { function, min, max, found } => {
                write!(f, "{function}() takes {min} to {max} arguments, not {found}")
            }
            Self::BadPattern(why) => write!(f, "this is no supported regular expression: {why}"),
            Self::TooManyPatterns { patterns_max } => {
                write!(f, "an expression has at most {patterns_max} literal patterns")
            }
            Self::TooDeep { depth_max } => write!(f, "more than {depth_max} levels of nesting"),
            Self::TooLong { bytes_max } => write!(f, "an expression has at most {bytes_max} bytes"),
        }
    }
}

/// Why an expression has no result.
///
/// FHIRPath gives an empty collection for most that is missing; an error means that the expression does not fit
/// the data or the environment, or asks for too much work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvalError {
    /// One item at most was needed, and there are several.
    NotSingleton {
        /// The function or operator.
        at: &'static str,
        /// How many items there are.
        found: usize,
    },
    /// An operand or argument has a type that the operation does not take.
    WrongType {
        /// The function or operator.
        at: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The type of what was given.
        found: String,
    },
    /// An operator is given two types that it does not combine.
    Operands {
        /// The operator.
        at: &'static str,
        /// Type of the left operand.
        left: String,
        /// Type of the right operand.
        right: String,
    },
    /// An argument that has no meaning for the function.
    Argument {
        /// The function.
        at: &'static str,
        /// What it takes.
        why: &'static str,
    },
    /// A unit that cannot be used here, such as centimetres added to a date.
    Unit {
        /// The function or operator.
        at: &'static str,
        /// The unit.
        unit: String,
    },
    /// A type specifier names no type.
    UnknownType(String),
    /// A `%variable` that the environment does not hold.
    UnknownVariable(String),
    /// A pattern that was computed is no regular expression of the supported kind.
    BadPattern(String),
    /// The expression needs something that the environment does not give.
    NotProvided {
        /// What is missing.
        what: &'static str,
    },
    /// What the host of the evaluation answered.
    Host(String),
    /// The evaluation takes more steps than allowed.
    TooManySteps {
        /// The steps allowed.
        steps_max: u64,
    },
    /// A collection grows beyond the size allowed.
    TooManyItems {
        /// The items allowed.
        items_max: usize,
    },
    /// A text grows beyond the size allowed.
    TextTooLong {
        /// The length allowed, in bytes.
        text_bytes_max: usize,
    },
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSingleton { at, found } => {
                write!(f, "{at} takes one item, and there are {found}")
            }
            Self::WrongType { at, expected, found } => write!(f, "{at} takes {expected}, not {found}"),
            Self::Operands { at, left, right } => {
                write!(f, "the operator {at} does not combine {left} and {right}")
            }
            Self::Argument { at, why } => write!(f, "{at}: {why}"),
            Self::Unit { at, unit } => write!(f, "the unit '{unit}' cannot be used with {at}"),
            Self::UnknownType(name) => write!(f, "there is no type '{name}'"),
            Self::UnknownVariable(name) => write!(f, "the variable %{name} is not set"),
            Self::BadPattern(why) => write!(f, "this is no supported regular expression: {why}"),
            Self::NotProvided { what } => write!(f, "{what} is not available here"),
            Self::Host(why) => f.write_str(why),
            Self::TooManySteps { steps_max } => {
                write!(f, "the evaluation takes more than {steps_max} steps")
            }
            Self::TooManyItems { items_max } => {
                write!(f, "a collection has more than {items_max} items")
            }
            Self::TextTooLong { text_bytes_max } => {
                write!(f, "a text has more than {text_bytes_max} bytes")
            }
        }
    }
}

impl std::error::Error for EvalError {}

/// What the definitions say against an expression, before there is any data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckError {
    /// An element that the definitions do not know.
    UnknownElement {
        /// The name in the path.
        name: String,
        /// The types that have no such element.
        inside: String,
    },
    /// A type specifier names no type.
    UnknownType(String),
    /// A function that counts on an order is called on items that have none.
    Unordered {
        /// The function.
        at: &'static str,
    },
    /// A condition that is never a Boolean.
    NoCondition {
        /// The function.
        at: &'static str,
    },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownElement { name, inside } => write!(f, "{inside} has no element '{name}'"),
            Self::UnknownType(name) => write!(f, "there is no type '{name}'"),
            Self::Unordered { at } => write!(f, "{at}() is called on items that have no order"),
            Self::NoCondition { at } => write!(f, "the condition of {at}() is no Boolean"),
        }
    }
}

impl std::error::Error for CheckError {}
