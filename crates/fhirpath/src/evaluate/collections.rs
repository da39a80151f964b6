//! Functions on whole collections: existence, filtering, subsetting, combining (FHIRPath, "Functions").

use fhir_model::json::Value;

use super::{Evaluated, Evaluator, Items, Scope, boolean, singleton, truth, wrong_type};
use crate::equality::ItemSet;
use crate::error::EvalError;
use crate::functions::Function;
use crate::item::Item;
use crate::syntax::Node;
use crate::system::System;

impl<'a> Evaluator<'a> {
    /// The items for which a condition is true.
    pub(super) fn filtered(
        &self,
        items: Items<'a>,
        condition: &'a Node,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let mut kept = Items::new();
        for (index, item) in items.into_iter().enumerate() {
            if truth(&self.node_on(condition, &item, index, scope)?, "where()")? == Some(true) {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    /// Whether a condition is true for some item.
    pub(super) fn any(&self, items: &[Item<'a>], condition: &'a Node, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        for (index, item) in items.iter().enumerate() {
            if truth(&self.node_on(condition, item, index, scope)?, "exists()")? == Some(true) {
                return Ok(boolean(true));
            }
        }
        Ok(boolean(false))
    }

    /// Whether a condition is true for every item.
    pub(super) fn all(&self, items: &[Item<'a>], condition: &'a Node, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        for (index, item) in items.iter().enumerate() {
            if truth(&self.node_on(condition, item, index, scope)?, "all()")? != Some(true) {
                return Ok(boolean(false));
            }
        }
        Ok(boolean(true))
    }

    /// `allTrue()` and its three sisters.
    pub(super) fn booleans(&self, function: Function, items: &[Item<'a>]) -> Evaluated<'a> {
        self.budget.charge(items.len())?;
        let wanted = matches!(function, Function::AllTrue | Function::AnyTrue);
        let mut matching = 0;
        for item in items {
            match item.system() {
                Some(System::Boolean(value)) => matching += usize::from(value == wanted),
                _ => return Err(wrong_type(function.name(), "booleans", item)),
            }
        }
        Ok(boolean(match function {
            Function::AllTrue | Function::AllFalse => matching == items.len(),
            _ => matching > 0,
        }))
    }

    pub(super) fn projected(
        &self,
        items: &[Item<'a>],
        projection: &'a Node,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let mut out = Items::new();
        for (index, item) in items.iter().enumerate() {
            out.append(&mut self.node_on(projection, item, index, scope)?);
            self.budget.check_size(out.len())?;
        }
        Ok(out)
    }

    /// `repeat()`: what the projection gives, what it gives on that, and so on. An element of the tree is taken once
    /// wherever it turns up; values are new if they are equal to none before.
    pub(super) fn repeated(
        &self,
        items: &[Item<'a>],
        projection: &'a Node,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let mut elements = std::collections::HashSet::new();
        let mut values = ItemSet::new(&self.budget);
        let mut out = Items::new();
        let mut round = items.to_vec();
        while !round.is_empty() {
            let mut next = Items::new();
            for found in self.projected(&round, projection, scope)? {
                let is_new = match &found {
                    Item::Element(element) => {
                        let place = |value: Option<&Value>| value.map(std::ptr::from_ref);
                        elements.insert((place(element.value()), place(element.extra())))
                    }
                    other => values.insert(other)?,
                };
                if is_new {
                    next.push(found);
                }
            }
            self.budget.charge(next.len())?;
            out.extend(next.iter().cloned());
            self.budget.check_size(out.len())?;
            round = next;
        }
        Ok(out)
    }

    /// Every element inside the items, at whatever depth, in the order of the document.
    pub(super) fn descendants(&self, items: &[Item<'a>]) -> Evaluated<'a> {
        let mut out = Items::new();
        // Children of one element are pushed in reverse, so that the first is the next to be taken.
        let mut open = self.children(items)?;
        open.reverse();
        while let Some(item) = open.pop() {
            let start = open.len();
            if let Item::Element(element) = &item {
                self.budget.charge(element.width())?;
                element.children(&mut open);
            }
            if let Some(children) = open.get_mut(start..) {
                children.reverse();
            }
            out.push(item);
            self.budget.charge(1)?;
            self.budget.check_size(out.len() + open.len())?;
        }
        Ok(out)
    }

    pub(super) fn children(&self, items: &[Item<'a>]) -> Evaluated<'a> {
        let mut out = Items::new();
        for item in items {
            if let Item::Element(element) = item {
                self.budget.charge(element.width() + 1)?;
                element.children(&mut out);
            }
        }
        self.budget.check_items(out.len())?;
        Ok(out)
    }

    pub(super) fn aggregated(
        &self,
        items: &[Item<'a>],
        aggregator: &'a Node,
        start: Option<&'a Node>,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let mut total = match start {
            Some(start) => self.node(start, scope)?,
            None => Items::new(),
        };
        for (index, item) in items.iter().enumerate() {
            let here = Scope { this: std::slice::from_ref(item), index: Some(index), total: Some(&total) };
            total = self.node(aggregator, here)?;
        }
        Ok(total)
    }

    /// `iif()`: one of two branches; the other one is not evaluated.
    pub(super) fn branched(
        &self,
        items: &[Item<'a>],
        arguments: &'a [Node],
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        singleton(items, "iif()")?;
        let here = Scope { this: items, ..scope };
        let [criterion, when_true, rest @ ..] = arguments else { return Ok(Items::new()) };
        let criterion = self.node(criterion, here)?;
        if truth(&criterion, "iif()")? == Some(true) {
            return self.node(when_true, here);
        }
        rest.first().map_or(Ok(Items::new()), |when_false| self.node(when_false, here))
    }

    /// Whether every one of `items` is among `others`.
    pub(super) fn is_subset(&self, items: &[Item<'a>], others: &[Item<'a>]) -> Result<bool, EvalError> {
        let others = ItemSet::of(others, &self.budget)?;
        for item in items {
            if !others.contains(item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `intersect()` and `exclude()`: the items that are, or are not, among `others`.
    pub(super) fn compared_with(&self, items: Items<'a>, others: &[Item<'a>], keep: Keep) -> Evaluated<'a> {
        let others = ItemSet::of(others, &self.budget)?;
        let mut kept = Items::new();
        for item in items {
            if others.contains(&item)? == (keep == Keep::Shared) {
                kept.push(item);
            }
        }
        if keep == Keep::Shared { self.distinct(kept) } else { Ok(kept) }
    }
}

/// Which items stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Shared,
    Others,
}
