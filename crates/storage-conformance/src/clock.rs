//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use storage_api::{Clock, Timestamp};

/// Time that a test owns. It begins at a Friday in 2018 and may be moved backwards.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// The moment that every manual clock begins with.
    pub const START: Timestamp = Timestamp(1_527_264_590_000_000);

    /// A clock at [`Self::START`].
    pub const fn new() -> Self {
        Self { micros: AtomicI64::new(Self::START.0) }
    }

    /// Moves the clock by so many microseconds, backwards if negative.
    pub fn advance(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.micros.load(Ordering::SeqCst))
    }
}
