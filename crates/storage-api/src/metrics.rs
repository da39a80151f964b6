//! Counts that are cheap enough to be always on, and the form in which they are shown.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number with a name, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// In the form of Prometheus: lower case with underscores, the unit last.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// What it is now.
    pub value: MetricValue,
}

/// What a metric is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricValue {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// Values by size.
    Histogram(Histogram),
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

/// A number that many threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Replaces: for a gauge.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A [`Histogram`] that many threads add to.
#[derive(Debug, Default)]
pub struct Distribution {
    buckets: [Counter; Histogram::BUCKETS],
    sum: Counter,
}

impl Distribution {
    /// Counts a value.
    pub fn count(&self, value: u64) {
        if let Some(bucket) = self.buckets.get(Histogram::bucket(value)) {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    /// Counts a time, in microseconds.
    pub fn time(&self, duration: Duration) {
        self.count(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was counted so far.
    pub fn read(&self) -> Histogram {
        Histogram { buckets: std::array::from_fn(|n| self.buckets[n].get()), sum: self.sum.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_smallest_bucket_that_holds_them() {
        let distribution = Distribution::default();
        for value in [0, 1, 2, 3, 4, 5, 1 << 23, (1 << 23) + 1, u64::MAX] {
            distribution.count(value);
        }
        let histogram = distribution.read();
        assert_eq!(histogram.count(), 9);
        let expected = [(0, 2), (1, 1), (2, 2), (3, 1), (23, 1), (24, 2)];
        for (bucket, count) in expected {
            assert_eq!(histogram.buckets[bucket], count, "bucket {bucket}");
        }
        assert_eq!(Histogram::bound(3), Some(8));
        assert_eq!(Histogram::bound(24), None);
    }
}
