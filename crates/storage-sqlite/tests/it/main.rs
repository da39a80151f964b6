//! The store as its callers see it.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod backing_up;
mod checking;
mod conformance;
mod crashing;
mod files;
mod limits;
mod long_reads;
mod reopening;
mod searching;
mod sorting;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pollster::block_on;
use storage_api::{
    Body, Clock, Commit, Committed, Current, Guard, HeadGuard, HistoryRequest, HistoryScope, IndexGeneration,
    Key, Method, Order, RequestId, Store, StoreError, Term, Timestamp, VersionTag, VersionToken,
    VersionWrite, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};

/// Time in steps of one millisecond.
pub(crate) struct Steps(AtomicI64);

impl Steps {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_527_264_590_000_000)))
    }

    pub(crate) fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

pub(crate) fn open(directory: &Path, options: Options) -> SqliteStore {
    SqliteStore::open(directory, options, Steps::new()).unwrap()
}

pub(crate) fn key(id: &str) -> Key {
    Key::new("Flag", id)
}

pub(crate) fn all() -> HistoryRequest {
    HistoryRequest {
        scope: HistoryScope::All,
        order: Order::Oldest,
        after: None,
        since: None,
        at: None,
        limit: 1_000_000,
    }
}

pub(crate) fn pin(key: &Key, current: &Current) -> Guard {
    let guard = match current {
        Current::Absent { floor } => HeadGuard::Absent { floor: *floor },
        Current::Live(head) | Current::Deleted(head) => HeadGuard::Exactly(head.version.number),
    };
    Guard::Head(key.clone(), guard)
}

pub(crate) fn set(guards: Vec<Guard>, writes: Vec<Write>) -> WriteSet {
    WriteSet { request: RequestId([7; 16]), index: IndexGeneration(0), guards, writes }
}

/// The set that writes what comes after `current`: content, or a deletion without any.
pub(crate) fn next(key: &Key, current: &Current, content: Option<Vec<u8>>, terms: Vec<Term>) -> WriteSet {
    let number = current.number().next();
    let write = VersionWrite {
        key: key.clone(),
        next: VersionToken { number, tag: VersionTag(number.get() * 1_000_003) },
        method: if content.is_some() { Method::Put } else { Method::Delete },
        body: content.map(|bytes| Body { bytes: bytes.into(), splice: 3 }),
        terms: terms.into(),
    };
    set(vec![pin(key, current)], vec![Write::Version(write)])
}

/// Writes the next version, whatever is there.
pub(crate) fn try_put(
    store: &SqliteStore,
    key: &Key,
    content: impl Into<Vec<u8>>,
) -> Result<Commit, StoreError> {
    let current = block_on(store.read(key))?.current;
    block_on(store.commit(next(key, &current, Some(content.into()), vec![])))
}

pub(crate) fn put(store: &SqliteStore, key: &Key, content: impl Into<Vec<u8>>) -> Committed {
    committed(try_put(store, key, content))
}

pub(crate) fn delete(store: &SqliteStore, key: &Key) -> Committed {
    let current = block_on(store.read(key)).unwrap().current;
    committed(block_on(store.commit(next(key, &current, None, vec![]))))
}

pub(crate) fn purge(store: &SqliteStore, key: &Key) -> Committed {
    let current = block_on(store.read(key)).unwrap().current;
    committed(block_on(store.commit(set(vec![pin(key, &current)], vec![Write::Purge(key.clone())]))))
}

#[track_caller]
pub(crate) fn committed(outcome: Result<Commit, StoreError>) -> Committed {
    match outcome {
        Ok(Commit::Committed(committed)) => committed,
        other => panic!("not committed: {other:?}"),
    }
}
