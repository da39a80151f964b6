//! Pages of what a query finds.

use crate::{Query, StoredVersion};

/// Where a store keeps a resource. It never changes, so a walk in its order passes every resource
/// that stays at most once, and exactly once if it matches all the while, whatever is written
/// meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// A question for a page of live resources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SearchRequest {
    /// Which.
    pub query: Query,
    /// Continue behind this place; the place itself is excluded.
    pub after: Option<Place>,
    /// At most this many. A store may answer with fewer and a place to continue; with 0 there is
    /// nothing to continue.
    pub limit: usize,
}

/// A page of live resources, each in its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    /// In the order of their places.
    pub found: Vec<StoredVersion>,
    /// Where the next page continues; `None` when this is the last one.
    pub next: Option<Place>,
}
