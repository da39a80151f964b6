//! What waits for the writer, bounded by count and by bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use storage_api::{Commit, StoreError};

use crate::Options;
use crate::group::Prepared;

/// Where the outcome of a write set goes.
pub(crate) type Reply = oneshot::Sender<Result<Commit, StoreError>>;

/// A write set on its way.
pub(crate) struct Job {
    pub(crate) prepared: Prepared,
    /// What it weighs against the limits.
    pub(crate) bytes: usize,
    pub(crate) reply: Reply,
}

/// The queue between callers and the writer.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    sets_max: usize,
    bytes_max: usize,
    /// Told without waiting for anybody, so it may be a moment old.
    is_full: AtomicBool,
}

struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Why nothing more is taken, once that is so.
    closed: Option<String>,
}

impl Queue {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            waiting: Mutex::new(Waiting { jobs: VecDeque::new(), bytes: 0, closed: None }),
            arrived: Condvar::new(),
            sets_max: options.queue_sets_max,
            bytes_max: options.queue_bytes_max,
            is_full: AtomicBool::new(false),
        }
    }

    /// Takes a job, or says at once why not.
    pub(crate) fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if let Some(why) = &waiting.closed {
            return Err(StoreError::Unavailable(why.clone()));
        }
        let bytes = waiting.bytes.saturating_add(job.bytes);
        // A set that is larger than the bound is let in alone, else it could never be written.
        if waiting.jobs.len() >= self.sets_max || (bytes > self.bytes_max && !waiting.jobs.is_empty()) {
            return Err(StoreError::Busy);
        }
        waiting.bytes = bytes;
        waiting.jobs.push_back(job);
        self.note(&waiting);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// What is there, up to the group limits; waits while there is nothing, never for more.
    /// `None` once the queue is closed and empty.
    pub(crate) fn take(&self, sets_max: usize, bytes_max: usize) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed.is_some() {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group: Vec<Job> = Vec::new();
        let mut bytes = 0_usize;
        while let Some(job) = waiting.jobs.front() {
            let fits = group.len() < sets_max && bytes.saturating_add(job.bytes) <= bytes_max;
            if !fits && !group.is_empty() {
                break;
            }
            bytes = bytes.saturating_add(job.bytes);
            group.extend(waiting.jobs.pop_front());
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        self.note(&waiting);
        Some(group)
    }

    /// Whether not even a small job would be taken.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn note(&self, waiting: &Waiting) {
        let is_full = waiting.jobs.len() >= self.sets_max || waiting.bytes >= self.bytes_max;
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// How many wait, and what they weigh.
    pub(crate) fn size(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.jobs.len(), waiting.bytes)
    }

    /// Takes nothing more; what is queued is still written. The first reason stays.
    pub(crate) fn close(&self, why: &str) {
        self.lock().closed.get_or_insert_with(|| why.to_owned());
        self.arrived.notify_all();
    }

    /// Drops what waits: whoever waits for it hears that nobody will answer.
    pub(crate) fn refuse_rest(&self) {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        waiting.jobs.clear();
        self.note(&waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under the lock is complete in itself.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use storage_api::{IndexGeneration, RequestId, WriteSet};

    use super::*;

    fn job(bytes: usize) -> (Job, oneshot::Receiver<Result<Commit, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let set = WriteSet {
            request: RequestId([0; 16]),
            index: IndexGeneration(0),
            guards: vec![],
            writes: vec![],
        };
        (Job { prepared: Prepared { set, files: HashMap::new() }, bytes, reply }, answer)
    }

    fn queue(sets_max: usize, bytes_max: usize) -> Queue {
        let limits = Options { queue_sets_max: sets_max, queue_bytes_max: bytes_max, ..Options::default() };
        Queue::new(&limits)
    }

    fn sizes(group: Option<Vec<Job>>) -> Option<Vec<usize>> {
        group.map(|jobs| jobs.iter().map(|job| job.bytes).collect())
    }

    #[test]
    fn a_full_queue_refuses_by_count_and_by_bytes() {
        let by_count = queue(2, 1000);
        assert_eq!(
            [1, 1, 1].map(|bytes| by_count.push(job(bytes).0)),
            [Ok(()), Ok(()), Err(StoreError::Busy)]
        );
        assert!(by_count.is_full(), "who asks first is told");
        assert_eq!(sizes(by_count.take(1, 1000)), Some(vec![1]));
        assert!(!by_count.is_full());
        let by_bytes = queue(10, 100);
        assert_eq!(
            [60, 60, 40, 1].map(|bytes| by_bytes.push(job(bytes).0)),
            [Ok(()), Err(StoreError::Busy), Ok(()), Err(StoreError::Busy)]
        );
        assert!(by_bytes.is_full());
        assert_eq!(sizes(by_bytes.take(10, 1000)), Some(vec![60, 40]));
        assert_eq!(by_bytes.push(job(500).0), Ok(()), "an empty queue takes any size");
    }

    #[test]
    fn groups_keep_the_order_and_the_limits() {
        let queue = queue(100, 10_000);
        for bytes in [10, 10, 10, 95, 200, 5, 5] {
            assert_eq!(queue.push(job(bytes).0), Ok(()));
        }
        let groups: Vec<_> = (0..4).map(|_| sizes(queue.take(2, 100))).collect();
        assert_eq!(groups, [vec![10, 10], vec![10], vec![95], vec![200]].map(Some));
        assert_eq!(sizes(queue.take(2, 100)), Some(vec![5, 5]));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has_and_ends() {
        let queue = queue(10, 100);
        assert_eq!(queue.push(job(1).0), Ok(()));
        queue.close("closed");
        assert_eq!(queue.push(job(1).0), Err(StoreError::Unavailable("closed".to_owned())));
        assert_eq!(sizes(queue.take(10, 100)), Some(vec![1]));
        assert_eq!(sizes(queue.take(10, 100)), None);
    }
}
