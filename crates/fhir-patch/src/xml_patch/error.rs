//! What can be wrong with an XML Patch. The names that RFC 5261 section 5.1 gives to errors are in `code`.

use std::fmt;

use crate::error::quoted;
use crate::limits::Exceeded;

/// Why a text is no XML document that is read here, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkupFault {
    /// What is wrong.
    pub kind: MarkupFaultKind,
    /// Where, in bytes from the start, about.
    pub offset: usize,
}

/// What is wrong with an XML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkupFaultKind {
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A character that XML 1.0 forbids, itself or by reference.
    ForbiddenCharacter(char),
    /// A document type declaration.
    DocumentType,
    /// A prefix that is not declared.
    UndeclaredPrefix(String),
    /// It is not well-formed; the reason in words.
    NotWellFormed(String),
    /// More attributes on one element than allowed.
    TooManyAttributes {
        /// The number allowed.
        attributes_max: usize,
    },
    /// A limit is met.
    Exceeded(Exceeded),
}

/// Why a text is no selector, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorFault {
    /// What is wrong.
    pub kind: SelectorFaultKind,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// What is wrong with a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorFaultKind {
    /// Something that selectors do not have in this place.
    Unexpected,
    /// A prefix that the patch does not declare there.
    UndeclaredPrefix(String),
    /// The function `id()`, which needs a document type.
    IdFunction,
    /// More steps and predicates than allowed.
    TooLong {
        /// The number allowed.
        steps_max: usize,
    },
}

/// Why a document is no XML Patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlPatchFault {
    /// It is no XML document that is read here.
    Markup(MarkupFault),
    /// The outermost element is neither `diff` nor `patch`.
    NotAPatch {
        /// Its name.
        found: String,
    },
    /// More operations than allowed.
    TooManyOperations {
        /// The number allowed.
        operations_max: usize,
    },
    /// An element among the operations that is none of add, replace, remove, or text.
    NotAnOperation(String),
    /// An operation without `sel`.
    SelectorMissing,
    /// `sel` is no selector.
    Selector(SelectorFault),
    /// An attribute that the operation does not have.
    UnknownAttribute(String),
    /// An attribute with a value that it cannot have.
    BadValue {
        /// The attribute.
        attribute: &'static str,
        /// The value.
        found: String,
    },
    /// `remove` with something inside.
    RemoveWithContent,
    /// `add` or `replace` with nothing inside that could be put anywhere, or with what its attributes do not go with.
    Content,
}

/// Why an XML Patch does not fit a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlPatchRefusal {
    /// The document is none that is read here.
    Document(MarkupFault),
    /// The selector gives nothing.
    NotFound,
    /// The selector gives several nodes.
    SeveralMatches {
        /// How many.
        found: usize,
    },
    /// What is found cannot take what the operation has.
    NodeTypes,
    /// `pos` or `ws` says what cannot be done with what is found.
    Directive,
    /// `ws` asks for white space that is not there.
    WhiteSpace,
    /// The outermost element can neither be removed nor get a sibling that is an element or text.
    OutermostElement,
    /// What is to be added is there.
    Exists {
        /// The attribute or prefix.
        name: String,
    },
    /// A prefix that names need, or that cannot be declared.
    NamespacePrefix {
        /// The prefix.
        prefix: String,
    },
    /// The URI of a name space is empty or not allowed.
    NamespaceUri,
    /// A limit is met.
    Exceeded(Exceeded),
}

impl From<Exceeded> for XmlPatchRefusal {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl XmlPatchFault {
    /// The name of the error in RFC 5261.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Markup(MarkupFault { kind: MarkupFaultKind::InvalidUtf8, .. }) => "invalid-character-set",
            Self::Markup(MarkupFault { kind: MarkupFaultKind::DocumentType, .. }) => {
                "invalid-entity-declaration"
            }
            Self::Selector(SelectorFault { kind: SelectorFaultKind::IdFunction, .. }) => {
                "unsupported-id-function"
            }
            Self::Markup(MarkupFault { kind: MarkupFaultKind::UndeclaredPrefix(_), .. })
            | Self::Selector(SelectorFault { kind: SelectorFaultKind::UndeclaredPrefix(_), .. }) => {
                "invalid-namespace-prefix"
            }
            Self::BadValue { .. } | Self::Selector(_) => "invalid-attribute-value",
            Self::Markup(_)
            | Self::NotAPatch { .. }
            | Self::TooManyOperations { .. }
            | Self::NotAnOperation(_)
            | Self::RemoveWithContent
            | Self::SelectorMissing => "invalid-diff-format",
            Self::UnknownAttribute(_) => "invalid-patch-directive",
            Self::Content => "invalid-node-types",
        }
    }
}

