//! What terms are made by, and how far they were made anew.

use bytes::Bytes;

/// The generation of the index extractor that a write set's terms were made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexGeneration(pub u32);

impl IndexGeneration {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a store knows of its index. Everything but the generation is the caller's: stores keep it and look into
/// nothing.
///
/// A new generation begins with a write set of the old one that carries [`Write::Index`](crate::Write::Index). From
/// that commit on, write sets of the old generation are answered with
/// [`Commit::StaleIndex`](crate::Commit::StaleIndex). Older terms stay until their resource is written or
/// [`Write::Terms`](crate::Write::Terms) replaces them; how far that got is kept in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// What write sets must be made with.
    pub generation: IndexGeneration,
    /// What makes the terms of this generation; empty if nobody said.
    pub maker: Bytes,
    /// How far older terms were made anew; `None` when there are none left.
    pub backfill: Option<Bytes>,
}
