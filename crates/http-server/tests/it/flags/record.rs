//! The life of a record: created, found, ended.

use fhir_model::json::Value;

use super::fixtures::{Payload, signed};
use super::{BASE, make, server};
use crate::client::{Request, text_at};

/// The published searches find what was created, and each finds nothing else.
#[test]
fn the_published_searches_find_what_was_created() {
    let server = server("");
    for name in ["consent", "flag", "list"] {
        make(&server, &Payload::of(name));
        make(&server, &Payload::of(name).of_patient("5900026175"));
    }
    let nraf = "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-FlagCategory-1%7CNRAF";
    let code = "http://snomed.info/sct%7C1094391000000102";
    for (query, count) in [
        (format!("Consent?patient=9876543210&status=active&category={nraf}"), 1),
        (format!("Flag?patient=9876543210&status=active&category={nraf}"), 1),
        (format!("List?patient=9876543210&status=current&code={code}"), 1),
        ("Flag?patient=https://fhir.nhs.uk/Id/nhs-number%7C9876543210".to_owned(), 1),
        ("Flag?patient=https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210".to_owned(), 1),
        ("Flag?patient=9876543210&status=inactive".to_owned(), 0),
        ("Flag?patient=9876543210&category=other".to_owned(), 0),
        ("Consent?patient=2686033207&status=active".to_owned(), 0),
    ] {
        let found = server.send(&signed(Request::get(&format!("{BASE}/{query}"))));
        assert_eq!(found.status, 200, "{query}: {}", found.body_text());
        let total = found.json().get("total").and_then(Value::as_number).map(ToString::to_string);
        assert_eq!(total, Some(count.to_string()), "{query}: {}", found.body_text());
    }
}

/// The Conditions of a List, as the CapabilityStatement offers them: those that entries refer to, whether the entry is
/// deleted or not, and of them those with a status.
#[test]
fn conditions_are_found_by_their_list() {
    let server = server("");
    let created = server.send(&signed(Request::post(BASE, Payload::of("transaction").bytes())));
    assert_eq!(created.status, 200, "{}", created.body_text());
    let list = created.text("entry.0.resource.id");
    let other = make(&server, &Payload::of("condition"));
    let found = |query: &str| {
        let found = server.send(&signed(Request::get(&format!("{BASE}/Condition?{query}"))));
        assert_eq!(found.status, 200, "{query}: {}", found.body_text());
        let body = found.json();
        let entries = body.get("entry").and_then(Value::as_array).unwrap_or_default();
        let id = |entry: &Value| text_at(entry, "resource.id").expect("an id");
        entries.iter().map(id).collect::<Vec<_>>()
    };
    let condition = vec![created.text("entry.1.resource.id")];
    assert_eq!(found(&format!("_list={list}")), condition);
    assert_eq!(found(&format!("_list={list}&clinical-status=active")), condition);
    assert_eq!(found(&format!("_list={list}&clinical-status=inactive")), [""; 0]);
    assert_eq!(found("_list=none"), [""; 0]);
    assert_eq!(found("patient=9876543210&clinical-status=active").len(), 2);
    let alone = server.send(&signed(Request::get(&format!("{BASE}/Condition?clinical-status=active"))));
    assert_eq!(
        (alone.status, alone.text("issue.0.details.coding.0.code")),
        (422, "INVALID_PARAMETER".into())
    );
    assert!(alone.body_text().contains("_list"), "{}", alone.body_text());
    // A list of anything but Lists of this API has no members here.
    let elsewhere = server.send(&signed(Request::get(&format!("{BASE}/Flag?_list={list}"))));
    assert_eq!(elsewhere.status, 422, "{}", elsewhere.body_text());
    assert_eq!(server.send(&signed(Request::get(&other.target))).status, 200);
}

