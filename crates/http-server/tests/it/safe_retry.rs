//! Safe retry where nothing was written, where criteria name the resource, where rules write with it, and between
//! callers. `fixtures/http/idempotency.http` has the plain cases.

use http_server::Settings;

use crate::client::{Request, Response};
use crate::flags;
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, parse};
use crate::nrl;
use crate::pointers::{self, pointer};
use crate::tokens::{bearer, claims};

const KEY: &str = "Idempotency-Key";

fn flag(id: &str, status: &str) -> String {
    format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{status}"}}"#)
}

/// A Patient found by `identifier=s|code`.
fn patient(code: &str) -> String {
    format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"s","value":"{code}"}}]}}"#)
}

/// With an id of its own, which outcomes and Bundles have too.
fn traced(request: &Request) -> Request {
    request.clone().header("X-Request-Id", "same")
}

/// What is to be the same of an answer and its repetition.
fn result(answer: &Response) -> (u16, Option<String>, Option<String>, Vec<u8>) {
    let field = |name| answer.header(name).map(str::to_owned);
    (answer.status, field("etag"), field("location"), answer.body.clone())
}

/// Sends a request, has something happen, and sends it again: the answers are the same, and what happened stays.
#[track_caller]
fn check(server: &TestServer, request: &Request, status: u16, between: &[Request], seen: &Request) {
    let (request, seen) = (&traced(request).header(KEY, "k"), &traced(seen));
    let what = format!("{} {}", request.method, request.target);
    let first = server.send(request);
    assert_eq!(first.status, status, "{what}: {}", first.body_text());
    for other in between {
        let other = server.send(other);
        assert!(other.status < 300, "{what}: {}", other.body_text());
    }
    let before = result(&server.send(seen));
    assert_eq!(result(&server.send(request)), result(&first), "{what}: repeated");
    assert_eq!(result(&server.send(seen)), before, "{what}: the repetition wrote");
    let another = server.send(&request.clone().header("If-Match", "W/\"77\""));
    assert_eq!(another.status, 422, "{what}: {}", another.body_text());
}

