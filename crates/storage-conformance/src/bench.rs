//! A store on the bench, and the everyday operations that checks are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pollster::block_on;
use storage_api::{
    Body, Commit, Committed, Current, Guard, HeadGuard, HistoryRequest, HistoryScope, Key, Method, Order,
    Record, RequestId, Seq, Store, StoreError, StoredVersion, Term, VersionNumber, VersionSelector,
    VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};

use crate::verdict::{Fault, ensure};
use crate::{Harness, Instance, ManualClock};

pub(crate) struct Bench {
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    requests: AtomicU64,
}

impl Bench {
    pub(crate) fn new(harness: &dyn Harness) -> Self {
        let clock = Arc::new(ManualClock::new());
        let instance = harness.fresh(clock.clone());
        let store = instance.store();
        Self { instance, store, clock, requests: AtomicU64::new(0) }
    }

    /// A request id that was not used before.
    pub(crate) fn request(&self) -> RequestId {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        RequestId(u128::from(number).to_be_bytes())
    }

    pub(crate) fn set(&self, guards: Vec<Guard>, writes: Vec<Write>) -> WriteSet {
        WriteSet { request: self.request(), index: self.store.index_generation(), guards, writes }
    }

    pub(crate) fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Commit, StoreError> {
        block_on(self.store.commit(self.set(guards, writes)))
    }

    /// Commits what must be committed.
    pub(crate) fn must(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Committed, Fault> {
        match self.commit(guards, writes)? {
            Commit::Committed(committed) => Ok(committed),
            other => Err(Fault(format!("a write set whose guards hold ended as {other:?}"))),
        }
    }

    pub(crate) fn read(&self, key: &Key) -> Result<Record, Fault> {
        Ok(block_on(self.store.read(key))?)
    }

    pub(crate) fn current(&self, key: &Key) -> Result<Current, Fault> {
        Ok(self.read(key)?.current)
    }

    pub(crate) fn version(&self, key: &Key, number: u64) -> Result<Option<StoredVersion>, Fault> {
        let selector = VersionSelector::Number(VersionNumber::new(number));
        Ok(block_on(self.store.read_version(key, selector))?)
    }

    /// Writes the next version, whatever is there.
    pub(crate) fn put(&self, key: &Key, body: &str) -> Result<Committed, Fault> {
        self.put_found_by(key, body, Vec::new())
    }

    pub(crate) fn put_found_by(&self, key: &Key, body: &str, terms: Vec<Term>) -> Result<Committed, Fault> {
        let current = self.current(key)?;
        let write = VersionWrite { terms: terms.into(), ..put(key, current.number().get(), body) };
        self.must(vec![pin(key, &current)], vec![Write::Version(write)])
    }

    pub(crate) fn delete(&self, key: &Key) -> Result<Committed, Fault> {
        let current = self.current(key)?;
        self.must(vec![pin(key, &current)], vec![Write::Version(delete(key, current.number().get()))])
    }

    pub(crate) fn purge(&self, key: &Key) -> Result<Committed, Fault> {
        let current = self.current(key)?;
        self.must(vec![pin(key, &current)], vec![Write::Purge(key.clone())])
    }

    /// All versions of the scope, oldest first, read in one page after the other.
    pub(crate) fn versions(&self, scope: HistoryScope) -> Result<Vec<StoredVersion>, Fault> {
        let request = HistoryRequest { order: Order::Oldest, limit: 1000, ..newest_first(scope) };
        all_pages(&*self.store, request)
    }
}

/// A request for a page, newest first, of any number of versions.
pub(crate) fn newest_first(scope: HistoryScope) -> HistoryRequest {
    HistoryRequest { scope, order: Order::Newest, after: None, since: None, at: None, limit: 1000 }
}

/// Follows the pages of a request to the end.
pub(crate) fn all_pages(store: &dyn Store, mut request: HistoryRequest) -> Result<Vec<StoredVersion>, Fault> {
    let mut versions = Vec::new();
    loop {
        let page = block_on(store.history(&request))?;
        ensure!(
            page.versions.len() <= request.limit,
            "a page of {} versions where at most {} were asked for",
            page.versions.len(),
            request.limit
        );
        versions.extend(page.versions);
        let Some(next) = page.next else { return Ok(versions) };
        let onward = |before: Seq| match request.order {
            Order::Newest => next < before,
            Order::Oldest => next > before,
        };
        ensure!(request.after.is_none_or(onward), "paging does not get on from {next:?}");
        request.after = Some(next);
    }
}

pub(crate) fn key(id: &str) -> Key {
    Key::new("Flag", id)
}

/// The guard that pins a key to the state it is in.
pub(crate) fn pin(key: &Key, current: &Current) -> Guard {
    let guard = match current {
        Current::Absent { floor } => HeadGuard::Absent { floor: *floor },
        Current::Live(head) | Current::Deleted(head) => HeadGuard::Exactly(head.version.number),
    };
    Guard::Head(key.clone(), guard)
}

pub(crate) fn exactly(key: &Key, number: u64) -> Guard {
    Guard::Head(key.clone(), HeadGuard::Exactly(VersionNumber::new(number)))
}

pub(crate) fn absent(key: &Key) -> Guard {
    Guard::Head(key.clone(), HeadGuard::Absent { floor: VersionNumber::NONE })
}

/// The version after number `before`, with a tag that tells versions apart.
pub(crate) fn put(key: &Key, before: u64, body: &str) -> VersionWrite {
    VersionWrite {
        key: key.clone(),
        next: token(before + 1),
        method: Method::Put,
        body: Some(Body { bytes: body.to_owned().into(), splice: 5 }),
        terms: [].into(),
    }
}

pub(crate) fn delete(key: &Key, before: u64) -> VersionWrite {
    VersionWrite { method: Method::Delete, body: None, ..put(key, before, "") }
}

pub(crate) fn token(number: u64) -> VersionToken {
    // Multiplying by an odd number spreads the tags over all 64 bits.
    let tag = VersionTag(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    VersionToken { number: VersionNumber::new(number), tag }
}
