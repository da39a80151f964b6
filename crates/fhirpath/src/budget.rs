//! The work that one evaluation may still do.

use std::cell::Cell;

use crate::environment::Limits;
use crate::error::EvalError;

/// Counts down; every loop of the evaluation charges it.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    steps_left: Cell<u64>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, steps_left: Cell::new(limits.steps_max) }
    }

    /// The steps taken so far.
    pub(crate) fn used(&self) -> u64 {
        self.limits.steps_max - self.steps_left.get()
    }

    /// Takes some steps from what is left.
    #[inline]
    pub(crate) fn charge(&self, steps: usize) -> Result<(), EvalError> {
        let left = self.steps_left.get().checked_sub(steps as u64);
        // Who asks for more than is left has used it up.
        self.steps_left.set(left.unwrap_or(0));
        left.map(drop).ok_or(EvalError::TooManySteps { steps_max: self.limits.steps_max })
    }

    /// Checks the size of a collection.
    #[inline]
    pub(crate) fn check_size(&self, count: usize) -> Result<(), EvalError> {
        if count > self.limits.items_max {
            return Err(EvalError::TooManyItems { items_max: self.limits.items_max });
        }
        Ok(())
    }

    /// Checks the size of a collection and charges for its items.
    #[inline]
    pub(crate) fn check_items(&self, count: usize) -> Result<(), EvalError> {
        self.check_size(count)?;
        self.charge(count + 1)
    }

    /// Charges a text for its length before it is built, and checks the length.
    pub(crate) fn check_text(&self, bytes: usize) -> Result<(), EvalError> {
        if bytes > self.limits.text_bytes_max {
            return Err(EvalError::TextTooLong { text_bytes_max: self.limits.text_bytes_max });
        }
        self.charge(bytes / 64 + 1)
    }
}
