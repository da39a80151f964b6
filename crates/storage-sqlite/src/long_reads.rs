//! Questions that take longer than the thread that asked them should be kept: a few threads answer them one by one, and
//! only so many wait.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage_api::StoreError;

/// What waits for one of the threads.
pub(crate) struct LongReads {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    waiting_max: usize,
    time_max: Duration,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Job {
    asked: Instant,
    /// Answers it, or, if it waited for too long, says so.
    answer: Box<dyn FnOnce(bool) + Send>,
}

impl LongReads {
    pub(crate) fn new(waiting_max: usize, time_max: Duration) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), waiting_max, time_max }
    }

    /// Hands a question over, or says at once why not. A question that nobody waits for any more is not answered.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(move |is_late| {
            if !reply.is_closed() {
                // If it is dropped meanwhile, nobody listens.
                let _ = reply.send(if is_late { Err(StoreError::Busy) } else { question() });
            }
        }))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    fn push(&self, answer: Box<dyn FnOnce(bool) + Send>) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(closed());
        }
        if waiting.jobs.len() >= self.waiting_max {
            return Err(StoreError::Busy);
        }
        waiting.jobs.push_back(Job { asked: Instant::now(), answer });
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Answers what is asked, until it is closed.
    pub(crate) fn run(&self) {
        while let Some(Job { asked, answer }) = self.take() {
            let is_late = asked.elapsed() > self.time_max;
            // Whoever asked hears that there is no answer, and the others go on.
            let _ = catch_unwind(AssertUnwindSafe(|| answer(is_late)));
        }
    }

    fn take(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            match waiting.jobs.pop_front() {
                Some(job) => return Some(job),
                None => waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Takes nothing more, and drops what waits.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let dropped = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        self.arrived.notify_all();
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under the lock is complete in itself.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("closed".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use pollster::block_on;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    /// Answers what waits and what comes, while `test` goes on.
    fn answering(reads: &LongReads, test: impl FnOnce()) {
        thread::scope(|scope| {
            scope.spawn(|| reads.run());
            test();
            reads.close();
        });
    }

    #[test]
    fn questions_are_answered_one_by_one_and_a_panic_ends_only_its_own() {
        let reads = LongReads::new(10, LONG);
        answering(&reads, || {
            assert_eq!(block_on(reads.ask(|| Ok(1))), Ok(1));
            assert_eq!(
                block_on(reads.ask(|| Err::<(), _>(StoreError::TooCostly))),
                Err(StoreError::TooCostly)
            );
            let unanswered = block_on(reads.ask::<()>(|| panic!("a mistake in a question")));
            assert_eq!(unanswered, Err(closed()));
            assert_eq!(block_on(reads.ask(|| Ok(2))), Ok(2));
        });
        assert_eq!(block_on(reads.ask(|| Ok(3))), Err(closed()));
    }

    #[test]
    fn only_so_many_wait_and_only_so_long() {
        let reads = LongReads::new(1, Duration::ZERO);
        let (told, late) = mpsc::channel();
        assert_eq!(reads.push(Box::new(move |is_late| told.send(is_late).unwrap())), Ok(()));
        assert_eq!(block_on(reads.ask(|| Ok(()))), Err(StoreError::Busy));
        answering(&reads, || assert_eq!(late.recv(), Ok(true)));
    }

    #[test]
    fn what_nobody_waits_for_is_not_answered() {
        let reads = LongReads::new(10, LONG);
        let (told, answered) = mpsc::channel();
        {
            let told = told.clone();
            let mut given_up = Box::pin(reads.ask(move || told.send("given up").map_err(|_| closed())));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(given_up.as_mut().poll(&mut context).is_pending());
        }
        answering(&reads, || {
            assert_eq!(block_on(reads.ask(move || told.send("waited for").map_err(|_| closed()))), Ok(()));
        });
        assert_eq!(answered.iter().collect::<Vec<_>>(), ["waited for"]);
    }
}
