//! Indexes that are made anew beside other work.

use fhir_model::Resource;
use fhir_model::json::{Limits, parse};
use fhir_service::{CapabilityMode, Content, Operation, ReferentialIntegrity};
use storage_api::{
    Body, Commit, Guard, HeadGuard, Index, Method, RequestId, Store, VersionNumber, VersionTag, VersionToken,
    VersionWrite, Write, WriteSet,
};

use crate::bench::{Bench, json_of, key_of, said};

const OFF: ReferentialIntegrity = ReferentialIntegrity::Off;

const SHOE: &str = r#"{"resourceType":"SearchParameter","id":"shoe","status":"active","url":"http://e/shoe",
    "code":"shoe","base":["Patient"],"type":"token","expression":"Patient.extension('http://e/shoe').value"}"#;

fn patient(id: &str, shoe: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","extension":[{{"url":"http://e/shoe","valueCode":"{shoe}"}}]}}"#
    )
}

fn put_patient(bench: &Bench, id: &str, shoe: &str) {
    let answer = bench.put(&format!("Patient/{id}"), &patient(id, shoe));
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

fn found(bench: &Bench, shoe: &str) -> (Vec<String>, String) {
    bench.search("Patient", &[("shoe", shoe)])
}

/// Defines the parameter and begins to index by it; 150 older patients have shoe 42.
fn begun() -> Bench {
    let bench = Bench::new(OFF);
    for n in 0..150 {
        put_patient(&bench, &format!("old{n}"), "42");
    }
    assert_eq!(bench.put("SearchParameter/shoe", SHOE).status, 201);
    let (ids, said) = found(&bench, "42");
    assert_eq!(ids.len(), 150, "as long as it is not in force it is passed over");
    assert!(said.contains("shoe is not a search parameter"), "{said}");
    let status = bench.ask(Operation::ReindexStatus);
    assert_eq!(status.status, 200);
    assert!(said_by(&status).contains("puts it in force"), "{}", said_by(&status));
    let begun = bench.reindex();
    assert_eq!(begun.status, 202, "{}", said_by(&begun));
    assert_eq!(begun.content_location.as_deref(), Some("http://here/R4/$reindex"));
    assert!(begun.progress.unwrap().contains("Patient"));
    bench
}

fn said_by(answer: &fhir_service::Answer) -> String {
    said(answer)
}

/// The parameter is in force, and not complete.
fn expect_marked(bench: &Bench) {
    let (_, said) = found(bench, "42");
    assert!(said.contains("resources may be missing"), "{said}");
    let refused = bench.create_if_none(&[("shoe", "42")], &patient("x", "42"));
    assert_eq!((refused.status, refused.retry_after_s), (503, Some(5)));
    assert!(said_by(&refused).contains("index-incomplete"), "{}", said_by(&refused));
    // What was complete before stays so.
    let other = bench.create_if_none(&[("identifier", "s|none"), ("_id", "nobody")], "{}");
    assert_eq!(other.status, 400, "criteria are judged before the content");
    assert_eq!(bench.search("Patient", &[("_id", "old1")]), (vec!["old1".to_owned()], String::new()));
}

fn expect_complete(bench: &Bench, shoe: &str, count: usize) {
    let (ids, said) = found(bench, shoe);
    assert_eq!((ids.len(), said.as_str()), (count, ""), "{ids:?}");
    let status = bench.ask(Operation::ReindexStatus);
    assert_eq!((status.status, status.progress.as_deref()), (200, None));
    assert!(bench.service.index_progress().is_complete);
}

#[test]
fn a_parameter_comes_into_force_and_is_refused_until_it_is_complete() {
    let bench = begun();
    expect_marked(&bench);
    // A write carries its terms at once.
    put_patient(&bench, "new", "43");
    assert_eq!(found(&bench, "43").0, ["new"]);
    assert_eq!(found(&bench, "42").0, [""; 0]);
    assert_eq!(bench.complete(), 6, "five slices of patients, and the end");
    expect_complete(&bench, "42", 150);
    expect_complete(&bench, "43", 1);
    assert_eq!(bench.create_if_none(&[("shoe", "43")], &patient("x", "43")).status, 200);
    assert_eq!(bench.create_if_none(&[("shoe", "44")], &patient("x", "44")).status, 201);
    let statement = bench.ask(Operation::Capabilities(CapabilityMode::Full));
    assert!(said_by(&statement).contains("http://e/shoe"));
    // Nothing changed, so nothing is done.
    let again = bench.reindex();
    assert_eq!(again.status, 200, "{}", said_by(&again));
    // It goes when its definition went.
    assert_eq!(bench.delete("SearchParameter/shoe").status, 204);
    assert_eq!(bench.reindex().status, 202);
    bench.complete();
    assert!(found(&bench, "42").1.contains("shoe is not a search parameter"));
    // And comes back, complete only after it was made anew.
    assert_eq!(bench.put("SearchParameter/shoe", SHOE).status, 201);
    assert_eq!(bench.reindex().status, 202);
    expect_marked(&bench);
    bench.complete();
    expect_complete(&bench, "42", 150);
}

#[test]
fn what_is_written_between_slices_keeps_its_terms() {
    let bench = begun();
    for slice in 0..3 {
        // One before and one behind the place that it has got to.
        put_patient(&bench, &format!("old{slice}"), "50");
        put_patient(&bench, &format!("old{}", 149 - slice), "50");
        assert_eq!(bench.delete(&format!("Patient/old{}", 20 + slice)).status, 204);
        assert_eq!(bench.delete(&format!("Patient/old{}", 120 + slice)).status, 204);
        bench.block_on(bench.service.index_slice()).unwrap();
    }
    bench.complete();
    expect_complete(&bench, "50", 6);
    expect_complete(&bench, "42", 150 - 6 - 6);
}

#[test]
fn it_goes_on_after_a_restart() {
    let mut bench = begun();
    bench.block_on(bench.service.index_slice()).unwrap();
    bench.restart(OFF);
    expect_marked(&bench);
    assert_eq!(bench.complete(), 5, "one slice was done before");
    expect_complete(&bench, "42", 150);
    bench.restart(OFF);
    expect_complete(&bench, "42", 150);
}

#[test]
fn a_second_one_begun_meanwhile_completes_both() {
    let bench = begun();
    bench.block_on(bench.service.index_slice()).unwrap();
    let hat = SHOE.replace("shoe", "hat");
    assert_eq!(bench.put("SearchParameter/hat", &hat).status, 201);
    assert_eq!(bench.reindex().status, 202);
    expect_marked(&bench);
    assert!(bench.search("Patient", &[("hat", "1")]).1.contains("may be missing"));
    bench.complete();
    expect_complete(&bench, "42", 150);
    assert_eq!(bench.search("Patient", &[("hat", "1")]), (vec![], String::new()));
}

/// As an import leaves a store, or a program that made other terms.
#[test]
fn a_store_that_does_not_say_is_indexed_by_itself() {
    let mut bench = Bench::new(OFF);
    assert_eq!(bench.put("SearchParameter/shoe", SHOE).status, 201);
    let now = bench.store.index_generation();
    let mut guards = Vec::new();
    let mut writes = vec![Write::Index(Index { generation: now.next(), ..Index::default() })];
    for n in 0..70 {
        let key = key_of(&format!("Patient/bare{n}"));
        let body = format!(
            r#"{{"resourceType":"Patient","id":"bare{n}","managingOrganization":{{"reference":"http://here/R4/Organization/o"}},
            "extension":[{{"url":"http://e/shoe","valueCode":"42"}}]}}"#
        );
        let tree = parse(body.as_bytes(), &Limits::default()).unwrap();
        let stored = Resource::from_value(tree).unwrap().stored_body().unwrap();
        guards.push(Guard::Head(key.clone(), HeadGuard::Absent { floor: VersionNumber::NONE }));
        writes.push(Write::Version(VersionWrite {
            key,
            next: VersionToken { number: VersionNumber::FIRST, tag: VersionTag(n) },
            method: Method::Put,
            body: Some(Body { bytes: stored.bytes.into(), splice: stored.splice.to_i64() }),
            terms: [].into(),
        }));
    }
    let set = WriteSet { request: RequestId([1; 16]), index: now, guards, writes };
    assert!(matches!(bench.block_on(bench.store.commit(set)).unwrap(), Commit::Committed(_)));
    bench.restart(OFF);
    let (ids, said) = bench.search("Patient", &[("organization", "Organization/o")]);
    assert_eq!(ids, [""; 0]);
    assert!(said.contains("Patient.organization") && said.contains("may be missing"), "{said}");
    let refused = bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1"));
    assert_eq!(refused.status, 503);
    assert_eq!(bench.create_if_none(&[("_id", "bare1")], &patient("x", "1")).status, 200);
    bench.complete();
    assert_eq!(bench.search("Patient", &[("organization", "Organization/o")]).0.len(), 70);
    // What the store holds was put in force too.
    expect_complete(&bench, "42", 70);
    assert_eq!(bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1")).status, 201);
}

