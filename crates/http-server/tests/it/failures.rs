//! Failures of If-Match that real servers have, one test each. Every test says what a server that
//! has the failure would do, and fails on it. 8 and 19 are in `bundle_failures`, 9 is also in `patch`,
//! `patch_failures` and `conditional`, where 11 is too.

use fhir_model::json::Value;

use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, parse, stale};

/// A Flag with the id that ends a target.
fn flag(target: &str, status: &str) -> String {
    let id = target.rsplit('/').next().unwrap_or_default();
    format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{status}"}}"#)
}

fn put(target: &str, status: &str) -> Request {
    Request::put(target, flag(target, status))
}

/// The current version in words, or why there is none.
fn current(server: &TestServer, target: &str) -> (u16, Option<String>) {
    let response = server.send(&Request::get(target));
    let etag = response.header("etag").map(str::to_owned);
    (response.status, etag)
}

/// Statuses with how often each came, sorted.
fn count(responses: &[Response]) -> Vec<(u16, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for response in responses {
        *counts.entry(response.status).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn entries(history: &Value) -> Vec<Value> {
    let mut entries = Vec::new();
    while let Some(entry) = at(history, &format!("entry.{}", entries.len())) {
        entries.push(entry.clone());
    }
    entries
}

/// A broken server takes the whole field for one tag, so a list matches nothing and every update
/// with one is refused.
#[test]
fn failure_01_a_list_compared_as_one_string() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let updated = server.send(&put(&target, "inactive").if_match(format!(r#"W/"other", {etag}"#)));
        assert_eq!(updated.status, 200, "{path}: {}", updated.body_text());
        // The list names the version before this one and others: none of them is current.
        let refused = server.send(&put(&target, "active").if_match(format!(r#"W/"other",{etag},"x""#)));
        assert_eq!(refused.status, stale(path), "{path}");
    }
}

/// A broken server asks its header map for one value and so misses the version that the second
/// line names (refusing wrongly), or the mistake that it holds (writing without precondition).
#[test]
fn failure_02_only_the_first_header_line_read() {
    let server = TestServer::start();
    for path in PATHS {
        for order in [[0, 1], [1, 0]] {
            let (target, etag) = server.flag(path);
            let lines = [r#"W/"other""#, etag.as_str()];
            let request = put(&target, "inactive").if_match(lines[order[0]]).if_match(lines[order[1]]);
            assert_eq!(server.send(&request).status, 200, "{path} {order:?}");
            let request = put(&target, "active").if_match(lines[order[0]]).if_match(lines[order[1]]);
            assert_eq!(server.send(&request).status, stale(path), "{path} {order:?}");
        }
        let (target, etag) = server.flag(path);
        let request = put(&target, "inactive").if_match(&etag).if_match("broken");
        assert_eq!(server.send(&request).status, 400, "{path}");
        assert_eq!(current(&server, &target), (200, Some(etag)), "{path}");
    }
}

/// A broken server fails to read the field, goes on as if there were none, and overwrites what
/// the client wanted to protect.
#[test]
fn failure_03_malformed_becomes_absent() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let malformed = [
            "1",
            "W/1",
            "W/\"1",
            "\"1",
            "1\"",
            "'1'",
            "w/\"1\"",
            "*,*",
            "* , \"1\"",
            "\"1\"\"1\"",
            "",
            ",",
            "W/",
            "\t",
        ];
        for value in malformed {
            for request in [put(&target, "inactive"), Request::delete(&target)] {
                let refused = server.send(&request.clone().if_match(value));
                assert_eq!(refused.status, 400, "{path} {} If-Match: {value}", request.method);
                let refused = server.send(&request.clone().if_match(&etag).header("If-None-Match", value));
                assert_eq!(refused.status, 400, "{path} {} If-None-Match: {value}", request.method);
            }
        }
        for value in ["yesterday", "2018-05-25T16:09:50Z", "Fri, 32 May 2018 16:09:50 GMT"] {
            let refused =
                server.send(&put(&target, "inactive").if_match(&etag).header("If-Unmodified-Since", value));
            assert_eq!(refused.status, 400, "{path} If-Unmodified-Since: {value}");
        }
        assert_eq!(current(&server, &target), (200, Some(etag)), "{path}: nothing was written");
    }
}

/// A broken server reads header values as text, drops the one that is none, and writes without
/// precondition.
#[test]
fn failure_04_a_value_that_is_not_utf8_dropped() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        for value in [&b"\"\xff\""[..], b"W/\"\xc3\x28\"", b"\"\x80abc\", \"\xfe\""] {
            for request in [put(&target, "inactive"), Request::delete(&target)] {
                assert_eq!(server.send(&request.if_match(value)).status, stale(path), "{path} {value:?}");
            }
        }
        // Outside of quotes such a byte is malformed, which is not absent either.
        assert_eq!(server.send(&put(&target, "inactive").if_match(b"\xff")).status, 400, "{path}");
        assert_eq!(current(&server, &target), (200, Some(etag.clone())), "{path}: nothing was written");
        // Beside the right tag it changes nothing.
        let both = [b"\"\xff\", ", etag.as_bytes()].concat();
        assert_eq!(server.send(&put(&target, "inactive").if_match(both)).status, 200, "{path}");
    }
}

/// A broken server lets `*` pass wherever it looks: it creates what the client believed to exist,
/// or brings back what was deleted.
#[test]
fn failure_05_any_passes_on_a_missing_or_deleted_resource() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let never = format!("{path}/Flag/never");
        for request in [put(&never, "active"), Request::delete(&never)] {
            assert_eq!(server.send(&request.if_match("*")).status, 412, "{path}");
        }
        assert_eq!(current(&server, &never).0, 404, "{path}");
        let (deleted, _) = server.flag(path);
        assert_eq!(server.send(&Request::delete(&deleted)).status, 204, "{path}");
        for request in [put(&deleted, "active"), Request::delete(&deleted)] {
            assert_eq!(server.send(&request.if_match("*")).status, 412, "{path}");
        }
        assert_eq!(current(&server, &deleted), (410, Some(r#"W/"2""#.to_owned())), "{path}");
    }
    // Spine wants a version named; `*` names none.
    let never = "/spine/STU3/Flag/never";
    for request in [put(never, "active"), Request::delete(never)] {
        assert_eq!(server.send(&request.if_match("*")).status, 412);
    }
    assert_eq!(current(&server, never).0, 404);
}

/// A broken server compares strongly, as RFC 9110 says for If-Match. Every FHIR tag is weak, so it
/// refuses every update.
#[test]
fn failure_06_strong_comparison_makes_every_weak_tag_fail() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        assert!(etag.starts_with("W/\""), "{path}: {etag}");
        let read = server.send(&Request::get(&target).header("If-None-Match", &etag));
        assert_eq!(read.status, 304, "{path}");
        let updated = server.send(&put(&target, "inactive").if_match(&etag));
        assert_eq!(updated.status, 200, "{path}: {}", updated.body_text());
        let strong = updated.etag().replace("W/", "");
        assert_eq!(server.send(&Request::delete(&target).if_match(strong)).status, 204, "{path}");
    }
}

/// A broken server compares the tag with what it read, then writes without a guard: all of those
/// that read the same version win, and all but one of their updates are lost.
///
/// The store is made to let every client read before any of them commits.
#[test]
fn failure_07_checked_in_the_handler_and_written_without_guard() {
    const RACERS: usize = 8;
    for path in PATHS {
        let mount = || parse(&format!("{path} {}", &path[1..]));
        let server = TestServer::gated(mount(), RACERS);
        let (target, etag) = server.flag(path);
        let requests = (0..RACERS).map(|racer| put(&target, &format!("s{racer}")).if_match(&etag));
        let answers = server.race(requests.collect());
        assert_eq!(count(&answers), [(200, 1), (stale(path), RACERS - 1)], "{path}");
        let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
        let read = server.send(&Request::get(&target));
        assert_eq!(
            (read.etag(), read.text("status")),
            (answers[winner].etag(), format!("s{winner}")),
            "{path}"
        );
        // The losers are told the version that won.
        assert!(answers.iter().all(|answer| answer.etag() == read.etag()), "{path}");

        // Updates and deletions at once: one of them happens.
        let server = TestServer::gated(mount(), RACERS);
        let (target, etag) = server.flag(path);
        let request = |racer: usize| match racer % 2 {
            0 => put(&target, "inactive").if_match(&etag),
            _ => Request::delete(&target).if_match(&etag),
        };
        let answers = server.race((0..RACERS).map(request).collect());
        let won = answers.iter().filter(|answer| answer.status < 300).count();
        assert_eq!(won, 1, "{path}: {:?}", count(&answers));
    }
    for path in FHIR_PATHS {
        // If-None-Match: * is a guard as well: one creates, the others are told.
        let server = TestServer::gated(parse(&format!("{path} {}", &path[1..])), RACERS);
        let target = format!("{path}/Flag/one");
        let requests =
            (0..RACERS).map(|racer| put(&target, &format!("s{racer}")).header("If-None-Match", "*"));
        let answers = server.race(requests.collect());
        assert_eq!(count(&answers), [(201, 1), (412, RACERS - 1)], "{path}");
    }
}

/// Who loses a race of deletions finds nothing to delete. A broken server then shows what it read
/// before, under the version of the tombstone.
#[test]
fn racing_deletions_show_nothing() {
    const RACERS: usize = 8;
    for path in FHIR_PATHS {
        let server = TestServer::gated(parse(&format!("{path} {}", &path[1..])), RACERS);
        let (target, _) = server.flag(path);
        let answers = server.race((0..RACERS).map(|_| Request::delete(&target)).collect());
        assert_eq!(count(&answers), [(204, RACERS)], "{path}");
    }
}

/// A broken server looks at If-Match on PUT only: a deletion removes a version that its client
/// never saw.
#[test]
fn failure_09_ignored_on_delete() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, first) = server.flag(path);
        let second = server.send(&put(&target, "inactive").if_match(&first)).etag();
        let refused = server.send(&Request::delete(&target).if_match(&first));
        assert_eq!(refused.status, stale(path), "{path}");
        assert_eq!(refused.etag(), second, "{path}");
        assert_eq!(current(&server, &target), (200, Some(second.clone())), "{path}");
        assert_eq!(server.send(&Request::delete(&target).if_match(second)).status, 204, "{path}");
        assert!(current(&server, &target).0 >= 400, "{path}");
    }
}

