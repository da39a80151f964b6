//! Outcomes of the Spine rulebook against the published code system and profile.

use fhir_model::json::Value;
use rulebook::spine::catalogue;
use rulebook::{ConflictBody, Failure, Rulebook, Success};

use crate::outcomes::{flag, issue, outcomes, text};
use crate::rows::spine;

const SYSTEM: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1";

/// Spine-ErrorOrWarningCode-1, version 1.7.0, whole: code and display.
const CONCEPTS: [(&str, &str); 45] = [
    ("NO_RECORD_FOUND", "No record found"),
    ("PATIENT_NOT_FOUND", "Patient not found"),
    ("INVALID_NHS_NUMBER", "Invalid NHS number"),
    ("INVALID_CODE_SYSTEM", "Invalid code system"),
    ("INVALID_CODE_VALUE", "Invalid code value"),
    ("INVALID_VALUE", "An input field has an invalid value for its type"),
    ("INVALID_IDENTIFIER_SYSTEM", "Invalid identifier system"),
    ("INVALID_IDENTIFIER_VALUE", "Invalid identifier value"),
    ("CONFLICTING_VALUES", "Conflicting values have been specified in different fields"),
    ("INVALID_ELEMENT", "Invalid element"),
    ("AUTHOR_CREDENTIALS_ERROR", "Author credentials error"),
    ("INVALID_PARAMETER", "Invalid parameter"),
    ("REQUEST_UNMATCHED", "Request does not match authorisation token"),
    ("MESSAGE_NOT_WELL_FORMED", "Message not well formed"),
    ("NO_PATIENT_CONSENT", "Patient has not provided consent to share data"),
    ("NO_ORGANISATIONAL_CONSENT", "Organisation has not provided consent to share data"),
    ("BAD_REQUEST", "Bad request"),
    ("INVALID_RESOURCE", "Invalid validation of resource"),
    ("ORGANISATION_NOT_FOUND", "Organisation not found"),
    ("PRACTITIONER_NOT_FOUND", "Practitioner not found"),
    ("PATIENT_SENSITIVE", "Patient sensitive"),
    ("NO_RELATIONSHIP", "No legitimate relationship exists with this patient"),
    ("FHIR_CONSTRAINT_VIOLATION", "FHIR constraint violated"),
    ("FLAG_ALREADY_SET", "Flag value was already set"),
    (
        "INVALID_REQUEST_STATE",
        "The request exists but is not in an appropriate state for the call to succeed",
    ),
    ("INVALID_REQUEST_TYPE", "The type of request is not supported by the API call"),
    ("ACCESS DENIED", "Access has been denied to process this request"),
    ("ASID_CHECK_FAILED", "The sender or receiver's ASID is not authorised for this interaction"),
    ("MISSING_OR_INVALID_HEADER", "There is a required header missing or invalid"),
    ("ACCESS_DENIED_SSL", "SSL Protocol or Cipher requirements not met"),
    ("MSG_RESOURCE_ID_FAIL", "Client is not permitted to assign an id"),
    ("DUPLICATE_REJECTED", "Create would lead to creation of a duplicate resource"),
    ("RESOURCE_CREATED", "New resource created"),
    ("RESOURCE_DELETED", "Resource removed"),
    ("RESOURCE_UPDATED", "Resource has been successfully updated"),
    ("INVALID_REQUEST_MESSAGE", "Invalid request message"),
    ("INTERNAL_SERVER_ERROR", "Unexpected internal server error"),
    ("INVALID_PATIENT_DEMOGRAPHICS", "Invalid patient demographics"),
    ("NOT_IMPLEMENTED", "Not implemented"),
    ("REFERENCE_NOT_FOUND", "Reference not found"),
    ("DEPRECATED", "Event message type has been deprecated"),
    ("NO_LONGER_SUPPORTED", "Event message type is no longer supported"),
    ("WITHDRAWN", "Event message type has been withdrawn"),
    ("UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"),
    ("PRECONDITION_FAILED", "Precondition failed"),
];

/// The codes for a version conflict, which the code system does not have.
const OUTSIDE: [(ConflictBody, &str, &str); 2] = [
    (ConflictBody::Conflict, "CONFLICT", "Conflict"),
    (
        ConflictBody::ResourceVersionMismatch,
        "RESOURCE_VERSION_MISMATCH",
        "Resource version supplied does not match actual version",
    ),
];

/// Checks an outcome against the profile: one coding per issue, out of the system that it fixes,
/// without version and userSelected; no expression; an id. An outcome whose code is outside of the
/// bound value set does not claim the profile.
#[track_caller]
fn check(what: &str, outcome: &Value, outside: (&str, &str)) {
    assert_eq!(text(outcome, "id"), "trace-1", "{what}");
    let issue = issue(outcome);
    for name in ["severity", "code", "diagnostics"] {
        assert!(!text(issue, name).is_empty(), "{what}: {name}");
    }
    assert!(issue.get("expression").is_none(), "{what}");
    let details = issue.get("details").unwrap_or_else(|| panic!("{what}: details"));
    let codings = details.get("coding").unwrap_or_else(|| panic!("{what}: coding"));
    assert!(codings.at(1).is_none(), "{what}: one coding");
    let coding = codings.at(0).expect("a coding");
    assert_eq!(text(coding, "system"), SYSTEM, "{what}");
    assert!(coding.get("version").is_none() && coding.get("userSelected").is_none(), "{what}");
    let concept = (text(coding, "code"), text(coding, "display"));
    let profile = outcome
        .get("meta")
        .and_then(|meta| meta.get("profile"))
        .and_then(|all| all.at(0))
        .and_then(Value::as_str);
    if concept == outside {
        assert_eq!((text(issue, "code"), profile), ("conflict", None), "{what}");
    } else {
        assert!(CONCEPTS.contains(&concept), "{what}: {concept:?}");
        assert_eq!(profile, Some(PROFILE), "{what}");
    }
}

