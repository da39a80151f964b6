//! The only way to change anything: guards and writes, applied together or not at all.

use std::collections::BTreeSet;

use bytes::Bytes;
use versioning_core::{Current, Expect, Timestamp, VersionNumber, VersionToken};

use crate::{Body, Key, RequestId, Seq, StoreError};

/// The generation of the index extractor that a write set's terms were made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexGeneration(pub u32);

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
    /// Nobody has claimed this.
    Unclaimed(Scope, Bytes),
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
    /// Removes a key with its whole history. Its floor stays: its numbers are never used again.
    Purge(Key),
    /// Claims bytes in a scope, for ever or until a time. A claim outlives resources.
    Claim {
        /// The space.
        scope: Scope,
        /// What is claimed.
        value: Bytes,
        /// When the claim lapses, by the writer's stamp.
        expires: Option<Timestamp>,
    },
}

/// A version to append. Its key must be guarded by [`HeadGuard::Absent`] or
/// [`HeadGuard::Exactly`] in the same write set, and `next` must be one above what the guard
/// names: stores refuse anything else as [`StoreError::Unguarded`](crate::StoreError::Unguarded).
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
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit {
    /// Durable, all of it.
    Committed(Committed),
    /// Nothing was written: these guards do not hold, all that failed in guard order.
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
    /// The place in the commit order that made the claim.
    Claimed(Seq),
}

impl WriteSet {
    /// Checks what the set says about itself, whatever is stored: every version written is
    /// guarded by the version before it, a purge by the head it removes, no key is written
    /// twice, and exactly the deletions have no body. Every store checks this first.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut written = BTreeSet::new();
        for write in &self.writes {
            let sound = match write {
                Write::Version(version) => {
                    (version.body.is_none() == (version.method == Method::Delete))
                        && self.number_before(&version.key).map(VersionNumber::next)
                            == Some(version.next.number)
                        && written.insert(&version.key)
                }
                Write::Purge(key) => self.number_before(key).is_some() && written.insert(key),
                Write::Claim { scope, value, .. } => {
                    self.guards.iter().any(|guard| {
                        matches!(guard, Guard::Unclaimed(guarded, bytes) if guarded == scope && bytes == value)
                    })
                }
            };
            if !sound {
                return Err(StoreError::Unguarded);
            }
        }
        Ok(())
    }

    /// The number that a guard of this set pins for `key`.
    fn number_before(&self, key: &Key) -> Option<VersionNumber> {
        self.guards.iter().find_map(|guard| match guard {
            Guard::Head(guarded, HeadGuard::Absent { floor }) if guarded == key => Some(*floor),
            Guard::Head(guarded, HeadGuard::Exactly(number)) if guarded == key => Some(*number),
            _ => None,
        })
    }
}
