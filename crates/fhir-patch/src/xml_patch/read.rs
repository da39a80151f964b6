//! From text to a tree.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape_with};
use quick_xml::events::{BytesStart, Event};

use super::dom::{
    Attribute, Content, Declaration, Document, Element, Name, NodeId, ROOT, Space, XML_NAMESPACE, is_blank,
};
use super::error::{MarkupFault, MarkupFaultKind as Kind};
use crate::limits::{Exceeded, Limits};

/// More attributes on one element than this are refused: nothing here needs so many, and they are searched one by
/// one.
const ATTRIBUTES_MAX: usize = 128;

/// Reads a document within the limits. A document type is refused, so that there are no entities to expand.
pub(super) fn read(text: &[u8], limits: &Limits) -> Result<Document, MarkupFault> {
    let whole = |kind| MarkupFault { offset: 0, kind };
    if text.len() > limits.bytes_max {
        return Err(whole(Kind::Exceeded(Exceeded::Bytes { bytes_max: limits.bytes_max })));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| MarkupFault { offset: error.valid_up_to(), kind: Kind::InvalidUtf8 })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((offset, char)) = text.char_indices().find(|(_, char)| !is_allowed(*char)) {
        return Err(MarkupFault { offset, kind: Kind::ForbiddenCharacter(char) });
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut building = Building { document: Document::new(), open: vec![ROOT], limits: *limits };
    loop {
        let offset = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| MarkupFault {
            offset: usize::try_from(reader.error_position()).unwrap_or(offset),
            kind: Kind::NotWellFormed(error.to_string()),
        })?;
        if matches!(event, Event::Eof) {
            return building.finish().map_err(|kind| MarkupFault { offset, kind });
        }
        building.take(event, offset).map_err(|kind| MarkupFault { offset, kind })?;
    }
}

/// Whether XML 1.0 allows the character (section 2.2).
fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

struct Building {
    document: Document,
    /// The elements that are open, below the document itself.
    open: Vec<NodeId>,
    limits: Limits,
}

impl Building {
    fn here(&self) -> NodeId {
        self.open.last().copied().unwrap_or(ROOT)
    }

    fn take(&mut self, event: Event<'_>, offset: usize) -> Result<(), Kind> {
        match event {
            Event::Start(tag) => {
                let node = self.element(&tag, false)?;
                self.open.push(node);
                self.document.depth = self.document.depth.max(self.open.len() - 1);
                let depth_max = self.limits.depth_max.min(fhir_model::json::DEPTH_CEILING);
                if self.open.len() - 1 > depth_max {
                    return Err(Kind::Exceeded(Exceeded::Depth { depth_max }));
                }
                Ok(())
            }
            Event::Empty(tag) => {
                self.element(&tag, true)?;
                self.document.depth = self.document.depth.max(self.open.len());
                Ok(())
            }
            Event::End(_) => {
                self.open.pop();
                Ok(())
            }
            Event::Text(text) => {
                let raw: &str = &text;
                if raw.contains("]]>") {
                    return Err(Kind::NotWellFormed("']]>' in text".into()));
                }
                self.text(raw.replace("\r\n", "\n").replace('\r', "\n"))
            }
            Event::GeneralRef(reference) => {
                let raw = format!("&{};", &*reference);
                check_references(&raw)?;
                self.text(raw)
            }
            Event::CData(data) => {
                let text: &str = &data;
                self.text(quick_xml::escape::minimal_escape(text).into_owned())
            }
            Event::Comment(text) => self.add(Content::Comment(text.to_string())).map(drop),
            Event::PI(instruction) => self.add(Content::Instruction(instruction.to_string())).map(drop),
            Event::Decl(_) if offset == 0 => {
                self.document.has_declaration = true;
                Ok(())
            }
            Event::Decl(_) => Err(Kind::NotWellFormed("an XML declaration that is not at the start".into())),
            Event::DocType(_) => Err(Kind::DocumentType),
            Event::Eof => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Document, Kind> {
        if self.open.len() > 1 {
            return Err(Kind::NotWellFormed("an element does not end".into()));
        }
        // White space outside of the outermost element says nothing.
        let outside = self.document.children(ROOT).to_vec();
        let kept: Vec<NodeId> = outside
            .into_iter()
            .filter(|node| !matches!(self.document.content(*node), Some(Content::Text(_))))
            .collect();
        let elements = kept.iter().filter(|node| self.document.element(**node).is_some()).count();
        if let Some(children) = self.document.children_mut(ROOT) {
            *children = kept;
        }
        if elements == 1 {
            Ok(self.document)
        } else {
            Err(Kind::NotWellFormed("not one outermost element".into()))
        }
    }

    fn text(&mut self, raw: String) -> Result<(), Kind> {
        let here = self.here();
        if here == ROOT && !is_blank(&raw) {
            return Err(Kind::NotWellFormed("text outside of the outermost element".into()));
        }
        self.document.bytes += raw.len();
        let last = self.document.children(here).last().copied();
        if let Some(Content::Text(before)) = last.and_then(|last| self.document.content_mut(last)) {
            before.push_str(&raw);
            return Ok(());
        }
        self.add(Content::Text(raw)).map(drop)
    }

    fn add(&mut self, content: Content) -> Result<NodeId, Kind> {
        if self.document.len() >= self.limits.nodes_max {
            return Err(Kind::Exceeded(Exceeded::Nodes { nodes_max: self.limits.nodes_max }));
        }
        if let Content::Comment(text) | Content::Instruction(text) = &content {
            self.document.bytes += text.len();
        }
        let here = self.here();
        let node = self.document.create(here, content);
        if let Some(children) = self.document.children_mut(here) {
            children.push(node);
        }
        Ok(node)
    }

    fn element(&mut self, tag: &BytesStart<'_>, is_one_tag: bool) -> Result<NodeId, Kind> {
        let mut element = Element { is_one_tag, ..Element::default() };
        let mut plain = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| Kind::NotWellFormed(error.to_string()))?;
            let (name, raw) = (attribute.key.as_ref(), &*attribute.value);
            if raw.contains('<') {
                return Err(Kind::NotWellFormed("'<' in an attribute".into()));
            }
            check_references(raw)?;
            self.document.bytes += name.len() + raw.len();
            if plain.len() + element.declarations.len() >= ATTRIBUTES_MAX {
                return Err(Kind::TooManyAttributes { attributes_max: ATTRIBUTES_MAX });
            }
            match declared_prefix(name) {
                Some(prefix) => element.declarations.push(declaration(prefix, raw)?),
                None => plain.push((name.to_owned(), raw.to_owned())),
            }
        }
        let name = tag.name().as_ref().to_owned();
        self.document.bytes += name.len();
        let node = self.add(Content::Element(Box::new(element)))?;
        let name = self.named(node, &name, true)?;
        let mut attributes: Vec<Attribute> = Vec::with_capacity(plain.len());
        for (name, raw) in plain {
            let name = self.named(node, &name, false)?;
            if attributes.iter().any(|other| other.name.is(&name.space, &name.local)) {
                return Err(Kind::NotWellFormed(format!("the attribute {} stands twice", name.local)));
            }
            attributes.push(Attribute { name, raw });
        }
        if let Some(element) = self.document.element_mut(node) {
            (element.name, element.attributes) = (name, attributes);
        }
        Ok(node)
    }

