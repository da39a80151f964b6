//! Many clients at once.

use super::{BASE, count, id_of, in_json, make, patch, post, read, replacing, server};
use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::mounts;
use crate::pointers::pointer;

const CLIENTS: usize = 16;

/// A server on which that many clients see a pointer before any of them changes it.
fn gated() -> TestServer {
    TestServer::gated(mounts::parse(&format!("{BASE} nrl/STU3")), CLIENTS)
}

#[track_caller]
fn statuses(answers: &[Response], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[track_caller]
fn code(answer: &Response) -> String {
    answer.text("issue.0.details.coding.0.code")
}

/// Sixteen clients replace one pointer: one succeeds, and nothing of the others stays.
#[test]
fn one_of_sixteen_replacements_wins() {
    let server = gated();
    let old = make(&server, []);
    let answers = server.race((0..CLIENTS).map(|own| post(&replacing(&old, own))).collect());
    assert_eq!((statuses(&answers, 201), statuses(&answers, 400)), (1, CLIENTS - 1));
    for refused in answers.iter().filter(|answer| answer.status == 400) {
        assert_eq!(code(refused), "BAD_REQUEST", "{}", refused.body_text());
    }
    assert_eq!(count(&server), "1");
    assert_eq!(code(&read(&server, &old)), "BAD_REQUEST");
    // An identifier that lost is not used up.
    for (own, answer) in answers.iter().enumerate() {
        let identifier = format!(r#"masterIdentifier.value = "urn:oid:9.{own}""#);
        let again = server.send(&post(&pointer([identifier.as_str()])));
        let won = answer.status == 201;
        assert_eq!(again.status, if won { 400 } else { 201 }, "{}", again.body_text());
    }
}

/// Sixteen clients create a pointer with one master identifier: one succeeds.
#[test]
fn a_master_identifier_is_used_once() {
    let server = server("");
    let answers = server.race((0..CLIENTS).map(|_| post(&pointer([]))).collect());
    assert_eq!((statuses(&answers, 201), statuses(&answers, 400)), (1, CLIENTS - 1));
    for refused in answers.iter().filter(|answer| answer.status == 400) {
        assert_eq!(code(refused), "DUPLICATE_REJECTED", "{}", refused.body_text());
    }
    // Also when what used it is gone, but not for another patient.
    let id = id_of(answers.iter().find(|answer| answer.status == 201).expect("one"));
    let deleted = server.send(&in_json(Request::delete(&format!("{BASE}/DocumentReference/{id}"))));
    assert_eq!(deleted.status, 200);
    assert_eq!(code(&server.send(&post(&pointer([])))), "DUPLICATE_REJECTED");
    let other = r#"subject.reference = "https://demographics.spineservices.nhs.uk/STU3/Patient/5900026175""#;
    make(&server, [other]);
}

/// Patches and replacements of one pointer at once: one of them all succeeds.
#[test]
fn one_of_patches_and_replacements_wins() {
    for _ in 0..8 {
        let server = gated();
        let old = make(&server, []);
        let request = |own: usize| {
            if own.is_multiple_of(2) { patch(&old) } else { post(&replacing(&old, own)) }
        };
        let answers = server.race((0..CLIENTS).map(request).collect());
        let (patched, replaced) = (statuses(&answers, 200), statuses(&answers, 201));
        assert_eq!((patched + replaced, statuses(&answers, 400)), (1, CLIENTS - 1));
        assert_eq!(count(&server), if replaced == 1 { "1" } else { "0" });
        assert_eq!(code(&read(&server, &old)), "BAD_REQUEST");
    }
}
