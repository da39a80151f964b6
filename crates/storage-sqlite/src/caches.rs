//! What readers find in memory. Right only because this process is the only writer.
//!
//! A version's content never changes, so contents are kept by row. A key's newest state does, and
//! two things could make an old one stay: a reader that looked before a commit and fills the cache
//! after it, and a reader that finds the new version in the tables while the cache still has the
//! old. So the writer takes its keys out before it commits and fences their shards with the
//! number of its group; afterwards it puts the new states in. A reader notes, before it looks, up
//! to which group all are settled, and fills only shards whose fence is not beyond that.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::{Weighter, sync, unsync};
use storage_api::{Body, Key};

use crate::rows::ResourceRow;

/// Threads that meet in one shard wait for each other, for well under a microsecond.
const SHARDS: usize = 32;

/// The newest states of keys.
pub(crate) struct HeadCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    settled: AtomicU64,
}

struct Shard {
    rows: unsync::Cache<Key, ResourceRow>,
    /// Readers that began before this group was settled may not fill.
    fence: u64,
}

/// The newest group of which every effect was in the tables when this was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled(u64);

impl HeadCache {
    pub(crate) fn new(entries: usize) -> Self {
        let shard = || Shard { rows: unsync::Cache::new(entries.div_ceil(SHARDS)), fence: 0 };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::new(),
            settled: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<ResourceRow> {
        self.shard(key).rows.get(key).copied()
    }

    /// To be asked before the tables are.
    pub(crate) fn settled(&self) -> Settled {
        Settled(self.settled.load(Ordering::SeqCst))
    }

    /// Keeps what a reader found, unless a commit may have overtaken it.
    pub(crate) fn fill(&self, key: &Key, row: ResourceRow, before: Settled) {
        let mut shard = self.shard(key);
        if shard.fence <= before.0 {
            shard.rows.insert(key.clone(), row);
        }
    }

    /// Begins the commit of a group that may change `keys`, and names the group.
    pub(crate) fn withdraw<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> Settled {
        // Only the writer moves this on, so it cannot change in between.
        let group = self.settled.load(Ordering::SeqCst) + 1;
        for key in keys {
            let mut shard = self.shard(key);
            shard.rows.remove(key);
            shard.fence = group;
        }
        Settled(group)
    }

    /// Ends the commit of a group that left `rows`.
    pub(crate) fn publish<'a>(&self, rows: impl Iterator<Item = (&'a Key, ResourceRow)>, group: Settled) {
        for (key, row) in rows {
            self.shard(key).rows.insert(key.clone(), row);
        }
        self.settle(group);
    }

    /// Ends a group that left nothing to publish.
    pub(crate) fn settle(&self, group: Settled) {
        self.settled.store(group.0, Ordering::SeqCst);
    }

    /// Forgets everything, what readers are about to fill in included: after a commit of which
    /// nobody knows the end.
    pub(crate) fn clear(&self) {
        let group = self.withdraw(std::iter::empty());
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.rows.clear();
            shard.fence = group.0;
        }
        self.settle(group);
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let place = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default() % SHARDS;
        // Nothing that can panic is done under the lock.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Contents by the row that has them.
pub(crate) struct BodyCache(sync::Cache<i64, Body, Bytewise>);

#[derive(Clone)]
struct Bytewise;

impl Weighter<i64, Body> for Bytewise {
    fn weight(&self, _: &i64, body: &Body) -> u64 {
        // What an entry takes besides its bytes, roughly.
        const ENTRY_BYTES: u64 = 96;
        ENTRY_BYTES + body.bytes.len() as u64
    }
}

impl BodyCache {
    /// Contents above this are not kept: one of them would push out hundreds.
    const BODY_BYTES_MAX: usize = 64 << 10;

    pub(crate) fn new(bytes_max: usize) -> Self {
        // Resources have about a kilobyte each.
        Self(sync::Cache::with_weighter(bytes_max >> 10, bytes_max as u64, Bytewise))
    }

    pub(crate) fn get(&self, seq: i64) -> Option<Body> {
        self.0.get(&seq)
    }

    pub(crate) fn insert(&self, seq: i64, body: &Body) {
        if body.bytes.len() <= Self::BODY_BYTES_MAX {
            self.0.insert(seq, body.clone());
        }
    }

