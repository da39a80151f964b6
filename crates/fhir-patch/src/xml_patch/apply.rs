//! Operations on a document.

use std::sync::Arc;

use super::dom::{
    Attribute, Content, Declaration, Document, Name, NodeId, ROOT, XML_NAMESPACE, decoded, is_blank,
};
use super::error::XmlPatchRefusal as Refusal;
use super::import::{bind, import};
use super::read::read;
use super::select::{Found, select};
use super::{Operation, OperationKind, Position, XmlPatch};
use crate::error::NotApplicable;
use crate::limits::{Budget, Limits, Size};

type Applied<T = ()> = Result<T, Refusal>;

/// Reads the document and applies the operations to it.
pub(super) fn apply(
    patch: &XmlPatch,
    document: &[u8],
    limits: &Limits,
) -> Result<Document, NotApplicable<Refusal>> {
    let refused = |index: usize, refusal| NotApplicable {
        operation: index,
        path: patch.operations.get(index).map(|operation| operation.path.clone()).unwrap_or_default(),
        refusal,
    };
    let document = read(document, limits).map_err(|fault| refused(0, Refusal::Document(fault)))?;
    let size = Size { nodes: document.len(), bytes: document.bytes, depth: document.depth };
    let budget = Budget::new(limits, size).map_err(|exceeded| refused(0, exceeded.into()))?;
    let mut patching = Patching { patch: &patch.patch, document, budget };
    for (index, operation) in patch.operations.iter().enumerate() {
        patching.perform(operation).map_err(|refusal| refused(index, refusal))?;
    }
    Ok(patching.document)
}

struct Patching<'p> {
    patch: &'p Document,
    document: Document,
    budget: Budget,
}

