//! Histories while others write: nothing is skipped, repeated or hidden.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir_model::json::Value;

use crate::client::{Connection, Request, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, stale};

/// The entries of a page as `(url, versionId)`, and the target of the next page.
fn page(connection: &mut Connection, target: &str) -> (Vec<(String, String)>, Option<String>) {
    let answer = connection.send(&Request::get(target));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let bundle = answer.json();
    let entries = items(&bundle, "entry");
    let name = |entry: &Value| {
        let url = text_at(entry, "request.url").expect("request.url");
        (url, text_at(entry, "resource.meta.versionId").unwrap_or_else(|| "deleted".to_owned()))
    };
    let next = items(&bundle, "link")
        .iter()
        .find(|link| text_at(link, "relation").as_deref() == Some("next"))
        .and_then(|link| text_at(link, "url"))
        .map(|url| url.replace("http://server.example", ""));
    (entries.iter().map(name).collect(), next)
}

fn items(value: &Value, name: &str) -> Vec<Value> {
    (0..).map_while(|index| at(value, &format!("{name}.{index}")).cloned()).collect()
}

/// All entries from a first page on, by links.
fn walk(connection: &mut Connection, first: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut target = Some(first.to_owned());
    while let Some(here) = target {
        let (entries, next) = page(connection, &here);
        all.extend(entries);
        target = next;
    }
    all
}

fn put(connection: &mut Connection, path: &str, id: &str, status: &str) {
    let body = format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{status}"}}"#);
    let answer = connection.send(&Request::put(&format!("{path}/Flag/{id}"), body));
    assert!(matches!(answer.status, 200 | 201), "{}", answer.body_text());
}

/// Set when it is dropped, so that a failed assertion ends those who wait for it.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The clock stands still, so that every version has one instant: paging cannot lean on time.
#[test]
fn pages_are_stable_under_writes() {
    const VERSIONS: usize = 25;
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let mut connection = server.connect();
        for version in 0..VERSIONS {
            put(&mut connection, path, "a", &format!("a{version}"));
            put(&mut connection, path, "b", &format!("b{version}"));
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut connection = server.connect();
                let mut round = 0;
                while !stop.load(Ordering::SeqCst) {
                    put(&mut connection, path, "a", &format!("later{round}"));
                    round += 1;
                }
            });
            let _stop = Stop(&stop);
            for (scope, ids) in [("/Flag/a", &["a"][..]), ("/Flag", &["a", "b"]), ("", &["a", "b"])] {
                let seen = walk(&mut connection, &format!("{path}{scope}/_history?_count=7"));
                let distinct: BTreeSet<_> = seen.iter().collect();
                assert_eq!(distinct.len(), seen.len(), "{path}{scope}: nothing is repeated");
                for id in ids {
                    for version in 1..=VERSIONS {
                        let name = (format!("Flag/{id}"), version.to_string());
                        assert!(distinct.contains(&name), "{path}{scope}: {name:?} is skipped");
                    }
                }
                let of_a = seen.iter().filter(|(url, _)| url == "Flag/a");
                let numbers: Vec<u64> = of_a.map(|(_, version)| version.parse().expect("a number")).collect();
                assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{path}{scope}: {numbers:?}");
            }
        });
    }
}

/// A poller that asks from the newest time it has seen misses nothing, however many versions have
/// that very time.
#[test]
fn a_poller_with_since_sees_everything() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let mut connection = server.connect();
        let mut seen = BTreeSet::new();
        let mut since = "2018".to_owned();
        for round in 0..12 {
            for id in ["a", "b"] {
                put(&mut connection, path, id, &format!("{round}"));
            }
            // Now and then time goes on, by less than an instant shows or by more.
            server.clock.advance([0, 0, 1, 700][round % 4]);
            let target = format!("{path}/_history?_since={since}&_count=1000");
            let answer = connection.send(&Request::get(&target)).json();
            for entry in items(&answer, "entry") {
                let name = (text_at(&entry, "request.url"), text_at(&entry, "resource.meta.versionId"));
                seen.insert(name);
            }
            since = text_at(&answer, "entry.0.resource.meta.lastUpdated").expect("lastUpdated");
            assert_eq!(seen.len(), (round + 1) * 2, "{path} round {round}");
        }
    }
}

#[test]
fn a_page_is_never_larger_than_the_server_allows() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let mut connection = server.connect();
        put(&mut connection, path, "a", "active");
        for (asked, given) in [("_count=5000", "_count=1000"), ("_count=7", "_count=7"), ("", "_count=100")] {
            let bundle = connection.send(&Request::get(&format!("{path}/_history?{asked}")));
            assert!(bundle.text("link.0.url").ends_with(given), "{path}: {}", bundle.text("link.0.url"));
        }
        let huge = connection.send(&Request::get(&format!("{path}/_history?_count=99999999999999999999999")));
        assert_eq!(huge.status, 400, "{path}");
    }
}

/// A deletion by a stale client leaves no trace in the history.
#[test]
fn refused_writes_leave_no_trace() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let mut connection = server.connect();
        put(&mut connection, path, "a", "active");
        for _ in 0..3 {
            let refused = connection.send(&Request::delete(&format!("{path}/Flag/a")).if_match("\"9\""));
            assert_eq!(refused.status, stale(path), "{path}");
        }
        assert_eq!(walk(&mut connection, &format!("{path}/_history")).len(), 1, "{path}");
    }
}