    pub(crate) fn remove(&self, seq: i64) {
        self.0.remove(&seq);
    }
}

/// What versions are found by, packed, by their row. The writer's own: a version's terms may be
/// replaced, and readers look at moments of their own.
pub(crate) struct EntryCache(unsync::Cache<i64, Box<[u8]>, PackedBytes>);

#[derive(Clone)]
struct PackedBytes;

impl Weighter<i64, Box<[u8]>> for PackedBytes {
    fn weight(&self, _: &i64, packed: &Box<[u8]>) -> u64 {
        const ENTRY_BYTES: u64 = 64;
        ENTRY_BYTES + packed.len() as u64
    }
}

impl EntryCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        // A resource has ten terms of twenty bytes.
        Self(unsync::Cache::with_weighter(bytes_max >> 8, bytes_max as u64, PackedBytes))
    }

    pub(crate) fn get(&self, seq: i64) -> Option<&[u8]> {
        self.0.get(&seq).map(AsRef::as_ref)
    }

    pub(crate) fn insert(&mut self, seq: i64, packed: Box<[u8]>) {
        self.0.insert(seq, packed);
    }

    /// A version that is not the newest any more is not asked for again.
    pub(crate) fn remove(&mut self, seq: i64) {
        self.0.remove(&seq);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::State;

    fn row(number: u64) -> ResourceRow {
        ResourceRow { res: 1, state: State::Live, number, seq: 1, at: 0, tag: 0, previous_at: None }
    }

    fn number(cache: &HeadCache, key: &Key) -> Option<u64> {
        cache.get(key).map(|row| row.number)
    }

    #[test]
    fn a_reader_that_looked_before_a_commit_does_not_fill_after_it() {
        let cache = HeadCache::new(100);
        let key = Key::new("Flag", "a");
        let slow = cache.settled();
        let group = cache.withdraw([&key].into_iter());
        cache.fill(&key, row(1), slow);
        assert_eq!(number(&cache, &key), None, "filled during the commit");
        cache.publish([(&key, row(2))].into_iter(), group);
        cache.fill(&key, row(1), slow);
        assert_eq!(number(&cache, &key), Some(2), "filled after the commit");
        cache.fill(&key, row(2), cache.settled());
        assert_eq!(number(&cache, &key), Some(2));
    }

    #[test]
    fn nobody_finds_the_old_state_while_a_commit_is_under_way() {
        let cache = HeadCache::new(100);
        let key = Key::new("Flag", "a");
        cache.fill(&key, row(1), cache.settled());
        assert_eq!(number(&cache, &key), Some(1));
        let group = cache.withdraw([&key].into_iter());
        assert_eq!(number(&cache, &key), None);
        cache.fill(&key, row(1), cache.settled());
        assert_eq!(number(&cache, &key), None, "the group is not settled yet");
        // The commit fails: the old state is right again, for those who look from now on.
        cache.settle(group);
        cache.fill(&key, row(1), cache.settled());
        assert_eq!(number(&cache, &key), Some(1));
    }

    #[test]
    fn clearing_keeps_slow_readers_out_everywhere() {
        let cache = HeadCache::new(10_000);
        let keys: Vec<Key> = (0..100).map(|n| Key::new("Flag", format!("{n}"))).collect();
        let slow = cache.settled();
        for key in &keys {
            cache.fill(key, row(1), slow);
        }
        assert!(keys.iter().all(|key| number(&cache, key) == Some(1)));
        cache.clear();
        for key in &keys {
            cache.fill(key, row(1), slow);
        }
        assert!(keys.iter().all(|key| number(&cache, key).is_none()));
    }

    #[test]
    fn large_contents_are_not_kept() {
        let cache = BodyCache::new(1 << 20);
        let body = |len| Body { bytes: vec![0; len].into(), splice: 0 };
        cache.insert(1, &body(1000));
        cache.insert(2, &body(BodyCache::BODY_BYTES_MAX + 1));
        assert_eq!((cache.get(1), cache.get(2)), (Some(body(1000)), None));
        cache.remove(1);
        assert_eq!(cache.get(1), None);
    }
}
