//! The answer: a Bundle whose entries stand in the order of the request.

use fhir_model::Instant;
use fhir_model::bundle::{BundleHead, BundleType, BundleWriter, Content, Entry, EntryResponse};

use crate::bundle::Kind;

/// The answer to one entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseEntry<'a> {
    /// HTTP status.
    pub status: u16,
    /// URL of the resource, where one is shown.
    pub full_url: Option<&'a str>,
    /// URL of what was written.
    pub location: Option<&'a str>,
    /// The version id, without quotes.
    pub version_id: Option<&'a str>,
    /// The time of the version.
    pub last_modified: Option<Instant>,
    /// The resource, as JSON.
    pub resource: Option<&'a [u8]>,
    /// An OperationOutcome, as JSON.
    pub outcome: Option<&'a [u8]>,
}

/// Writes a response Bundle.
#[derive(Debug)]
pub struct ResponseWriter(BundleWriter);

impl ResponseWriter {
    /// Begins the answer to a Bundle of this kind.
    pub fn start(kind: Kind, id: Option<&str>, room: usize) -> Self {
        let bundle_type = match kind {
            Kind::Transaction => BundleType::TransactionResponse,
            Kind::Batch => BundleType::BatchResponse,
        };
        let head = BundleHead { id, ..BundleHead::new(bundle_type) };
        Self(BundleWriter::start(Vec::with_capacity(room), &head))
    }

    /// Writes the answer to the next entry.
    pub fn entry(&mut self, entry: &ResponseEntry<'_>) {
        let status = status_line(entry.status);
        let etag = entry.version_id.map(|version| format!("W/\"{version}\""));
        let response = EntryResponse {
            status: &status,
            location: entry.location,
            etag: etag.as_deref(),
            last_modified: entry.last_modified,
            outcome: entry.outcome.map(Content::Printed),
        };
        let resource = entry.resource.map(Content::Printed);
        let full_url = entry.full_url.filter(|_| resource.is_some());
        // Only stored content can fail to be written, and everything here is printed.
        let _ = self.0.entry(&Entry { full_url, resource, response: Some(response), ..Entry::default() });
    }

    /// The Bundle as JSON.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}

/// A status with its phrase (RFC 9110 15, RFC 6585).
fn status_line(status: u16) -> String {
    let phrase = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        428 => "Precondition Required",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => return status.to_string(),
    };
    format!("{status} {phrase}")
}
