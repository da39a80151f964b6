//! A refusal that is explained is the same refusal, and says more.

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use rulebook::{
    ChangedElement, ChangesSince, Conflict, ConflictBody, Failure, Interaction, OwnChange, Rulebook,
};
use versioning_core::{Refusal, VersionNumber, VersionScheme, VersionTag, VersionToken};

use crate::outcomes::text;
use crate::rows::{fhir, spine};
use crate::samples::refused;

const TOKEN: VersionToken = VersionToken { number: VersionNumber::FIRST, tag: VersionTag(1) };

const OWN: [(OwnChange, &str); 4] = [
    (OwnChange::Apart, "changes-apart"),
    (OwnChange::Overlaps, "changes-overlap"),
    (OwnChange::Same, "same-content"),
    (OwnChange::Unknown, "changes-since"),
];

fn conflict(since: Option<ChangesSince>) -> (Failure, Failure) {
    let plain = refused(Refusal::Stale(TOKEN), Interaction::Update);
    let Failure::Refused(refused) = plain.clone() else { panic!("a refusal") };
    (plain, Failure::Conflict(Box::new(Conflict { refused: *refused, since })))
}

fn since(own: OwnChange) -> ChangesSince {
    let element = |expression: &str, by_both| ChangedElement { expression: expression.to_owned(), by_both };
    ChangesSince {
        base: VersionScheme::Sequential.print(TOKEN),
        elements: vec![element("Flag.status", false), element("Flag.code.text", true)],
        more: 3,
        own,
    }
}

fn issues(outcome: &Value) -> &[Value] {
    outcome.get("issue").and_then(Value::as_array).expect("issues")
}

fn code(issue: &Value) -> &str {
    let coding = issue.get("details").and_then(|details| details.get("coding")).and_then(|all| all.at(0));
    text(coding.expect("a coding"), "code")
}

#[test]
fn the_refusal_stays_what_it_is() {
    for version in FhirVersion::ALL {
        for (own, summary) in OWN {
            let (plain, explained) = conflict(Some(since(own)));
            let rulebook = fhir(version);
            let (plain, explained) = (rulebook.refuse(&plain, "trace"), rulebook.refuse(&explained, "trace"));
            assert_eq!(explained.status, plain.status);
            assert_eq!(issues(&explained.outcome)[0], issues(&plain.outcome)[0]);
            let codes: Vec<&str> = issues(&explained.outcome).iter().map(code).collect();
            assert_eq!(codes, ["stale-version", summary, "changed", "changed-by-both"], "{version}");
            for issue in &issues(&explained.outcome)[1..] {
                assert_eq!((text(issue, "severity"), text(issue, "code")), ("information", "informational"));
                assert!(text(issue, "diagnostics").ends_with('.'));
            }
            let expressions: Vec<_> = issues(&explained.outcome)
                .iter()
                .filter_map(|issue| issue.get("expression")?.at(0)?.as_str())
                .collect();
            assert_eq!(expressions, ["Flag.status", "Flag.code.text"]);
        }
    }
}

#[test]
fn a_version_that_is_not_there_is_said_to_be_unknown() {
    let (_, explained) = conflict(None);
    let verdict = fhir(FhirVersion::R4).refuse(&explained, "trace");
    let codes: Vec<&str> = issues(&verdict.outcome).iter().map(code).collect();
    assert_eq!(codes, ["stale-version", "base-unknown"]);
}

/// The outcome of a conflict on Spine is published to the letter: nothing is added to it.
#[test]
fn spine_adds_nothing() {
    for (own, _) in OWN {
        let (plain, explained) = conflict(Some(since(own)));
        let rulebook = spine(ConflictBody::default());
        assert_eq!(rulebook.refuse(&explained, "trace"), rulebook.refuse(&plain, "trace"));
    }
}