/// A broken server says `versioned` or `versioned-update` in its CapabilityStatement and has no
/// code that reads the field.
#[test]
fn failure_10_documented_but_never_read() {
    let mut mounts = crate::mounts::default_mounts();
    for path in FHIR_PATHS {
        let settings = "if_match=compulsory if_match.List=optional if_match.Basic=ignored";
        mounts.push(parse(&format!("/mixed{path} {} {settings}", &path[1..])));
    }
    let paths: Vec<String> = mounts.iter().map(|(path, _)| path.clone()).collect();
    let server = TestServer::with(&mounts, http_server::Settings::default());
    let mut seen = std::collections::BTreeSet::new();
    for path in &paths {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        for resource_type in ["Flag", "List", "Basic"] {
            let versioning = versioning(&statement, resource_type);
            let resource = |language: &str, id: &str| {
                format!(r#"{{"resourceType":"{resource_type}",{id}"language":"{language}"}}"#)
            };
            let created = server.send(&Request::post(&format!("{path}/{resource_type}"), resource("en", "")));
            let location = created.header("location").expect("a Location");
            let id = location.split("/_history").next().unwrap().rsplit('/').next().unwrap();
            let target = format!("{path}/{resource_type}/{id}");
            let body = resource("de", &format!(r#""id":"{id}","#));
            let wrong = server.send(&Request::put(&target, &body).if_match("\"wrong\"")).status;
            let after_wrong = current(&server, &target).1 == Some(created.etag());
            let without =
                server.send(&Request::put(&target, resource("fr", &format!(r#""id":"{id}","#)))).status;
            let stale = stale(path.strip_prefix("/mixed").unwrap_or(path));
            let missing = if stale == 409 { 412 } else { 400 };
            let expected = match versioning.as_str() {
                "no-version" => (200, false, 200),
                "versioned" => (stale, true, 200),
                "versioned-update" => (stale, true, missing),
                other => panic!("{path} {resource_type}: {other}"),
            };
            assert_eq!((wrong, after_wrong, without), expected, "{path} {resource_type} is {versioning}");
            seen.insert(versioning);
        }
    }
    assert_eq!(seen.len(), 3, "every code was seen: {seen:?}");
}

/// What a CapabilityStatement says about one type.
fn versioning(statement: &Value, resource_type: &str) -> String {
    (0..)
        .map_while(|index| at(statement, &format!("rest.0.resource.{index}")))
        .find(|resource| text_at(resource, "type").as_deref() == Some(resource_type))
        .and_then(|resource| text_at(resource, "versioning"))
        .expect("versioning")
}

/// A broken server keeps the version in a column and in the body, and one day they differ: the
/// client sends the tag of one and is compared with the other.
#[test]
fn failure_12_the_version_kept_in_two_places_that_disagree() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Flag/a");
        let body = |status: &str| {
            format!(
                r#"{{"resourceType":"Flag","id":"a","meta":{{"versionId":"77","lastUpdated":"1999-01-01T00:00:00Z"}},"status":"{status}"}}"#
            )
        };
        let mut etags = Vec::new();
        for step in ["active", "inactive", "delete", "active", "inactive"] {
            server.clock.advance(1500);
            let written = match step {
                "delete" => server.send(&Request::delete(&target)),
                status => server.send(&Request::put(&target, body(status))),
            };
            let etag = written.etag();
            etags.push(etag.clone());
            let modified = written.header("last-modified").expect("Last-Modified").to_owned();
            let read = server.send(&Request::get(&target));
            assert_eq!(read.etag(), etag, "{path} {step}");
            if step == "delete" {
                continue;
            }
            for answer in [&written, &read] {
                agrees(answer, &etag, &modified);
            }
            if let Some(location) = written.header("location") {
                let version_id = etag.replace("W/", "").replace('"', "");
                assert!(location.ends_with(&format!("/_history/{version_id}")), "{location}");
            }
        }
        // History and vread say the same of every one of them, and the tags work as they are shown.
        let history = server.send(&Request::get(&format!("{target}/_history"))).json();
        let entries = entries(&history);
        assert_eq!(entries.len(), etags.len(), "{path}");
        for (entry, etag) in entries.iter().zip(etags.iter().rev()) {
            let version_id = etag.replace("W/", "").replace('"', "");
            if let Some(shown) = text_at(entry, "response.etag") {
                assert_eq!(&shown, etag, "{path}");
            }
            if let Some(shown) = text_at(entry, "resource.meta.versionId") {
                assert_eq!(shown, version_id, "{path}");
                let vread = server.send(&Request::get(&format!("{target}/_history/{version_id}")));
                agrees(&vread, etag, vread.header("last-modified").unwrap());
            }
        }
        let last = etags.last().unwrap();
        assert_eq!(server.send(&put(&target, "active").if_match(last)).status, 200, "{path}");
    }
    let (target, etag) = server.flag("/spine/STU3");
    let modified = server.send(&Request::get(&target));
    agrees(&modified, &etag, modified.header("last-modified").unwrap());
}

/// The body says the version and the time that the header fields say.
#[track_caller]
fn agrees(answer: &Response, etag: &str, last_modified: &str) {
    assert_eq!(answer.etag(), etag);
    assert_eq!(format!("W/\"{}\"", answer.text("meta.versionId")), etag);
    let instant: fhir_model::Instant = answer.text("meta.lastUpdated").parse().expect("an instant");
    assert_eq!(instant.http_date(), last_modified);
    assert_eq!(answer.header("last-modified"), Some(last_modified));
}

/// A broken server lets two writers store the same version number; from then on every read of
/// the resource finds two rows where it wants one, and fails for ever.
#[test]
fn failure_13_a_duplicate_version_row_bricks_the_resource() {
    const RACERS: usize = 8;
    const ROUNDS: usize = 12;
    let server = TestServer::start();
    for path in ["/STU3", "/R4", "/spine/STU3"] {
        let (target, _) = server.flag(path);
        let written = storm(&server, &target, RACERS, ROUNDS, &|racer, round| {
            let name = format!("s{racer}-{round}");
            // Some without precondition, some behind what they read; Spine wants all of them so.
            (name, path.starts_with("/spine") || racer % 2 == 0)
        });
        assert!(written.won > RACERS, "{path}: {written:?}");
        let read = server.send(&Request::get(&target));
        assert_eq!(read.status, 200, "{path}");
        if path.starts_with("/spine") {
            continue;
        }
        // Version 1 was the POST; every win is one version more, each of them once.
        let history = server.send(&Request::get(&format!("{target}/_history?_count=1000"))).json();
        let versions: Vec<String> =
            entries(&history).iter().filter_map(|entry| text_at(entry, "resource.meta.versionId")).collect();
        let expected: Vec<String> = (1..=written.won + 1).rev().map(|number| number.to_string()).collect();
        assert_eq!(versions, expected, "{path}");
        for version in &versions {
            let vread = server.send(&Request::get(&format!("{target}/_history/{version}")));
            assert_eq!((vread.status, vread.text("meta.versionId")), (200, version.clone()), "{path}");
        }
        let last = server.send(&put(&target, "active").if_match(read.etag()));
        assert_eq!((last.status, last.etag()), (200, format!("W/\"{}\"", written.won + 2)), "{path}");
    }
}

/// What became of a storm of updates.
#[derive(Debug, Default)]
struct Storm {
    won: usize,
    /// Every status that a loser got, with how often.
    lost: std::collections::BTreeMap<u16, usize>,
}

/// Many clients update one resource, round after round: each with a name of its own as status and,
/// if `choose` says so, with the ETag that it read just before.
fn storm(
    server: &TestServer,
    target: &str,
    racers: usize,
    rounds: usize,
    choose: &(dyn Fn(usize, usize) -> (String, bool) + Sync),
) -> Storm {
    let client = |racer: usize| {
        let mut connection = server.connect();
        let mut storm = Storm::default();
        for round in 0..rounds {
            let (status, locks) = choose(racer, round);
            let mut request = put(target, &status);
            if locks {
                request = request.if_match(connection.send(&Request::get(target)).etag());
            }
            match connection.send(&request).status {
                200 => storm.won += 1,
                status => *storm.lost.entry(status).or_default() += 1,
            }
        }
        storm
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..racers).map(|racer| scope.spawn(move || client(racer))).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).fold(
            Storm::default(),
            |mut all, one| {
                all.won += one.won;
                for (status, times) in one.lost {
                    *all.lost.entry(status).or_default() += times;
                }
                all
            },
        )
    })
}

/// A broken server answers with one status where its handler sees the mismatch and with another
/// where its store does, so that clients cannot tell a conflict from other refusals.
#[test]
fn failure_14_one_status_here_and_another_there_depending_on_who_lost_the_race() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        // All clients name what they read: they lose in the check before, or in the commit.
        let storm = storm(&server, &target, 8, 15, &|racer, round| (format!("s{racer}-{round}"), true));
        let statuses: Vec<u16> = storm.lost.keys().copied().collect();
        assert!(statuses.is_empty() || statuses == [stale(path)], "{path}: {storm:?}");
        // The one that is late by far hears the same.
        let late = server.send(&put(&target, "late").if_match(etag));
        assert_eq!(late.status, stale(path), "{path}");
        // And those who are certain to lose in the commit.
        let mount = parse(&format!("{path} {}", &path[1..]));
        let gated = TestServer::gated(mount, 4);
        let (target, etag) = gated.flag(path);
        let requests = (0..4).map(|racer| put(&target, &format!("s{racer}")).if_match(&etag));
        let answers = gated.race(requests.collect());
        assert_eq!(count(&answers), [(200, 1), (stale(path), 3)], "{path}");
        let words = |answer: &Response| answer.text("issue.0.details.coding.0.code");
        let loser = answers.iter().find(|answer| answer.status != 200).unwrap();
        assert_eq!(words(loser), words(&late), "{path}: the same outcome too");
    }
}

