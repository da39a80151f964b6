//! The sentences of [`XmlErrorKind`]: each says what is wrong and what to change.

use std::fmt;

use super::error::{Construct, ElementHint, NarrativeFault, XmlErrorKind};
use super::{ATTRIBUTES_MAX, FHIR_NAMESPACE, NAMESPACES_MAX, XHTML_NAMESPACE};

impl fmt::Display for XmlErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sentence) = fixed_sentence(self) {
            return f.write_str(sentence);
        }
        match self {
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "{bytes} bytes, and at most {bytes_max} are read: split the document")
            }
            Self::TooDeep { depth_max } => {
                write!(f, "more than {depth_max} levels of nesting: this server reads no deeper document")
            }
            Self::TooManyNodes { nodes_max } => {
                write!(f, "more than {nodes_max} values: split the document")
            }
            Self::TooManyAttributes => {
                write!(f, "more than {ATTRIBUTES_MAX} attributes on one element: remove those without use")
            }
            Self::TooManyNamespaces => {
                write!(
                    f,
                    "more than {NAMESPACES_MAX} name spaces: declare only {FHIR_NAMESPACE} and, in narrative, {XHTML_NAMESPACE}"
                )
            }
            Self::ForeignEncoding(name) => {
                write!(f, "the encoding is {name}: send the document in UTF-8, and say so or nothing")
            }
            Self::ForbiddenCharacter(char) => {
                write!(f, "XML does not allow the character U+{:04X}: remove it", u32::from(*char))
            }
            Self::UnknownEntity(name) => {
                write!(
                    f,
                    "the entity &{name}; is not defined in XML: write the character itself, or its number as &#160; does"
                )
            }
            Self::Unclosed(construct) => write!(f, "{construct}"),
            Self::WrongEndTag { open: Some(open), found } => {
                write!(f, "</{found}> stands where <{open}> is open: close that first, or correct the name")
            }
            Self::WrongEndTag { open: None, found } => {
                write!(f, "</{found}> closes nothing: remove it")
            }
            Self::DuplicateAttribute(name) => {
                write!(f, "the attribute '{name}' stands twice on one element: keep one of them")
            }
            Self::UndeclaredPrefix(prefix) => {
                write!(
                    f,
                    "the prefix '{prefix}' is not declared: remove it, or declare it with xmlns:{prefix}"
                )
            }
            Self::WrongNamespace { name, expected } => {
                write!(
                    f,
                    "the element '{name}' is not in the name space {expected}: add xmlns=\"{expected}\""
                )?;
                f.write_str(if *expected == FHIR_NAMESPACE { " to the resource" } else { " to the div" })
            }
            Self::UnknownResource { name, version } => {
                write!(
                    f,
                    "FHIR {version} has no resource type '{name}': the outermost element is named after the type of the resource"
                )
            }
            Self::UnknownElement { name, parent, hint } => {
                write!(f, "{parent} has no element '{name}': {}", element_advice(*hint))
            }
            Self::UnknownAttribute { name, is_element: true } => {
                write!(f, "'{name}' is no attribute here: write the element <{name} value=\"..\"/> inside")
            }
            Self::UnknownAttribute { name, is_element: false } => {
                write!(f, "the attribute '{name}' does not belong here: remove it")
            }
            Self::OutOfOrder { name, before } => {
                write!(
                    f,
                    "the element '{name}' stands too late: move it before '{before}', the order of elements is fixed in XML"
                )
            }
            Self::Repeated(name) => write!(f, "the element '{name}' does not repeat here: keep one of them"),
            Self::Narrative(fault) => write!(f, "{fault}"),
            _ => Ok(()),
        }
    }
}

/// The sentences without a part from the document.
fn fixed_sentence(kind: &XmlErrorKind) -> Option<&'static str> {
    use XmlErrorKind as K;
    Some(match kind {
        K::InvalidUtf8 => "these bytes are not UTF-8: encode the document in UTF-8",
        K::BadDeclaration => {
            "this is no XML declaration: write <?xml version=\"1.0\" encoding=\"UTF-8\"?> at the very start, or none"
        }
        K::Doctype => {
            "a document type is not read: remove the <!DOCTYPE ..> and write characters instead of entities"
        }
        K::BadReference => "'&' starts no reference to a character: write &amp; for the character itself",
        K::BadMarkup => "'<' starts no tag here: write &lt; for the character itself",
        K::HyphensInComment => "a comment must not contain two hyphens in a row: remove one of them",
        K::CDataEndInText => "text must not contain \"]]>\": write ]]&gt;",
        K::CutOff => "the document ends within an element: it is cut off, send the rest",
        K::BadAttribute => {
            "this is no attribute: write name=\"value\", with a space before, quotes around the value, and &lt; for '<'"
        }
        K::NoElement => "the document has no element: send a resource",
        K::TrailingContent => {
            "the resource ends before this place, but something follows: send one resource only"
        }
        K::BadNamespace => "this name space declaration is not allowed: remove it",
        K::ResourceMissing => "a resource belongs inside this element: add it, or remove the element",
        K::SecondResource => {
            "only one resource belongs inside this element: repeat the element for the next one"
        }
        K::Text => "text does not belong here: write values in the attribute 'value'",
        _ => return None,
    })
}

fn element_advice(hint: ElementHint) -> &'static str {
    match hint {
        ElementHint::None => "correct the name or remove it",
        ElementHint::Choice => "it is a choice of types, add the type to the name, as in valueString",
        ElementHint::Attribute => "write it as an attribute of the element around it",
    }
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "this tag does not end: close it with '>'",
            Self::AttributeValue => "a value in this tag does not end: add the closing quote",
            Self::Comment => "this comment does not end: close it with '-->'",
            Self::CData => "this CDATA section does not end: close it with ']]>'",
            Self::Instruction => "this processing instruction does not end: close it with '?>'",
            Self::Reference => {
                "this reference does not end: close it with ';', or write &amp; for the character '&'"
            }
        })
    }
}

impl fmt::Display for NarrativeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADiv => "the narrative is not a div element: put a <div> around it",
            Self::NotOneElement => "the narrative is not exactly one element: put one <div> around all of it",
            Self::PrefixedAttribute => "a narrative has no attributes with a prefix: remove it",
            Self::Instruction => "a narrative has no processing instructions: remove it",
            Self::BadName => "this is no name that XML allows: start it with a letter, and use letters, digits, '-', '_' and '.'",
        })
    }
}
