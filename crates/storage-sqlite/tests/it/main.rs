//! The store as its callers see it.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod conformance;
mod reopening;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use storage_api::*;

/// Time in steps of one millisecond.
pub(crate) struct Steps(AtomicI64);

impl Steps {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_527_264_590_000_000)))
    }
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

pub(crate) fn put(key: &Key, before: u64, body: &str) -> WriteSet {
    let guard = match before {
        0 => HeadGuard::Absent { floor: VersionNumber::NONE },
        number => HeadGuard::Exactly(VersionNumber::new(number)),
    };
    WriteSet {
        request: RequestId([7; 16]),
        index: IndexGeneration(0),
        guards: vec![Guard::Head(key.clone(), guard)],
        writes: vec![Write::Version(VersionWrite {
            key: key.clone(),
            next: VersionToken { number: VersionNumber::new(before + 1), tag: VersionTag(before + 100) },
            method: Method::Put,
            body: Some(Body { bytes: body.to_owned().into(), splice: 3 }),
            terms: vec![],
        })],
    }
}
