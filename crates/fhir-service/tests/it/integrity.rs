//! References that must lead somewhere.

use fhir_service::{Content, Criteria, Operation, ReferentialIntegrity, Service};

use crate::bench::{Bench, said};
use crate::transactions::bundle;

const CHECK: ReferentialIntegrity = ReferentialIntegrity::Check;

fn flag(id: &str, subject: &str) -> String {
    format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"active","subject":{{"reference":"{subject}"}}}}"#
    )
}

fn patient(id: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#)
}

fn with_patient(integrity: ReferentialIntegrity) -> Bench {
    let bench = Bench::new(integrity);
    assert_eq!(bench.put("Patient/p", &patient("p")).status, 201);
    bench
}

#[test]
fn a_reference_to_nothing_is_refused_with_its_place() {
    let bench = with_patient(CHECK);
    for subject in ["Patient/none", "http://here/R4/Patient/none", "Patient/none/_history/1"] {
        let refused = bench.put("Flag/f", &flag("f", subject));
        assert_eq!(refused.status, 422, "{subject}");
        let text = said(&refused);
        for expected in ["reference-missing", "Flag.subject.reference", "Patient/none"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
    for subject in ["Patient/p", "http://here/R4/Patient/p", "http://there/R4/Patient/none", "urn:uuid:none"]
    {
        let id = subject.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let answer = bench.put(&format!("Flag/{id}"), &flag(&id, subject));
        assert_eq!(answer.status, 201, "{subject}: {}", said(&answer));
    }
    // A resource may refer to itself before it exists.
    let itself = r#"{"resourceType":"Patient","id":"q","link":[{"other":{"reference":"Patient/q"}}]}"#;
    assert_eq!(bench.put("Patient/q", itself).status, 201);
    assert_eq!(bench.delete("Patient/q").status, 204);
    let created = bench
        .ask(Operation::Create { resource_type: "Flag".into(), body: Content::json(flag("", "Patient/x")) });
    assert_eq!(created.status, 422);
    // Without the policy nothing is looked at.
    assert_eq!(with_patient(ReferentialIntegrity::Off).put("Flag/f", &flag("f", "Patient/none")).status, 201);
}

#[test]
fn what_is_referred_to_is_not_deleted() {
    let bench = with_patient(CHECK);
    assert_eq!(bench.put("Flag/f", &flag("f", "Patient/p")).status, 201);
    let refused = bench.delete("Patient/p");
    assert_eq!(refused.status, 409);
    let text = said(&refused);
    assert!(text.contains("still-referred") && text.contains("Flag/f"), "{text}");
    let conditional = bench.ask(Operation::ConditionalDelete {
        resource_type: "Patient".into(),
        criteria: Criteria(vec![("_id".into(), "p".into())]),
    });
    assert_eq!(conditional.status, 409);
    // Other contents refer to something else, and a deleted resource to nothing.
    assert_eq!(bench.put("Patient/q", &patient("q")).status, 201);
    assert_eq!(bench.put("Flag/f", &flag("f", "Patient/q")).status, 200);
    assert_eq!(bench.delete("Patient/p").status, 204);
    assert_eq!(bench.put("Flag/f", &flag("f", "Patient/p")).status, 422, "a deleted resource does not exist");
    assert_eq!(bench.delete("Flag/f").status, 204);
    assert_eq!(bench.delete("Patient/q").status, 204);
    assert_eq!(bench.put("Flag/f", &flag("f", "Patient/q")).status, 422);
}

/// References that no search parameter finds count too.
#[test]
fn every_reference_counts() {
    let bench = with_patient(CHECK);
    let text = r#"{"resourceType":"Flag","id":"f","status":"active",
        "extension":[{"url":"http://e/x","valueReference":{"reference":"Patient/p"}}]}"#;
    assert_eq!(bench.put("Flag/f", text).status, 201);
    assert_eq!(bench.delete("Patient/p").status, 409);
}

/// A store that was served without the policy does not know who refers: it learns that before anything is deleted.
#[test]
fn a_policy_that_is_new_learns_who_refers() {
    let mut bench = with_patient(ReferentialIntegrity::Off);
    assert_eq!(bench.put("Flag/f", &flag("f", "Patient/p")).status, 201);
    bench.restart(CHECK);
    let early = bench.delete("Patient/p");
    assert_eq!((early.status, early.retry_after_s), (503, Some(5)), "{}", said(&early));
    assert_eq!(bench.put("Flag/g", &flag("g", "Patient/none")).status, 422, "what is written is looked at");
    bench.complete();
    assert_eq!(bench.delete("Patient/p").status, 409);
    assert_eq!(bench.delete("Flag/f").status, 204);
    assert_eq!(bench.delete("Patient/p").status, 204);
    // Off and on again: what was written between is not known.
    bench.restart(ReferentialIntegrity::Off);
    bench.restart(CHECK);
    assert_eq!(bench.delete("Flag/none").status, 204);
    bench.complete();
    assert!(bench.service.index_progress().is_complete);
}

/// The statuses of two requests that are sent at the same time.
fn race(service: &Service, one: Operation, other: Operation) -> (u16, u16) {
    let run = |operation: Operation| {
        let service = service.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(service.handle(crate::bench::request(operation))).status
        }
    };
    std::thread::scope(|scope| {
        let (first, second) = (scope.spawn(run(one)), scope.spawn(run(other)));
        (first.join().unwrap(), second.join().unwrap())
    })
}

/// One writes a reference, another deletes what it leads to, again and again: never both.
#[test]
fn racers_never_leave_a_reference_to_nothing() {
    let bench = with_patient(CHECK);
    for round in 0..100 {
        let (target, source) = (format!("Patient/t{round}"), format!("Flag/s{round}"));
        assert_eq!(bench.put(&target, &patient(&format!("t{round}"))).status, 201);
        let body = Content::json(flag(&format!("s{round}"), &target));
        let refers = Operation::Update { key: crate::bench::key_of(&source), body };
        let removes = Operation::Delete(crate::bench::key_of(&target));
        let (written, deleted) = race(&bench.service, refers, removes);
        assert!(matches!((written, deleted), (201, 409) | (422, 204)), "{written} {deleted}");
    }
}

/// The same, where what refers already is deleted with it.
#[test]
fn a_reference_that_comes_meanwhile_keeps_both() {
    let bench = with_patient(CHECK);
    for round in 0..100 {
        let (target, old, new) = (format!("Patient/t{round}"), format!("o{round}"), format!("n{round}"));
        assert_eq!(bench.put(&target, &patient(&format!("t{round}"))).status, 201);
        assert_eq!(bench.put(&format!("Flag/{old}"), &flag(&old, &target)).status, 201);
        let delete = |url: &str| format!(r#"{{"request":{{"method":"DELETE","url":"{url}"}}}}"#);
        let entries = [delete(&target), delete(&format!("Flag/{old}"))];
        let removes = bundle(&[&entries[0], &entries[1]]);
        let body = Content::json(flag(&new, &target));
        let refers = Operation::Update { key: crate::bench::key_of(&format!("Flag/{new}")), body };
        let (written, deleted) = race(&bench.service, refers, removes);
        assert!(matches!((written, deleted), (201, 409) | (422, 200)), "{written} {deleted}");
    }
}
