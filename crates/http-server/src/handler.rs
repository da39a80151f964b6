//! One request and its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fhir_service::Answer;
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use rulebook::{Caller, Failure, Interaction, Rulebook};

use crate::audit::Audited;
use crate::body::Upload;
use crate::origin::Peer;
use crate::prepare::{Prepared, check_host, presentation_of_failure};
use crate::response::{X_CORRELATION_ID, X_REQUEST_ID, response};
use crate::route::Target;
use crate::server::{Mount, Shared};
use crate::{compression, prefer};

/// A longer correlation id is not sent back.
const CORRELATION_ID_LEN_MAX: usize = 256;

impl Shared {
    /// Answers one request of a connection, which may end before the answer is there. What an audited API did is
    /// recorded all the same.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        peer: Peer,
    ) -> Response<Full<Bytes>> {
        if !self.is_audited(request.uri().path()) {
            return self.handle(request, peer).await;
        }
        // Never closed.
        let permit = Arc::clone(&self.recording).acquire_owned().await;
        let shared = Arc::clone(&self);
        let handled = tokio::spawn(async move {
            let answer = shared.handle(request, peer).await;
            drop(permit);
            answer
        });
        handled.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request was dropped");
            let trace = self.fallback.ids().trace_id().to_string();
            response(self.fallback.refuse(&Failure::Internal, &trace), &trace)
        })
    }

    /// Answers one request. Never fails: what goes wrong becomes an answer.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        peer: Peer,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let trace = self.trace(&parts.headers);
        let mut upload = Upload::new(body, &parts.headers, &self.bodies);
        let answered = AssertUnwindSafe(self.answer(&parts, peer, &mut upload, &trace)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| {
            tracing::error!(%trace, method = %parts.method, path = parts.uri.path(), "a handler panicked");
            let mount = self.mount(parts.uri.path()).map_or(&self.fallback, |(mount, _)| &mount.service);
            response(mount.refuse(&Failure::Internal, &trace), &trace)
        });
        // A client that was too slow already is not waited for again.
        if response.status() != StatusCode::REQUEST_TIMEOUT {
            upload.discard(&self.limits).await;
        }
        if let Some(id) = parts.headers.get(X_CORRELATION_ID).filter(|id| id.len() <= CORRELATION_ID_LEN_MAX)
        {
            response.headers_mut().insert(X_CORRELATION_ID, id.clone());
        }
        let interaction = response.extensions_mut().remove::<Interaction>();
        self.record(&parts, &upload, &mut response, &trace, started.elapsed());
        self.traffic.count(interaction, response.status(), started.elapsed());
        tracing::debug!(%trace, method = %parts.method, path = parts.uri.path(), status = response.status().as_u16());
        compression::encode(&parts.headers, &mut response);
        self.cors.apply(&parts.headers, response.headers_mut());
        if head {
            withhold_body(&mut response);
        }
        response
    }

    async fn answer(
        &self,
        parts: &Parts,
        peer: Peer,
        upload: &mut Upload<'_>,
        trace: &Arc<str>,
    ) -> Response<Full<Bytes>> {
        let path = parts.uri.path();
        let Some((mount, below)) = self.mount(path) else {
            if let Some(response) = self.operations(parts, trace).await {
                return response;
            }
            let no_route = || Failure::OutsideEveryApi {
                path: path.chars().take(200).collect(),
                apis: self.mounts.iter().map(|mount| mount.path.clone()).collect(),
            };
            let failure = check_host(parts).err().unwrap_or_else(no_route);
            let presentation = presentation_of_failure(parts, self.fallback.rulebook());
            let answer = self.fallback.refuse(&failure, trace);
            return response(self.fallback.present(answer, &presentation, trace), trace);
        };
        let service = &mount.service;
        let mut caller = Caller::default();
        match self.prepare(mount, below, (parts, peer), (upload, &mut caller), trace).await {
            Ok(Prepared::Request(prepared)) => {
                let (request, presentation) = *prepared;
                let handling = request.preferences.handling;
                let interaction = request.operation.interaction();
                let mut answer = service.handle(request).await;
                let changes = std::mem::take(&mut answer.changes);
                tell(service.rulebook(), parts, trace, answer.status);
                let mut response = response(service.present(answer, &presentation, trace), trace);
                response.extensions_mut().insert(interaction);
                if self.audit.is_some() {
                    response.extensions_mut().insert(Audited { caller, changes });
                }
                prefer::add_handling(response.headers_mut(), handling);
                if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    add_allow(response.headers_mut(), below, service.rulebook());
                }
                response
            }
            Ok(Prepared::Options(allow)) => {
                let mut response = options(allow, service.rulebook(), trace);
                self.cors.preflight(&parts.headers, &allow.join(", "), response.headers_mut());
                response
            }
            Err(failure) => {
                let presentation = presentation_of_failure(parts, service.rulebook());
                let mut refusal = service.refuse(&failure, trace);
                tell(service.rulebook(), parts, trace, refusal.status);
                refusal.accepts_patch = parts.method == Method::PATCH
                    && service.rulebook().patches_freely()
                    && matches!(failure, Failure::UnsupportedMediaType { .. });
                let mut response = response(service.present(refusal, &presentation, trace), trace);
                // Whoever was admitted is known, whatever was wrong with the rest.
                if self.audit.is_some() {
                    response.extensions_mut().insert(Audited { caller, changes: Vec::new() });
                }
                response
            }
        }
    }

    /// The mount that a path is under, and the path below it.
    pub(crate) fn mount<'a>(&self, path: &'a str) -> Option<(&Mount, &'a str)> {
        self.mounts.iter().find_map(|mount| {
            let below = path.strip_prefix(mount.path.as_str())?;
            (below.is_empty() || below.starts_with('/')).then_some((mount, below))
        })
    }

    /// The id that the client gave this request, if it can be a FHIR id too, or a new one: it
    /// names the request in logs, in `X-Request-Id` and in outcomes.
    fn trace(&self, headers: &HeaderMap) -> Arc<str> {
        let legible = |id: &&str| {
            !id.is_empty()
                && id.len() <= 64
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        let sent = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(legible);
        sent.map_or_else(|| self.fallback.ids().trace_id().to_string().into(), Arc::from)
    }
}

