//! From an answer to a response.

use bytes::Bytes;
use fhir_model::Instant;
use fhir_service::{Answer, Payload};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Collected, Full};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LOCATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::negotiate::PATCH_TYPES;

const JSON: HeaderValue = HeaderValue::from_static("application/fhir+json; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("application/fhir+xml; charset=utf-8");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// How far an operation is that goes on (FHIR, asynchronous requests).
pub(crate) const X_PROGRESS: HeaderName = HeaderName::from_static("x-progress");
/// The version that a stale update was merged with.
const X_REBASED_ONTO: HeaderName = HeaderName::from_static("x-rebased-onto");
pub(crate) const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The response to an answer. Text that no header can carry is left out.
pub(crate) fn response(answer: Answer, trace: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    let mut text = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    text(X_REQUEST_ID, trace.to_owned());
    if let Some(version) = answer.etag {
        text(ETAG, format!("W/\"{version}\""));
    }
    if let Some(at) = answer.last_modified {
        text(LAST_MODIFIED, Instant::from_micros(at.0).http_date());
    }
    if let Some(location) = answer.location {
        text(LOCATION, location);
    }
    if let Some(location) = answer.content_location {
        text(CONTENT_LOCATION, location);
    }
    if let Some(progress) = answer.progress {
        text(X_PROGRESS, progress);
    }
    let mut applied: Vec<String> =
        answer.applied.map(|applied| format!("return={}", applied.code())).into_iter().collect();
    if let Some(version) = answer.rebased_onto {
        applied.push("rebase".to_owned());
        text(X_REBASED_ONTO, format!("W/\"{version}\""));
    }
    if !applied.is_empty() {
        text(PREFERENCE_APPLIED, applied.join(", "));
    }
    if let Some(seconds) = answer.retry_after_s {
        text(RETRY_AFTER, seconds.to_string());
    }
    if let Some(allow) = answer.allow {
        text(ALLOW, allow.join(", "));
    }
    // RFC 5789 2.2: who sends a patch that is not understood is told what would be.
    if answer.accepts_patch {
        text(ACCEPT_PATCH, PATCH_TYPES.to_owned());
    }
    if let Some(payload) = answer.payload {
        let (content_type, bytes) = match payload {
            Payload::Json(bytes) => (JSON, bytes),
            Payload::Xml(bytes) => (XML, bytes),
            Payload::Native { content_type, bytes } => {
                // What a client stored must not run as a page of this server's origin.
                headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
                let fallback = HeaderValue::from_static("application/octet-stream");
                (HeaderValue::try_from(content_type).unwrap_or(fallback), bytes)
            }
        };
        headers.insert(CONTENT_TYPE, content_type);
        *response.body_mut() = Full::new(bytes);
    }
    response
}

/// The bytes of a body that is in one piece.
pub(crate) fn take_body(body: &mut Full<Bytes>) -> Option<Bytes> {
    std::mem::take(body).collect().now_or_never()?.ok().map(Collected::to_bytes)
}