#[test]
fn every_outcome_fits_the_profile() {
    for (body, code, display) in OUTSIDE {
        let all = outcomes(&spine(body));
        for (what, outcome) in &all {
            check(what, outcome, (code, display));
        }
        assert!(all.iter().any(|(_, outcome)| outcome.to_string().contains(code)), "{code} is used");
    }
}

/// The rows whose FHIR issue type the published tables fix.
#[test]
fn issue_types_are_those_of_the_published_tables() {
    let published = [
        ("NO_RECORD_FOUND", 404, "not-found"),
        ("INVALID_ELEMENT", 400, "value"),
        ("INVALID_REQUEST_MESSAGE", 400, "value"),
        ("INVALID_PARAMETER", 422, "invalid"),
        ("MSG_RESOURCE_ID_FAIL", 405, "forbidden"),
        ("MISSING_OR_INVALID_HEADER", 400, "invalid"),
        ("MESSAGE_NOT_WELL_FORMED", 400, "structure"),
        ("PRECONDITION_FAILED", 412, "structure"),
    ];
    let rulebook = spine(ConflictBody::default());
    let mut seen = std::collections::BTreeSet::new();
    for sample in crate::samples::samples() {
        let rule = rulebook.rule(&sample.failure);
        let row = published.iter().find(|(code, ..)| *code == rule.coding.code);
        // A body that is too large is an invalid message with a status of its own.
        let Some((code, status, issue)) = row.filter(|_| rule.status != 413) else { continue };
        assert_eq!((rule.status, rule.issue.code()), (*status, *issue), "{:?}", sample.failure);
        seen.insert(*code);
    }
    assert_eq!(seen.len(), published.len(), "{seen:?}");
    let internal = rulebook.refuse(&Failure::Internal, "trace-1");
    assert_eq!((internal.status, text(issue(&internal.outcome), "code")), (500, "exception"));
}

#[test]
fn successes_have_their_codes() {
    let rulebook = spine(ConflictBody::default());
    for (success, status, code, words) in [
        (Success::Created, 201, "RESOURCE_CREATED", "Successfully created resource with ID: a"),
        (Success::Updated, 200, "RESOURCE_UPDATED", "Successfully updated resource with ID: a"),
        (Success::Deleted, 200, "RESOURCE_DELETED", "Successfully removed resource with ID: a"),
    ] {
        let verdict = rulebook.accept(success, &flag(), &[], "trace-1");
        let issue = issue(&verdict.outcome);
        let coding = issue.get("details").and_then(|details| details.get("coding")).and_then(|all| all.at(0));
        assert_eq!((verdict.status, text(coding.unwrap(), "code")), (status, code));
        assert_eq!(text(issue, "diagnostics"), words);
    }
}

/// The catalogue is the code system, whole, and every row of the error table draws from it.
#[test]
fn the_catalogue_is_the_code_system() {
    let concepts: Vec<(&str, &str)> =
        catalogue::CONCEPTS.iter().map(|coding| (coding.code, coding.display.unwrap())).collect();
    assert_eq!(concepts, CONCEPTS);
    for (name, rule) in catalogue::ROWS {
        let known = CONCEPTS.iter().find(|(_, display)| Some(*display) == rule.coding.display);
        let (code, _) = known.unwrap_or_else(|| panic!("{name}"));
        // One code is printed otherwise than the code system spells it.
        assert_eq!(rule.coding.code, code.replace(' ', "_"), "{name}");
    }
}

/// The error table of Spine Core: status, severity, issue type, code.
#[test]
fn rows_are_those_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/spine/catalogue.txt");
    let text = std::fs::read_to_string(path).expect("the table");
    let listed: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let rows: Vec<String> = catalogue::ROWS
        .iter()
        .map(|(name, rule)| {
            format!(
                "{name} {} {} {} {}",
                rule.status,
                rule.severity.code(),
                rule.issue.code(),
                rule.coding.code
            )
        })
        .collect();
    assert_eq!(rows, listed);
}

/// The proxy's rows: those that an API answers for itself are as the proxy would answer them.
#[test]
fn rows_of_the_proxy_are_those_of_the_table() {
    let rows: Vec<_> = catalogue::PROXY.iter().map(|(status, issue)| (*status, issue.code())).collect();
    let table = [
        (403, "forbidden"),
        (405, "not-supported"),
        (415, "not-supported"),
        (502, "transient"),
        (504, "transient"),
    ];
    assert_eq!(rows, table);
    let rulebook = spine(ConflictBody::default());
    let text = || "x".to_owned();
    for failure in [
        Failure::MethodNotAllowed { method: text(), allow: &["GET"] },
        Failure::UnsupportedMediaType { sent: text(), offered: "y" },
        Failure::NotAcceptable { asked: text(), offered: "y" },
    ] {
        let rule = rulebook.rule(&failure);
        assert!(catalogue::PROXY.contains(&(rule.status, rule.issue)), "{failure:?}");
    }
    let refused = catalogue::rows::ASID_CHECK_FAILED;
    assert!(catalogue::PROXY.contains(&(refused.status, refused.issue)));
}
