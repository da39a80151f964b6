//! From a selector to the node that it means.

use std::collections::BTreeSet;

use super::dom::{Content, Document, NodeId, ROOT, decoded};
use super::selector::{Predicate, Selector, Step, Test};
use crate::limits::{Budget, Exceeded};

/// What a selector can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Node(NodeId),
    /// An attribute of an element, by its place.
    Attribute(NodeId, usize),
    /// A name space declared on an element, by the place of the declaration.
    Namespace(NodeId, usize),
}

/// Everything that a selector means, in no particular order.
pub(super) fn select(
    selector: &Selector,
    document: &Document,
    budget: &mut Budget,
) -> Result<Vec<Found>, Exceeded> {
    let mut evaluation = Evaluation { document, budget };
    let mut here = vec![Found::Node(ROOT)];
    for step in &selector.steps {
        here = evaluation.step(step, &here)?;
    }
    Ok(here)
}

struct Evaluation<'e> {
    document: &'e Document,
    budget: &'e mut Budget,
}

impl Evaluation<'_> {
    fn step(&mut self, step: &Step, from: &[Found]) -> Result<Vec<Found>, Exceeded> {
        let mut bases: Vec<NodeId> = from
            .iter()
            .filter_map(|found| match found {
                Found::Node(node) => Some(*node),
                _ => None,
            })
            .collect();
        if step.is_deep {
            bases = self.descendants(bases)?;
        }
        let mut found = Vec::new();
        for base in bases {
            let mut passing = self.test(&step.test, base)?;
            for predicate in &step.predicates {
                passing = self.filter(predicate, passing)?;
            }
            found.append(&mut passing);
        }
        Ok(found)
    }

    /// The nodes and every element inside them, each once.
    fn descendants(&mut self, nodes: Vec<NodeId>) -> Result<Vec<NodeId>, Exceeded> {
        let (mut seen, mut all, mut open) = (BTreeSet::new(), Vec::new(), nodes);
        while let Some(node) = open.pop() {
            self.budget.step(1)?;
            if seen.insert(node) {
                all.push(node);
                let children = self.document.children(node);
                open.extend(children.iter().filter(|child| self.document.element(**child).is_some()));
            }
        }
        Ok(all)
    }

    fn test(&mut self, test: &Test, base: NodeId) -> Result<Vec<Found>, Exceeded> {
        let document = self.document;
        let element = document.element(base);
        Ok(match test {
            Test::Attribute(space, local) => {
                let attributes = element.map(|element| element.attributes.as_slice()).unwrap_or_default();
                self.budget.step(attributes.len())?;
                let place = attributes.iter().position(|attribute| attribute.name.is(space, local));
                place.map(|place| Found::Attribute(base, place)).into_iter().collect()
            }
            Test::Namespace(prefix) => {
                let declared = element.map(|element| element.declarations.as_slice()).unwrap_or_default();
                self.budget.step(declared.len())?;
                let place = declared.iter().position(|declared| declared.prefix == *prefix);
                place.map(|place| Found::Namespace(base, place)).into_iter().collect()
            }
            _ => {
                let children = document.children(base);
                self.budget.step(children.len())?;
                let passing = children.iter().filter(|child| passes(document, test, **child));
                passing.map(|child| Found::Node(*child)).collect()
            }
        })
    }

    fn filter(&mut self, predicate: &Predicate, found: Vec<Found>) -> Result<Vec<Found>, Exceeded> {
        match predicate {
            Predicate::Position(place) => {
                let chosen = place.checked_sub(1).and_then(|place| found.into_iter().nth(place));
                Ok(chosen.into_iter().collect())
            }
            Predicate::Equals(path, wanted) => {
                let mut kept = Vec::new();
                for candidate in found {
                    if self.has_text(path, &candidate, wanted)? {
                        kept.push(candidate);
                    }
                }
                Ok(kept)
            }
        }
    }

    fn has_text(&mut self, path: &[Test], start: &Found, wanted: &str) -> Result<bool, Exceeded> {
        let mut here = vec![start.clone()];
        for test in path {
            let mut next = Vec::new();
            for found in &here {
                if let Found::Node(node) = found {
                    next.append(&mut self.test(test, *node)?);
                }
            }
            here = next;
        }
        for found in &here {
            let text = self.text(found);
            self.budget.step(1 + text.len() / 16)?;
            if text == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn text(&self, found: &Found) -> String {
        let mut text = String::new();
        match found {
            Found::Node(node) => self.document.text(*node, &mut text),
            Found::Attribute(node, place) => {
                let attribute =
                    self.document.element(*node).and_then(|element| element.attributes.get(*place));
                text.push_str(&attribute.map(|attribute| decoded(&attribute.raw)).unwrap_or_default());
            }
            Found::Namespace(node, place) => {
                let declared =
                    self.document.element(*node).and_then(|element| element.declarations.get(*place));
                text.push_str(declared.map(|declared| &*declared.uri).unwrap_or_default());
            }
        }
        text
    }
}

fn passes(document: &Document, test: &Test, node: NodeId) -> bool {
    match (test, document.content(node)) {
        (Test::AnyElement, Some(Content::Element(_)))
        | (Test::Text, Some(Content::Text(_)))
        | (Test::Comment, Some(Content::Comment(_)))
        | (Test::Instruction(None), Some(Content::Instruction(_))) => true,
        (Test::AnyElementIn(space), Some(Content::Element(element))) => element.name.space == *space,
        (Test::Element(space, local), Some(Content::Element(element))) => element.name.is(space, local),
        (Test::Instruction(Some(target)), Some(Content::Instruction(text))) => {
            text.split_whitespace().next() == Some(target.as_str())
        }
        _ => false,
    }
}
