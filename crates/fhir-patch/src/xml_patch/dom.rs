//! A small tree of an XML document, as far as patching needs it. Text and attribute values stay as they are written,
//! so that what no operation touches is printed as it was read.

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::escape::{resolve_xml_entity, unescape_with};

/// The place of a node in its document. 0 is the document itself.
pub(super) type NodeId = usize;

/// The document node.
pub(super) const ROOT: NodeId = 0;

/// The name space that the prefix `xml` is bound to, always.
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// The URI of a name space; none for names in none.
pub(super) type Space = Option<Arc<str>>;

#[derive(Debug, Clone)]
pub(super) struct Document {
    nodes: Vec<Node>,
    pub(super) has_declaration: bool,
    /// The length of all text, names and values.
    pub(super) bytes: usize,
    /// Elements one inside the other.
    pub(super) depth: usize,
}

#[derive(Debug, Clone)]
struct Node {
    parent: NodeId,
    content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    /// The document: what stands outside of all elements.
    Document(Vec<NodeId>),
    Element(Box<Element>),
    /// Text as it is written; CDATA sections are turned into text.
    Text(String),
    Comment(String),
    /// A processing instruction: target, and what follows it.
    Instruction(String),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Element {
    pub(super) name: Name,
    pub(super) declarations: Vec<Declaration>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<NodeId>,
    /// Whether it was written as one tag.
    pub(super) is_one_tag: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// Empty if there is none.
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) space: Space,
}

/// `xmlns="uri"` or `xmlns:prefix="uri"`; an empty URI says that the default is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) prefix: String,
    pub(super) uri: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: Name,
    /// As written between its quotes.
    pub(super) raw: String,
}

impl Name {
    pub(super) fn is(&self, space: &Space, local: &str) -> bool {
        self.local == local && self.space == *space
    }

    /// As written.
    pub(super) fn qualified(&self) -> Cow<'_, str> {
        if self.prefix.is_empty() {
            Cow::Borrowed(&self.local)
        } else {
            Cow::Owned(format!("{}:{}", self.prefix, self.local))
        }
    }
}

impl Document {
    pub(super) fn new() -> Self {
        let root = Node { parent: ROOT, content: Content::Document(Vec::new()) };
        Self { nodes: vec![root], has_declaration: false, bytes: 0, depth: 0 }
    }

    /// The number of nodes that there ever were.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Makes a node that knows its parent; the parent does not know it yet.
    pub(super) fn create(&mut self, parent: NodeId, content: Content) -> NodeId {
        self.nodes.push(Node { parent, content });
        self.nodes.len() - 1
    }

    pub(super) fn content(&self, node: NodeId) -> Option<&Content> {
        self.nodes.get(node).map(|node| &node.content)
    }

    pub(super) fn content_mut(&mut self, node: NodeId) -> Option<&mut Content> {
        self.nodes.get_mut(node).map(|node| &mut node.content)
    }

    pub(super) fn element(&self, node: NodeId) -> Option<&Element> {
        match self.content(node)? {
            Content::Element(element) => Some(element),
            _ => None,
        }
    }

