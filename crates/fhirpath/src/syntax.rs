//! What an expression is after parsing: a tree whose height is bounded by the parser, whatever its length.

use regex::Regex;

use crate::functions::Function;
use crate::system::System;

/// An expression inside an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// `{}`
    Empty,
    /// A literal of a system type.
    Literal(System<'static>),
    /// `%name`
    Variable(String),
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
    /// Steps from `start`, or from `$this` where there is none.
    Path { start: Option<Box<Node>>, steps: Vec<Step> },
    /// `+x` and `-x`.
    Polarity { sign: Sign, operand: Box<Node> },
    /// Operators of one precedence, applied from left to right.
    Chain { first: Box<Node>, rest: Vec<(Operator, Node)> },
    /// `x is T`, `x as T`, from left to right.
    Types { operand: Box<Node>, rest: Vec<(TypeOperator, TypeSpecifier)> },
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// `.name`
    Member(String),
    /// `[index]`
    Index(Node),
    /// `.is(T)`, `.as(T)`, `.ofType(T)`
    Types(TypeOperator, TypeSpecifier),
    /// `.function(arguments)`
    Call(Call),
}

/// A function with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Node>,
    /// The compiled first argument of a matching function, where it is a literal.
    pub(crate) pattern: Option<Pattern>,
}

/// A regular expression, compiled with the expression it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(pub(crate) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// The sign before an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// What a type is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeOperator {
    Is,
    As,
    OfType,
}

impl TypeOperator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::As => "as",
            Self::OfType => "ofType",
        }
    }
}

/// The name of a type, perhaps with its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeSpecifier {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// Declares [`Operator`] with symbols and precedences (FHIRPath, "Operator precedence"; a higher number binds
/// more tightly).
macro_rules! operators {
    ($($symbol:literal $variant:ident $level:literal,)*) => {
        /// An operator between two operands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operator { $($variant,)* }

        impl Operator {
            /// As written.
            pub(crate) const fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol,)* }
            }

            /// How tightly it binds.
            pub(crate) const fn level(self) -> u8 {
                match self { $(Self::$variant => $level,)* }
            }

            /// The operator that is written like this.
            pub(crate) fn written(symbol: &str) -> Option<Self> {
                match symbol { $($symbol => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

operators! {
    "*" Multiply 10,
    "/" Divide 10,
    "div" Div 10,
    "mod" Mod 10,
    "+" Add 9,
    "-" Subtract 9,
    "&" Concatenate 9,
    "|" Union 7,
    "<=" LessOrEqual 6,
    "<" Less 6,
    ">" Greater 6,
    ">=" GreaterOrEqual 6,
    "=" Equal 5,
    "~" Equivalent 5,
    "!=" NotEqual 5,
    "!~" NotEquivalent 5,
    "in" In 4,
    "contains" Contains 4,
    "and" And 3,
    "or" Or 2,
    "xor" Xor 2,
    "implies" Implies 1,
}

/// The level of `is` and `as`, between `+` and `|`.
pub(crate) const TYPE_LEVEL: u8 = 8;
/// The loosest and the tightest level.
pub(crate) const LOOSEST: u8 = 1;
pub(crate) const TIGHTEST: u8 = 10;
