//! What operators ask: is it alive, can it write, what has it done.

use std::time::Duration;

use bytes::Bytes;
use fhir_service::Service;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use storage_api::{Commit, Metric, MetricValue, WriteSet};
use tokio::time::timeout;

use crate::metrics::Exposition;
use crate::response::X_REQUEST_ID;
use crate::server::Shared;

/// A writer that does not answer within this time is not ready.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

impl Shared {
    /// Answers a path that is for operators; `None` for any other.
    pub(crate) async fn operations(&self, parts: &Parts, trace: &str) -> Option<Response<Full<Bytes>>> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return None;
        }
        let mut response = match parts.uri.path() {
            // The server answers, so the process lives.
            "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => self.ready().await,
            "/metrics" => text(StatusCode::OK, self.metrics()),
            _ => return None,
        };
        if let Ok(trace) = HeaderValue::from_str(trace) {
            response.headers_mut().insert(X_REQUEST_ID, trace);
        }
        Some(response)
    }

    /// Ready means that every writer answers: an empty write set goes its whole way.
    async fn ready(&self) -> Response<Full<Bytes>> {
        let mut report = String::new();
        let mut ready = true;
        for mount in &self.mounts {
            let writes = writer_answers(&mount.service).await;
            ready &= writes;
            report.push_str(&mount.path);
            report.push_str(if writes { " ready\n" } else { " not ready\n" });
        }
        text(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, report)
    }

    fn metrics(&self) -> String {
        let mut exposition = Exposition::default();
        for (interaction, status, count) in self.traffic.statuses() {
            let labels = format!("interaction=\"{interaction}\",status=\"{status}\"");
            exposition.add(&counter("requests_total", "Requests that were answered.", count), &labels);
        }
        for (interaction, times) in self.traffic.times() {
            let help = "Time from the head of a request to its answer.";
            let value = MetricValue::Histogram(times);
            let labels = format!("interaction=\"{interaction}\"");
            exposition.add(&Metric { name: "request_microseconds", help, value }, &labels);
        }
        let bodies = gauge("body_bytes", "Bytes of request bodies in memory.", self.bodies.bytes() as u64);
        exposition.add(&bodies, "");
        for mount in &self.mounts {
            let labels = format!("mount=\"{}\"", mount.path);
            mount_metrics(&mut exposition, &mount.service, &labels);
        }
        exposition.finish()
    }
}

fn mount_metrics(exposition: &mut Exposition, service: &Service, labels: &str) {
    let counters = service.counters();
    for (name, help, value) in [
        ("conflicts_total", "Commits that met another state than they were decided on.", &counters.conflicts),
        ("retries_total", "Writes decided again after a lost race.", &counters.retries),
        ("replays_total", "Writes answered with their first result.", &counters.replays),
    ] {
        exposition.add(&counter(name, help, value.get()), labels);
    }
    for (code, count) in counters.refusals() {
        let labels = format!("{labels},code=\"{code}\"");
        exposition.add(&counter("refusals_total", "Failures by the code that clients saw.", count), &labels);
    }
    let index = service.index_progress();
    for metric in [
        gauge("index_generation", "The generation of the index.", index.generation.into()),
        gauge("index_complete", "1 if every resource is found by every parameter.", index.is_complete.into()),
        counter("index_resources_total", "Resources that were indexed anew.", index.reindexed),
    ] {
        exposition.add(&metric, labels);
    }
    for metric in service.store().measure() {
        exposition.add(&metric, labels);
    }
}

async fn writer_answers(service: &Service) -> bool {
    let set = WriteSet {
        request: service.ids().request_id(),
        index: service.store().index_generation(),
        guards: Vec::new(),
        writes: Vec::new(),
    };
    let answer = timeout(READY_TIME_MAX, service.store().commit(set)).await;
    matches!(answer, Ok(Ok(Commit::Committed(_) | Commit::StaleIndex(_))))
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, value: MetricValue::Counter(value) }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, value: MetricValue::Gauge(value) }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
