//! The Reasonable Adjustment Flag API as its clients see it.

mod audit;
mod bundled;
mod examples;
pub(crate) mod fixtures;
mod metadata;
mod races;
mod record;
mod rows;

use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts;

use self::fixtures::{Payload, signed};

/// A server with the API at its usual path.
pub(crate) fn server(settings: &str) -> TestServer {
    TestServer::with(
        &[mounts::parse(&format!("{BASE} flags/STU3 {settings}"))],
        http_server::Settings::default(),
    )
}

pub(crate) const BASE: &str = "/flags/STU3";

/// A resource that was created.
pub(crate) struct Made {
    pub(crate) target: String,
    pub(crate) etag: String,
    pub(crate) payload: Payload,
}

/// Creates the fixture of a type.
#[track_caller]
pub(crate) fn make(server: &TestServer, payload: &Payload) -> Made {
    let target = format!("{BASE}/{}", payload.resource_type());
    let created = server.send(&signed(Request::post(&target, payload.bytes())));
    assert_eq!(created.status, 201, "{}", created.body_text());
    let stored = Payload::from(created.json());
    Made { target: format!("{target}/{}", created.text("id")), etag: created.etag(), payload: stored }
}
