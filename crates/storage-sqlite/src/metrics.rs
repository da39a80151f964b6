//! Counts of what the store does, cheap enough to be always on.

use storage_api::{Counter, Distribution, Histogram, Metric, MetricValue};

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
    /// Searches and other reads that went on on a thread for long reads.
    pub long_reads: u64,
}

impl Metrics {
    /// The same in the form that every store has.
    pub(crate) fn to_list(&self) -> Vec<Metric> {
        use MetricValue::{Counter, Gauge};

        let histogram = |histogram: &Histogram| MetricValue::Histogram(histogram.clone());
        let metric = |name, help, value| Metric { name, help, value };
        vec![
            metric("store_committed_total", "Write sets that were committed.", Counter(self.committed)),
            metric("store_lost_total", "Write sets of which a guard did not hold.", Counter(self.lost)),
            metric("store_failed_total", "Write sets that ended with an error.", Counter(self.failed)),
            metric("store_unknown_total", "Write sets whose end is unknown.", Counter(self.unknown)),
            metric("store_group_sets", "Write sets that one commit served.", histogram(&self.group_sets)),
            metric(
                "store_commit_microseconds",
                "Time of a commit statement, the sync included.",
                histogram(&self.commit_micros),
            ),
            metric(
                "store_group_microseconds",
                "Time of a group from taking it to its answers.",
                histogram(&self.group_micros),
            ),
            metric("store_queue_sets", "Write sets that wait for the writer.", Gauge(self.queue_sets as u64)),
            metric("store_queue_bytes", "What they weigh.", Gauge(self.queue_bytes as u64)),
            metric("store_log_bytes", "Bytes in the write-ahead log.", Gauge(self.log_bytes)),
            metric("store_checkpoints_total", "Checkpoints of the helper thread.", Counter(self.checkpoints)),
            metric(
                "store_log_restarts_total",
                "Times that the log was started anew.",
                Counter(self.log_restarts),
            ),
            metric(
                "store_reopenings_total",
                "Times that the writer reopened the store.",
                Counter(self.reopenings),
            ),
            metric("store_head_hits_total", "Heads answered from memory.", Counter(self.head_hits)),
            metric("store_head_misses_total", "Heads that were not.", Counter(self.head_misses)),
            metric("store_body_hits_total", "Contents answered from memory.", Counter(self.body_hits)),
            metric("store_body_misses_total", "Contents that were not.", Counter(self.body_misses)),
            metric(
                "store_long_reads_total",
                "Searches and other reads that took long enough for a thread of their own.",
                Counter(self.long_reads),
            ),
        ]
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
    pub(crate) long_reads: Counter,
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
            long_reads: self.long_reads.get(),
        }
    }
}
