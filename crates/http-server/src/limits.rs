//! How much one client may ask of the server, in one place.

use std::time::Duration;

/// Limits of the HTTP edge. What a body may contain is limited by
/// [`fhir_service::Limits`](fhir_service::Limits).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the listen queue.
    pub connections_max: usize,
    /// Requests that one connection of HTTP/2 may have under way; more are refused by the protocol.
    pub streams_max: u32,
    /// Bytes of a request target; above it 414.
    pub uri_bytes_max: usize,
    /// Bytes of all header lines together; above it 431.
    pub header_bytes_max: usize,
    /// Lines of a header section of HTTP/1.1; above it the protocol layer answers 431, without an outcome.
    pub header_fields_max: usize,
    /// Bytes of a body; above it 413.
    pub body_bytes_max: usize,
    /// Bytes of the bodies of all requests that are being handled, as they came and unpacked; above it 503, but for a
    /// request that is the only one.
    pub bodies_bytes_max: usize,
    /// Bytes of a refused body that are read and dropped, so that the client gets to read the
    /// refusal instead of a reset connection.
    pub drain_bytes_max: usize,
    /// Time for a header section to arrive, counted from the start of the connection or the end of
    /// the request before: so long an idle connection is kept too, over HTTP/2 as well.
    pub header_time_max: Duration,
    /// Time for a body to arrive; above it 408.
    pub body_time_max: Duration,
    /// Time for a client to take the next 64 KiB of an answer, or the rest of it, once the server has
    /// to wait for it; then the connection is closed.
    pub send_time_max: Duration,
    /// Time that a shutdown waits for requests that were accepted.
    pub shutdown_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            streams_max: 200,
            uri_bytes_max: 8 * 1024,
            header_bytes_max: 32 * 1024,
            header_fields_max: 256,
            body_bytes_max: 32 * 1024 * 1024,
            bodies_bytes_max: 512 * 1024 * 1024,
            drain_bytes_max: 256 * 1024 * 1024,
            header_time_max: Duration::from_secs(30),
            body_time_max: Duration::from_mins(1),
            send_time_max: Duration::from_secs(30),
            shutdown_time_max: Duration::from_secs(30),
        }
    }
}
