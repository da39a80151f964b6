//! The port that adapters implement.

use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use versioning_core::{Current, Timestamp, VersionNumber, VersionToken};

use crate::{
    Commit, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Method, Metric, RequestId, SearchPage,
    SearchRequest, Seq, StoreError, WriteSet,
};

/// What every operation of a store gives: a future that needs no particular runtime.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The time that a writer stamps with. Adapters are given one, so that tests can own time.
pub trait Clock: Send + Sync + 'static {
    /// The time of day. It may jump; the writer never stamps backwards.
    fn now(&self) -> Timestamp;
}

/// The content of a version: bytes, and a number that the caller stored with them (for FHIR,
/// where the version meta is spliced in). Stores keep both and look into neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The content.
    pub bytes: Bytes,
    /// The caller's number.
    pub splice: i64,
}

/// A key's state with its newest content, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The state.
    pub current: Current,
    /// The content; there exactly when the state is live.
    pub body: Option<Body>,
}

/// One stored version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// Whose version.
    pub key: Key,
    /// Its name.
    pub version: VersionToken,
    /// Its place in the commit order.
    pub seq: Seq,
    /// When it was committed.
    pub at: Timestamp,
    /// When the version before it was committed.
    pub previous_at: Option<Timestamp>,
    /// How it came about.
    pub method: Method,
    /// Who wrote it.
    pub request: RequestId,
    /// The content; `None` for a tombstone.
    pub body: Option<Body>,
}

/// How a version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionSelector {
    /// By its number.
    Number(VersionNumber),
    /// By the low 48 bits of its tag, the newest if several have them.
    Tag48(u64),
}

/// A partition of resources with one order of commits.
///
/// Everything that a commit acknowledged is seen by every read that begins afterwards.
pub trait Store: Send + Sync + 'static {
    /// The state and content of one key.
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record>;

    /// One version of one key, old or new, tombstones included; `None` where there is none.
    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>>;

    /// A page of versions in commit order.
    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage>;

    /// A page of the live resources that match, by the meaning of [`matches()`](crate::matches()).
    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage>;

    /// The store as it is now, for questions that are to be answered from one moment. It has everything that was
    /// acknowledged before, and nothing that is committed later. Commits to it are refused with
    /// [`StoreError::Unavailable`], and once the store is closed it may answer so itself. It keeps what the moment needs,
    /// which a store that is written to would otherwise give free: it is to be dropped within seconds.
    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>>;

    /// Applies a write set, all or nothing. Resolves when the outcome is durable, losers
    /// included. The set is accepted when this is called, not when the future is polled, and
    /// dropping the future does not undo the commit.
    fn commit(&self, set: WriteSet) -> Answer<'static, Commit>;

    /// Whether so much waits that a commit would be refused as [`StoreError::Busy`], as far as that can be told before:
    /// a caller may save itself the work for it.
    fn is_full(&self) -> bool {
        false
    }

    /// The generation that write sets must be made with.
    fn index_generation(&self) -> IndexGeneration;

    /// What the terms are made by, and how far they were made anew.
    fn index(&self) -> Answer<'_, Index>;

    /// What the store has done since it was opened and what waits now, for operators.
    fn measure(&self) -> Vec<Metric> {
        Vec::new()
    }

    /// Finishes what was accepted and closes. Later calls answer
    /// [`StoreError::Unavailable`]. Closing twice is fine.
    fn close(&self) -> Answer<'static, ()>;
}
