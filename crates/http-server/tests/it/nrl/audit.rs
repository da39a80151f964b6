//! What the audit record of a message says.

use std::sync::{Arc, Mutex};

use http_server::{Audit, AuditRecord, Settings};

use super::{BASE, id_of, in_json, make, patch, post, replacing, signed};
use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts;

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<AuditRecord>>);

impl Audit for Kept {
    fn record(&self, record: AuditRecord) {
        self.0.lock().expect("records").push(record);
    }
}

/// A replacement names both pointers, under the message id that the client was told.
#[test]
fn a_replacement_is_one_record_of_two_changes() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let server = TestServer::with(&[mounts::parse(&format!("{BASE} nrl/STU3"))], settings);
    let old = make(&server, []);
    let answer = server.send(&post(&replacing(&old, 1)));
    let new = id_of(&answer);
    let subject = "https%3A%2F%2Fdemographics.spineservices.nhs.uk%2FSTU3%2FPatient%2F9876543210";
    server.send(&in_json(Request::get(&format!("{BASE}/DocumentReference?subject={subject}"))));

    let records = kept.0.lock().expect("records").clone();
    let [_, replaced, searched] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(replaced.trace, answer.text("issue.0.details.text"));
    assert_eq!((replaced.method.as_str(), replaced.status), ("POST", 201));
    assert_eq!(replaced.caller.system.as_deref(), Some("200000000118"));
    assert_eq!(replaced.caller.organization.as_deref(), Some("RR8"));
    assert_eq!(replaced.logical_id.as_deref(), Some(new.as_str()));
    let told = |change: &fhir_service::VersionChange| {
        (change.key.id.to_string(), change.from.map(|id| id.to_string()), change.to.to_string())
    };
    let mut changes: Vec<_> = replaced.changes.iter().map(told).collect();
    changes.sort();
    let mut expected = vec![(old, Some("1".to_owned()), "2".to_owned()), (new, None, "1".to_owned())];
    expected.sort();
    assert_eq!(changes, expected);
    for record in [replaced, searched] {
        assert_eq!(record.nhs_number.as_deref(), Some("9876543210"), "{}", record.url);
    }
}

/// A change by id says nothing of the patient; the pointer does, also one that is deleted.
#[test]
fn changes_by_id_tell_whose_pointer_it_was() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let server = TestServer::with(&[mounts::parse(&format!("{BASE} nrl/STU3"))], settings);
    let id = make(&server, []);
    let target = format!("{BASE}/DocumentReference/{id}");
    assert_eq!(server.send(&patch(&id)).status, 200);
    assert_eq!(server.send(&in_json(Request::delete(&target))).status, 200);
    let records = kept.0.lock().expect("records").clone();
    let [_, patched, deleted] = records.as_slice() else { panic!("{records:?}") };
    for (record, method) in [(patched, "PATCH"), (deleted, "DELETE")] {
        assert_eq!(record.method, method);
        assert_eq!(record.nhs_number.as_deref(), Some("9876543210"), "{method}");
    }
    let line = String::from_utf8(deleted.to_object().to_bytes()).expect("text");
    assert!(!line.contains("masterIdentifier"), "only who and what: {line}");
}

/// Whoever was admitted is named in the record of a failure as well, however early it fails.
#[test]
fn failures_name_who_asked() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let server = TestServer::with(&[mounts::parse(&format!("{BASE} nrl/STU3"))], settings);
    let target = format!("{BASE}/DocumentReference");
    let plain = Request::new("POST", &target).header("Content-Type", "text/plain").body("x");
    let requests = [
        (signed(plain), 415),
        (signed(Request::post(&target, "{")), 400),
        (signed(Request::get(&format!("{target}?subject=x&_summary=true"))), 400),
        (patch("x").header("If-Match", "x"), 400),
        (signed(Request::get(&format!("{target}/unknown"))), 404),
    ];
    for (request, status) in &requests {
        assert_eq!(server.send(request).status, *status, "{request:?}");
    }
    let records = kept.0.lock().expect("records").clone();
    assert_eq!(records.len(), requests.len());
    for record in records {
        let caller = (record.caller.system, record.caller.organization, record.caller.user);
        let expected = ["200000000118", "RR8", "100"].map(|text| Some(text.to_owned()));
        assert_eq!(caller, expected.into(), "{} {}", record.method, record.url);
    }
}
