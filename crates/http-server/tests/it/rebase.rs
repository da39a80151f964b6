//! Rebase: stale updates that are merged lose nothing, and nobody else's change either.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fhir_model::json::Value;

use crate::client::{Request, Response, at};
use crate::harness::TestServer;
use crate::mounts;

const PATH: &str = "/merging";

const TARGET: &str = "/merging/Patient/a";

/// Elements that mean something alone, as they are at first, as one client has them, and as the other one.
const UNITS: [(&str, [&str; 3]); 4] = [
    ("active", ["true", "false", "null"]),
    ("name", [r#"[{"family":"A"}]"#, r#"[{"family":"B"}]"#, r#"[{"family":"A"},{"family":"C"}]"#]),
    ("birthDate", ["\"1815\"", "null", "\"1816\""]),
    ("maritalStatus", ["null", r#"{"text":"M"}"#, r#"{"text":"S"}"#]),
];

fn server() -> TestServer {
    TestServer::with(&[mounts::parse(&format!("{PATH} R4 rebase"))], http_server::Settings::default())
}

/// The patient with these units changed by one side and those by the other.
fn patient(one: u8, other: u8) -> String {
    let mut body = r#"{"resourceType":"Patient","id":"a""#.to_owned();
    for (index, (name, values)) in UNITS.iter().enumerate() {
        let side = if one & 1 << index > 0 {
            1
        } else if other & 1 << index > 0 {
            2
        } else {
            0
        };
        if values[side] != "null" {
            write!(body, r#","{name}":{}"#, values[side]).expect("write to a string");
        }
    }
    body.push('}');
    body
}

/// What a patient holds, meta apart.
fn content(response: &Response) -> BTreeSet<String> {
    let Value::Object(patient) = response.json() else { panic!("a patient") };
    patient
        .iter()
        .filter(|(name, _)| *name != "meta")
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn content_of(body: &str) -> BTreeSet<String> {
    let parsed = fhir_model::json::parse(body.as_bytes(), &fhir_model::json::Limits::default());
    let Ok(Value::Object(patient)) = parsed else { panic!("a patient") };
    patient.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Every set of changes against every other: apart they are merged to what both make in either order; what overlaps is
/// refused as if nobody had asked, and changes nothing.
#[test]
fn every_set_of_changes_against_every_other() {
    let server = server();
    let mut connection = server.connect();
    for theirs in 0..16_u8 {
        for mine in 0..16_u8 {
            let _ = connection.send(&Request::delete(TARGET));
            let first = connection.send(&Request::put(TARGET, patient(0, 0))).etag();
            // A change of nothing is none: the version is another one all the same.
            let second = connection.send(&Request::put(TARGET, patient(theirs, 0)).if_match(&first)).etag();
            let stale = Request::put(TARGET, patient(0, mine)).if_match(&first);
            let answer = connection.send(&stale.clone().header("Prefer", "rebase"));
            let now = connection.send(&Request::get(TARGET));
            let what = format!("{theirs:04b} {mine:04b}");
            if theirs == 0 {
                assert_eq!((answer.status, answer.header("x-rebased-onto")), (200, None), "{what}");
                assert_eq!(content(&now), content_of(&patient(0, mine)), "{what}");
            } else if theirs & mine == 0 {
                assert_eq!(answer.status, 200, "{what}: {}", answer.body_text());
                assert_eq!(answer.header("x-rebased-onto"), Some(second.as_str()), "{what}");
                assert_eq!(content(&now), content_of(&patient(theirs, mine)), "{what}");
            } else {
                let plain = connection.send(&stale);
                assert_eq!((answer.status, plain.status), (412, 412), "{what}");
                assert_eq!(answer.json().get("issue"), plain.json().get("issue"), "{what}");
                assert_eq!(answer.header("x-rebased-onto"), None, "{what}");
                assert_eq!((now.etag(), content(&now)), (second, content_of(&patient(theirs, 0))), "{what}");
            }
        }
    }
}

/// Sixteen clients that read the same version and change different elements: all of them are merged, one after the other.
#[test]
fn clients_of_one_version_that_change_different_elements_all_survive() {
    const CLIENTS: usize = 16;
    let server = server();
    let contact = |client: usize, text: &str| format!(r#"{{"id":"c{client}","name":{{"text":"{text}"}}}}"#);
    let body = |mine: Option<usize>| {
        let contacts: Vec<String> = (0..CLIENTS)
            .map(|client| contact(client, if mine == Some(client) { "changed" } else { "first" }))
            .collect();
        format!(r#"{{"resourceType":"Patient","id":"a","contact":[{}]}}"#, contacts.join(","))
    };
    let first = server.send(&Request::put(TARGET, body(None))).etag();
    let requests = (0..CLIENTS)
        .map(|client| Request::put(TARGET, body(Some(client))).if_match(&first).header("Prefer", "rebase"))
        .collect();
    let answers = server.race(requests);
    let mut versions: Vec<String> = answers.iter().map(Response::etag).collect();
    assert!(answers.iter().all(|answer| answer.status == 200), "{versions:?}");
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), CLIENTS, "each made a version of its own");
    let onto = answers.iter().filter(|answer| answer.header("x-rebased-onto").is_some()).count();
    assert_eq!(onto, CLIENTS - 1, "all but the first were merged");
    let patient = server.send(&Request::get(TARGET)).json();
    for client in 0..CLIENTS {
        let text = at(&patient, &format!("contact.{client}.name.text")).and_then(Value::as_str);
        assert_eq!(text, Some("changed"), "client {client}");
    }
}

/// A client that sends its update again and again under one key, all at once: it is merged once, and every answer says
/// so.
#[test]
fn a_repeated_update_is_merged_once() {
    let server = server();
    for round in 0..20 {
        let target = format!("{TARGET}{round}");
        let put =
            |body: &str| Request::put(&target, body.replace(r#""id":"a""#, &format!(r#""id":"a{round}""#)));
        let first = server.send(&put(&patient(0, 0))).etag();
        assert_eq!(server.send(&put(&patient(0b0001, 0))).status, 200);
        let again = put(&patient(0, 0b0010)).if_match(&first).header("Prefer", "rebase");
        let again = again.header("Idempotency-Key", format!("key-{round}"));
        for answer in server.race(vec![again; 8]) {
            assert_eq!(answer.status, 200, "{}", answer.body_text());
            assert_eq!(
                (answer.etag().as_str(), answer.header("x-rebased-onto")),
                ("W/\"3\"", Some("W/\"2\""))
            );
        }
        assert_eq!(server.send(&Request::get(&target)).etag(), "W/\"3\"");
    }
}

/// On Spine a stale client is told, whatever it asks for and whatever the settings say.
#[test]
fn spine_never_merges() {
    let server =
        TestServer::with(&[mounts::parse("/spine/STU3 spine/STU3 rebase")], http_server::Settings::default());
    let (target, first) = server.flag("/spine/STU3");
    let id = target.rsplit('/').next().unwrap_or_default();
    let flag = |rest: &str| format!(r#"{{"resourceType":"Flag","id":"{id}"{rest}}}"#);
    let update = Request::put(&target, flag(r#","status":"inactive""#)).if_match(&first);
    assert_eq!(server.send(&update).status, 200);
    let apart = flag(r#","status":"active","code":{"text":"ramp"}"#);
    let stale = Request::put(&target, apart).if_match(&first).header("Prefer", "rebase");
    assert_eq!(server.send(&stale).status, 409);
}
