//! Reading request bodies, bounded in size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use rulebook::Failure;
use tokio::time::timeout;

use crate::Limits;

/// Reads a whole body. One that is too large is refused, and what the client still sends is
/// dropped up to a bound, so that it can read the refusal.
pub(crate) async fn read(mut body: Incoming, limits: &Limits) -> Result<Bytes, Failure> {
    let max = limits.body_bytes_max;
    let too_large = Failure::BodyTooLarge { max };
    if body.size_hint().lower() > max as u64 {
        drain(body, limits.drain_bytes_max, limits.body_time_max).await;
        return Err(too_large);
    }
    let Ok(read) = timeout(limits.body_time_max, collect(&mut body, max)).await else {
        return Err(Failure::Timeout);
    };
    match read {
        Ok(bytes) => Ok(bytes),
        Err(Stopped::Broken) => Err(Failure::BodyIncomplete),
        Err(Stopped::TooLarge) => {
            drain(body, limits.drain_bytes_max, limits.body_time_max).await;
            Err(too_large)
        }
    }
}

enum Stopped {
    Broken,
    TooLarge,
}

async fn collect(body: &mut Incoming, max: usize) -> Result<Bytes, Stopped> {
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Stopped::Broken)?.into_data() else { continue };
        let held = if more.is_empty() { first.as_ref().map_or(0, Bytes::len) } else { more.len() };
        if held + data.len() > max {
            return Err(Stopped::TooLarge);
        }
        match first.take() {
            // Nearly every body comes in one piece, which is then used as it is.
            None if more.is_empty() => first = Some(data),
            None => more.extend_from_slice(&data),
            Some(start) => {
                more.reserve(start.len() + data.len());
                more.extend_from_slice(&start);
                more.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| more.freeze()))
}

async fn drain(mut body: Incoming, max: usize, time: Duration) {
    let drop_all = async {
        let mut dropped = 0;
        while let Some(Ok(frame)) = body.frame().await {
            dropped += frame.data_ref().map_or(0, Bytes::len);
            if dropped > max {
                break;
            }
        }
    };
    // Whether the client finished or not, it is answered now.
    let _ = timeout(time, drop_all).await;
}
