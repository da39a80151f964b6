//! What a store says about one resource at one moment.

use crate::{VersionNumber, VersionToken};

/// Microseconds since the Unix epoch, stamped by the store's writer: it never decreases along
/// the order of commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the epoch, cut down: the grain of HTTP dates.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the epoch, cut down: the grain of a printed FHIR instant.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

/// The newest version of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Its name.
    pub version: VersionToken,
    /// When it was committed.
    pub at: Timestamp,
    /// When the version before it was committed; `None` for the first one, and for the first one
    /// after a purge. HTTP dates cannot tell two versions of one second apart, so
    /// `If-Unmodified-Since` has to know.
    pub previous_at: Option<Timestamp>,
}

/// The state of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Current {
    /// Nothing is stored. Numbers up to `floor` were used before a purge and stay used.
    Absent {
        /// The highest number ever used; [`VersionNumber::NONE`] for a key never seen.
        floor: VersionNumber,
    },
    /// The resource exists.
    Live(Head),
    /// The newest version is a deletion (a tombstone). It has a version like any other.
    Deleted(Head),
}

impl Current {
    /// A key that was never used.
    pub const NEVER: Self = Self::Absent { floor: VersionNumber::NONE };

    /// The newest version, live or deleted.
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::Absent { .. } => None,
            Self::Live(head) | Self::Deleted(head) => Some(head),
        }
    }

    /// The highest number used so far.
    pub fn number(&self) -> VersionNumber {
        match self {
            Self::Absent { floor } => *floor,
            Self::Live(head) | Self::Deleted(head) => head.version.number,
        }
    }
}
