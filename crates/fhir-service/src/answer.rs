//! What a client gets, free of HTTP.

use bytes::Bytes;
use rulebook::Return;
use storage_api::{Body, Key, VersionToken};
use versioning_core::{Timestamp, VersionId};

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, as the rulebook decided.
    pub status: u16,
    /// The version that the answer is about.
    pub etag: Option<VersionId>,
    /// When that version was committed.
    pub last_modified: Option<Timestamp>,
    /// The absolute URL of what was written.
    pub location: Option<String>,
    /// Where the answer can be asked for again.
    pub content_location: Option<String>,
    /// How far something is that goes on.
    pub progress: Option<String>,
    /// The content.
    pub payload: Option<Payload>,
    /// The return preference that was followed, if the client stated one.
    pub applied: Option<Return>,
    /// The version that a stale update was merged with.
    pub rebased_onto: Option<VersionId>,
    /// When it makes sense to try again, in seconds from now.
    pub retry_after_s: Option<u32>,
    /// The body was a patch, in a format that is not understood.
    pub accepts_patch: bool,
    /// The methods that are possible, when the one sent is not.
    pub allow: Option<&'static [&'static str]>,
    /// Which versions became which.
    pub changes: Vec<VersionChange>,
    /// The stored version that the answer is about.
    pub about: Option<About>,
}

/// A stored version that an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Of what.
    pub key: Key,
    /// Which one.
    pub version: VersionToken,
    /// Its content, where the answer shows it.
    pub body: Option<Body>,
}

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// Of what.
    pub key: Key,
    /// The version before it, if there was one.
    pub from: Option<VersionId>,
    /// Its own id.
    pub to: VersionId,
    /// What it holds, or what was deleted by it, where the API keeps records.
    pub content: Option<Bytes>,
}

/// Content of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A FHIR resource as JSON.
    Json(Bytes),
    /// A FHIR resource as XML.
    Xml(Bytes),
    /// The content of a Binary in its own form.
    Native {
        /// Its media type.
        content_type: String,
        /// The content.
        bytes: Bytes,
    },
}
