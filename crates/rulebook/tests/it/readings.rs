//! The readings that no request can show, and that each question has an answer of its own.

use rulebook::spine::catalogue::{self, concept, rows};
use rulebook::spine::readings::{AccessDenied, InternalIssue, OrganisationConsent, Readings, TokenIssue};
use rulebook::{ConflictBody, Failure, Rule, Rulebook, SpineRulebook};

fn with(question: &str, answer: &str) -> Readings {
    Readings::default().with(question, answer).unwrap_or_else(|| panic!("{question} = {answer}"))
}

#[test]
fn the_default_readings_change_no_row() {
    for (name, rule) in catalogue::ROWS {
        assert_eq!(Readings::default().rule(*rule), *rule, "{name}");
    }
}

/// Every other reading changes some row, and only what it is about.
#[test]
fn each_other_reading_changes_its_rows() {
    let conflict = {
        let spine = SpineRulebook::new(SpineRulebook::default_locks(), ConflictBody::default());
        spine.rule(&Failure::StillReferred { resource: crate::outcomes::flag(), by: Vec::new() })
    };
    let precondition = Rule { coding: concept::PRECONDITION_FAILED, ..rows::MISSING_OR_INVALID_TOKEN };
    let all: Vec<Rule> =
        catalogue::ROWS.iter().map(|(_, rule)| *rule).chain([conflict, precondition]).collect();
    let changed = |readings: Readings| -> Vec<&str> {
        all.iter().filter(|rule| readings.rule(**rule) != **rule).map(|rule| rule.coding.code).collect()
    };
    for (question, answer, codes) in [
        ("access_denied", "code-system", vec!["ACCESS_DENIED"]),
        ("organisation_consent", "pages", vec!["NO_ORGANISATIONAL_CONSENT"]),
        ("token_issue", "invalid", vec!["MISSING_OR_INVALID_HEADER"]),
        ("internal_issue", "processing", vec!["INTERNAL_SERVER_ERROR"]),
        ("conflict_issue", "forbidden", vec!["CONFLICT"]),
        ("precondition_issue", "invalid", vec!["PRECONDITION_FAILED"]),
        ("transition_issue", "invalid", vec!["INVALID_RESOURCE"]),
        ("malformed", "bad-request", vec!["MESSAGE_NOT_WELL_FORMED"]),
    ] {
        assert_eq!(changed(with(question, answer)), codes, "{question}");
    }
    assert_eq!(changed(with("coding_system", "value-set")).len(), all.len());
    let printed = changed(with("displays", "pages"));
    for (code, _) in catalogue::pages::DISPLAYS {
        assert!(printed.contains(code), "{code}");
    }
    assert_eq!(changed(with("deletion", "outcome")), [""; 0]);
    assert_eq!(changed(with("empty_search", "no-record-found")), [""; 0]);
    assert_eq!(changed(with("removal_if_match", "required")), [""; 0]);
    assert_eq!(changed(with("replacement_version", "successor")), [""; 0]);
}

/// The rows of the error table that no request triggers, as it prints them.
#[test]
fn rows_without_a_request_are_as_printed() {
    let consent = with("organisation_consent", "pages").rule(rows::NO_ORGANISATIONAL_CONSENT);
    assert_eq!((consent.status, consent.coding.code), (403, "NO_ORGANISATION_CONSENT"));
    let internal = with("internal_issue", "processing").rule(rows::INTERNAL_SERVER_ERROR);
    assert_eq!((internal.status, internal.issue.code()), (500, "processing"));
    let printed = with("displays", "pages").rule(rows::PRACTITIONER_NOT_FOUND);
    assert_eq!(printed.coding.display, Some("Practitioner record not found"));
}

#[test]
fn the_default_is_the_first_answer() {
    let Readings { access_denied, organisation_consent, token_issue, internal_issue, .. } =
        Readings::default();
    assert_eq!(access_denied, AccessDenied::Pages);
    assert_eq!(organisation_consent, OrganisationConsent::CodeSystem);
    assert_eq!(token_issue, TokenIssue::Structure);
    assert_eq!(internal_issue, InternalIssue::Exception);
}
