//! How much one search may come to, however short it is written.

use std::cell::Cell;

use super::error::Problem;

/// Comparisons and steps along references that one search may come to, over all types together. A chain that names no
/// types takes every type that a reference may lead to, at each of its steps.
pub(super) const COMPARISONS_MAX: usize = 50_000;

/// What is left of that.
#[derive(Debug)]
pub(super) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(COMPARISONS_MAX))
    }
}

impl Room {
    /// Takes room for so many comparisons. Where there is not enough, none is left for anything.
    pub(super) fn take(&self, count: usize) -> Result<(), Problem> {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.unwrap_or(0));
        left.map(drop).ok_or(TOO_BROAD)
    }

    /// Refuses more comparisons than there is room for, before they are made.
    pub(super) fn expect(&self, count: usize) -> Result<(), Problem> {
        if count > self.0.get() { Err(TOO_BROAD) } else { Ok(()) }
    }
}

pub(super) const TOO_BROAD: Problem = Problem::TooBroad { max: COMPARISONS_MAX };