/// A broken server lets the store's own error out: 500, 400, or a message in the words of a
/// database.
#[test]
fn failure_15_a_store_conflict_surfaces_as_500_or_400() {
    const RACERS: usize = 8;
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let (target, _) = server.flag(path);
        // Nobody names a version: everyone is decided again until it wins.
        let storm = storm(&server, &target, RACERS, 15, &|racer, round| (format!("s{racer}-{round}"), false));
        assert_eq!(storm.won + storm.lost.values().sum::<usize>(), RACERS * 15, "{path}");
        assert!(storm.lost.keys().all(|status| [409, 412].contains(status)), "{path}: {storm:?}");
        // Certain to meet in the commit, all of them are decided again and win.
        let gated = TestServer::gated(parse(&format!("{path} {}", &path[1..])), RACERS);
        let (target, _) = gated.flag(path);
        let requests = || (0..RACERS).map(|racer| put(&target, &format!("s{racer}"))).collect();
        assert_eq!(count(&gated.race(requests())), [(200, RACERS)], "{path}");
        assert_eq!(current(&gated, &target).1, Some(format!("W/\"{}\"", RACERS + 1)), "{path}");
        // Without a second try, one wins and the others hear that it is worth trying again.
        let gated = TestServer::gated(parse(&format!("{path} {} retries=0", &path[1..])), RACERS);
        let (target, _) = gated.flag(path);
        let requests = (0..RACERS).map(|racer| put(&target, &format!("s{racer}"))).collect();
        let answers = gated.race(requests);
        assert_eq!(count(&answers), [(200, 1), (409, RACERS - 1)], "{path}");
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
            assert!(answer.diagnostics().contains("try again"), "{path}: {}", answer.diagnostics());
        }
    }
}

