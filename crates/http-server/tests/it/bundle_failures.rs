//! Failures 8 and 19 of If-Match: what servers get wrong about it in Bundles.

use std::sync::{Arc, Mutex};

use fhir_model::json::Value;
use http_server::Settings;
use storage_api::{Answer, Commit, Key, Store, Write, WriteSet};

use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, parse, stale};

const BATCH: &str = "batch";
const TRANSACTION: &str = "transaction";

/// Sends a Bundle of one kind.
fn bundle(server: &TestServer, path: &str, kind: &str, entries: &[String]) -> Response {
    let entries = entries.join(",");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entries}]}}"#);
    server.send(&Request::post(path, bundle))
}

/// The status of an entry: of a transaction that is refused, that of the whole.
fn status(answer: &Response, entry: usize) -> u16 {
    if answer.status != 200 {
        return answer.status;
    }
    let line = answer.text(&format!("entry.{entry}.response.status"));
    line.split(' ').next().and_then(|code| code.parse().ok()).expect("a status")
}

/// An entry that changes the Flag `id`, found by its identifier if `is_conditional`, on a condition.
fn change(method: &str, id: &str, is_conditional: bool, condition: &str) -> String {
    let identifier = format!(r#""identifier":[{{"system":"s","value":"{id}"}}]"#);
    let resource = match method {
        "PUT" => {
            format!(r#""resource":{{"resourceType":"Flag","id":"{id}",{identifier},"status":"inactive"}},"#)
        }
        "PATCH" => r#""resource":{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
            {"name":"type","valueCode":"replace"},{"name":"path","valueString":"Flag.status"},
            {"name":"value","valueCode":"inactive"}]}]},"#
            .to_owned(),
        _ => String::new(),
    };
    let url = if is_conditional { format!("Flag?identifier=s|{id}") } else { format!("Flag/{id}") };
    format!(r#"{{{resource}"request":{{"method":"{method}","url":"{url}"{condition}}}}}"#)
}

