//! One waits until there is something to do, whatever runs its future.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
pub(crate) struct Wake(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_due: bool,
    has_ended: bool,
    waiting: Option<Waker>,
}

impl Wake {
    /// Says that there is something to do.
    pub(crate) fn wake(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_due = true;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    /// Says that nobody is to wait any more.
    pub(crate) fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.has_ended = true;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).has_ended
    }

    /// Resolves once for what was said since the last time. For one that waits.
    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut state.is_due) || state.has_ended {
                return Poll::Ready(());
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