/// A request that finds everything as it should be is carried out, too. Sent again, it does not undo what others wrote.
#[test]
fn what_changed_nothing_is_not_carried_out_later() {
    for path in FHIR_PATHS {
        let target = format!("{path}/Flag/a");
        let (read, put) = (Request::get(&target), |status| Request::put(&target, flag("a", status)));
        let server = TestServer::start();
        assert_eq!(server.send(&put("active")).status, 201);
        check(&server, &put("active"), 200, &[put("inactive")], &read);
        let patch = Request::new("PATCH", &target)
            .header("Content-Type", "application/json-patch+json")
            .body(r#"[{"op":"replace","path":"/status","value":"active"}]"#);
        let server = TestServer::start();
        assert_eq!(server.send(&put("active")).status, 201);
        check(&server, &patch, 200, &[put("inactive")], &read);
        // A deletion of what never was, and of what is deleted.
        check(&TestServer::start(), &Request::delete(&target), 204, &[put("active")], &read);
        let server = TestServer::start();
        assert_eq!(server.send(&put("active")).status, 201);
        assert_eq!(server.send(&Request::delete(&target)).status, 204);
        check(&server, &Request::delete(&target), 204, &[put("active")], &read);
    }
}

#[test]
fn what_criteria_found_is_told_again() {
    for path in FHIR_PATHS {
        let all = Request::get(&format!("{path}/Patient/_history"));
        let (patients, by_code) = (format!("{path}/Patient"), format!("{path}/Patient?identifier=s%7C1"));
        let post = || Request::post(&patients, patient("1"));
        let create = post().header("If-None-Exist", "identifier=s|1");
        let update = |id: &str| {
            let body = patient("1").replacen('{', &format!(r#"{{"id":"{id}","#), 1);
            Request::put(&by_code, body)
        };
        let changed = |id: &str| {
            let body = patient("1").replacen('{', &format!(r#"{{"id":"{id}","active":true,"#), 1);
            Request::put(&format!("{patients}/{id}"), body)
        };
        for settings in ["", "conditional_delete=multiple"] {
            let mount = || [parse(&format!("{path} {} {settings}", &path[1..]))];
            // Found, and changed since; found by one that is updated with what it has.
            let server = TestServer::with(&mount(), Settings::default());
            let id = server.send(&post()).text("id");
            check(&server, &create, 200, &[changed(&id)], &all);
            let server = TestServer::with(&mount(), Settings::default());
            let id = server.send(&post()).text("id");
            check(&server, &update(&id), 200, &[changed(&id)], &all);
            // Nothing was found.
            let server = TestServer::with(&mount(), Settings::default());
            check(&server, &Request::delete(&by_code), 204, &[post()], &all);
            // Something was deleted, and there is something else by now.
            let server = TestServer::with(&mount(), Settings::default());
            assert_eq!(server.send(&post()).status, 201);
            check(&server, &Request::delete(&by_code), 204, &[post()], &all);
            // Something was written, and several match by now.
            let server = TestServer::with(&mount(), Settings::default());
            let id = server.send(&post()).text("id");
            let patch = Request::new("PATCH", &by_code)
                .header("Content-Type", "application/merge-patch+json")
                .body(r#"{"active":false}"#);
            check(&server, &patch, 200, &[post(), post()], &all);
            let server = TestServer::with(&mount(), Settings::default());
            assert_eq!(server.send(&post()).status, 201);
            let patched = update(&id).body(patient("1").replace("}]", r#"}],"active":true"#));
            check(&server, &patched, 200, &[post(), post()], &all);
        }
    }
}

/// What a repeated request found is not found any more: it is not carried out on something else.
#[test]
fn what_was_found_may_be_gone() {
    let server = TestServer::start();
    let create = Request::post("/R4/Patient", patient("1")).header("If-None-Exist", "identifier=s|1");
    let id = server.send(&create).text("id");
    let again = create.clone().header(KEY, "k");
    assert_eq!(server.send(&again).status, 200);
    assert_eq!(server.send(&Request::delete(&format!("/R4/Patient/{id}"))).status, 204);
    assert_eq!(server.send(&again).status, 410);
    assert_eq!(server.send(&create).status, 201);
    assert_eq!(server.send(&again).status, 410, "another one matches, which was not there then");
}

/// A key that a refusal did not use up is free.
#[test]
fn refusals_use_no_key_up() {
    let server = TestServer::start();
    let target = "/R4/Flag/a";
    let put = |status: &str| Request::put(target, flag("a", status)).header(KEY, "k");
    assert_eq!(server.send(&put("active").if_match("W/\"1\"")).status, 412);
    assert_eq!(server.send(&put("active").body("{")).status, 400);
    assert_eq!(server.send(&put("active")).status, 201);
    assert_eq!(server.send(&put("inactive")).status, 422);
    // On a mount where it is a failure that there is nothing to delete.
    let server = nrl::server("");
    let delete = nrl::in_json(Request::delete(&format!("{}/DocumentReference/none", nrl::BASE)));
    assert_eq!(server.send(&delete.clone().header(KEY, "k")).status, 404);
    let created = server.send(&nrl::post(&pointer([])).header(KEY, "k"));
    assert_eq!(created.status, 201, "{}", created.body_text());
}

/// Keys of mounts have nothing to do with each other, and one belongs to one method, one URL and one media type.
#[test]
fn whose_a_key_is() {
    let server = TestServer::start();
    for path in PATHS {
        let body = r#"{"resourceType":"Flag","status":"active"}"#;
        let create = Request::post(&format!("{path}/Flag"), body).header(KEY, "k");
        let created = server.send(&create);
        assert_eq!(created.status, 201, "{path}: {}", created.body_text());
        assert_eq!(result(&server.send(&create)), result(&created), "{path}");
        let basic = r#"{"resourceType":"Basic","code":{"text":"x"}}"#;
        for other in [
            Request::post(&format!("{path}/Basic"), basic),
            Request::put(&format!("{path}/Flag/a"), flag("a", "active")).if_match("\"25777f7d-27bc\""),
            Request::delete(&format!("{path}/Flag/a")).if_match("\"25777f7d-27bc\""),
        ] {
            let refused = server.send(&other.clone().header(KEY, "k"));
            assert_eq!(refused.status, 422, "{path} {}: {}", other.target, refused.body_text());
        }
    }
    let binary = |media_type| {
        Request::new("PUT", "/R4/Binary/b").header("Content-Type", media_type).header(KEY, "b").body("x,y")
    };
    assert_eq!(server.send(&binary("text/csv")).status, 201);
    assert_eq!(server.send(&binary("text/plain")).status, 422);
    let dated =
        |date: &str| Request::delete("/R4/Flag/none").header(KEY, "d").header("If-Unmodified-Since", date);
    let first = server.send(&dated("Sun, 06 Nov 2044 08:49:37 GMT")).status;
    assert_eq!(server.send(&dated("Sun, 06 Nov 2044 08:49:37 GMT")).status, first);
    if first < 300 {
        assert_eq!(server.send(&dated("Mon, 07 Nov 2044 08:49:37 GMT")).status, 422);
    }
}

/// What the rules of an API write with a request is not its result.
#[test]
fn a_replacement_that_is_repeated_names_the_new_pointer() {
    let server = nrl::server("");
    let old = nrl::make(&server, []);
    let replace = traced(&nrl::post(&nrl::replacing(&old, 1))).header(KEY, "k");
    let first = server.send(&replace);
    let new = nrl::id_of(&first);
    assert_ne!(new, old);
    assert_eq!(result(&server.send(&replace)), result(&first));
    assert_eq!(nrl::count(&server), "1");
}

/// One who asks for the same under another's key is not told of the other's result.
#[test]
fn keys_belong_to_those_who_send_them() {
    let server = nrl::server("");
    let (asid, ods_code) = nrl::PROVIDER;
    let post = |user: &str, key: &str| {
        let claims = claims(asid, ods_code, "patient/DocumentReference.write").replace("|100", user);
        Request::post(
            &format!("{}/DocumentReference", nrl::BASE),
            pointers::json(&pointer([format!(r#"masterIdentifier.value = "urn:oid:9.{key}""#).as_str()])),
        )
        .header("Authorization", bearer(&claims))
        .header("fromASID", asid)
        .header("toASID", "999999999999")
        .header("X-Request-Id", "same")
        .header(KEY, key)
    };
    let first = server.send(&post("|100", "1"));
    assert_eq!(first.status, 201, "{}", first.body_text());
    assert_eq!(result(&server.send(&post("|100", "1"))), result(&first));
    let other = server.send(&post("|200", "1"));
    assert_ne!(result(&other), result(&first));
    assert!(other.status >= 400, "{}", other.body_text());
}

/// What cannot be repeated safely says so.
#[test]
fn keys_where_no_single_result_is() {
    let server = TestServer::start();
    let bundle = r#"{"resourceType":"Bundle","type":"transaction","entry":[]}"#;
    let refused = server.send(&Request::post("/R4", bundle).header(KEY, "k"));
    assert_eq!(refused.status, 400, "{}", refused.body_text());
    assert!(refused.diagnostics().contains("never ignored"), "{}", refused.diagnostics());
    let server = flags::server("");
    let target = format!("{}/$removerarecord", flags::BASE);
    let remove = Request::post(&target, r#"{"resourceType":"Parameters","parameter":[]}"#);
    let refused = server.send(&flags::fixtures::signed(remove).header(KEY, "k"));
    assert_eq!(refused.status, 400, "{}", refused.body_text());
    assert!(refused.diagnostics().contains("never ignored"), "{}", refused.body_text());
}

/// Repetitions that race are answered alike, whether the first of them writes, finds or does nothing.
#[test]
fn racers_with_one_key() {
    const RACERS: usize = 16;
    for path in FHIR_PATHS {
        let (patients, by_code) = (format!("{path}/Patient"), format!("{path}/Patient?identifier=s%7C1"));
        let create = Request::post(&patients, patient("1")).header("If-None-Exist", "identifier=s|1");
        for (request, status) in [
            (Request::put(&format!("{path}/Flag/a"), flag("a", "active")), 200),
            (Request::put(&format!("{path}/Flag/b"), flag("b", "active")), 201),
            (Request::delete(&format!("{path}/Flag/never")), 204),
            (create, 201),
            (Request::put(&by_code, patient("1")), 201),
            (Request::delete(&by_code), 204),
        ] {
            let server = TestServer::start();
            assert_eq!(
                server.send(&Request::put(&format!("{path}/Flag/a"), flag("a", "active"))).status,
                201
            );
            let answers = server.race(vec![traced(&request).header(KEY, "k"); RACERS]);
            let what = format!("{} {}", request.method, request.target);
            assert_eq!(answers[0].status, status, "{what}: {}", answers[0].body_text());
            for answer in &answers {
                assert_eq!(result(answer), result(&answers[0]), "{what}");
            }
            let history = server.send(&Request::get(&format!("{patients}/_history"))).json();
            let written = history.get("entry").and_then(|entries| entries.as_array()).map_or(0, <[_]>::len);
            assert!(written <= 1, "{what}: {written} versions");
        }
    }
}
