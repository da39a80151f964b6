//! `sort()`.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::operators::order;
use super::{Evaluated, Evaluator, Items, Scope, singleton};
use crate::error::EvalError;
use crate::item::Item;
use crate::syntax::{Node, Sign};

impl<'a> Evaluator<'a> {
    /// The items by the values of the keys, or by their own; a key with a minus sorts downwards, whatever its type.
    /// Items without a key come
    /// first in both directions. Equal ones keep their order.
    pub(super) fn sorted(&self, items: Items<'a>, keys: &'a [Node], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let mut rows = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let row = self.keys(&item, index, keys, scope)?;
            rows.push((row, item));
        }
        let sorted = merge_sorted(rows, &|(left, _), (right, _)| {
            self.budget.charge(1)?;
            compare_rows(left, right, keys)
        })?;
        Ok(sorted.into_iter().map(|(_, item)| item).collect())
    }

    fn keys(
        &self,
        item: &Item<'a>,
        index: usize,
        keys: &'a [Node],
        scope: Scope<'_, 'a>,
    ) -> Result<Vec<Option<Item<'a>>>, EvalError> {
        if keys.is_empty() {
            return Ok(vec![Some(item.clone())]);
        }
        let mut row = Vec::with_capacity(keys.len());
        for key in keys {
            let key = match key {
                Node::Polarity { sign: Sign::Minus, operand } => operand,
                other => other,
            };
            row.push(singleton(&self.node_on(key, item, index, scope)?, "sort()")?.cloned());
        }
        Ok(row)
    }
}

/// Sorts by a comparison that can fail, and that need not be an order: dates of different precision are not less than,
/// greater than or equal to each other in a consistent way, which the sort of the standard library punishes.
fn merge_sorted<T>(
    items: Vec<T>,
    compare: &impl Fn(&T, &T) -> Result<Ordering, EvalError>,
) -> Result<Vec<T>, EvalError> {
    let mut runs: VecDeque<Vec<T>> = items.into_iter().map(|item| vec![item]).collect();
    // Neighbouring runs are merged, so that the sort is stable: each round leaves half as many.
    while runs.len() > 1 {
        let mut merged = VecDeque::with_capacity(runs.len().div_ceil(2));
        while let Some(left) = runs.pop_front() {
            merged.push_back(match runs.pop_front() {
                Some(right) => merge(left, right, compare)?,
                None => left,
            });
        }
        runs = merged;
    }
    Ok(runs.pop_front().unwrap_or_default())
}

fn merge<T>(
    left: Vec<T>,
    right: Vec<T>,
    compare: &impl Fn(&T, &T) -> Result<Ordering, EvalError>,
) -> Result<Vec<T>, EvalError> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let side = if compare(first, second)?.is_le() { &mut left } else { &mut right };
        out.extend(side.next());
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}

fn compare_rows(
    left: &[Option<Item<'_>>],
    right: &[Option<Item<'_>>],
    keys: &[Node],
) -> Result<Ordering, EvalError> {
    for (place, (left, right)) in left.iter().zip(right).enumerate() {
        let is_down = matches!(keys.get(place), Some(Node::Polarity { sign: Sign::Minus, .. }));
        let found = match (left, right) {
            (Some(left), Some(right)) => {
                let order = order("sort()", left, right)?.unwrap_or(Ordering::Equal);
                if is_down { order.reverse() } else { order }
            }
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        match found {
            Ordering::Equal => {}
            decided => return Ok(decided),
        }
    }
    Ok(Ordering::Equal)
}
