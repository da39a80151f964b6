//! Reading request bodies, bounded in size and time, one by one and together.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::EXPECT;
use rulebook::Failure;
use tokio::time::timeout;

use crate::{Limits, compression};

/// Bytes of the bodies of all requests that are being handled.
#[derive(Debug, Default)]
pub(crate) struct Bodies(AtomicUsize);

impl Bodies {
    /// How much there is now.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds to what one request has, which is `own` so far. A request that is the only one may have what a single one
    /// may have.
    fn add(&self, bytes: usize, own: usize, max: usize) -> Result<(), Failure> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= max || before == own {
            return Ok(());
        }
        self.0.fetch_sub(bytes, Ordering::Relaxed);
        Err(Failure::Busy)
    }
}

/// The body of a request on its way in.
pub(crate) struct Upload<'a> {
    bodies: &'a Bodies,
    /// How much of them it is.
    held: usize,
    body: Incoming,
    /// The client sends nothing until it is told to go on (`Expect: 100-continue`), which the
    /// first read does.
    waits: bool,
    /// What was read, for the audit record.
    seen: Bytes,
}

impl<'a> Upload<'a> {
    pub(crate) fn new(body: Incoming, headers: &HeaderMap, bodies: &'a Bodies) -> Self {
        let waits =
            headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self { bodies, held: 0, body, waits, seen: Bytes::new() }
    }

    /// Reads the whole body.
    pub(crate) async fn read(&mut self, limits: &Limits) -> Result<Bytes, Failure> {
        let max = limits.body_bytes_max;
        if self.body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if self.body.size_hint().lower() > max as u64 {
            return Err(Failure::BodyTooLarge { max });
        }
        self.waits = false;
        match timeout(limits.body_time_max, self.collect(limits)).await {
            Ok(read) => read.inspect(|body| self.seen = body.clone()),
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// What was read, as it came.
    pub(crate) fn seen(&self) -> &Bytes {
        &self.seen
    }

    /// What was read as it was before its Content-Encoding.
    pub(crate) fn unpack(
        &mut self,
        headers: &HeaderMap,
        bytes: Bytes,
        limits: &Limits,
    ) -> Result<Bytes, Failure> {
        let packed = bytes.as_ptr();
        let plain = compression::decode(headers, bytes, limits.body_bytes_max)?;
        if plain.as_ptr() != packed {
            self.hold(plain.len(), limits)?;
        }
        Ok(plain)
    }

    fn hold(&mut self, bytes: usize, limits: &Limits) -> Result<(), Failure> {
        self.bodies.add(bytes, self.held, limits.bodies_bytes_max)?;
        self.held += bytes;
        Ok(())
    }

    fn release(&mut self) {
        self.bodies.0.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
    }

    async fn collect(&mut self, limits: &Limits) -> Result<Bytes, Failure> {
        let max = limits.body_bytes_max;
        let mut first: Option<Bytes> = None;
        let mut more = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let Ok(data) = frame.map_err(|_| Failure::BodyIncomplete)?.into_data() else { continue };
            let held = if more.is_empty() { first.as_ref().map_or(0, Bytes::len) } else { more.len() };
            if held + data.len() > max {
                return Err(Failure::BodyTooLarge { max });
            }
            self.hold(data.len(), limits)?;
            match first.take() {
                // Nearly every body comes in one piece, which is then used as it is.
                None if more.is_empty() => first = Some(data),
                None => more.extend_from_slice(&data),
                Some(start) => {
                    // What the client says it sends, which is at most what it may: growing by doubling would hold an
                    // old copy beside the new one.
                    let rest = usize::try_from(self.body.size_hint().lower()).unwrap_or(0);
                    more.reserve(start.len() + data.len() + rest.min(max));
                    more.extend_from_slice(&start);
                    more.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| more.freeze()))
    }

    /// Drops what a refused client still sends, up to a bound: a connection that is closed while
    /// the client writes is reset, and the client never gets to read why it was refused.
    pub(crate) async fn discard(&mut self, limits: &Limits) {
        if self.waits || self.body.is_end_stream() {
            return;
        }
        self.release();
        let drop_all = async {
            let mut dropped = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                dropped += frame.data_ref().map_or(0, Bytes::len);
                if dropped > limits.drain_bytes_max {
                    break;
                }
            }
        };
        // Whether the client finished or not, it is answered now.
        let _ = timeout(limits.body_time_max, drop_all).await;
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_what_there_is() {
        let bodies = Bodies::default();
        assert_eq!(bodies.add(60, 0, 100), Ok(()));
        assert_eq!(bodies.add(50, 0, 100), Err(Failure::Busy));
        assert_eq!(bodies.add(40, 0, 100), Ok(()));
        assert_eq!(bodies.add(1, 60, 100), Err(Failure::Busy));
        bodies.0.fetch_sub(40, Ordering::Relaxed);
        assert_eq!(bodies.add(500, 60, 100), Ok(()), "nobody is beside it");
    }
}