/// A resource can be ended, and nothing else: what is frozen is named.
#[test]
fn only_the_status_changes() {
    for name in ["consent", "flag", "condition"] {
        let server = server("");
        let made = make(&server, &Payload::of(name));
        let put = |payload: Payload| {
            server.send(&signed(Request::put(&made.target, payload.bytes()).if_match(&made.etag)))
        };
        let element = if name == "consent" {
            "category.0"
        } else if name == "flag" {
            "category"
        } else {
            "category.0"
        };
        let changed = made.payload.clone().ended().with(&format!("{element}.text"), Value::from("other"));
        let refused = put(changed);
        assert_eq!(refused.status, 422, "{}", refused.body_text());
        let issue = |path: &str| refused.text(&format!("issue.0.{path}"));
        assert_eq!(
            (issue("code"), issue("details.coding.0.code")),
            ("business-rule".into(), "INVALID_RESOURCE".into())
        );
        assert!(issue("diagnostics").contains(".text"), "{}", issue("diagnostics"));
        let unreasoned = made.payload.clone().ended().with("extension", None);
        assert_eq!(put(unreasoned).status, 422);
        let ended = put(made.payload.clone().ended());
        assert_eq!(ended.status, 200, "{}", ended.body_text());
        let again =
            server.send(&signed(Request::put(&made.target, made.payload.bytes()).if_match(ended.etag())));
        assert_eq!(again.status, 422, "ended is ended: {}", again.body_text());
    }
}

/// `$removerarecord` ends everything at once, under either name of its parameter.
#[test]
fn a_record_is_removed_as_a_whole() {
    for name in ["removeRARecord", "removerarecord"] {
        let server = server("");
        let made: Vec<_> = ["consent", "flag", "flag", "list", "condition"]
            .map(|name| make(&server, &Payload::of(name)))
            .into();
        let other = make(&server, &Payload::of("flag").of_patient("5900026175"));
        let removal = Payload::of("removal").with("parameter.0.name", Value::from(name));
        let target = format!("{BASE}/$removerarecord");
        let removed = server.send(&signed(Request::post(&target, removal.bytes())));
        assert_eq!(removed.status, 200, "{}", removed.body_text());
        assert_eq!(removed.text("issue.0.details.text"), "OK");
        for made in &made {
            let read = server.send(&signed(Request::get(&made.target)));
            assert_ne!(read.etag(), made.etag);
            let status = if read.text("resourceType") == "Condition" { "clinicalStatus" } else { "status" };
            let last = if read.text("resourceType") == "List" { "retired" } else { "inactive" };
            assert_eq!(read.text(status), last, "{}", read.body_text());
        }
        let list = server.send(&signed(Request::get(&made[3].target))).json();
        let deleted = list.get("entry").and_then(|entries| entries.at(0)?.get("deleted")?.as_bool());
        assert_eq!(deleted, Some(true));
        let contained = list.get("contained").and_then(|contained| contained.at(0)).expect("a Condition");
        assert_eq!(contained.get("clinicalStatus").and_then(Value::as_str), Some("inactive"));
        assert_eq!(server.send(&signed(Request::get(&other.target))).etag(), other.etag);
        let again = server.send(&signed(Request::post(&target, removal.bytes())));
        assert_eq!(
            (again.status, again.text("issue.0.details.coding.0.code")),
            (404, "NO_RECORD_FOUND".into())
        );
    }
}

/// An ended Consent ends the record.
#[test]
fn an_ended_consent_takes_the_record_with_it() {
    let server = server("");
    let consent = make(&server, &Payload::of("consent"));
    let flag = make(&server, &Payload::of("flag"));
    let list = make(&server, &Payload::of("list"));
    let ended = consent.payload.ended();
    let answer = server.send(&signed(Request::put(&consent.target, ended.bytes()).if_match(&consent.etag)));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let read = |target: &str| server.send(&signed(Request::get(target)));
    assert_eq!(read(&flag.target).text("status"), "inactive");
    assert_eq!(read(&list.target).text("status"), "retired");
    make(&server, &Payload::of("consent"));
}

/// If-Match is not compulsory for the operation; where it is sent it names the Consent.
#[test]
fn a_removal_may_name_the_version_of_the_consent() {
    let server = server("");
    let consent = make(&server, &Payload::of("consent"));
    let flag = make(&server, &Payload::of("flag"));
    let removal = || Request::post(&format!("{BASE}/$removerarecord"), Payload::of("removal").bytes());
    let stale = server.send(&signed(removal().if_match("W/\"0\"")));
    assert_eq!(stale.status, 409, "{}", stale.body_text());
    assert_eq!(server.send(&signed(Request::get(&flag.target))).etag(), flag.etag);
    assert_eq!(server.send(&signed(removal().if_match(&consent.etag))).status, 200);
}