fn condition(name: &str, value: &str) -> String {
    format!(r#","{name}":"{}""#, value.replace('"', "\\\""))
}

/// Method, and whether the resource is found by criteria: all that an API offers.
fn changes(path: &str) -> Vec<(&'static str, bool)> {
    let mut all = vec![("PUT", false), ("DELETE", false)];
    if !path.starts_with("/spine") {
        all.extend([("PUT", true), ("DELETE", true)]);
        if path != "/STU3" {
            all.extend([("PATCH", false), ("PATCH", true)]);
        }
    }
    all
}

fn make(server: &TestServer, path: &str, id: &str) -> String {
    let flag = format!(
        r#"{{"resourceType":"Flag","id":"{id}","identifier":[{{"system":"s","value":"{id}"}}],"status":"active"}}"#
    );
    if path.starts_with("/spine") {
        let created = server.flag(path);
        return created.0.rsplit('/').next().unwrap_or_default().to_owned();
    }
    assert_eq!(server.send(&Request::put(&format!("{path}/Flag/{id}"), flag)).status, 201);
    id.to_owned()
}

/// A broken server hands the entries of a Bundle to code that never sees `ifMatch`, so a client that
/// names the version it changed overwrites another one.
#[test]
fn failure_08_ignored_in_bundle_entries() {
    let server = TestServer::start();
    for path in PATHS {
        for kind in [BATCH, TRANSACTION] {
            for (place, (method, is_conditional)) in changes(path).into_iter().enumerate() {
                let what = format!("{path} {kind} {method} {is_conditional}");
                let id = make(&server, path, &format!("{kind}-{place}"));
                let target = format!("{path}/Flag/{id}");
                let etag = server.send(&Request::get(&target)).etag();
                let refused = |condition: &str, expected: u16| {
                    let entry = change(method, &id, is_conditional, condition);
                    let answer = bundle(&server, path, kind, &[entry]);
                    assert_eq!(status(&answer, 0), expected, "{what}{condition}: {}", answer.body_text());
                    let read = server.send(&Request::get(&target));
                    assert_eq!((read.status, read.etag()), (200, etag.clone()), "{what}{condition}");
                    answer
                };
                let answer = refused(&condition("ifMatch", r#"W/"77""#), stale(path));
                // The refusal names what is current, where the single request has its ETag.
                let told = match kind {
                    BATCH => answer.text("entry.0.response.etag"),
                    _ => answer.etag(),
                };
                assert_eq!(told, etag, "{what}");
                refused(&condition("ifMatch", r#"W/"77", W/"foreign""#), stale(path));
                for malformed in ["1", "W/1", "", "'1'", r#"*,"1""#] {
                    refused(&condition("ifMatch", malformed), 400);
                }
                if method == "PUT" {
                    let both = condition("ifMatch", &etag) + &condition("ifNoneMatch", "*");
                    refused(&both, 412);
                    refused(&(condition("ifMatch", &etag) + &condition("ifNoneMatch", &etag)), 412);
                }
                let entry = change(method, &id, is_conditional, &condition("ifMatch", &etag));
                let answer = bundle(&server, path, kind, &[entry]);
                assert!((200..300).contains(&status(&answer, 0)), "{what}: {}", answer.body_text());
                let read = server.send(&Request::get(&target));
                assert_ne!(read.header("etag"), Some(etag.as_str()), "{what}: it was carried out");
            }
        }
    }
}

/// The same for `*` and for criteria, where there is nothing that could have a version.
#[test]
fn failure_08_passes_on_nothing() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        for kind in [BATCH, TRANSACTION] {
            for (method, is_conditional) in changes(path) {
                let what = format!("{path} {kind} {method} {is_conditional}");
                for tag in ["*", r#"W/"1""#] {
                    let entry = change(method, "never", is_conditional, &condition("ifMatch", tag));
                    let answer = bundle(&server, path, kind, &[entry]);
                    let expected = if method == "PATCH" && !is_conditional { 404 } else { 412 };
                    assert_eq!(status(&answer, 0), expected, "{what} {tag}: {}", answer.body_text());
                }
            }
            assert_eq!(server.send(&Request::get(&format!("{path}/Flag/never"))).status, 404, "{path}");
        }
    }
}

/// The condition of a create is read too, and so are those of reads.
#[test]
fn failure_08_conditions_of_creates_and_reads() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        for kind in [BATCH, TRANSACTION] {
            let id = make(&server, path, &format!("{kind}-read"));
            let read = |condition: &str| {
                let entry = format!(r#"{{"request":{{"method":"GET","url":"Flag/{id}"{condition}}}}}"#);
                status(&bundle(&server, path, kind, &[entry]), 0)
            };
            assert_eq!(read(&condition("ifNoneMatch", r#"W/"1""#)), 304, "{path} {kind}");
            assert_eq!(read(&condition("ifNoneMatch", r#"W/"2""#)), 200, "{path} {kind}");
            assert_eq!(read(&condition("ifMatch", r#"W/"1""#)), 200, "{path} {kind}");
            // As of a GET alone: 409 is for writes (FHIR STU3, "Managing Resource Contention").
            assert_eq!(read(&condition("ifMatch", r#"W/"2""#)), 412, "{path} {kind}");
            assert_eq!(read(&condition("ifModifiedSince", "2018-05-25T16:09:50.999Z")), 304, "{path} {kind}");
            assert_eq!(read(&condition("ifModifiedSince", "2018-05-25T16:09:49Z")), 200, "{path} {kind}");
            assert_eq!(read(&condition("ifModifiedSince", "yesterday")), 400, "{path} {kind}");

            let create = |value: &str, condition: &str| {
                let identifier = format!(r#"[{{"system":"s","value":"{value}"}}]"#);
                format!(
                    r#"{{"resource":{{"resourceType":"Flag","identifier":{identifier}}},"request":{{"method":"POST","url":"Flag"{condition}}}}}"#
                )
            };
            let known = condition("ifNoneExist", &format!("identifier=s|{id}"));
            let answer = bundle(&server, path, kind, &[create(&id, &known)]);
            assert_eq!(status(&answer, 0), 200, "{path} {kind}: {}", answer.body_text());
            assert_eq!(answer.text("entry.0.resource.id"), id, "{path} {kind}");
            let entry = create(&id, &condition("ifNoneExist", "identifir=s|x"));
            assert_eq!(status(&bundle(&server, path, kind, &[entry]), 0), 400, "{path} {kind}");
        }
    }
}

/// Failure 7 in Bundles: all read the same version before any of them commits. One wins, and of the
/// others nothing is written, nor of what else they wanted.
#[test]
fn of_transactions_on_one_version_one_wins() {
    const RACERS: usize = 8;
    for path in FHIR_PATHS {
        let server = TestServer::gated(parse(&format!("{path} {}", &path[1..])), RACERS);
        let (target, _) = server.flag(path);
        let id = target.rsplit('/').next().unwrap_or_default().to_owned();
        let request = |racer: usize| {
            let entries = [
                change("PUT", &id, false, &condition("ifMatch", r#"W/"1""#)),
                format!(
                    r#"{{"resource":{{"resourceType":"List","id":"l{racer}"}},"request":{{"method":"PUT","url":"List/l{racer}"}}}}"#
                ),
            ];
            let entries = entries.join(",");
            Request::post(
                path,
                format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#),
            )
        };
        let answers = server.race((0..RACERS).map(request).collect());
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{path}");
        for (racer, answer) in answers.iter().enumerate() {
            assert!([200, stale(path)].contains(&answer.status), "{path}: {}", answer.body_text());
            let list = server.send(&Request::get(&format!("{path}/List/l{racer}")));
            assert_eq!(list.status, if answer.status == 200 { 200 } else { 404 }, "{path}");
            if answer.status != 200 {
                assert_eq!(answer.text("issue.0.expression.0"), "Bundle.entry[0]", "{path}");
                assert_eq!(answer.etag(), r#"W/"2""#, "{path}");
            }
        }
    }
}

/// The keys and version numbers that a commit writes.
type Versions = Vec<(Key, u64)>;

/// Notes what every commit writes.
struct Noted {
    store: Arc<dyn Store>,
    commits: Arc<Mutex<Vec<Versions>>>,
}

impl Store for Noted {
    passed_on!(read read_version history search snapshot index_generation index close);

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        let versions = set.writes.iter().filter_map(|write| match write {
            Write::Version(version) => Some((version.key.clone(), version.next.number.get())),
            _ => None,
        });
        self.commits.lock().expect("no panic").push(versions.collect());
        self.store.commit(set)
    }
}

/// A broken server carries out each entry by its ordinary write, which commits by itself: what comes
/// before an entry that fails stays. Or it writes a resource, and again when its references are
/// known, so that the version it answers with is stale the moment it is received.
#[test]
fn failure_19_a_reentrant_write_inside_the_transaction() {
    for path in FHIR_PATHS {
        let commits = Arc::new(Mutex::new(Vec::new()));
        let mount = parse(&format!("{path} {}", &path[1..]));
        let server = TestServer::over(&[mount], Settings::default(), &|store| {
            Arc::new(Noted { store, commits: commits.clone() })
        });
        for id in ["updated", "criteria", "deleted"] {
            make(&server, path, id);
        }
        let taken = || std::mem::take(&mut *commits.lock().expect("no panic"));
        taken();
        let entries = [
            // Two that refer to each other, and one that names the version it is about to get.
            r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","identifier":[{"system":"s","value":"p"}],"link":[{"other":{"reference":"urn:uuid:2"},"type":"seealso"}]},"request":{"method":"POST","url":"Patient"}}"#.to_owned(),
            r#"{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Patient","link":[{"other":{"reference":"Patient?identifier=s|p"},"type":"seealso"}]},"request":{"method":"POST","url":"Patient"}}"#.to_owned(),
            r#"{"resource":{"resourceType":"Basic","subject":{"reference":"urn:uuid:1/_history/1"},"author":{"reference":"Flag?identifier=s|updated"}},"request":{"method":"POST","url":"Basic"}}"#.to_owned(),
            change("PUT", "updated", false, &condition("ifMatch", r#"W/"1""#)),
            change("PUT", "criteria", true, ""),
            change("DELETE", "deleted", false, ""),
            r#"{"request":{"method":"GET","url":"Flag/updated"}}"#.to_owned(),
        ];
        let answer = bundle(&server, path, TRANSACTION, &entries);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body_text());
        let commits = taken();
        let [commit] = &commits[..] else { panic!("{path}: one commit, not {commits:?}") };
        assert_eq!(commit.len(), 6, "{path}: {commit:?}");
        let mut keys: Vec<&Key> = commit.iter().map(|(key, _)| key).collect();
        keys.dedup();
        assert_eq!(keys.len(), 6, "{path}: each resource once: {commit:?}");
        // What it answers with is what is there, and the only version that it made.
        let answer = answer.json();
        for (key, number) in commit {
            let target = format!("{path}/{}/{}", key.kind, key.id);
            let etag = format!("W/\"{number}\"");
            assert_eq!(server.send(&Request::get(&target)).header("etag"), Some(etag.as_str()), "{target}");
            let history = server.send(&Request::get(&format!("{target}/_history"))).json();
            let versions = at(&history, "entry").and_then(Value::as_array).map_or(0, <[Value]>::len);
            assert_eq!(versions as u64, *number, "{target}");
        }
        for (entry, number) in [1, 1, 1, 2, 2, 2, 2].into_iter().enumerate() {
            let told = text_at(&answer, &format!("entry.{entry}.response.etag"));
            assert_eq!(told, Some(format!("W/\"{number}\"")), "{path} entry {entry}");
        }

        // Whatever fails at last, nothing of what comes before has reached the store.
        let last = [
            change("PUT", "updated", false, &condition("ifMatch", r#"W/"1""#)),
            r#"{"request":{"method":"GET","url":"Flag/never"}}"#.to_owned(),
            r#"{"resource":{"resourceType":"Basic","subject":{"reference":"Patient?identifier=s|none"}},"request":{"method":"POST","url":"Basic"}}"#.to_owned(),
            r#"{"resource":{"resourceType":"Flag","id":"other"},"request":{"method":"PUT","url":"Flag/updated"}}"#.to_owned(),
        ];
        for last in last {
            let first = r#"{"resource":{"resourceType":"Flag"},"request":{"method":"POST","url":"Flag"}}"#;
            let answer = bundle(&server, path, TRANSACTION, &[first.to_owned(), last.clone()]);
            assert!(answer.status >= 400, "{path} {last}");
            assert_eq!(taken(), Vec::<Versions>::new(), "{path} {last}");
        }
    }
}
