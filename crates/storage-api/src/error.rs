//! Why a store could not answer.

use core::fmt;

/// A store's failure. Nothing was written when a commit answers with one.
///
/// The texts are for logs: none of them is meant for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Too many writes wait, or too many reads that take long; try again shortly.
    Busy,
    /// No space left. Reads go on; writes resume when there is space.
    Full,
    /// The write set is larger than the store takes.
    TooLarge,
    /// A version is written without the guard it needs, or under a number that does not follow
    /// its guard: a mistake of the caller.
    Unguarded,
    /// Terms or expected keys are not sorted or have doubles: a mistake of the caller.
    Unsorted,
    /// A query has nothing to look up by, or would take the writer longer than one write set
    /// may; or a read would take longer than one may.
    TooCostly,
    /// The store is closing, closed, or its writer failed and is reopening.
    Unavailable(String),
    /// What is stored does not make sense.
    Corrupt(String),
    /// Reading or writing failed.
    Io(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many requests are waiting"),
            Self::Full => f.write_str("no space left on the device"),
            Self::TooLarge => f.write_str("the write set is too large"),
            Self::Unguarded => f.write_str("a version is written without its guard"),
            Self::Unsorted => f.write_str("terms or keys are not a sorted set"),
            Self::TooCostly => f.write_str("the query is too costly"),
            Self::Unavailable(why) => write!(f, "the store is not available: {why}"),
            Self::Corrupt(what) => write!(f, "the store is damaged: {what}"),
            Self::Io(what) => write!(f, "storage failed: {what}"),
        }
    }
}

impl core::error::Error for StoreError {}