    pub(super) fn element_mut(&mut self, node: NodeId) -> Option<&mut Element> {
        match self.content_mut(node)? {
            Content::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The outermost element.
    pub(super) fn outermost(&self) -> Option<NodeId> {
        self.children(ROOT).iter().copied().find(|node| self.element(*node).is_some())
    }

    pub(super) fn parent(&self, node: NodeId) -> NodeId {
        self.nodes.get(node).map_or(ROOT, |node| node.parent)
    }

    pub(super) fn children(&self, node: NodeId) -> &[NodeId] {
        match self.content(node) {
            Some(Content::Document(children)) => children,
            Some(Content::Element(element)) => &element.children,
            _ => &[],
        }
    }

    pub(super) fn children_mut(&mut self, node: NodeId) -> Option<&mut Vec<NodeId>> {
        match self.content_mut(node)? {
            Content::Document(children) => Some(children),
            Content::Element(element) => Some(&mut element.children),
            _ => None,
        }
    }

    /// The place of a node among the children of its parent.
    pub(super) fn position(&self, node: NodeId) -> Option<usize> {
        self.children(self.parent(node)).iter().position(|child| *child == node)
    }

    /// The elements around a node, itself included if it is one, innermost first.
    pub(super) fn ancestors(&self, node: NodeId) -> impl Iterator<Item = &Element> {
        let upwards =
            std::iter::successors(Some(node), |node| Some(self.parent(*node)).filter(|up| up != node));
        upwards.filter_map(|node| self.element(node))
    }

    /// The name space that a prefix is bound to at a node, the empty prefix being the default. The outer none says
    /// that the prefix is not declared.
    pub(super) fn lookup(&self, node: NodeId, prefix: &str) -> Option<Space> {
        if prefix == "xml" {
            return Some(Some(XML_NAMESPACE.into()));
        }
        let declared = self
            .ancestors(node)
            .find_map(|element| element.declarations.iter().find(|declared| declared.prefix == prefix));
        match declared {
            Some(declared) => Some(Some(declared.uri.clone()).filter(|uri| !uri.is_empty())),
            None => prefix.is_empty().then_some(None),
        }
    }

    /// A prefix that is bound to a name space at a node. Attributes need one that is not empty.
    pub(super) fn prefix_of(&self, node: NodeId, space: &str, is_attribute: bool) -> Option<&str> {
        if space == XML_NAMESPACE {
            return Some("xml");
        }
        let mut hidden: Vec<&str> = Vec::new();
        for element in self.ancestors(node) {
            for declared in &element.declarations {
                let prefix = declared.prefix.as_str();
                let fits = !(is_attribute && prefix.is_empty()) && !hidden.contains(&prefix);
                if fits && &*declared.uri == space {
                    return Some(prefix);
                }
            }
            hidden.extend(element.declarations.iter().map(|declared| declared.prefix.as_str()));
        }
        None
    }

    /// The text of a node and everything inside (XPath 1.0, string-value).
    pub(super) fn text(&self, node: NodeId, out: &mut String) {
        match self.content(node) {
            Some(Content::Text(raw)) => out.push_str(&decoded(raw)),
            Some(Content::Comment(text) | Content::Instruction(text)) => out.push_str(text),
            _ => {
                for child in self.children(node) {
                    if matches!(self.content(*child), Some(Content::Text(_) | Content::Element(_))) {
                        self.text(*child, out);
                    }
                }
            }
        }
    }

    /// Elements one inside the other, the node itself included if it is one.
    pub(super) fn height(&self, node: NodeId) -> usize {
        let inside = self.children(node).iter().map(|child| self.height(*child)).max().unwrap_or(0);
        inside + usize::from(self.element(node).is_some())
    }

    /// Joins texts that stand side by side, and drops empty ones: so a tree has one form only.
    pub(super) fn join_texts(&mut self, parent: NodeId) {
        let children = self.children(parent).to_vec();
        let mut kept: Vec<NodeId> = Vec::with_capacity(children.len());
        for child in children {
            let Some(Content::Text(text)) = self.content(child) else {
                kept.push(child);
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let text = text.clone();
            match kept.last().and_then(|last| self.content_mut(*last)) {
                Some(Content::Text(before)) => before.push_str(&text),
                _ => kept.push(child),
            }
        }
        if let Some(children) = self.children_mut(parent) {
            *children = kept;
        }
    }
}

/// The text that is written like this. Everything that is read is checked, so that it has one.
pub(super) fn decoded(raw: &str) -> Cow<'_, str> {
    unescape_with(raw, resolve_xml_entity).unwrap_or(Cow::Borrowed(raw))
}

/// Whether the text is white space only (XML 1.0, production `S`).
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}
