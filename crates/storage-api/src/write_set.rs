//! The only way to change anything: guards and writes, applied together or not at all.

mod referrals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use versioning_core::{Current, Expect, Timestamp, VersionNumber, VersionToken};

use crate::{Body, Index, IndexGeneration, Key, Query, RequestId, Seq, StoreError, Term};

pub use referrals::Referrals;

/// A lost [`Guard::Unreferred`] names at most this many of those that refer.
pub const REFERRING_MAX: usize = 8;

/// A space of claims. Each use (idempotency keys, identifiers that may never be reused) has its
/// own number, fixed for ever because it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub u16);

/// A set of guards and a set of new versions.
///
/// A write set may hold guards only: then a commit says that they all held at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteSet {
    /// Who asks; stored with every version written.
    pub request: RequestId,
    /// The index generation that the terms were made with.
    pub index: IndexGeneration,
    /// What must hold.
    pub guards: Vec<Guard>,
    /// What is written if it does.
    pub writes: Vec<Write>,
}

/// Something that must hold at the moment of the commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// The state of one key.
    Head(Key, HeadGuard),
    /// The live resources that match are exactly these; the keys are sorted, without doubles.
    Matches(Query, Vec<Key>),
    /// Nobody has claimed this, or the claim has lapsed.
    Unclaimed(Scope, Bytes),
    /// Once the versions and purges of the set are applied, no live resource but itself has a term of this parameter that
    /// refers to the key. So what refers may be deleted together with what it refers to.
    Unreferred {
        /// To what.
        key: Key,
        /// The parameter.
        param: CompactString,
    },
}

/// What a key must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadGuard {
    /// Nothing stored, with exactly this floor.
    Absent {
        /// The highest number used so far.
        floor: VersionNumber,
    },
    /// This version is the newest, live or deleted.
    Exactly(VersionNumber),
    /// It exists, whatever its version: the guard of a reference that must resolve.
    Live,
}

impl From<Expect> for HeadGuard {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Absent { floor } => Self::Absent { floor },
            Expect::Exactly(number) => Self::Exactly(number),
        }
    }
}

impl HeadGuard {
    /// Whether the guard holds of `current`. Every store asks here.
    pub fn holds(self, current: &Current) -> bool {
        match (self, current) {
            (Self::Absent { floor }, Current::Absent { floor: now }) => floor == *now,
            (Self::Exactly(number), Current::Live(head) | Current::Deleted(head)) => {
                head.version.number == number
            }
            (Self::Live, Current::Live(_)) => true,
            _ => false,
        }
    }
}

/// The HTTP method a version is remembered under in histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE: the version is a tombstone and has no body.
    Delete,
}

/// One thing that a commit does.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Appends a version.
    Version(VersionWrite),
    /// Replaces what the newest version is found by, without a new version. The key must be
    /// guarded by [`HeadGuard::Exactly`].
    Terms {
        /// Where.
        key: Key,
        /// Sorted, without doubles.
        terms: Vec<Term>,
    },
    /// Removes a key with its whole history. Its floor stays: its numbers are never used again.
    /// The key must be guarded by [`HeadGuard::Exactly`].
    Purge(Key),
    /// Claims bytes in a scope, for ever or until a time. A claim outlives resources. The same
    /// bytes must be guarded by [`Guard::Unclaimed`].
    Claim {
        /// The space.
        scope: Scope,
        /// What is claimed.
        value: Bytes,
        /// When the claim lapses: from this instant on, by the writer's stamp, it is as if it
        /// had never been made.
        expires: Option<Timestamp>,
    },
    /// Says what terms are made by, or how far older ones were made anew. The generation is that of the write set, or a
    /// later one, which then begins behind it.
    Index(Index),
}

/// A version to append. Its key must be guarded by [`HeadGuard::Absent`] or
/// [`HeadGuard::Exactly`] in the same write set, and `next` must be one above what the guard
/// names: stores refuse anything else as [`StoreError::Unguarded`](crate::StoreError::Unguarded).
/// Only the first version of a key may pass over numbers; they are never used then, as if they had
/// been purged.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionWrite {
    /// Where.
    pub key: Key,
    /// Its name.
    pub next: VersionToken,
    /// How it came about.
    pub method: Method,
    /// The content; `None` exactly for [`Method::Delete`].
    pub body: Option<Body>,
    /// What it is found by: sorted, without doubles; empty for [`Method::Delete`]. Shared, since a write set is kept
    /// until its commit succeeds.
    pub terms: Arc<[Term]>,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit {
    /// Durable, all of it.
    Committed(Committed),
    /// Nothing was written: these guards do not hold, all that failed in guard order. Guards
    /// are judged on the state before the set's own writes, but for [`Guard::Unreferred`].
    Lost(Vec<Lost>),
    /// Nothing was written: terms of another generation are wanted.
    StaleIndex(IndexGeneration),
    /// The store cannot say. The version row, if there is one, carries the request id.
    Unknown,
}