impl Patching<'_> {
    fn perform(&mut self, operation: &Operation) -> Applied {
        let found = select(&operation.selector, &self.document, &mut self.budget)?;
        let found = match found.as_slice() {
            [] => return Err(Refusal::NotFound),
            [one] => one.clone(),
            several => return Err(Refusal::SeveralMatches { found: several.len() }),
        };
        match (&operation.kind, found) {
            (OperationKind::Add(position), Found::Node(node)) => self.add(operation.node, node, *position),
            (OperationKind::AddAttribute { prefix, local }, Found::Node(node)) => {
                self.add_attribute(operation.node, node, prefix, local)
            }
            (OperationKind::AddNamespace { prefix }, Found::Node(node)) => {
                self.add_namespace(operation.node, node, prefix)
            }
            (OperationKind::Replace, Found::Node(node)) => self.replace(operation.node, node),
            (OperationKind::Replace, Found::Attribute(node, place)) => {
                let raw = self.value(operation.node)?;
                if let Some(attribute) =
                    self.document.element_mut(node).and_then(|element| element.attributes.get_mut(place))
                {
                    attribute.raw = raw;
                }
                Ok(())
            }
            (OperationKind::Replace, Found::Namespace(node, place)) => {
                self.replace_namespace(operation.node, node, place)
            }
            (OperationKind::Remove { before, after }, Found::Node(node)) => {
                self.remove(node, *before, *after)
            }
            (OperationKind::Remove { before: false, after: false }, Found::Attribute(node, place)) => {
                if let Some(element) = self.document.element_mut(node)
                    && place < element.attributes.len()
                {
                    element.attributes.remove(place);
                }
                Ok(())
            }
            (OperationKind::Remove { before: false, after: false }, Found::Namespace(node, place)) => {
                self.remove_namespace(node, place)
            }
            (OperationKind::Remove { .. }, Found::Attribute(..) | Found::Namespace(..)) => {
                Err(Refusal::Directive)
            }
            (_, Found::Attribute(..) | Found::Namespace(..)) => Err(Refusal::NodeTypes),
        }
    }

    /// The text inside an operation, as it is written; it must be text only.
    fn raw_text(&self, operation: NodeId) -> Applied<String> {
        match self.patch.children(operation) {
            [] => Ok(String::new()),
            [one] => match self.patch.content(*one) {
                Some(Content::Text(raw)) => Ok(raw.clone()),
                _ => Err(Refusal::NodeTypes),
            },
            _ => Err(Refusal::NodeTypes),
        }
    }

    /// The text inside an operation as the value of an attribute: line breaks and tabs are meant.
    fn value(&mut self, operation: NodeId) -> Applied<String> {
        let raw = self.raw_text(operation)?;
        let raw = raw.replace('\n', "&#10;").replace('\t', "&#9;").replace('\r', "&#13;");
        self.budget.put(Size { nodes: 1, bytes: raw.len(), depth: 0 }, 0)?;
        Ok(raw)
    }

    /// Copies nodes of the patch to where they become children of `parent`, and charges them.
    fn import(&mut self, nodes: &[NodeId], parent: NodeId) -> Applied<Vec<NodeId>> {
        let mut levels = self.document.ancestors(parent).count();
        levels = levels.max(usize::from(parent != ROOT));
        let depth = nodes.iter().map(|node| self.patch.height(*node)).max().unwrap_or(0);
        // What is copied is part of the patch, which is bounded; all of it is charged each time, to bound the sum.
        self.budget.put(Size { nodes: 0, bytes: 0, depth }, levels)?;
        let before = self.document.len();
        let new: Vec<NodeId> =
            nodes.iter().filter_map(|node| import(self.patch, *node, &mut self.document, parent)).collect();
        let mut text = String::new();
        new.iter().for_each(|node| super::write::write_node(&self.document, *node, &mut text));
        self.budget.put(Size { nodes: self.document.len() - before, bytes: text.len(), depth: 0 }, 0)?;
        Ok(new)
    }

    fn add(&mut self, operation: NodeId, node: NodeId, position: Position) -> Applied {
        let content = self.patch.children(operation);
        let parent = match position {
            Position::Append | Position::Prepend => node,
            Position::Before | Position::After => self.document.parent(node),
        };
        if parent == ROOT {
            let is_allowed = |node: &NodeId| {
                matches!(self.patch.content(*node), Some(Content::Comment(_) | Content::Instruction(_)))
            };
            let outside: Vec<NodeId> = content.iter().copied().filter(|node| !self.is_blank(*node)).collect();
            if !outside.iter().all(is_allowed) {
                return Err(Refusal::OutermostElement);
            }
            return self.insert(&outside, parent, node, position);
        }
        if self.document.element(parent).is_none() {
            return Err(Refusal::NodeTypes);
        }
        self.insert(content, parent, node, position)
    }

    fn is_blank(&self, node: NodeId) -> bool {
        matches!(self.patch.content(node), Some(Content::Text(text)) if is_blank(text))
    }

    fn insert(&mut self, nodes: &[NodeId], parent: NodeId, beside: NodeId, position: Position) -> Applied {
        let count = self.document.children(parent).len();
        self.budget.walk(count)?;
        let at = match position {
            Position::Prepend => 0,
            Position::Append => count,
            Position::Before => self.document.position(beside).unwrap_or(count),
            Position::After => self.document.position(beside).map_or(count, |place| place + 1),
        };
        let new = self.import(nodes, parent)?;
        if let Some(children) = self.document.children_mut(parent) {
            let at = at.min(children.len());
            children.splice(at..at, new);
        }
        self.joined(parent)
    }

    fn joined(&mut self, parent: NodeId) -> Applied {
        self.budget.step(self.document.children(parent).len())?;
        self.document.join_texts(parent);
        Ok(())
    }

    fn add_attribute(&mut self, operation: NodeId, node: NodeId, prefix: &str, local: &str) -> Applied {
        let raw = self.value(operation)?;
        let space = match prefix {
            "" => None,
            prefix => {
                let space = self.patch.lookup(operation, prefix);
                space.ok_or_else(|| Refusal::NamespacePrefix { prefix: prefix.to_owned() })?
            }
        };
        let element = self.document.element(node).ok_or(Refusal::NodeTypes)?;
        if element.attributes.iter().any(|attribute| attribute.name.is(&space, local)) {
            return Err(Refusal::Exists { name: local.to_owned() });
        }
        let mut used: Vec<String> =
            element.attributes.iter().map(|attribute| attribute.name.prefix.clone()).collect();
        used.push(element.name.prefix.clone());
        let name = Name { prefix: prefix.to_owned(), local: local.to_owned(), space };
        let name = bind(&name, &mut self.document, node, true, &mut used);
        if let Some(element) = self.document.element_mut(node) {
            element.attributes.push(Attribute { name, raw });
        }
        Ok(())
    }

    /// The URI inside an operation.
    fn uri(&mut self, operation: NodeId) -> Applied<Arc<str>> {
        let raw = self.raw_text(operation)?;
        self.budget.put(Size { nodes: 1, bytes: raw.len(), depth: 0 }, 0)?;
        let uri: Arc<str> = decoded(&raw).trim().into();
        if uri.is_empty() || &*uri == XML_NAMESPACE { Err(Refusal::NamespaceUri) } else { Ok(uri) }
    }

    fn add_namespace(&mut self, operation: NodeId, node: NodeId, prefix: &str) -> Applied {
        let uri = self.uri(operation)?;
        let element = self.document.element(node).ok_or(Refusal::NodeTypes)?;
        if matches!(prefix, "xml" | "xmlns") {
            return Err(Refusal::NamespacePrefix { prefix: prefix.to_owned() });
        }
        if element.declarations.iter().any(|declared| declared.prefix == prefix) {
            return Err(Refusal::Exists { name: prefix.to_owned() });
        }
        // Names inside that have this prefix got it from further out, and would change their name space.
        self.for_names(node, prefix, &mut |_| Err(Refusal::NamespacePrefix { prefix: prefix.to_owned() }))?;
        if let Some(element) = self.document.element_mut(node) {
            element.declarations.push(Declaration { prefix: prefix.to_owned(), uri });
        }
        Ok(())
    }

    fn replace_namespace(&mut self, operation: NodeId, node: NodeId, place: usize) -> Applied {
        let uri = self.uri(operation)?;
        let declared = self.document.element(node).and_then(|element| element.declarations.get(place));
        let prefix = declared.map(|declared| declared.prefix.clone()).ok_or(Refusal::NotFound)?;
        self.for_names(node, &prefix, &mut |name| {
            name.space = Some(uri.clone());
            Ok(())
        })?;
        if let Some(declared) =
            self.document.element_mut(node).and_then(|element| element.declarations.get_mut(place))
        {
            declared.uri = uri;
        }
        Ok(())
    }

    fn remove_namespace(&mut self, node: NodeId, place: usize) -> Applied {
        let declared = self.document.element(node).and_then(|element| element.declarations.get(place));
        let prefix = declared.map(|declared| declared.prefix.clone()).ok_or(Refusal::NotFound)?;
        self.for_names(node, &prefix, &mut |_| Err(Refusal::NamespacePrefix { prefix: prefix.clone() }))?;
        if let Some(element) = self.document.element_mut(node) {
            element.declarations.remove(place);
        }
        Ok(())
    }

    /// Visits the names that get their name space from a declaration of the prefix on the node.
    fn for_names(
        &mut self,
        node: NodeId,
        prefix: &str,
        visit: &mut impl FnMut(&mut Name) -> Applied,
    ) -> Applied {
        let mut open = vec![node];
        while let Some(here) = open.pop() {
            self.budget.step(1)?;
            let Some(element) = self.document.element_mut(here) else { continue };
            let is_hidden =
                here != node && element.declarations.iter().any(|declared| declared.prefix == prefix);
            if is_hidden {
                continue;
            }
            let attributes = element.attributes.iter_mut().map(|attribute| &mut attribute.name);
            let attributes = attributes.filter(|name| !name.prefix.is_empty());
            for name in std::iter::once(&mut element.name).chain(attributes) {
                if name.prefix == prefix {
                    visit(name)?;
                }
            }
            open.extend(&element.children);
        }
        Ok(())
    }

    fn replace(&mut self, operation: NodeId, node: NodeId) -> Applied {
        let content = self.patch.children(operation);
        let parent = self.document.parent(node);
        if matches!(self.document.content(node), Some(Content::Text(_))) {
            let raw = self.raw_text(operation)?;
            self.budget.put(Size { nodes: 1, bytes: raw.len(), depth: 0 }, 0)?;
            if let Some(Content::Text(text)) = self.document.content_mut(node) {
                *text = raw;
            }
            return self.joined(parent);
        }
        // White space around the one node is there to be read by people.
        let nodes: Vec<NodeId> = content.iter().copied().filter(|node| !self.is_blank(*node)).collect();
        let [new] = nodes.as_slice() else { return Err(Refusal::NodeTypes) };
        let is_same_kind = matches!(
            (self.document.content(node), self.patch.content(*new)),
            (Some(Content::Element(_)), Some(Content::Element(_)))
                | (Some(Content::Comment(_)), Some(Content::Comment(_)))
                | (Some(Content::Instruction(_)), Some(Content::Instruction(_)))
        );
        if !is_same_kind {
            return Err(Refusal::NodeTypes);
        }
        self.budget.walk(self.document.children(parent).len())?;
        let at = self.document.position(node).ok_or(Refusal::NotFound)?;
        let imported = self.import(&nodes, parent)?;
        if let Some(children) = self.document.children_mut(parent) {
            children.splice(at..=at, imported);
        }
        Ok(())
    }

    fn remove(&mut self, node: NodeId, before: bool, after: bool) -> Applied {
        let parent = self.document.parent(node);
        match self.document.content(node) {
            Some(Content::Element(_)) if parent == ROOT => return Err(Refusal::OutermostElement),
            Some(Content::Document(_)) | None => return Err(Refusal::OutermostElement),
            Some(Content::Text(_)) if before || after => return Err(Refusal::Directive),
            Some(_) => {}
        }
        self.budget.walk(self.document.children(parent).len())?;
        let at = self.document.position(node).ok_or(Refusal::NotFound)?;
        let children = self.document.children(parent);
        let is_space = |place: Option<usize>| {
            let sibling = place.and_then(|place| children.get(place));
            matches!(sibling.and_then(|node| self.document.content(*node)), Some(Content::Text(text)) if is_blank(text))
        };
        if (before && !is_space(at.checked_sub(1))) || (after && !is_space(Some(at + 1))) {
            return Err(Refusal::WhiteSpace);
        }
        let range = at - usize::from(before)..at + 1 + usize::from(after);
        if let Some(children) = self.document.children_mut(parent) {
            children.drain(range);
        }
        self.joined(parent)
    }
}