/// The server says who did it, and keeps what it said.
#[test]
fn provenance_is_the_servers() {
    let server = server("");
    let made = make(&server, &Payload::of("flag"));
    let agent = "contained.0.agent.0.whoReference.reference";
    let read = server.send(&signed(Request::get(&made.target)));
    assert_eq!(read.text(agent), "https://sds.spineservices.nhs.uk/STU3/Practitioner/387429785309275");
    assert_eq!(read.text("contained.0.activity.code"), "CREATE");
    let forged = made.payload.clone().ended().with("contained", None);
    let ended = server.send(&signed(Request::put(&made.target, forged.bytes()).if_match(&made.etag)));
    assert_eq!(ended.status, 200, "{}", ended.body_text());
    assert_eq!(ended.text("contained.0.activity.code"), "CREATE");
    assert_eq!(ended.text("contained.1.activity.code"), "UPDATE");
}

/// Published payloads hold comments of an older FHIR version: they are read, and dropped with a
/// warning. A patient's URL without its scheme is completed.
#[test]
fn comments_of_published_payloads_are_dropped_with_a_warning() {
    let server = server("");
    let comment = fhir_model::array![" reference to a patient "];
    let commented = Payload::of("flag")
        .with("fhir_comments", comment.clone())
        .with("subject._reference", Value::from(fhir_model::object! { "fhir_comments": comment }))
        .with("subject.reference", Value::from("demographics.spineservices.nhs.uk/STU3/Patient/9876543210"));
    let post = || Request::post(&format!("{BASE}/Flag"), commented.bytes());
    let told = server.send(&signed(post().header("Prefer", "return=OperationOutcome")));
    assert_eq!(told.status, 201, "{}", told.body_text());
    let issue = |number: usize, path: &str| told.text(&format!("issue.{number}.{path}"));
    assert_eq!(issue(0, "severity"), "information");
    assert_eq!((issue(1, "severity"), issue(2, "severity")), ("warning".into(), "warning".into()));
    assert!(issue(1, "diagnostics").contains("fhir_comments"));
    let stored = server.send(&signed(post()));
    assert!(!stored.body_text().contains("fhir_comments"), "{}", stored.body_text());
    assert!(stored.text("subject.reference").starts_with("https://"));
    let found = server.send(&signed(Request::get(&format!("{BASE}/Flag?patient=9876543210"))));
    assert_eq!(found.json().get("entry").and_then(Value::as_array).map(<[_]>::len), Some(2));
}

/// Where references are checked, a Condition and its List still come and go together, and what the rules write beside them
/// is not held up: it refers to nothing new.
#[test]
fn referential_integrity_knows_what_a_transaction_creates() {
    let mount = crate::mounts::parse(&format!("{BASE} flags/STU3"));
    let server =
        crate::harness::TestServer::adjusted(&[mount], http_server::Settings::default(), &|service| {
            service.with_referential_integrity(fhir_service::ReferentialIntegrity::Check)
        });
    let post = |payload: Payload| server.send(&signed(Request::post(BASE, payload.bytes())));
    let consent = make(&server, &Payload::of("consent"));
    let created = post(Payload::of("transaction"));
    assert_eq!(created.status, 200, "{}", created.body_text());
    let missing = Value::from("Condition/none");
    let refused = post(Payload::of("transaction").with("entry.0.resource.entry.0.item.reference", missing));
    assert_eq!(
        (refused.status, refused.text("issue.0.details.coding.0.code")),
        (422, "REFERENCE_NOT_FOUND".into())
    );
    let ended = consent.payload.ended();
    let ended = server.send(&signed(Request::put(&consent.target, ended.bytes()).if_match(&consent.etag)));
    assert_eq!(ended.status, 200, "{}", ended.body_text());
    let list =
        server.send(&signed(Request::get(&format!("{BASE}/List/{}", created.text("entry.0.resource.id")))));
    assert_eq!(list.text("status"), "retired", "{}", list.body_text());
}