#[test]
fn definitions_that_cannot_be_used_are_refused_or_named() {
    let bench = Bench::new(OFF);
    let bad = SHOE.replace("Patient.extension('http://e/shoe').value", "Patient.shooe");
    let refused = bench.put("SearchParameter/shoe", &bad);
    assert_eq!(refused.status, 422, "{}", said_by(&refused));
    let text = said_by(&refused);
    assert!(text.contains("SearchParameter.expression") && text.contains("shooe"), "{text}");
    let draft = SHOE.replace("active", "draft").replace(r#""id":"shoe""#, r#""id":"draft""#);
    assert_eq!(bench.put("SearchParameter/draft", &draft).status, 201);
    let twin = SHOE.replace(r#""id":"shoe""#, r#""id":"twin""#);
    assert_eq!(bench.put("SearchParameter/shoe", SHOE).status, 201);
    assert_eq!(bench.put("SearchParameter/twin", &twin).status, 201);
    let text = said_by(&bench.reindex());
    for expected in
        ["SearchParameter/draft", "not active", "SearchParameter/twin", "another one has this code"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let created = bench.ask(Operation::Create {
        resource_type: "SearchParameter".to_owned(),
        body: Content::json(bad.replace(r#""id":"shoe","#, "")),
    });
    assert_eq!(created.status, 422);
}

#[test]
fn everything_can_be_made_anew_on_request() {
    let bench = Bench::new(OFF);
    put_patient(&bench, "a", "1");
    assert_eq!(bench.reindex().status, 200);
    let full = bench.ask(Operation::Reindex { full: true });
    assert_eq!(full.status, 202);
    assert!(json_of(&full).get("parameter").is_some());
    assert_eq!(bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1")).status, 503);
    bench.complete();
    assert_eq!(bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1")).status, 201);
}

/// A store that has no room for the first commit of a generation is served all the same.
#[test]
fn a_full_store_is_served_and_indexed_later() {
    let mut bench = Bench::new(OFF);
    put_patient(&bench, "a", "1");
    let now = bench.store.index_generation();
    let unknown = Write::Index(Index { generation: now.next(), ..Index::default() });
    let set = WriteSet { request: RequestId([1; 16]), index: now, guards: vec![], writes: vec![unknown] };
    assert!(matches!(bench.block_on(bench.store.commit(set)).unwrap(), Commit::Committed(_)));
    bench.store.set_full(true);
    bench.restart(OFF);
    assert_eq!(bench.search("Patient", &[("_id", "a")]).0, ["a"]);
    assert!(bench.search("Patient", &[("active", "true")]).1.contains("may be missing"));
    assert_eq!(bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1")).status, 503);
    assert!(bench.block_on(bench.service.index_slice()).is_err());
    assert!(!bench.service.index_progress().is_complete);
    bench.store.set_full(false);
    // Even what is written before the generation begins is found in the end.
    put_patient(&bench, "b", "1");
    bench.complete();
    assert!(bench.service.index_progress().is_complete);
    assert_eq!(bench.create_if_none(&[("identifier", "s|1")], &patient("x", "1")).status, 201);
}