/// What was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The newest place in the commit order that this write set wrote; of a write set that
    /// writes no version, the newest that its guards were judged on.
    pub seq: Seq,
    /// The one instant of the write set.
    pub at: Timestamp,
}

/// A guard that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its index in [`WriteSet::guards`].
    pub guard: usize,
    /// What the store has instead.
    pub now: Now,
}

/// What a failed guard met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Now {
    /// The state of the key.
    Head(Current),
    /// Keys that match, at most one more than were expected.
    Matched(Vec<Key>),
    /// The place in the commit order that made the claim.
    Claimed(Seq),
    /// Who refers to the key: sorted, at most [`REFERRING_MAX`] of them.
    Referred(Vec<Key>),
}

impl WriteSet {
    /// Checks what the set says about itself, whatever is stored: every version written is
    /// guarded by the version before it, a purge or new terms by the head they concern, no key
    /// is written twice, no claim made twice, exactly the deletions have no body, deletions have
    /// no terms, lists are sorted, and the index does not go back. Every store checks this first.
    ///
    /// Takes time in the order of n log n for n guards and writes.
    pub fn check(&self) -> Result<(), StoreError> {
        let pins = Pins::of(&self.guards)?;
        let mut written = BTreeSet::new();
        let mut claimed = BTreeSet::new();
        let mut indexed = false;
        for write in &self.writes {
            let sound = match write {
                Write::Version(version) => {
                    check_sorted(&version.terms)?;
                    let deletes = version.method == Method::Delete;
                    version.body.is_none() == deletes
                        && (version.terms.is_empty() || !deletes)
                        && pins.precede(&version.key, version.next.number)
                        && written.insert(&version.key)
                }
                Write::Terms { key, terms } => {
                    check_sorted(terms)?;
                    pins.has_version(key) && written.insert(key)
                }
                Write::Purge(key) => pins.has_version(key) && written.insert(key),
                Write::Claim { scope, value, .. } => {
                    pins.unclaimed.contains(&(*scope, &value[..])) && claimed.insert((*scope, &value[..]))
                }
                Write::Index(index) => {
                    index.generation >= self.index && !std::mem::replace(&mut indexed, true)
                }
            };
            if !sound {
                return Err(StoreError::Unguarded);
            }
        }
        Ok(())
    }
}

/// The number after `number`, as long as there is one.
fn following(number: VersionNumber) -> Option<VersionNumber> {
    (number.next() != number).then(|| number.next())
}

fn check_sorted<T: Ord>(items: &[T]) -> Result<(), StoreError> {
    if items.windows(2).all(|pair| pair[0] < pair[1]) { Ok(()) } else { Err(StoreError::Unsorted) }
}

/// What the guards of a set pin down, each key looked up once.
struct Pins<'a> {
    heads: BTreeMap<&'a Key, HeadGuard>,
    unclaimed: BTreeSet<(Scope, &'a [u8])>,
}

impl<'a> Pins<'a> {
    fn of(guards: &'a [Guard]) -> Result<Self, StoreError> {
        let mut heads = BTreeMap::new();
        let mut unclaimed = BTreeSet::new();
        for guard in guards {
            match guard {
                Guard::Head(_, HeadGuard::Live) | Guard::Unreferred { .. } => {}
                // Two guards of one key that differ cannot both hold, so either may count.
                Guard::Head(key, pin) => {
                    heads.entry(key).or_insert(*pin);
                }
                Guard::Matches(query, expected) => {
                    check_sorted(expected)?;
                    if query.conditions.is_empty() {
                        return Err(StoreError::TooCostly);
                    }
                }
                Guard::Unclaimed(scope, bytes) => {
                    unclaimed.insert((*scope, &bytes[..]));
                }
            }
        }
        Ok(Self { heads, unclaimed })
    }

    /// Whether `next` may be the number of the version that follows, if the guards hold.
    fn precede(&self, key: &Key, next: VersionNumber) -> bool {
        match self.heads.get(key) {
            Some(HeadGuard::Absent { floor }) => *floor < next,
            Some(HeadGuard::Exactly(number)) => following(*number) == Some(next),
            Some(HeadGuard::Live) | None => false,
        }
    }

    /// Whether the guards say that `key` has a newest version.
    fn has_version(&self, key: &Key) -> bool {
        matches!(self.heads.get(key), Some(HeadGuard::Exactly(_)))
    }
}

#[cfg(test)]
mod tests;
