//! The audit record of a request says who, what, how it ended and which version became which.

use std::sync::{Arc, Mutex};

use fhir_model::json::Value;
use http_server::{Audit, AuditRecord, Settings};

use super::fixtures::{Payload, signed};
use super::{BASE, make};
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

#[test]
fn every_request_leaves_a_record() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let mounts = [mounts::parse("/flags/STU3 flags/STU3"), mounts::parse("/STU3 STU3")];
    let server = TestServer::with(&mounts, settings);
    let consent = make(&server, &Payload::of("consent"));
    let flag = make(&server, &Payload::of("flag"));
    let read = server.send(&signed(Request::get(&flag.target)));
    let refused = server.send(&Request::get(&flag.target).header("FromASID", "1"));
    let removal = Request::post(&format!("{BASE}/$removerarecord"), Payload::of("removal").bytes());
    let removed = server.send(&signed(removal));
    assert_eq!((read.status, refused.status, removed.status), (200, 400, 200));
    server.send(&Request::get("/STU3/Flag/none"));

    let records = kept.0.lock().expect("records").clone();
    let [created, _, read, refused, removed] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((created.method.as_str(), created.status), ("POST", 201));
    assert_eq!(created.url, "/flags/STU3/Consent");
    assert_eq!(created.caller.system.as_deref(), Some("200000000205"));
    assert_eq!(created.caller.organization.as_deref(), Some("RXA"));
    assert_eq!(created.caller.user.as_deref(), Some("387429785309275"));
    assert_eq!(created.nhs_number.as_deref(), Some("9876543210"));
    assert_eq!(created.logical_id.as_deref(), consent.target.rsplit('/').next());
    assert!(created.request_body.as_ref().is_some_and(|body| body.contains("Consent")));
    assert!(created.response_body.as_ref().is_some_and(|body| body.contains("Provenance")));
    let [first] = created.changes.as_slice() else { panic!("{created:?}") };
    assert_eq!((first.from, format!("W/\"{}\"", first.to)), (None, consent.etag.clone()));
    assert_eq!((read.request_body.as_ref(), read.changes.len()), (None, 0));
    // Who was not admitted is named as it named itself.
    assert_eq!((refused.status, refused.caller.system.as_deref()), (400, Some("1")));
    assert_eq!(removed.nhs_number.as_deref(), Some("9876543210"));
    let changed: Vec<String> = removed.changes.iter().map(|change| change.key.to_string()).collect();
    for made in [&consent, &flag] {
        let key = made.target.strip_prefix("/flags/STU3/").expect("a target");
        let change = removed.changes.iter().find(|change| change.key.to_string() == key);
        let from = change.and_then(|change| change.from).map(|from| format!("W/\"{from}\""));
        assert_eq!(from, Some(made.etag.clone()), "{key} in {changed:?}");
    }
    let line = String::from_utf8(created.to_object().to_bytes()).expect("text");
    // ASID, verb, URL, body, ODS code, NHS number, time, user; status, body, id, time; the versions.
    for name in [
        "asid",
        "method",
        "url",
        "requestBody",
        "odsCode",
        "nhsNumber",
        "requestTime",
        "userId",
        "status",
        "responseBody",
        "logicalId",
        "responseTime",
        "versions",
    ] {
        assert!(line.contains(&format!("\"{name}\":")), "{name} in {line}");
    }
    assert!(!line.contains("Bearer"), "tokens are nobody's: {line}");
}

/// A transaction leaves one record, which tells of every version that it made.
#[test]
fn a_transaction_is_one_record() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let server = TestServer::with(&[mounts::parse("/flags/STU3 flags/STU3")], settings);
    let created = server.send(&signed(Request::post(BASE, Payload::of("transaction").bytes())));
    let refused = Payload::of("transaction").with("entry.1.resource.clinicalStatus", Value::from("resolved"));
    let refused = server.send(&signed(Request::post(BASE, refused.bytes())));
    assert_eq!((created.status, refused.status), (200, 422));
    let records = kept.0.lock().expect("records").clone();
    let [done, not_done] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((done.method.as_str(), done.url.as_str(), done.status), ("POST", "/flags/STU3", 200));
    assert_eq!(done.nhs_number.as_deref(), Some("9876543210"));
    assert_eq!(done.caller.organization.as_deref(), Some("RXA"));
    let changed: Vec<String> =
        done.changes.iter().map(|change| format!("{} W/\"{}\"", change.key, change.to)).collect();
    let expected: Vec<String> = (0..2)
        .map(|entry| {
            let text = |name: &str| created.text(&format!("entry.{entry}.response.{name}"));
            format!("{} {}", text("location"), text("etag"))
        })
        .collect();
    assert_eq!(changed, expected);
    assert_eq!((not_done.status, not_done.changes.len()), (422, 0));
}
