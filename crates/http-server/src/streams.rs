//! How long a client of HTTP/2 may hold a connection: without a request, or without taking its answers.
//!
//! The protocol layer limits neither. A client that leaves its window closed lets the server keep an answer, and no
//! write to the connection has to wait for it. (Over HTTP/1.1 an idle connection is one whose header section does not
//! come, and who does not read blocks the connection, see [`crate::sending`].)

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use tokio::time::Instant;

use crate::Limits;
use crate::response::take_body;
use crate::sending::BYTES_MIN;

/// What a connection has under way.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    /// Whether the client speaks HTTP/2.
    spoken: AtomicBool,
    state: Mutex<State>,
}

struct State {
    idle_time_max: Duration,
    send_time_max: Duration,
    /// Since when there is nothing under way, as far as that is so. None before HTTP/2 is spoken.
    idle_since: Option<Instant>,
    /// Requests that are being handled.
    handled: usize,
    /// By when answers that are on their way have to be taken.
    answers: BTreeMap<u64, Instant>,
    /// Bytes of those.
    bytes: usize,
    /// Names answers.
    next: u64,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again then.
    Wait(Instant),
    /// Nothing has been under way for too long.
    Idle,
    /// The client does not take its answers.
    Stuck,
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Self {
        let state = State {
            idle_time_max: limits.header_time_max,
            send_time_max: limits.send_time_max,
            idle_since: None,
            handled: 0,
            answers: BTreeMap::new(),
            bytes: 0,
            next: 0,
        };
        Self(Arc::new(Shared { spoken: AtomicBool::new(false), state: Mutex::new(state) }))
    }

    /// Whether there is anything to judge: the client speaks HTTP/2.
    pub(crate) fn are_spoken(&self) -> bool {
        self.0.spoken.load(Ordering::Relaxed)
    }

    /// The client speaks HTTP/2, or is given its time once more.
    pub(crate) fn rest(&self) {
        self.state().idle_since = Some(Instant::now());
        self.0.spoken.store(true, Ordering::Relaxed);
    }

    /// A request came.
    pub(crate) fn begin(&self) -> Handled {
        self.state().handled += 1;
        Handled(self.clone())
    }

    pub(crate) fn judge(&self, now: Instant) -> Verdict {
        let state = self.state();
        let later = now + state.idle_time_max.min(state.send_time_max);
        match (state.answers.values().min(), state.idle_since) {
            (Some(deadline), _) if *deadline <= now => Verdict::Stuck,
            (Some(deadline), _) => Verdict::Wait(later.min(*deadline)),
            (None, Some(since)) if state.handled == 0 => match since + state.idle_time_max {
                end if end <= now => Verdict::Idle,
                end => Verdict::Wait(end),
            },
            (None, _) => Verdict::Wait(later),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is complete in itself.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being handled.
pub(crate) struct Handled(Streams);

impl Handled {
    /// The answer, which is on its way until its last byte has left or the client gives it up.
    pub(crate) fn answer(self, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        let Some(bytes) = take_body(response.body_mut()).filter(|bytes| !bytes.is_empty()) else {
            return response;
        };
        let name = self.0.state().send(bytes.len());
        let answer = Answer { streams: self.0.clone(), name, bytes };
        *response.body_mut() = Full::new(Bytes::from_owner(answer));
        response
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.handled = state.handled.saturating_sub(1);
        state.idle_since = Some(Instant::now());
    }
}

impl State {
    /// Notes an answer and by when it has to be taken: as fast as over HTTP/1.1, behind those before it.
    fn send(&mut self, bytes: usize) -> u64 {
        self.bytes = self.bytes.saturating_add(bytes);
        let spans = u32::try_from(self.bytes.div_ceil(BYTES_MIN)).unwrap_or(u32::MAX);
        let deadline = Instant::now() + self.send_time_max.saturating_mul(spans);
        self.next += 1;
        self.answers.insert(self.next, deadline);
        self.next
    }
}

/// The bytes of an answer.
struct Answer {
    streams: Streams,
    name: u64,
    bytes: Bytes,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        state.answers.remove(&self.name);
        state.bytes = state.bytes.saturating_sub(self.bytes.len());
        state.idle_since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn streams() -> Streams {
        let (header_time_max, send_time_max) = (10 * SECOND, 20 * SECOND);
        Streams::new(&Limits { header_time_max, send_time_max, ..Limits::default() })
    }

    #[test]
    fn a_connection_is_idle_while_nothing_is_under_way() {
        let streams = streams();
        let start = Instant::now();
        assert!(
            matches!(streams.judge(start + 100 * SECOND), Verdict::Wait(_)),
            "not before HTTP/2 is spoken"
        );
        streams.rest();
        assert!(matches!(streams.judge(start + 9 * SECOND), Verdict::Wait(_)));
        assert_eq!(streams.judge(start + 11 * SECOND), Verdict::Idle);
        let handled = streams.begin();
        assert!(
            matches!(streams.judge(start + 100 * SECOND), Verdict::Wait(_)),
            "a request is being handled"
        );
        drop(handled);
        assert!(matches!(streams.judge(start + 9 * SECOND), Verdict::Wait(_)));
        assert_eq!(streams.judge(Instant::now() + 11 * SECOND), Verdict::Idle);
    }

    #[test]
    fn answers_have_as_much_time_as_their_bytes_take() {
        let streams = streams();
        streams.rest();
        let start = Instant::now();
        let body = |length| Response::new(Full::from(vec![0; length]));
        let first = streams.begin().answer(body(10));
        assert!(matches!(streams.judge(start + 19 * SECOND), Verdict::Wait(_)));
        assert_eq!(streams.judge(start + 21 * SECOND), Verdict::Stuck);
        drop(first);
        assert!(matches!(streams.judge(Instant::now() + SECOND), Verdict::Wait(_)));
        let large = streams.begin().answer(body(3 * BYTES_MIN));
        assert!(matches!(streams.judge(start + 59 * SECOND), Verdict::Wait(_)));
        assert_eq!(streams.judge(Instant::now() + 61 * SECOND), Verdict::Stuck);
        drop(large);
        drop(streams.begin().answer(body(0)));
        assert_eq!(streams.judge(Instant::now() + 11 * SECOND), Verdict::Idle);
    }
}
