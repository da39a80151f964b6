//! Counts of what the store does, cheap enough to be always on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a store has done since it was opened, and what waits now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Write sets that were committed.
    pub committed: u64,
    /// Write sets of which a guard did not hold.
    pub lost: u64,
    /// Write sets that ended with an error, those refused by a full queue included.
    pub failed: u64,
    /// Write sets whose end is unknown.
    pub unknown: u64,
    /// How many write sets each commit served.
    pub group_sets: Histogram,
    /// How long each commit statement took, the sync included, in microseconds.
    pub commit_micros: Histogram,
    /// How long each group took from taking it to the answers, in microseconds.
    pub group_micros: Histogram,
    /// Write sets that wait for the writer.
    pub queue_sets: usize,
    /// What they weigh, in bytes.
    pub queue_bytes: usize,
    /// Bytes in the write-ahead log that a start would have to go through.
    pub log_bytes: u64,
    /// Checkpoints that the helper thread made.
    pub checkpoints: u64,
    /// Times that the writer stopped to start the log anew.
    pub log_restarts: u64,
    /// Times that the writer gave its connection up and opened it again.
    pub reopenings: u64,
    /// Look-ups of newest states that were answered from memory.
    pub head_hits: u64,
    /// Those that were not.
    pub head_misses: u64,
    /// Look-ups of contents that were answered from memory.
    pub body_hits: u64,
    /// Those that were not.
    pub body_misses: u64,
}

/// Counts of values by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The n-th entry counts values of at most 2 to the power of n that are too large for the
    /// entry before; the last one counts all larger ones too.
    pub buckets: [u64; Self::BUCKETS],
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// Up to 2^24: sixteen seconds, if the values are microseconds.
    pub const BUCKETS: usize = 25;

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The upper bound of bucket `n`, inclusive; `None` for the last, which has none.
    pub fn bound(n: usize) -> Option<u64> {
        (n + 1 < Self::BUCKETS).then(|| 1 << n)
    }

    fn bucket(value: u64) -> usize {
        let exponent = value.saturating_sub(1).checked_ilog2().map_or(0, |log| log as usize + 1);
        exponent.min(Self::BUCKETS - 1)
    }
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(crate) struct Distribution {
    buckets: [Counter; Histogram::BUCKETS],
    sum: Counter,
}

impl Distribution {
    pub(crate) fn count(&self, value: u64) {
        if let Some(bucket) = self.buckets.get(Histogram::bucket(value)) {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    pub(crate) fn time(&self, duration: Duration) {
        self.count(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    fn read(&self) -> Histogram {
        Histogram { buckets: std::array::from_fn(|n| self.buckets[n].get()), sum: self.sum.get() }
    }
}

/// The counters behind [`Metrics`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) committed: Counter,
    pub(crate) lost: Counter,
    pub(crate) failed: Counter,
    pub(crate) unknown: Counter,
    pub(crate) group_sets: Distribution,
    pub(crate) commit_micros: Distribution,
    pub(crate) group_micros: Distribution,
    pub(crate) log_bytes: Counter,
    pub(crate) checkpoints: Counter,
    pub(crate) log_restarts: Counter,
    pub(crate) reopenings: Counter,
    pub(crate) head_hits: Counter,
    pub(crate) head_misses: Counter,
    pub(crate) body_hits: Counter,
    pub(crate) body_misses: Counter,
}

impl Counters {
    /// Everything but the queue.
    pub(crate) fn read(&self) -> Metrics {
        Metrics {
            committed: self.committed.get(),
            lost: self.lost.get(),
            failed: self.failed.get(),
            unknown: self.unknown.get(),
            group_sets: self.group_sets.read(),
            commit_micros: self.commit_micros.read(),
            group_micros: self.group_micros.read(),
            queue_sets: 0,
            queue_bytes: 0,
            log_bytes: self.log_bytes.get(),
            checkpoints: self.checkpoints.get(),
            log_restarts: self.log_restarts.get(),
            reopenings: self.reopenings.get(),
            head_hits: self.head_hits.get(),
            head_misses: self.head_misses.get(),
            body_hits: self.body_hits.get(),
            body_misses: self.body_misses.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        for (value, bucket) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7), (129, 8)] {
            assert_eq!(Histogram::bucket(value), bucket, "{value}");
            assert!(Histogram::bound(bucket).is_none_or(|bound| value <= bound), "{value}");
        }
        assert_eq!(Histogram::bucket(u64::MAX), Histogram::BUCKETS - 1);
        assert_eq!(Histogram::bound(Histogram::BUCKETS - 1), None);
        let counted = Distribution::default();
        for value in [1, 3, 3] {
            counted.count(value);
        }
        let read = counted.read();
        assert_eq!((read.count(), read.sum, read.buckets[0], read.buckets[2]), (3, 7, 1, 2));
    }
}