impl XmlPatchRefusal {
    /// The name of the error in RFC 5261; limits have none of their own there.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::SeveralMatches { .. } => "unlocated-node",
            Self::NodeTypes => "invalid-node-types",
            Self::WhiteSpace => "invalid-whitespace-directive",
            Self::OutermostElement => "invalid-root-element-operation",
            Self::NamespacePrefix { .. } => "invalid-namespace-prefix",
            Self::NamespaceUri => "invalid-namespace-uri",
            Self::Document(_) | Self::Directive | Self::Exists { .. } | Self::Exceeded(_) => {
                "invalid-patch-directive"
            }
        }
    }
}

impl fmt::Display for MarkupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for MarkupFault {}

impl fmt::Display for MarkupFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUtf8 => f.write_str("these bytes are not UTF-8"),
            Self::ForbiddenCharacter(char) => write!(f, "XML has no character U+{:04X}", u32::from(*char)),
            Self::DocumentType => f.write_str("document types are not read"),
            Self::UndeclaredPrefix(prefix) => write!(f, "the prefix {} is not declared", quoted(prefix)),
            Self::NotWellFormed(why) => write!(f, "this is not well-formed: {why}"),
            Self::TooManyAttributes { attributes_max } => {
                write!(f, "an element has more than {attributes_max} attributes")
            }
            Self::Exceeded(exceeded) => exceeded.fmt(f),
        }
    }
}

impl fmt::Display for SelectorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for SelectorFault {}

impl fmt::Display for SelectorFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected => f.write_str(
                "selectors are paths of names, with predicates such as [2], [@id='a'] or [f:system/@value='b']",
            ),
            Self::UndeclaredPrefix(prefix) => {
                write!(f, "the prefix {} is not declared in the patch", quoted(prefix))
            }
            Self::IdFunction => f.write_str("id() is not supported: it needs a document type"),
            Self::TooLong { steps_max } => write!(f, "a selector has at most {steps_max} steps and predicates"),
        }
    }
}

impl fmt::Display for XmlPatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Markup(fault) => fault.fmt(f),
            Self::NotAPatch { found } => {
                write!(f, "the outermost element of an XML Patch is 'diff' or 'patch', not {}", quoted(found))
            }
            Self::TooManyOperations { operations_max } => {
                write!(f, "at most {operations_max} operations are applied: split the patch")
            }
            Self::NotAnOperation(found) => {
                write!(f, "{} is no operation: use add, replace or remove", quoted(found))
            }
            Self::SelectorMissing => f.write_str("the attribute 'sel' is missing"),
            Self::Selector(fault) => write!(f, "the attribute 'sel': {fault}"),
            Self::UnknownAttribute(name) => write!(f, "this operation has no attribute {}", quoted(name)),
            Self::BadValue { attribute, found } => {
                write!(f, "the attribute '{attribute}' cannot be {}", quoted(found))
            }
            Self::RemoveWithContent => f.write_str("'remove' has nothing inside"),
            Self::Content => f.write_str("what is inside of the operation does not go with its attributes"),
        }
    }
}

impl fmt::Display for XmlPatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(fault) => write!(f, "the resource cannot be read as XML, {fault}"),
            Self::NotFound => f.write_str(
                "there is nothing there: FHIR's elements are in the name space http://hl7.org/fhir",
            ),
            Self::SeveralMatches { found } => {
                write!(f, "this gives {found} nodes, and exactly one is needed: say which, as in [1]")
            }
            Self::NodeTypes => f.write_str("what is there cannot take what the operation has inside"),
            Self::Directive => f.write_str("'pos' or 'ws' cannot be followed for what is there"),
            Self::WhiteSpace => f.write_str("there is no white space where 'ws' says"),
            Self::OutermostElement => f.write_str(
                "the outermost element can neither be removed nor have an element or text beside it",
            ),
            Self::Exists { name } => write!(f, "{} is there: use replace", quoted(name)),
            Self::NamespacePrefix { prefix } => {
                write!(f, "the prefix {} is in use, or cannot be declared", quoted(prefix))
            }
            Self::NamespaceUri => f.write_str("this cannot be the URI of a name space"),
            Self::Exceeded(exceeded) => exceeded.fmt(f),
        }
    }
}
