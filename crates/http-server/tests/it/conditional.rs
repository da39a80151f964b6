//! Conditional create, update and delete: each row of their table, their strictness, and their races.

use fhir_model::json::Value;

use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, parse, stale};

/// A Patient found by `identifier=s|code`.
fn patient(code: &str, id: Option<&str>, family: &str) -> String {
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    format!(
        r#"{{"resourceType":"Patient",{id}"identifier":[{{"system":"s","value":"{code}"}}],"name":[{{"family":"{family}"}}]}}"#
    )
}

fn create(path: &str, code: &str) -> Request {
    Request::post(&format!("{path}/Patient"), patient(code, None, "x"))
        .header("If-None-Exist", format!("identifier=s|{code}"))
}

fn update(path: &str, code: &str, id: Option<&str>, family: &str) -> Request {
    Request::put(&format!("{path}/Patient?identifier=s%7C{code}"), patient(code, id, family))
}

fn delete(path: &str, code: &str) -> Request {
    Request::delete(&format!("{path}/Patient?identifier=s|{code}"))
}

/// Ids of what a search finds, sorted.
fn found(server: &TestServer, target: &str) -> Vec<String> {
    let bundle = server.send(&Request::get(target)).json();
    let mut ids: Vec<String> =
        (0..).map_while(|n| text_at(&bundle, &format!("entry.{n}.resource.id"))).collect();
    ids.sort();
    ids
}

fn patients(server: &TestServer, path: &str, code: &str) -> Vec<String> {
    found(server, &format!("{path}/Patient?identifier=s|{code}"))
}

fn id_of(response: &Response) -> String {
    response.text("id")
}

#[track_caller]
fn check(response: &Response, status: u16, what: &str) {
    assert_eq!(response.status, status, "{what}: {}", response.body_text());
}

#[test]
fn a_create_finds_what_exists() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let created = server.send(&create(path, "1"));
        check(&created, 201, path);
        let again = server.send(&create(path, "1"));
        check(&again, 200, path);
        for name in ["etag", "last-modified", "location"] {
            assert_eq!(again.header(name), created.header(name), "{path} {name}");
        }
        assert_eq!(id_of(&again), id_of(&created), "{path}");
        let quiet = server.send(&create(path, "1").header("Prefer", "return=minimal"));
        assert_eq!((quiet.status, quiet.body.len()), (200, 0), "{path}");
        // A second one, made without condition: now several match.
        check(&server.send(&Request::post(&format!("{path}/Patient"), patient("1", None, "y"))), 201, path);
        let several = server.send(&create(path, "1"));
        check(&several, 412, path);
        let expected = if path == "/STU3" { "duplicate" } else { "multiple-matches" };
        assert_eq!(several.text("issue.0.code"), expected, "{path}");
        assert_eq!(patients(&server, path, "1").len(), 2, "{path}");
        let behind_type = Request::post(&format!("{path}/Patient"), patient("2", None, "x"))
            .header("If-None-Exist", "Patient?identifier=s|2");
        check(&server.send(&behind_type), 201, path);
        check(&server.send(&behind_type), 200, path);
    }
}

#[test]
fn an_update_creates_or_replaces_the_one_that_matches() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let created = server.send(&update(path, "1", None, "a"));
        check(&created, 201, path);
        let id = id_of(&created);
        let replaced = server.send(&update(path, "1", None, "b"));
        check(&replaced, 200, path);
        assert_eq!((id_of(&replaced), replaced.etag().as_str()), (id.clone(), r#"W/"2""#), "{path}");
        check(&server.send(&update(path, "1", Some(&id), "c")), 200, path);
        check(&server.send(&update(path, "1", Some("other"), "d")), 400, path);
        assert_eq!(patients(&server, path, "1"), [id], "{path}");

        let named = server.send(&update(path, "2", Some("mine"), "a"));
        check(&named, 201, path);
        assert_eq!(id_of(&named) == "mine", path != "/STU3", "{path}");
        check(&server.send(&Request::post(&format!("{path}/Patient"), patient("2", None, "y"))), 201, path);
        check(&server.send(&update(path, "2", None, "b")), 412, path);
    }
}

