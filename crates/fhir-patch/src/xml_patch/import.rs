//! Nodes of a patch, copied into a document whose prefixes may mean other name spaces (RFC 5261 section 4.2.3).

use std::sync::Arc;

use super::dom::{Attribute, Content, Declaration, Document, Element, Name, NodeId};

/// Copies a node with everything inside. The new node knows its parent; the parent does not know it yet.
pub(super) fn import(
    source: &Document,
    node: NodeId,
    target: &mut Document,
    parent: NodeId,
) -> Option<NodeId> {
    let content = match source.content(node)? {
        Content::Document(_) => return None,
        Content::Element(element) => return Some(import_element(source, element, target, parent)),
        other => other.clone(),
    };
    Some(target.create(parent, content))
}

fn import_element(source: &Document, element: &Element, target: &mut Document, parent: NodeId) -> NodeId {
    // What it declares itself stays declared, unless that says nothing new.
    let declarations = element
        .declarations
        .iter()
        .filter(|declared| {
            let uri = Some(declared.uri.clone()).filter(|uri| !uri.is_empty());
            target.lookup(parent, &declared.prefix) != Some(uri)
        })
        .cloned()
        .collect();
    let copy = Element { declarations, is_one_tag: element.is_one_tag, ..Element::default() };
    let node = target.create(parent, Content::Element(Box::new(copy)));
    // Prefixes that names of this very element have: they must not come to mean something else.
    let mut used: Vec<String> = Vec::new();
    let name = bind(&element.name, target, node, false, &mut used);
    let attributes: Vec<Attribute> = element
        .attributes
        .iter()
        .map(|attribute| Attribute {
            name: bind(&attribute.name, target, node, true, &mut used),
            raw: attribute.raw.clone(),
        })
        .collect();
    if let Some(copy) = target.element_mut(node) {
        (copy.name, copy.attributes) = (name, attributes);
    }
    let children: Vec<NodeId> =
        element.children.iter().filter_map(|child| import(source, *child, target, node)).collect();
    if let Some(copy) = target.element_mut(node) {
        copy.children = children;
    }
    node
}

/// The name with a prefix that means its name space at the node: its own if it does, else another one that does, else
/// its own or a new one that is declared on the node.
pub(super) fn bind(
    name: &Name,
    target: &mut Document,
    node: NodeId,
    is_attribute: bool,
    used: &mut Vec<String>,
) -> Name {
    let means = |target: &Document, prefix: &str| target.lookup(node, prefix) == Some(name.space.clone());
    let prefix = match &name.space {
        None if is_attribute => return name.clone(),
        None => {
            if !means(target, "") {
                declare(target, node, "", "".into());
            }
            String::new()
        }
        Some(_) if means(target, &name.prefix) && !(is_attribute && name.prefix.is_empty()) => {
            name.prefix.clone()
        }
        Some(space) => match target.prefix_of(node, space, is_attribute) {
            Some(prefix) => prefix.to_owned(),
            None => {
                let prefix = free_prefix(name, target, node, is_attribute, used);
                declare(target, node, &prefix, space.clone());
                prefix
            }
        },
    };
    used.push(prefix.clone());
    Name { prefix, ..name.clone() }
}

/// A prefix that can be declared on the node without changing what its names mean.
fn free_prefix(name: &Name, target: &Document, node: NodeId, is_attribute: bool, used: &[String]) -> String {
    let is_free = |prefix: &str| {
        let declared =
            target.element(node).map(|element| element.declarations.as_slice()).unwrap_or_default();
        !used.iter().any(|other| other == prefix)
            && !declared.iter().any(|declared| declared.prefix == prefix)
            && !(is_attribute && prefix.is_empty())
    };
    if is_free(&name.prefix) {
        return name.prefix.clone();
    }
    let mut number = 1;
    loop {
        let prefix = format!("ns{number}");
        if is_free(&prefix) {
            return prefix;
        }
        number += 1;
    }
}

fn declare(target: &mut Document, node: NodeId, prefix: &str, uri: Arc<str>) {
    if let Some(element) = target.element_mut(node) {
        element.declarations.retain(|declared| declared.prefix != prefix);
        element.declarations.push(Declaration { prefix: prefix.to_owned(), uri });
    }
}
