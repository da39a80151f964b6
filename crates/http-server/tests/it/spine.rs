//! The Spine documents: what no transcript can show, and that `docs/spine.md` is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fhir_definitions::{FhirVersion, resource_types};

use crate::client::{Request, at, text_at};
use crate::harness::TestServer;
use crate::transcripts;

/// 003-01: the CapabilityStatement says which types can be updated, and how.
#[test]
fn the_statement_says_what_can_be_updated() {
    let server = TestServer::start();
    let statement = server.send(&Request::get("/spine/STU3/metadata")).json();
    let mut types = Vec::new();
    while let Some(resource) = at(&statement, &format!("rest.0.resource.{}", types.len())) {
        let resource_type = text_at(resource, "type").expect("type");
        let codes: Vec<String> =
            (0..).map_while(|index| text_at(resource, &format!("interaction.{index}.code"))).collect();
        assert_eq!(codes, ["read", "update", "delete", "create"], "{resource_type}");
        assert_eq!(text_at(resource, "versioning").as_deref(), Some("versioned-update"));
        assert_eq!(at(resource, "readHistory"), Some(&false.into()));
        assert_eq!(at(resource, "updateCreate"), Some(&false.into()));
        types.push(resource_type);
    }
    assert_eq!(types, resource_types(FhirVersion::Stu3));
}

/// 003-09: every answer carries a date.
#[test]
fn every_answer_is_dated() {
    let server = TestServer::start();
    let (target, etag) = server.flag("/spine/STU3");
    let id = target.rsplit('/').next().unwrap();
    let body = format!(r#"{{"resourceType":"Flag","id":"{id}","status":"inactive"}}"#);
    for (request, status) in [
        (Request::put(&target, &body).if_match(&etag), 200),
        (Request::put(&target, &body).if_match(&etag), 409),
        (Request::put(&target, &body), 412),
        (Request::get(&target), 200),
        (Request::get(&target).header("If-None-Match", "*"), 304),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, status);
        let date = answer.header("date").expect("Date");
        assert!(versioning_core::parse_http_date(date.as_bytes()).is_some(), "{date}");
    }
}

/// Every id that the page lists stands in the file that the page names, and every id in a
/// transcript or a test is listed, under that file.
#[test]
fn the_page_lists_exactly_what_is_shown() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/spine.md")).expect("docs/spine.md");
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, statement, shown_by] = cells[..] else { continue };
        if ids(id).as_slice() == [id] {
            assert!(!statement.is_empty(), "{id} says something");
            listed.entry(shown_by.to_owned()).or_default().insert(id.to_owned());
        }
    }
    let count: usize = listed.values().map(BTreeSet::len).sum();
    assert!(count >= 40, "the page was read: {count}");

    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut files = transcripts::files();
    files.push(here.join("tests/it/spine.rs"));
    files.push(here.join("../firelock/tests/it/messages.rs"));
    for file in files {
        let text = std::fs::read_to_string(&file).expect("read");
        let comments = text
            .lines()
            .map(str::trim)
            .filter_map(|line| line.strip_prefix("# ").or_else(|| line.strip_prefix("/// ")));
        let found: BTreeSet<String> = comments.flat_map(ids).collect();
        if !found.is_empty() {
            shown.insert(file.file_name().unwrap_or_default().to_string_lossy().into_owned(), found);
        }
    }
    assert_eq!(listed, shown);
}

/// The ids in a text: three digits, a hyphen, two digits, standing alone.
fn ids(text: &str) -> Vec<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-');
    let is_id = |word: &&str| {
        word.split_once('-').is_some_and(|(document, number)| {
            let digits =
                |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
            digits(document, 3) && digits(number, 2)
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}
