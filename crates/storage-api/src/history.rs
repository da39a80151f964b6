//! Pages of versions.

use compact_str::CompactString;
use versioning_core::Timestamp;

use crate::{Key, Seq, StoredVersion};

/// Whose versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HistoryScope {
    /// Of one key.
    Key(Key),
    /// Of one kind.
    Kind(CompactString),
    /// Of everything.
    All,
}

/// Which end of the commit order comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first moment in it.
    pub low: Timestamp,
    /// The last moment in it.
    pub high: Timestamp,
}

/// A question for a page of versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HistoryRequest {
    /// Whose.
    pub scope: HistoryScope,
    /// From which end.
    pub order: Order,
    /// Continue behind this place, in the direction of `order`; the place itself is excluded.
    pub after: Option<Seq>,
    /// Only versions committed at or after this moment.
    pub since: Option<Timestamp>,
    /// Only versions that were the newest of their key at some moment of this span. A version
    /// is the newest from its own instant until just before the next one's.
    pub at: Option<Interval>,
    /// At most this many. A store may answer with fewer and a place to continue; with 0 there
    /// is nothing to continue.
    pub limit: usize,
}

/// A page of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// In the order asked for.
    pub versions: Vec<StoredVersion>,
    /// Where the next page continues; `None` when this is the last one.
    pub next: Option<Seq>,
}
