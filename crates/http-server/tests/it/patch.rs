//! PATCH under contention, and failure 9 of it.

use fhir_model::json::Value;

use crate::client::{Request, Response, at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, stale};

const CLIENTS: usize = 16;

fn json_patch(target: &str, patch: &str) -> Request {
    Request::new("PATCH", target).header("Content-Type", "application/json-patch+json").body(patch)
}

fn make(server: &TestServer, target: &str) {
    let id = target.rsplit('/').next().unwrap_or_default();
    let body = format!(r#"{{"resourceType":"Patient","id":"{id}","name":[]}}"#);
    // An empty list is no FHIR; nothing is validated here, and every client adds to it.
    assert_eq!(server.send(&Request::put(target, body)).status, 201);
}

/// 9, for PATCH: a server that ignores If-Match on PATCH would answer 200 and change the resource.
#[test]
fn failure_09_ignored_on_patch() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Patient/a");
        make(&server, &target);
        let patch = json_patch(&target, r#"[{"op":"add","path":"/active","value":true}]"#);
        let refused = server.send(&patch.if_match("W/\"7\""));
        assert_eq!(refused.status, stale(path), "{path}");
        assert_eq!(refused.etag(), "W/\"1\"", "{path}");
        assert!(at(&server.send(&Request::get(&target)).json(), "active").is_none(), "{path}");
    }
}

#[test]
fn patches_of_different_elements_without_if_match_all_survive() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Patient/a");
        make(&server, &target);
        let patches = (0..CLIENTS)
            .map(|client| {
                let patch = format!(r#"[{{"op":"add","path":"/name/-","value":{{"family":"F{client}"}}}}]"#);
                json_patch(&target, &patch)
            })
            .collect();
        let answers = server.race(patches);
        assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", statuses(&answers));
        let patient = server.send(&Request::get(&target)).json();
        let names = at(&patient, "name").and_then(Value::as_array).expect("names");
        let mut families: Vec<&str> =
            names.iter().filter_map(|name| name.get("family").and_then(Value::as_str)).collect();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), CLIENTS, "{path}");
    }
}

#[test]
fn of_patches_of_one_version_one_wins() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Patient/a");
        make(&server, &target);
        let patches = (0..CLIENTS)
            .map(|client| {
                let patch = format!(r#"[{{"op":"add","path":"/name/-","value":{{"family":"F{client}"}}}}]"#);
                json_patch(&target, &patch).if_match("W/\"1\"")
            })
            .collect();
        let mut expected = vec![200];
        expected.resize(CLIENTS, stale(path));
        assert_eq!(statuses(&server.race(patches)), expected, "{path}");
    }
}

fn statuses(answers: &[Response]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}
