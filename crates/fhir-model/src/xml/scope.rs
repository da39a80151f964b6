//! The name spaces in force (Namespaces in XML 1.0).

use super::attributes::Attribute;
use super::characters::attribute_text;
use super::error::XmlErrorKind;
use super::fault::{Parsed, fault, quote};
use super::{FHIR_NAMESPACE, NAMESPACES_MAX, XHTML_NAMESPACE};

/// A name space, as far as FHIR has to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// None.
    None,
    /// FHIR's own.
    Fhir,
    /// XHTML.
    Xhtml,
    /// XML Schema instances, home of `xsi:schemaLocation`.
    Schema,
    /// The one that `xml:` is bound to.
    Xml,
    /// Any other.
    Other,
}

/// The declarations in force, outermost first. The empty prefix is the default.
#[derive(Default)]
pub(super) struct Scope<'a> {
    bindings: Vec<(&'a str, Space)>,
}

const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// The prefix that an attribute declares, empty for the default; none if it is no declaration.
#[inline]
pub(super) fn declared_prefix(name: &str) -> Option<&str> {
    match name.strip_prefix("xmlns")? {
        "" => Some(""),
        rest => rest.strip_prefix(':'),
    }
}

impl<'a> Scope<'a> {
    /// Puts the declarations among the attributes in force, until [`Self::leave`] with what is returned.
    #[inline]
    pub(super) fn enter(&mut self, attributes: &[Attribute<'a>]) -> Parsed<usize> {
        let mark = self.bindings.len();
        for attribute in attributes {
            if let Some(prefix) = declared_prefix(attribute.name) {
                self.declare(prefix, attribute)?;
            }
        }
        Ok(mark)
    }

    /// Ends the declarations since that call of [`Self::enter`].
    #[inline]
    pub(super) fn leave(&mut self, mark: usize) {
        self.bindings.truncate(mark);
    }

    fn declare(&mut self, prefix: &'a str, attribute: &Attribute<'a>) -> Parsed<()> {
        let uri = attribute_text(attribute.raw, attribute.raw_offset)?;
        let space = match uri.as_ref() {
            FHIR_NAMESPACE => Space::Fhir,
            XHTML_NAMESPACE => Space::Xhtml,
            SCHEMA => Space::Schema,
            XML => Space::Xml,
            "" => Space::None,
            _ => Space::Other,
        };
        let is_allowed = match prefix {
            "xml" => space == Space::Xml,
            "xmlns" => false,
            "" => space != Space::Xml && uri != XMLNS,
            _ => !matches!(space, Space::Xml | Space::None) && uri != XMLNS,
        };
        if !is_allowed {
            return fault(XmlErrorKind::BadNamespace, attribute.offset);
        }
        if self.lookup(prefix) == Some(space) {
            return Ok(());
        }
        if self.bindings.len() == NAMESPACES_MAX {
            return fault(XmlErrorKind::TooManyNamespaces, attribute.offset);
        }
        self.bindings.push((prefix, space));
        Ok(())
    }

    fn lookup(&self, prefix: &str) -> Option<Space> {
        let bound = self.bindings.iter().rev().find(|(bound, _)| *bound == prefix);
        match (bound, prefix) {
            (Some((_, space)), _) => Some(*space),
            (None, "") => Some(Space::None),
            (None, "xml") => Some(Space::Xml),
            (None, _) => None,
        }
    }

    /// The name space of an element and its name without prefix.
    #[inline]
    pub(super) fn resolve(&self, name: &'a str, offset: usize) -> Parsed<(Space, &'a str)> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let is_empty_prefix = prefix.is_empty() && local.len() < name.len();
        match self.lookup(prefix) {
            Some(space) if !is_empty_prefix => Ok((space, local)),
            _ => fault(XmlErrorKind::UndeclaredPrefix(quote(prefix)), offset),
        }
    }
}
