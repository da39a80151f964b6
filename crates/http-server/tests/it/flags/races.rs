//! Many clients at once.

use fhir_model::json::Value;

use super::fixtures::{Payload, signed};
use super::{BASE, make, server};
use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts;

const CLIENTS: usize = 16;

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

/// Sixteen clients inactivate one Flag with the same ETag, all of which have seen it before any of
/// them changes it: one succeeds.
#[test]
fn one_of_sixteen_inactivations_wins() {
    let server = TestServer::gated(mounts::parse(&format!("{BASE} flags/STU3")), CLIENTS);
    let made = make(&server, &Payload::of("flag"));
    let ended = made.payload.ended();
    let put = || signed(Request::put(&made.target, ended.bytes()).if_match(&made.etag));
    let answers = server.race((0..CLIENTS).map(|_| put()).collect());
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, CLIENTS - 1), "{statuses:?}");
}

/// Sixteen clients create a Consent for one patient: one succeeds.
#[test]
fn one_of_sixteen_consents_is_created() {
    let server = server("");
    let post = || signed(Request::post(&format!("{BASE}/Consent"), Payload::of("consent").bytes()));
    let answers = server.race((0..CLIENTS).map(|_| post()).collect());
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!((count(&statuses, 201), count(&statuses, 422)), (1, CLIENTS - 1), "{statuses:?}");
    let refused = answers.iter().find(|answer| answer.status == 422).expect("one");
    assert_eq!(refused.text("issue.0.details.coding.0.code"), "DUPLICATE_REJECTED");
    assert_eq!(refused.text("issue.0.code"), "duplicate");
}

/// A removal of the record and inactivations of its Flags at once: every Flag is ended once.
#[test]
fn a_removal_and_inactivations_do_not_cross() {
    let server = server("");
    make(&server, &Payload::of("consent"));
    let flags: Vec<_> = (0..6).map(|_| make(&server, &Payload::of("flag"))).collect();
    let mut requests: Vec<Request> = flags
        .iter()
        .map(|made| {
            let ended = made.payload.clone().ended();
            signed(Request::put(&made.target, ended.bytes()).if_match(&made.etag))
        })
        .collect();
    requests.push(signed(Request::post(&format!("{BASE}/$removerarecord"), Payload::of("removal").bytes())));
    let answers = server.race(requests);
    assert_eq!(answers.last().map(|answer| answer.status), Some(200));
    for (made, answer) in flags.iter().zip(&answers) {
        assert!(matches!(answer.status, 200 | 409), "{}", answer.body_text());
        let read = server.send(&signed(Request::get(&made.target)));
        assert_eq!(read.text("status"), "inactive");
        let ends = read.json().get("contained").and_then(|all| all.as_array().map(<[_]>::len));
        assert_eq!(ends, Some(2), "created once, ended once: {}", read.body_text());
    }
}

/// Sixteen clients end a Condition and delete its entry in one transaction, with the same versions: one succeeds, and the
/// others changed nothing.
#[test]
fn one_of_sixteen_transactions_wins() {
    let server = server("");
    let post = |payload: &Payload| signed(Request::post(BASE, payload.bytes()));
    let created = server.send(&post(&Payload::of("transaction")));
    let text = |path: &str| created.text(path);
    let (list, condition) = (text("entry.0.resource.id"), text("entry.1.resource.id"));
    let mut ending = Payload::of("ending");
    for (entry, kind, id, etag) in [
        (0, "Condition", &condition, text("entry.1.response.etag")),
        (1, "List", &list, text("entry.0.response.etag")),
    ] {
        for (place, value) in
            [("request.url", format!("{kind}/{id}")), ("request.ifMatch", etag), ("resource.id", id.clone())]
        {
            ending = ending.with(&format!("entry.{entry}.{place}"), Value::from(value));
        }
    }
    let item = Value::from(format!("Condition/{condition}"));
    let ending = ending.with("entry.1.resource.entry.0.item.reference", item);
    let answers = server.race((0..CLIENTS).map(|_| post(&ending)).collect());
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, CLIENTS - 1), "{statuses:?}");
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        assert_eq!(answer.text("issue.0.details.coding.0.code"), "CONFLICT");
        assert!(answer.text("issue.0.diagnostics").starts_with("Bundle.entry["), "{}", answer.body_text());
    }
    let won = answers.iter().find(|answer| answer.status == 200).expect("one");
    for (entry, kind, id) in [(0, "Condition", condition), (1, "List", list)] {
        let read = server.send(&signed(Request::get(&format!("{BASE}/{kind}/{id}"))));
        assert_eq!(read.etag(), won.text(&format!("entry.{entry}.response.etag")));
    }
}