/// One line for each message of an API whose callers say who they are: they quote its id when they
/// ask what became of it.
fn tell(rulebook: &dyn Rulebook, parts: &Parts, trace: &str, status: u16) {
    if !rulebook.request_fields().is_empty() {
        tracing::info!(%trace, method = %parts.method, path = parts.uri.path(), status, "message");
    }
}

/// RFC 9110 15.5.6: every 405 lists the methods, also where it was the content that was refused.
fn add_allow(headers: &mut HeaderMap, below: &str, rulebook: &dyn Rulebook) {
    let Ok(target) = Target::parse(below, rulebook.version()) else { return };
    if let (false, Ok(value)) =
        (headers.contains_key(ALLOW), HeaderValue::try_from(target.allow(rulebook).join(", ")))
    {
        headers.insert(ALLOW, value);
    }
}

fn options(allow: &'static [&'static str], rulebook: &dyn Rulebook, trace: &str) -> Response<Full<Bytes>> {
    let accepts_patch = allow.contains(&"PATCH") && rulebook.patches_freely();
    let mut answer = response(Answer { status: 204, accepts_patch, ..Answer::default() }, trace);
    if let Ok(value) = HeaderValue::try_from(allow.join(", ")) {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}

/// HEAD: the header fields of GET, its length included, without the content.
fn withhold_body(response: &mut Response<Full<Bytes>>) {
    let length = response.body().size_hint().lower();
    if response.status() != StatusCode::NOT_MODIFIED && response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Full::default();
}