/// A broken server parses the tag as its own version number: what it did not issue is a 500, or a
/// 400, or wraps round to a version that exists.
#[test]
fn failure_16_a_foreign_tag_parsed_as_an_integer() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let foreign = [
            "W/\"abc\"",
            "\"\"",
            "W/\"01\"",
            "W/\"+1\"",
            "W/\"-1\"",
            "W/\"1.0\"",
            "W/\"1e0\"",
            "W/\"0x1\"",
            "W/\"18446744073709551616\"",
            "W/\"18446744073709551617\"",
            "W/\"4294967297\"",
            "W/\"25777f7d-27bc\"",
            "W/\"00000000-0000\"",
            "W/\"eb9e0b95-4eea-4654-ab2d-d6ef9e86cc3a\"",
        ];
        let long = format!("W/\"{}\"", "9".repeat(4000));
        for tag in foreign.into_iter().chain([long.as_str()]) {
            for request in [put(&target, "inactive"), Request::delete(&target)] {
                let refused = server.send(&request.if_match(tag));
                assert_eq!(refused.status, stale(path), "{path} {tag}");
                assert!(refused.body.len() < 2000, "{path}: a tag is not echoed at any length");
            }
            assert_eq!(
                server.send(&Request::get(&target).header("If-None-Match", tag)).status,
                200,
                "{path} {tag}"
            );
        }
        assert_eq!(current(&server, &target), (200, Some(etag)), "{path}: nothing was written");
    }
}

/// A broken server has not decided what an update without a change is: it keeps the version here
/// and counts there, or lets a stale client through because nothing would change.
#[test]
fn failure_17_identical_put_undefined() {
    let server = TestServer::start();
    for path in PATHS {
        let keeps = !path.starts_with("/spine");
        let (target, first) = server.flag(path);
        let second = server.send(&put(&target, "inactive").if_match(&first)).etag();
        for precondition in [Some(&second), None] {
            let Some(tag) = precondition.or(keeps.then_some(&second)) else { continue };
            let mut request = put(&target, "inactive");
            if precondition.is_some() {
                request = request.if_match(tag);
            }
            let answer = server.send(&request);
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.etag() == second, keeps, "{path}: {}", answer.etag());
        }
        // Stale is stale, whatever the content: the client does not know what is current.
        let refused = server.send(&put(&target, "inactive").if_match(&first));
        assert_eq!(refused.status, stale(path), "{path}");
    }
}
