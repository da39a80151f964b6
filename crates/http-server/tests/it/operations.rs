//! What operators see.

use crate::client::Request;
use crate::harness::TestServer;

fn get(server: &TestServer, path: &str) -> (u16, String) {
    let response = server.send(&Request::new("GET", path));
    (response.status, String::from_utf8(response.body).expect("text"))
}

fn put(server: &TestServer, condition: Option<&str>) -> u16 {
    let mut request = Request::new("PUT", "/R4/Flag/a")
        .header("Content-Type", "application/fhir+json")
        .body(r#"{"resourceType":"Flag","id":"a","status":"active"}"#);
    if let Some(condition) = condition {
        request = request.header("If-Match", condition);
    }
    server.send(&request).status
}

#[test]
fn health_and_readiness_answer_outside_every_mount() {
    let server = TestServer::start();
    assert_eq!(get(&server, "/healthz"), (200, "ok\n".to_owned()));
    let (status, report) = get(&server, "/readyz");
    assert_eq!(status, 200);
    assert!(report.contains("/spine/STU3 ready\n"), "{report}");
    assert_eq!(server.send(&Request::new("POST", "/healthz")).status, 404);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = server.send(&Request::get(path).header("X-Request-Id", "4711"));
        assert_eq!(answer.header("x-request-id"), Some("4711"), "{path}");
        assert!(server.send(&Request::get(path)).header("x-request-id").is_some(), "{path}");
    }
}

#[test]
fn metrics_count_requests_by_interaction_and_refusals_by_code() {
    let server = TestServer::start();
    assert_eq!(put(&server, None), 201);
    assert_eq!(put(&server, Some("W/\"9\"")), 412);
    assert_eq!(put(&server, Some("9")), 400);
    let (status, text) = get(&server, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "firelock_requests_total{interaction=\"update\",status=\"201\"} 1",
        "firelock_requests_total{interaction=\"update\",status=\"412\"} 1",
        "firelock_refusals_total{mount=\"/R4\",code=\"stale-version\"} 1",
        "firelock_refusals_total{mount=\"/R4\",code=\"malformed-header\"} 1",
        "firelock_conflicts_total{mount=\"/R4\"} 0",
        "# TYPE firelock_request_microseconds histogram",
        "firelock_body_bytes 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn racers_with_one_idempotency_key_make_one_resource() {
    let server = TestServer::start();
    let locations: Vec<String> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let request = Request::new("POST", "/R4/Flag")
                        .header("Content-Type", "application/fhir+json")
                        .header("Idempotency-Key", "one")
                        .body(r#"{"resourceType":"Flag","status":"active"}"#);
                    let response = server.send(&request);
                    assert_eq!(response.status, 201);
                    response.header("location").expect("a location").to_owned()
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().expect("a racer")).collect()
    });
    assert!(locations.iter().all(|location| *location == locations[0]), "{locations:?}");
    let history = server.send(&Request::new("GET", "/R4/Flag/_history")).json();
    assert_eq!(history.get("entry").and_then(|entries| entries.as_array()).map(<[_]>::len), Some(1));
}