/// The id of a resource that does not match is no licence to overwrite it.
#[test]
fn an_id_that_is_used_is_not_overwritten() {
    let server = TestServer::start();
    for path in ["/R4", "/R4B", "/R5"] {
        let target = format!("{path}/Patient/used");
        check(&server.send(&Request::put(&target, patient("1", Some("used"), "a"))), 201, path);
        check(&server.send(&update(path, "2", Some("used"), "b")), 409, path);
        let read = server.send(&Request::get(&target));
        assert_eq!((read.etag().as_str(), read.text("name.0.family").as_str()), (r#"W/"1""#, "a"), "{path}");
        // Once it is deleted the id is free; its counter goes on.
        check(&server.send(&Request::delete(&target)), 204, path);
        let restored = server.send(&update(path, "2", Some("used"), "b"));
        check(&restored, 201, path);
        assert_eq!(restored.etag(), r#"W/"3""#, "{path}");
    }
    let off = TestServer::with(&[parse("/off R4 update_create=off")], http_server::Settings::default());
    check(&off.send(&update("/off", "1", Some("mine"), "a")), 405, "update-create is off");
    check(&off.send(&update("/off", "1", None, "a")), 201, "the server's id");
}

#[test]
fn a_delete_deletes_the_one_that_matches() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        check(&server.send(&delete(path, "1")), 204, path);
        let created = server.send(&create(path, "1"));
        check(&server.send(&delete(path, "1")), 204, path);
        assert_eq!(patients(&server, path, "1"), [""; 0], "{path}");
        let target = format!("{path}/Patient/{}", id_of(&created));
        check(&server.send(&Request::get(&target)), 410, path);
        check(&server.send(&create(path, "1")), 201, path);
        check(&server.send(&Request::post(&format!("{path}/Patient"), patient("1", None, "y"))), 201, path);
        check(&server.send(&delete(path, "1")), 412, path);
        assert_eq!(patients(&server, path, "1").len(), 2, "{path}");
    }
}

/// Where the mount allows it, a delete deletes all that match, in one commit.
#[test]
fn a_delete_deletes_several_where_that_is_allowed() {
    let mounts = FHIR_PATHS.map(|path| parse(&format!("{path} {} conditional_delete=multiple", &path[1..])));
    let server = TestServer::with(&mounts, http_server::Settings::default());
    for path in FHIR_PATHS {
        let post =
            |code: &str| server.send(&Request::post(&format!("{path}/Patient"), patient(code, None, "x")));
        check(&server.send(&delete(path, "1")), 204, path);
        check(&server.send(&delete(path, "1").if_match("*")), 412, path);
        for code in ["1", "1", "1", "2"] {
            check(&post(code), 201, path);
        }
        check(&server.send(&delete(path, "1").if_match(r#"W/"1""#)), 412, path);
        assert_eq!(patients(&server, path, "1").len(), 3, "{path}");
        let named =
            delete(path, "1").header("Idempotency-Key", "k").header("Prefer", "return=OperationOutcome");
        check(&server.send(&named), 200, path);
        assert_eq!(
            (patients(&server, path, "1").len(), patients(&server, path, "2").len()),
            (0, 1),
            "{path}"
        );
        // Sent again under its name it deletes nothing more.
        check(&post("1"), 201, path);
        check(&server.send(&named), 200, path);
        assert_eq!(patients(&server, path, "1").len(), 1, "{path}");
        let one = server.send(&delete(path, "2").if_match(r#"W/"9""#));
        check(&one, stale(path), path);
        check(&server.send(&delete(path, "2").if_match(r#"W/"1""#)), 204, path);
        for _ in 0..101 {
            check(&post("3"), 201, path);
        }
        check(&server.send(&delete(path, "3")), 412, path);
        assert_eq!(patients(&server, path, "3").len(), 100, "a page of them");
        for criteria in ["", "identifer=s|1", "family=x"] {
            check(&server.send(&Request::delete(&format!("{path}/Patient?{criteria}"))), 400, criteria);
        }
    }
}

/// Deletions of the same several at once, and updates of them: every resource is deleted once or updated and kept.
#[test]
fn deletions_of_several_race() {
    let mounts = [parse("/R4 R4 conditional_delete=multiple")];
    let server = TestServer::with(&mounts, http_server::Settings::default());
    for round in 0..10 {
        let targets: Vec<String> = (0..5).map(|n| format!("/R4/Patient/r{round}-{n}")).collect();
        for target in &targets {
            let id = target.rsplit('/').next().unwrap_or_default();
            check(&server.send(&Request::put(target, patient("1", Some(id), "x"))), 201, target);
        }
        let change = |target: &String| {
            let id = target.rsplit('/').next().unwrap_or_default();
            Request::put(target, patient("2", Some(id), "y")).if_match(r#"W/"1""#)
        };
        let requests: Vec<Request> =
            targets.iter().map(change).chain([delete("/R4", "1"), delete("/R4", "1")]).collect();
        let responses = server.race(requests);
        for (target, response) in targets.iter().zip(&responses) {
            let now = server.send(&Request::get(target)).status;
            let expected = if response.status == 200 { 200 } else { 410 };
            assert_eq!(now, expected, "{target}: {}", response.status);
        }
        for response in &responses[5..] {
            check(response, 204, "a deletion");
        }
        assert_eq!(patients(&server, "/R4", "1"), [""; 0], "round {round}");
        check(&server.send(&delete("/R4", "2")), 204, "the others");
    }
}

/// If-Match on a create that finds its resource is judged on what it found.
#[test]
fn a_create_that_finds_judges_if_match() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let created = server.send(&create(path, "1"));
        check(&created, 201, path);
        check(&server.send(&create(path, "1").if_match(created.etag())), 200, path);
        check(&server.send(&create(path, "1").if_match("*")), 200, path);
        let refused = server.send(&create(path, "1").if_match(r#"W/"9""#));
        check(&refused, stale(path), path);
        assert_eq!(refused.etag(), created.etag(), "{path}");
    }
}

fn patch(path: &str, code: &str, family: &str) -> Request {
    Request::new("PATCH", &format!("{path}/Patient?identifier=s|{code}"))
        .header("Content-Type", "application/json-patch+json")
        .body(format!(r#"[{{"op":"replace","path":"/name/0/family","value":"{family}"}}]"#))
}

#[test]
fn a_patch_changes_the_one_that_matches() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        check(&server.send(&patch(path, "1", "a")), 404, path);
        let created = server.send(&create(path, "1"));
        let patched = server.send(&patch(path, "1", "a"));
        check(&patched, 200, path);
        assert_eq!(patched.text("name.0.family"), "a", "{path}");
        check(&server.send(&patch(path, "1", "b").if_match(created.etag())), stale(path), path);
        check(&server.send(&patch(path, "1", "b").if_match(patched.etag())), 200, path);
        check(
            &server.send(
                &Request::new("PATCH", &format!("{path}/Patient"))
                    .header("Content-Type", "application/json-patch+json")
                    .body("[]"),
            ),
            400,
            path,
        );
        check(&server.send(&Request::post(&format!("{path}/Patient"), patient("1", None, "y"))), 201, path);
        check(&server.send(&patch(path, "1", "c")), 412, path);
        check(&server.send(&patch(path, "2", "c").if_match("*")), 412, path);
    }
}

/// A broken server reads If-Match on updates and deletions by id, and not on conditional ones.
#[test]
fn failure_09_ignored_on_conditional_forms() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let created = server.send(&create(path, "1"));
        check(&server.send(&update(path, "1", None, "b").if_match(r#"W/"9""#)), stale(path), path);
        check(&server.send(&delete(path, "1").if_match(r#"W/"9""#)), stale(path), path);
        check(&server.send(&update(path, "1", None, "b").if_match("nonsense")), 400, path);
        let updated = server.send(&update(path, "1", None, "b").if_match(created.etag()));
        check(&updated, 200, path);
        check(&server.send(&delete(path, "1").if_match(created.etag())), stale(path), path);
        check(&server.send(&delete(path, "1").if_match(updated.etag())), 204, path);
    }
}

/// A broken server takes an update that matches nothing for a create, whatever version was named.
#[test]
fn failure_11_nothing_matches_and_it_creates_all_the_same() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        for tag in ["*", r#"W/"1""#] {
            check(&server.send(&update(path, "1", None, "a").if_match(tag)), 412, path);
            check(&server.send(&update(path, "1", Some("mine"), "a").if_match(tag)), 412, path);
            check(&server.send(&delete(path, "1").if_match(tag)), 412, path);
            check(&server.send(&create(path, "1").if_match(tag)), 412, path);
        }
        assert_eq!(found(&server, &format!("{path}/Patient")), [""; 0], "{path}");
    }
}

/// A typo must not turn into "everyone": nothing is touched.
#[test]
fn criteria_are_strict() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        check(&server.send(&create(path, "1")), 201, path);
        for criteria in [
            "",
            "identifer=s|1",
            "identifier=s|1&identifer=s|1",
            "identifier=",
            "identifier:exactly=s|1",
            "identifier=s|1&_count=1",
            "identifier=s|1&_sort=name",
            "identifier=s|1&_include=Patient:organization",
            "identifier=s|1&_summary=true",
            "identifier=s|1&_elements=id",
            "identifier=s|1&_total=none",
            "family=x",
            "identifier=s|",
            "birthdate=2013-99",
            "%ff=1",
            // Nothing has such an id, so each of these would make another resource.
            "_id=Patient/1",
            "_id=a_b",
            // What other resources decide.
            "organization.name=x&identifier=s|1",
            "_has:Observation:patient:code=x&identifier=s|1",
        ] {
            let target = format!("{path}/Patient?{criteria}");
            for request in [Request::put(&target, patient("1", None, "z")), Request::delete(&target)] {
                check(&server.send(&request), 400, &format!("{} {target}", request.method));
            }
            let request = Request::post(&format!("{path}/Patient"), patient("1", None, "z"));
            check(&server.send(&request.header("If-None-Exist", criteria)), 400, &format!("POST {target}"));
        }
        let twice = create(path, "1").header("If-None-Exist", "identifier=s|1");
        check(&server.send(&twice), 400, path);
        assert_eq!(patients(&server, path, "1").len(), 1, "{path}");
        let history = server.send(&Request::get(&format!("{path}/Patient/_history"))).json();
        assert!(at(&history, "entry.1").is_none(), "{path}: {history}");
    }
}

/// An API without conditional writes says so, and does not write without the condition.
#[test]
fn spine_has_none() {
    let server = TestServer::start();
    let flag = r#"{"resourceType":"Flag","status":"active"}"#;
    let conditional = Request::post("/spine/STU3/Flag", flag).header("If-None-Exist", "identifier=1");
    check(&server.send(&conditional), 400, "create");
    check(&server.send(&Request::put("/spine/STU3/Flag?identifier=1", flag)), 405, "update");
    check(&server.send(&Request::delete("/spine/STU3/Flag?identifier=1")), 405, "delete");
    check(&server.send(&Request::get("/spine/STU3/Flag?identifier=1")), 405, "search");
}

/// How often each status came.
fn statuses(responses: &[Response]) -> Vec<(u16, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for response in responses {
        *counts.entry(response.status).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn one_of_many_conditional_creates_creates() {
    const CLIENTS: usize = 16;
    let server = TestServer::start();
    for round in 0..20 {
        let code = format!("{round}");
        let responses = server.race(vec![create("/R4", &code); CLIENTS]);
        assert_eq!(statuses(&responses), [(200, CLIENTS - 1), (201, 1)], "round {round}");
        assert_eq!(patients(&server, "/R4", &code).len(), 1, "round {round}");
        let ids: std::collections::BTreeSet<String> = responses.iter().map(id_of).collect();
        assert_eq!(ids.len(), 1, "round {round}: all were told of one");
    }
}

#[test]
fn many_conditional_updates_leave_one_resource_and_every_version() {
    const CLIENTS: usize = 16;
    let server = TestServer::start();
    for round in 0..10 {
        let code = format!("{round}");
        let requests = (0..CLIENTS).map(|n| update("/R4", &code, None, &format!("f{n}"))).collect();
        let responses = server.race(requests);
        assert_eq!(statuses(&responses), [(200, CLIENTS - 1), (201, 1)], "round {round}");
        let ids = patients(&server, "/R4", &code);
        assert_eq!(ids.len(), 1, "round {round}");
        let etags: std::collections::BTreeSet<String> = responses.iter().map(Response::etag).collect();
        assert_eq!(etags.len(), CLIENTS, "round {round}: a version for each");
    }
}

/// Creates and deletions of one identifier at once: never two resources, and only known statuses.
#[test]
fn creates_and_deletes_race() {
    let server = TestServer::start();
    for _ in 0..10 {
        let requests = (0..8).flat_map(|_| [create("/R5", "1"), delete("/R5", "1")]).collect();
        let statuses = statuses(&server.race(requests));
        assert!(statuses.iter().all(|(status, _)| [200, 201, 204, 409].contains(status)), "{statuses:?}");
        assert!(patients(&server, "/R5", "1").len() < 2);
    }
}

/// A conditional create that is repeated under its key answers with its first result.
#[test]
fn a_repeated_conditional_create_has_its_first_answer() {
    let server = TestServer::start();
    let request = create("/R4", "1").header("Idempotency-Key", "k");
    let first = server.send(&request);
    let again = server.send(&request);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.header("location"), again.header("location"));
    let other = create("/R4", "2").header("Idempotency-Key", "k");
    check(&server.send(&other), 422, "another request under the same key");
}

fn entries(bundle: &Value) -> usize {
    (0..1000).take_while(|n| at(bundle, &format!("entry.{n}")).is_some()).count()
}

#[test]
fn searches_answer_in_pages_and_say_what_they_used() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        for n in 0..7 {
            let body = patient(&format!("{n}"), None, if n < 5 { "Neal" } else { "other" });
            check(&server.send(&Request::post(&format!("{path}/Patient"), body)), 201, path);
        }
        let mut target = format!("{path}/Patient?family=Neal&nonsense=1&_count=2");
        let mut seen = Vec::new();
        for page in 0.. {
            let bundle = server.send(&Request::get(&target)).json();
            let own = text_at(&bundle, "link.0.url").unwrap_or_default();
            assert!(own.contains("family=Neal") && !own.contains("nonsense"), "{path}: {own}");
            seen.extend((0..2).filter_map(|n| text_at(&bundle, &format!("entry.{n}.resource.id"))));
            assert_eq!(text_at(&bundle, "entry.0.search.mode").as_deref(), Some("match"), "{path}");
            if page == 0 {
                assert_eq!(text_at(&bundle, "entry.2.search.mode").as_deref(), Some("outcome"), "{path}");
                // What is written meanwhile neither hides nor repeats anything.
                let later = format!("{path}/Patient/{}", seen[0]);
                check(&server.send(&Request::put(&later, patient("0", Some(&seen[0]), "Neal"))), 200, path);
            }
            match text_at(&bundle, "link.1.url") {
                Some(next) => target = next.replace("http://server.example", ""),
                None => break,
            }
        }
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (5, 5), "{path}");

        let strict = Request::get(&format!("{path}/Patient?family=Neal&nonsense=1"));
        check(&server.send(&strict.header("Prefer", "handling=strict")), 400, path);
        let form = Request::new("POST", &format!("{path}/Patient/_search"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("family=Neal");
        let by_post = server.send(&form);
        check(&by_post, 200, path);
        assert_eq!(entries(&by_post.json()), 5, "{path}");
        assert_eq!(found(&server, &format!("{path}/Patient")).len(), 7, "{path}");
        let head = server.send(&Request::new("HEAD", &format!("{path}/Patient?family=Neal")));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[test]
fn bad_searches_are_refused_clearly() {
    let server = TestServer::start();
    let many = format!("gender=a{}", ",a".repeat(3_000));
    for query in [
        "birthdate=yesterday",
        "birthdate=xx2013",
        "gender:exact=male",
        "_count=-1",
        "_count=many",
        "_count=1&_count=2",
        "_cursor=1",
        "_cursor=s1-01",
        "_cursor=h1-1",
        "_cursor=s1-99999999999999999999",
        "_lastUpdated=soon",
        "_total=all",
        &many,
    ] {
        let answer = server.send(&Request::get(&format!("/R4/Patient?{query}")));
        check(&answer, 400, query);
        assert_eq!(answer.text("resourceType"), "OperationOutcome", "{query}");
    }
    let json = Request::post("/R4/Patient/_search", r#"{"a":1}"#);
    check(&server.send(&json), 415, "a search by POST is a form");
}
