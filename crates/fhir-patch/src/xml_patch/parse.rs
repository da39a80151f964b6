//! From a patch document to operations.

use super::dom::{Content, Document, Element, NodeId, decoded, is_blank};
use super::error::XmlPatchFault as Fault;
use super::read::is_plain_name;
use super::selector::Selector;
use super::{Operation, OperationKind, Position};
use crate::error::Malformed;
use crate::limits::Limits;

/// The name space of patch documents (RFC 7351 section 2.1).
const PATCH_NAMESPACE: &str = "urn:ietf:rfc:7351";

pub(super) fn operations(patch: &Document, limits: &Limits) -> Result<Vec<Operation>, Malformed<Fault>> {
    let whole = |fault| Malformed { operation: None, fault };
    let outermost = patch.outermost().and_then(|node| Some((node, patch.element(node)?)));
    let Some((root, element)) = outermost else {
        return Err(whole(Fault::NotAPatch { found: String::new() }));
    };
    if !matches!(element.name.local.as_str(), "diff" | "patch") {
        return Err(whole(Fault::NotAPatch { found: element.name.local.clone() }));
    }
    let mut operations = Vec::new();
    for node in patch.children(root) {
        let index = operations.len();
        let fault = |fault| Malformed { operation: Some(index), fault };
        match patch.content(*node) {
            Some(Content::Element(found)) => {
                let space = found.name.space.as_deref();
                let is_here = space.is_none_or(|space| space == PATCH_NAMESPACE)
                    || found.name.space == element.name.space;
                if !is_here {
                    return Err(fault(Fault::NotAnOperation(found.name.qualified().into_owned())));
                }
                if index == limits.operations_max {
                    return Err(whole(Fault::TooManyOperations { operations_max: limits.operations_max }));
                }
                operations.push(operation(patch, *node, found).map_err(fault)?);
            }
            Some(Content::Text(text)) if !is_blank(text) => {
                return Err(fault(Fault::NotAnOperation(decoded(text).trim().to_owned())));
            }
            _ => {}
        }
    }
    Ok(operations)
}

fn operation(patch: &Document, node: NodeId, element: &Element) -> Result<Operation, Fault> {
    let (mut sel, mut pos, mut kind, mut ws) = (None, None, None, None);
    let name = element.name.local.as_str();
    for attribute in element.attributes.iter().filter(|attribute| attribute.name.space.is_none()) {
        let slot = match (name, attribute.name.local.as_str()) {
            (_, "sel") => &mut sel,
            ("add", "pos") => &mut pos,
            ("add", "type") => &mut kind,
            ("remove", "ws") => &mut ws,
            ("add" | "replace" | "remove", other) => return Err(Fault::UnknownAttribute(other.to_owned())),
            (other, _) => return Err(Fault::NotAnOperation(other.to_owned())),
        };
        *slot = Some(decoded(&attribute.raw).into_owned());
    }
    let content = Inside::of(patch, node);
    let kind = match name {
        "add" => add(pos, kind, &content)?,
        "replace" => OperationKind::Replace,
        "remove" if content == Inside::Nothing => remove(ws)?,
        "remove" => return Err(Fault::RemoveWithContent),
        other => return Err(Fault::NotAnOperation(other.to_owned())),
    };
    let path = sel.ok_or(Fault::SelectorMissing)?;
    let selector = Selector::parse(&path, patch, node).map_err(Fault::Selector)?;
    Ok(Operation { path, selector, kind, node })
}

/// What stands inside an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// White space counts as text.
    Text,
    Nodes,
}

impl Inside {
    fn of(patch: &Document, node: NodeId) -> Self {
        match patch.children(node) {
            [] => Self::Nothing,
            [one] if matches!(patch.content(*one), Some(Content::Text(_))) => Self::Text,
            _ => Self::Nodes,
        }
    }
}

fn add(pos: Option<String>, kind: Option<String>, content: &Inside) -> Result<OperationKind, Fault> {
    let Some(kind) = kind else {
        let position = match pos.as_deref() {
            None => Position::Append,
            Some("prepend") => Position::Prepend,
            Some("before") => Position::Before,
            Some("after") => Position::After,
            Some(other) => return Err(Fault::BadValue { attribute: "pos", found: other.to_owned() }),
        };
        return if *content == Inside::Nothing {
            Err(Fault::Content)
        } else {
            Ok(OperationKind::Add(position))
        };
    };
    if pos.is_some() || *content == Inside::Nodes {
        return Err(Fault::Content);
    }
    let bad = || Fault::BadValue { attribute: "type", found: kind.clone() };
    if let Some(prefix) = kind.strip_prefix("namespace::") {
        let prefix = Some(prefix).filter(|prefix| is_plain_name(prefix)).ok_or_else(bad)?;
        return Ok(OperationKind::AddNamespace { prefix: prefix.to_owned() });
    }
    let name = kind.strip_prefix('@').ok_or_else(bad)?;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let is_name = is_plain_name(local) && (!name.contains(':') || is_plain_name(prefix));
    let is_declaration = name == "xmlns" || prefix == "xmlns";
    if !is_name || is_declaration {
        return Err(bad());
    }
    Ok(OperationKind::AddAttribute { prefix: prefix.to_owned(), local: local.to_owned() })
}

fn remove(ws: Option<String>) -> Result<OperationKind, Fault> {
    let (before, after) = match ws.as_deref() {
        None => (false, false),
        Some("before") => (true, false),
        Some("after") => (false, true),
        Some("both") => (true, true),
        Some(other) => return Err(Fault::BadValue { attribute: "ws", found: other.to_owned() }),
    };
    Ok(OperationKind::Remove { before, after })
}
