//! What can be wrong with an XML document, and where. The sentences are in `sentences.rs`.

use std::fmt;

use fhir_definitions::FhirVersion;

/// Why a document was refused, and where.
///
/// `Display` is one sentence with the place, and says what to change:
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::json::Limits;
/// use fhir_model::xml;
///
/// let text = br#"<Flag xmlns="http://hl7.org/fhir"><code><text value="a"/><txt value="b"/></code></Flag>"#;
/// let error = xml::parse(text, Definitions::of(FhirVersion::R4), &Limits::default()).unwrap_err();
/// assert_eq!(error.path, "Flag.code");
/// assert_eq!(
///     error.to_string(),
///     "line 1, column 58 (at Flag.code): CodeableConcept has no element 'txt': correct the name or remove it",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError {
    /// What is wrong.
    pub kind: XmlErrorKind,
    /// Where, in bytes from the start of the input: the start of the tag, attribute or reference.
    pub offset: usize,
    /// The line of that place, from 1.
    pub line: usize,
    /// The place in its line in characters, from 1.
    pub column: usize,
    /// The element that is wrong, or that contains what is wrong, as a FHIRPath-like location:
    /// `Flag.code.coding[1]`. Empty outside of the resource. Long paths are cut.
    pub path: String,
}

/// What is wrong with a document. Names and other parts of the input are cut after 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlErrorKind {
    /// More bytes than allowed.
    TooLarge {
        /// The length of the document.
        bytes: usize,
        /// The length allowed.
        bytes_max: usize,
    },
    /// More levels of nesting than allowed, counted as in the JSON form of the resource.
    TooDeep {
        /// The levels allowed.
        depth_max: usize,
    },
    /// More values than allowed, counted as in the JSON form of the resource.
    TooManyNodes {
        /// The values allowed.
        nodes_max: usize,
    },
    /// More attributes on one element than [`ATTRIBUTES_MAX`](super::ATTRIBUTES_MAX).
    TooManyAttributes,
    /// More name space declarations in force than [`NAMESPACES_MAX`](super::NAMESPACES_MAX).
    TooManyNamespaces,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// The XML declaration names another encoding than UTF-8.
    ForeignEncoding(String),
    /// The XML declaration is none of version 1.0, or malformed.
    BadDeclaration,
    /// A character that XML 1.0 forbids, itself or by reference.
    ForbiddenCharacter(char),
    /// A document type declaration.
    Doctype,
    /// A reference to an entity that XML does not define.
    UnknownEntity(String),
    /// `&` starts no reference, or one to no character.
    BadReference,
    /// Something does not end.
    Unclosed(Construct),
    /// `<` starts no tag, comment, processing instruction or CDATA section.
    BadMarkup,
    /// Two hyphens within a comment.
    HyphensInComment,
    /// `]]>` in text outside of a CDATA section.
    CDataEndInText,
    /// An end tag that is not that of the open element.
    WrongEndTag {
        /// The element that is open, or none.
        open: Option<String>,
        /// The name in the end tag.
        found: String,
    },
    /// The document ends within an element.
    CutOff,
    /// A tag holds something that is no attribute.
    BadAttribute,
    /// An attribute that stands twice.
    DuplicateAttribute(String),
    /// There is no element at all.
    NoElement,
    /// Something follows the resource.
    TrailingContent,
    /// A prefix that is not declared.
    UndeclaredPrefix(String),
    /// A name space declaration that is not allowed.
    BadNamespace,
    /// An element outside of the name space that belongs here.
    WrongNamespace {
        /// The name of the element.
        name: String,
        /// The name space that belongs here.
        expected: &'static str,
    },
    /// A resource was expected, and the name is no type of this version that can have instances.
    UnknownResource {
        /// The name of the element.
        name: String,
        /// The version.
        version: FhirVersion,
    },
    /// An element that holds a resource has none inside.
    ResourceMissing,
    /// An element that holds a resource has several inside.
    SecondResource,
    /// The definitions know no such element here.
    UnknownElement {
        /// The name of the element.
        name: String,
        /// The type, or the path of the backbone element, that does not have it.
        parent: String,
        /// What was probably meant.
        hint: ElementHint,
    },
    /// An attribute that the element cannot have.
    UnknownAttribute {
        /// The name of the attribute.
        name: String,
        /// Whether an element of that name belongs inside.
        is_element: bool,
    },
    /// An element that stands behind one that follows it in the definition.
    OutOfOrder {
        /// The name of the element.
        name: String,
        /// The name of the one it should precede.
        before: String,
    },
    /// An element that does not repeat, a second time.
    Repeated(String),
    /// Text where only elements belong.
    Text,
    /// A narrative that is not what FHIR allows there.
    Narrative(NarrativeFault),
}

/// What may be missing from the name of an unknown element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementHint {
    /// Nothing that is known.
    None,
    /// It is a choice: the type is missing from its name.
    Choice,
    /// It is an attribute.
    Attribute,
}

/// A construct that ends with the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construct {
    /// A tag.
    Tag,
    /// The value of an attribute.
    AttributeValue,
    /// A comment.
    Comment,
    /// A CDATA section.
    CData,
    /// A processing instruction or the XML declaration.
    Instruction,
    /// A character reference.
    Reference,
}

/// What a narrative may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NarrativeFault {
    /// The outermost element is not `div`.
    NotADiv,
    /// It is not one element.
    NotOneElement,
    /// An attribute with a prefix other than `xml`.
    PrefixedAttribute,
    /// A processing instruction.
    Instruction,
    /// A name that XML does not allow.
    BadName,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for XmlError {}
