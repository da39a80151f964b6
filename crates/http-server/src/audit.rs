//! Audit: one record of every request to an API that is audited: who, what, how it ended, and which
//! version became which (NHS Spine, "Auditing").

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use fhir_model::Instant;
use fhir_model::json::{Object, Value};
use fhir_model::object;
use fhir_service::VersionChange;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::header::LOCATION;
use hyper::http::request::Parts;
use hyper::{Method, Response};
use rulebook::Caller;

use crate::body::Upload;
use crate::server::Shared;

/// Longer bodies are cut in records.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Takes records. It must not block: requests wait for it.
pub trait Audit: fmt::Debug + Send + Sync {
    /// Takes a record.
    fn record(&self, record: AuditRecord);
}

/// One request and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// The id of the request, as in the log and in the outcome.
    pub trace: String,
    /// When it came, in microseconds since 1970.
    pub at_us: i64,
    /// How long it took.
    pub took: Duration,
    /// Who asked.
    pub caller: Caller,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub url: String,
    /// The body of a POST, PUT or PATCH, as text.
    pub request_body: Option<String>,
    /// The patient, if one can be told.
    pub nhs_number: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The body of the answer, as text.
    pub response_body: Option<String>,
    /// The id of the resource in `Location`.
    pub logical_id: Option<String>,
    /// Which versions became which.
    pub changes: Vec<VersionChange>,
}

impl AuditRecord {
    /// The record as an object, for a line of JSON.
    pub fn to_object(&self) -> Object {
        let time = |at_us| {
            let mut text = Vec::new();
            Instant::from_micros(at_us).cut_to_millis().write(&mut text);
            String::from_utf8(text).unwrap_or_default()
        };
        let took_us = i64::try_from(self.took.as_micros()).unwrap_or(i64::MAX);
        let mut object = object! { "requestTime": time(self.at_us), "requestId": self.trace.as_str() };
        let mut text = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                object.insert(name, value);
            }
        };
        text("messageId", self.caller.message.as_deref());
        text("asid", self.caller.system.as_deref());
        text("odsCode", self.caller.organization.as_deref());
        text("userId", self.caller.user.as_deref());
        text("nhsNumber", self.nhs_number.as_deref());
        text("method", Some(&self.method));
        text("url", Some(&self.url));
        text("requestBody", self.request_body.as_deref());
        text("responseBody", self.response_body.as_deref());
        text("logicalId", self.logical_id.as_deref());
        object.insert("status", i64::from(self.status));
        object.insert("responseTime", time(self.at_us.saturating_add(took_us)));
        object.insert("tookMicroseconds", took_us);
        let change = |change: &VersionChange| {
            let mut written = object! { "resource": change.key.to_string() };
            if let Some(from) = change.from {
                written.insert("from", from.as_str());
            }
            written.insert("to", change.to.as_str());
            Value::from(written)
        };
        object.insert("versions", self.changes.iter().map(change).collect::<Vec<_>>());
        object
    }
}

/// What the service knows of a request, on its way to the record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audited {
    pub(crate) caller: Caller,
    pub(crate) changes: Vec<VersionChange>,
}

impl Shared {
    /// Whether a record is kept of requests to this path.
    pub(crate) fn is_audited(&self, path: &str) -> bool {
        self.audit.is_some()
            && self.mount(path).is_some_and(|(mount, _)| mount.service.rulebook().is_audited())
    }

    /// Hands the record of a request over, if its API is audited.
    pub(crate) fn record(
        &self,
        parts: &Parts,
        upload: &Upload<'_>,
        response: &mut Response<Full<Bytes>>,
        trace: &str,
        took: Duration,
    ) {
        let Some(audit) = &self.audit else { return };
        let known = response.extensions_mut().remove::<Audited>();
        let Some((mount, _)) = self.mount(parts.uri.path()) else { return };
        let rulebook = mount.service.rulebook();
        if !rulebook.is_audited() {
            return;
        }
        let Audited { mut caller, mut changes } = known.unwrap_or_default();
        // A caller that was not admitted is named as it named itself.
        let sent = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        caller.system = caller.system.or_else(|| sent("fromasid"));
        caller.message = caller.message.or_else(|| sent("traceid"));
        let has_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let request_body = Some(upload.seen()).filter(|body| has_body && !body.is_empty());
        let response_body = whole(response).filter(|body| !body.is_empty());
        let url = parts.uri.path_and_query().map_or("", |target| target.as_str()).to_owned();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let bodies = [request_body.map(Bytes::as_ref), response_body.as_deref()];
        // Of a change by id only the resource says whose it is.
        let changed = changes.iter().filter_map(|change| change.content.as_deref());
        let sent = [Some(url.as_bytes())].into_iter().chain(bodies).flatten();
        let texts: Vec<&[u8]> = sent.chain(changed).collect();
        let nhs_number = rulebook.subject(&texts);
        for change in &mut changes {
            change.content = None;
        }
        let took_us = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        audit.record(AuditRecord {
            trace: trace.to_owned(),
            at_us: mount.service.ids().now().0.saturating_sub(took_us),
            took,
            caller,
            method: parts.method.to_string(),
            nhs_number,
            status: response.status().as_u16(),
            logical_id: location.and_then(logical_id),
            request_body: request_body.map(|body| shortened(body)),
            response_body: response_body.as_deref().map(shortened),
            url,
            changes,
        });
    }
}

/// The bytes of a response that is not compressed yet; it has them already.
fn whole(response: &Response<Full<Bytes>>) -> Option<Bytes> {
    Some(response.body().clone().collect().now_or_never()?.ok()?.to_bytes())
}

/// The id in `[base]/[type]/[id]`, with or without a version behind it.
fn logical_id(location: &str) -> Option<String> {
    let resource = location.split("/_history/").next()?;
    resource.rsplit('/').next().map(str::to_owned)
}

fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..BODY_BYTES_MAX).unwrap_or(body)).into_owned()
}
