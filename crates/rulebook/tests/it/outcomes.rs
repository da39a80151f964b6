//! Outcomes are legal in their FHIR version, and say what a person can act on.

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use rulebook::{ConflictBody, Failure, Interaction, Resource, Rulebook, Success};
use versioning_core::Refusal;

use crate::rows::{fhir, spine};
use crate::samples::samples;

const SUCCESSES: [Success; 9] = [
    Success::Shown,
    Success::NotModified,
    Success::Created,
    Success::Updated,
    Success::Restored,
    Success::Unchanged,
    Success::Matched,
    Success::Deleted,
    Success::NothingToDelete,
];

pub(crate) fn issue(outcome: &Value) -> &Value {
    assert_eq!(outcome.get("resourceType").and_then(Value::as_str), Some("OperationOutcome"));
    let issues = outcome.get("issue").expect("issue");
    assert!(issues.at(1).is_none(), "one issue: {outcome}");
    issues.at(0).expect("an issue")
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name} in {value}"))
}

pub(crate) fn flag() -> Resource {
    Resource { resource_type: "Flag".to_owned(), id: "a".to_owned() }
}

/// Every outcome that a rulebook can give: of failures, then of successes.
pub(crate) fn outcomes(rulebook: &dyn Rulebook) -> Vec<(String, Value)> {
    let failures = samples().into_iter().map(|sample| {
        let verdict = rulebook.refuse(&sample.failure, "trace-1");
        (format!("{:?}", sample.failure), verdict.outcome)
    });
    let successes = SUCCESSES.into_iter().map(|success| {
        let verdict = rulebook.accept(success, &flag(), &[], "trace-1");
        (format!("{success:?}"), verdict.outcome)
    });
    failures.chain(successes).collect()
}

/// FHIR issue types that STU3 does not have.
const NOT_IN_STU3: [&str; 4] = ["deleted", "multiple-matches", "limited-filter", "success"];

/// And those that R4 and R4B do not have.
const NOT_IN_R4: [&str; 2] = ["limited-filter", "success"];

#[test]
fn issue_types_exist_in_the_version() {
    for version in FhirVersion::ALL {
        for (what, outcome) in outcomes(&fhir(version)) {
            let code = text(issue(&outcome), "code");
            let missing: &[&str] = match version {
                FhirVersion::Stu3 => &NOT_IN_STU3,
                FhirVersion::R4 | FhirVersion::R4b => &NOT_IN_R4,
                FhirVersion::R5 => &[],
            };
            assert!(!missing.contains(&code), "{version} {what}: {code}");
        }
    }
}

#[test]
fn every_outcome_says_something() {
    for version in FhirVersion::ALL {
        for (what, outcome) in outcomes(&fhir(version)) {
            let issue = issue(&outcome);
            let coding =
                issue.get("details").and_then(|details| details.get("coding")).and_then(|all| all.at(0));
            let coding = coding.unwrap_or_else(|| panic!("{what}: {outcome}"));
            // A rule brings the row of the API that it belongs to.
            let own = text(coding, "system") == "urn:x-firelock:outcome";
            assert!(own || what.starts_with("Rule("), "{what}");
            assert!(!text(coding, "code").is_empty(), "{what}");
            let words = text(issue, "diagnostics");
            assert!(words.len() > 5 && words.ends_with('.'), "{what}: {words}");
            assert!(outcome.get("id").is_none(), "{what}");
        }
    }
}

#[test]
fn failures_are_errors_and_successes_are_not() {
    for success in SUCCESSES {
        for verdict in [
            fhir(FhirVersion::R5).accept(success, &flag(), &[], "trace"),
            spine(ConflictBody::default()).accept(success, &flag(), &[], "trace"),
        ] {
            let issue = issue(&verdict.outcome);
            assert_eq!((text(issue, "severity"), text(issue, "code")), ("information", "informational"));
            assert!(matches!(verdict.status, 200 | 201 | 304), "{success:?}: {}", verdict.status);
        }
    }
    for sample in samples() {
        let verdict = fhir(FhirVersion::R5).refuse(&sample.failure, "trace");
        assert_eq!(text(issue(&verdict.outcome), "severity"), "error");
    }
}

/// Each with its own row and place; the status is that of the first.
#[test]
fn several_entries_are_an_issue_each() {
    let entry = |index, failure| Failure::Entry {
        index,
        request: "PUT Flag/a".to_owned(),
        failure: Box::new(failure),
    };
    let both = Failure::Entries(vec![entry(1, Failure::PatchedIdentity), entry(4, Failure::EmptyBody)]);
    let verdict = fhir(FhirVersion::R4).refuse(&both, "trace");
    assert_eq!(verdict.status, 422);
    let issues = verdict.outcome.get("issue").unwrap();
    for (place, (expression, code)) in
        [("Bundle.entry[1]", "patched-identity"), ("Bundle.entry[4]", "empty-body")].iter().enumerate()
    {
        let issue = issues.at(place).unwrap();
        assert_eq!(
            issue.get("expression").and_then(|all| all.at(0)).and_then(Value::as_str),
            Some(*expression)
        );
        let coding = issue.get("details").and_then(|details| details.get("coding")).and_then(|all| all.at(0));
        assert_eq!(text(coding.unwrap(), "code"), *code);
    }
    assert!(issues.at(2).is_none());
}

/// A refusal names the version that is current and what was received.
#[test]
fn refusals_name_both_versions() {
    for sample in samples() {
        let Failure::Refused(refused) = &sample.failure else { continue };
        let words = sample.failure.to_string();
        let named = |name: &str| words.contains(name);
        let (current, received) = match refused.refusal {
            Refusal::Stale(_) | Refusal::NothingToMatch(Some(_)) | Refusal::NamedByIfNoneMatch(_) => {
                (true, true)
            }
            Refusal::IfMatchMissing(_) | Refusal::Exists(_) => (true, false),
            Refusal::NothingToMatch(None) => (false, true),
            _ => continue,
        };
        assert!(!current || named("W/\"25777f7d-27bc\""), "{words}");
        assert!(!received || named("W/\"1\""), "{words}");
        assert!(named("Flag/a") || refused.interaction == Interaction::Create, "{words}");
    }
}

/// Diagnostics quote clients; what clients send must not become a control character in a FHIR
/// string.
#[test]
fn diagnostics_hold_no_control_characters() {
    let all: String = (0..=0x9f).filter_map(char::from_u32).collect();
    for rulebook in
        [Box::new(fhir(FhirVersion::R4)) as Box<dyn Rulebook>, Box::new(spine(ConflictBody::default()))]
    {
        for failure in [
            Failure::NoRoute { path: all.clone() },
            Failure::UnknownVersion { resource: flag(), version_id: all.clone() },
            Failure::ClientAssignedId { id: all.clone() },
        ] {
            let verdict = rulebook.refuse(&failure, "trace");
            let words = text(issue(&verdict.outcome), "diagnostics").to_owned();
            assert!(!words.contains(|char: char| char.is_control()), "{words:?}");
            assert!(words.contains("0123456789"), "the rest stays: {words}");
        }
    }
}
