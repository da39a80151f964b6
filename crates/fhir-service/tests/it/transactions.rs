//! Transactions beside what else goes on in a store.

use fhir_model::json::Value;
use fhir_service::{Answer, Content, Operation, ReferentialIntegrity, Service};

use crate::bench::{Bench, json_of, request};

pub(crate) fn bundle(entries: &[&str]) -> Operation {
    let entries = entries.join(",");
    let text = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
    Operation::Bundle(Content::json(text))
}

fn ask(bench: &Bench, service: &Service, operation: Operation) -> Answer {
    bench.block_on(service.handle(request(operation)))
}

/// A service that does not know yet that another one put a search parameter in force.
#[test]
fn what_a_transaction_writes_is_indexed_as_the_store_wants_it() {
    let mut bench = Bench::new(ReferentialIntegrity::Off);
    let older = bench.service.clone();
    bench.restart(ReferentialIntegrity::Off);
    let shoe = r#"{"resourceType":"SearchParameter","id":"shoe","status":"active","url":"http://e/shoe",
        "code":"shoe","base":["Patient"],"type":"token","expression":"Patient.extension('http://e/shoe').value"}"#;
    assert_eq!(bench.put("SearchParameter/shoe", shoe).status, 201);
    assert_eq!(bench.reindex().status, 202);
    bench.complete();
    let patient = r#"{"resource":{"resourceType":"Patient","id":"p",
        "extension":[{"url":"http://e/shoe","valueCode":"42"}]},"request":{"method":"PUT","url":"Patient/p"}}"#;
    assert_eq!(ask(&bench, &older, bundle(&[patient])).status, 200);
    assert_eq!(bench.search("Patient", &[("shoe", "42")]), (vec!["p".to_owned()], String::new()));
}

/// Others write before every search, so two searches of a moment that moves would not agree.
#[test]
fn all_searches_of_a_transaction_are_answered_from_one_moment() {
    let bench = Bench::new(ReferentialIntegrity::Off);
    assert_eq!(bench.put("Patient/busy", r#"{"resourceType":"Patient","id":"busy"}"#).status, 201);
    bench.store.set_busy();
    let get = |url: &str| format!(r#"{{"request":{{"method":"GET","url":"{url}"}}}}"#);
    let written = r#"{"resource":{"resourceType":"Patient","id":"own"},"request":{"method":"PUT","url":"Patient/own"}}"#;
    let entries = [
        get("Patient?_id=busy"),
        written.to_owned(),
        get("Patient?_id=busy,own"),
        get("Patient/busy/_history"),
        get("?_id=busy&_type=Patient"),
        get("Patient/own/_history"),
    ];
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let answer = json_of(&ask(&bench, &bench.service, bundle(&entries)));
    let text = |path: &str| text_at(&answer, path);
    let busy = "resource.meta.versionId";
    let version = text(&format!("entry.0.resource.entry.0.{busy}"));
    assert!(version.parse::<u64>().unwrap() > 1, "somebody wrote: {version}");
    assert_eq!(text(&format!("entry.2.resource.entry.0.{busy}")), version);
    assert_eq!(text(&format!("entry.3.resource.entry.0.{busy}")), version);
    assert_eq!(text(&format!("entry.4.resource.entry.0.{busy}")), version);
    // The commit is part of it.
    assert_eq!(text("entry.2.resource.entry.1.resource.id"), "own");
    assert_eq!(text("entry.5.resource.entry.0.resource.id"), "own");
}

/// More resources match than a commit could compare, so it is not found out how many: several is what counts.
#[test]
fn criteria_that_find_more_than_can_be_compared_find_several() {
    let bench = Bench::new(ReferentialIntegrity::Off);
    let many: Vec<String> = (0..1001)
        .map(|_| {
            r#"{"resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient"}}"#
                .to_owned()
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ask(&bench, &bench.service, bundle(&many)).status, 200);
    for entry in [
        r#"{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"active=true"}}"#,
        r#"{"resource":{"resourceType":"Patient"},"request":{"method":"PUT","url":"Patient?active=true"}}"#,
        r#"{"resource":{"resourceType":"Flag","subject":{"reference":"Patient?active=true"}},"request":{"method":"POST","url":"Flag"}}"#,
        r#"{"request":{"method":"DELETE","url":"Patient?active=true"}}"#,
    ] {
        assert_eq!(ask(&bench, &bench.service, bundle(&[entry])).status, 412, "{entry}");
    }
}

fn text_at(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, step| match (value, step.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => items.get(index),
        (value, _) => value.get(step),
    });
    found.and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {value:?}")).to_owned()
}
