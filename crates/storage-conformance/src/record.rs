//! What several clients did to a store, and when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pollster::block_on;
use storage_api::{Commit, HistoryScope, Key, Order, Record, Store, StoreError, StoredVersion, WriteSet};

use crate::Fault;
use crate::bench::{all_pages, newest_first};

/// Passes operations on to a store and writes down when each began and ended.
pub struct Recorder {
    store: Arc<dyn Store>,
    /// A clock that all clients share: an operation that ended before another began has the
    /// smaller numbers.
    ticks: AtomicU64,
    events: Mutex<Vec<Event>>,
}

/// One operation of one client.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it was asked for.
    pub began: u64,
    /// When the answer was there.
    pub ended: u64,
    /// What it was.
    pub operation: Operation,
}

/// What a client asked for, and what it was told.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A commit.
    Commit {
        /// What was asked for.
        set: WriteSet,
        /// The outcome.
        outcome: Commit,
    },
    /// A read.
    Read {
        /// Of what.
        key: Key,
        /// The answer.
        record: Record,
    },
}

/// Everything that happened, and what the store has in the end.
#[derive(Clone, Debug)]
pub struct Recording {
    /// In no particular order.
    pub events: Vec<Event>,
    /// Every version, in commit order.
    pub versions: Vec<StoredVersion>,
}

impl Recorder {
    /// Records what is done to `store`, which must be empty.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, ticks: AtomicU64::new(0), events: Mutex::new(Vec::new()) }
    }

    /// Commits, and waits for the outcome.
    pub fn commit(&self, set: WriteSet) -> Result<Commit, StoreError> {
        let began = self.tick();
        let outcome = block_on(self.store.commit(set.clone()))?;
        self.note(began, Operation::Commit { set, outcome: outcome.clone() });
        Ok(outcome)
    }

    /// Reads, and waits for the answer.
    pub fn read(&self, key: &Key) -> Result<Record, StoreError> {
        let began = self.tick();
        let record = block_on(self.store.read(key))?;
        self.note(began, Operation::Read { key: key.clone(), record: record.clone() });
        Ok(record)
    }

    /// Ends the recording with everything that the store has.
    pub fn finish(self) -> Result<Recording, Fault> {
        let mut request = newest_first(HistoryScope::All);
        request.order = Order::Oldest;
        let versions = all_pages(&*self.store, request)?;
        let events = self.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Recording { events, versions })
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, began: u64, operation: Operation) {
        let ended = self.tick();
        let event = Event { began, ended, operation };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
