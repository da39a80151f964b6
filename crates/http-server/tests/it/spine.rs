//! The Spine documents: what no transcript can show, and that `docs/spine.md` is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fhir_definitions::{FhirVersion, resource_types};

use crate::client::{Request, at, text_at};
use crate::harness::TestServer;
use crate::{mounts, transcripts};

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

/// What the examples of 2018 have and STU3 has not is left out, and told; anything else that dangles is refused.
#[test]
fn a_transaction_of_2018_is_taken_as_published() {
    let mounts = [mounts::parse("/spine/STU3 spine/STU3")];
    let server = TestServer::adjusted(&mounts, http_server::Settings::default(), &|service| service);
    let bundle = |extension: &str| {
        format!(
            r##"{{"resourceType":"Bundle","fhir_comments":["one"],"type":"transaction","entry":[{{
                "fullUrl":"urn:uuid:334ee6a9-cf05-4908-aebc-6972c49fd719",
                "resource":{{"resourceType":"Condition","id":"urn:uuid:334ee6a9-cf05-4908-aebc-6972c49fd719",
                    "fhir_comments":["two"],
                    "extension":[{{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/{extension}",
                        "extension":[{{"url":"created","valueReference":{{"reference":"#p"}}}}]}}],
                    "clinicalStatus":"active",
                    "subject":{{"identifier":{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"5900026175"}}}}}},
                "request":{{"method":"POST","_method":{{"fhir_comments":["three"]}},"url":"Condition"}}}}]}}"##
        )
    };
    let post = |body: String| {
        server.send(&Request::post("/spine/STU3", body).header("Prefer", "return=OperationOutcome"))
    };
    let taken = post(bundle("Extension-RARecord-Provenance-1"));
    assert_eq!(taken.status, 200, "{}", taken.body_text());
    let told = |issue: usize| taken.text(&format!("entry.0.response.outcome.issue.{issue}.diagnostics"));
    assert!(told(1).contains("fhir_comments"), "{}", taken.body_text());
    assert!(told(2).contains("Provenance"), "{}", taken.body_text());
    let stored = server
        .send(&Request::get(&taken.text("entry.0.response.location").replace("http://server.example", "")));
    assert_eq!(stored.text("subject.identifier.value"), "5900026175", "{}", stored.body_text());
    assert!(at(&stored.json(), "extension").is_none(), "{}", stored.body_text());
    let refused = post(bundle("Extension-Other-1"));
    assert_eq!(refused.status, 422, "{}", refused.body_text());
    assert!(refused.body_text().contains("no contained resource has the id"), "{}", refused.body_text());
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