    /// A name in its name space; attributes without prefix are in none.
    fn named(&self, node: NodeId, name: &str, has_default: bool) -> Result<Name, Kind> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if !is_plain_name(local) || (name.contains(':') && !is_plain_name(prefix)) {
            return Err(Kind::NotWellFormed(format!("'{name}' is no name")));
        }
        let space: Space = if prefix.is_empty() && !has_default {
            None
        } else {
            self.document.lookup(node, prefix).ok_or_else(|| Kind::UndeclaredPrefix(prefix.to_owned()))?
        };
        Ok(Name { prefix: prefix.to_owned(), local: local.to_owned(), space })
    }
}

/// The prefix that an attribute declares, empty for the default; none if it is no declaration.
fn declared_prefix(name: &str) -> Option<&str> {
    match name.strip_prefix("xmlns")? {
        "" => Some(""),
        rest => rest.strip_prefix(':'),
    }
}

fn declaration(prefix: &str, raw: &str) -> Result<Declaration, Kind> {
    let uri: Arc<str> = super::dom::decoded(raw).into();
    let is_allowed = match prefix {
        "" => &*uri != XML_NAMESPACE,
        "xml" => &*uri == XML_NAMESPACE,
        "xmlns" => false,
        _ => is_plain_name(prefix) && !uri.is_empty() && &*uri != XML_NAMESPACE,
    };
    if is_allowed {
        Ok(Declaration { prefix: prefix.to_owned(), uri })
    } else {
        Err(Kind::NotWellFormed(format!("the prefix '{prefix}' cannot be bound like this")))
    }
}

/// Checks that every reference in text or a value is to a character or one of the five entities that XML has.
fn check_references(raw: &str) -> Result<(), Kind> {
    match unescape_with(raw, resolve_xml_entity) {
        Ok(text) => match text.chars().find(|char| !is_allowed(*char)) {
            Some(char) => Err(Kind::ForbiddenCharacter(char)),
            None => Ok(()),
        },
        Err(error) => Err(Kind::NotWellFormed(error.to_string())),
    }
}

/// Whether the text is a name without colon, as far as it matters for writing it again.
pub(super) fn is_plain_name(text: &str) -> bool {
    let starts = |char: char| char.is_alphabetic() || char == '_';
    let continues = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '\u{B7}');
    let mut chars = text.chars();
    chars.next().is_some_and(starts) && chars.all(continues)
}
