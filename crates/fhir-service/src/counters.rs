//! What a service has done, for operators.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use storage_api::Counter;

/// Counts of one service since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    /// Commits that met another state than the one they were decided on.
    pub conflicts: Counter,
    /// Writes that were decided again after that.
    pub retries: Counter,
    /// Writes answered with their first result.
    pub replays: Counter,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// Counts a failure under its code.
    pub(crate) fn refused(&self, code: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Failures by the code that clients saw.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
