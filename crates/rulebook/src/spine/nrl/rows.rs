//! The error table of the National Record Locator, as data, and the words that it fixes.
//!
//! From the error guidance of NRL 2.8.0. Rows that a request can trigger are shown over HTTP by
//! `fixtures/spine/nrl-rows.json`.

use fhir_model::{IssueSeverity, IssueType};

use crate::spine::catalogue::concept;
use crate::{Breach, Failure, Rule, RuleCoding};

/// The code system that the row of unsupported media types prints, which is none of today's.
const OLD_SYSTEM: &str = "https://fhir.nhs.uk/ValueSet/spine-response-code-2-0";

/// The profile of outcomes with a code of [`OLD_SYSTEM`].
pub(super) const OLD_PROFILE: &str = "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1-0";

const fn row(status: u16, issue: IssueType, coding: RuleCoding) -> Rule {
    Rule { status, severity: IssueSeverity::Error, issue, coding }
}

/// A concept in the words of this table, where they are not the code system's.
const fn displayed(coding: RuleCoding, display: &'static str) -> RuleCoding {
    RuleCoding { display: Some(display), ..coding }
}

/// No pointer, or no patient.
pub(super) const NOT_FOUND: Rule = row(404, IssueType::NotFound, concept::NO_RECORD_FOUND);
/// A header field apart from Authorization.
pub(super) const HEADER: Rule = row(400, IssueType::Invalid, concept::MISSING_OR_INVALID_HEADER);
/// A parameter, or a reference that is no URL of the expected form.
pub(super) const PARAMETER: Rule = row(400, IssueType::Invalid, concept::INVALID_PARAMETER);
/// A resource that is not as its profile wants it, or not the sender's.
pub(super) const RESOURCE: Rule = row(400, IssueType::Invalid, concept::INVALID_RESOURCE);
/// A master identifier that was used.
pub(super) const DUPLICATE: Rule = row(400, IssueType::Duplicate, concept::DUPLICATE_REJECTED);
/// A pointer that is not current.
pub(super) const INACTIVE: Rule = row(400, IssueType::Invalid, concept::BAD_REQUEST);
/// A body that cannot be read.
pub(super) const MESSAGE: Rule =
    row(400, IssueType::Value, displayed(concept::INVALID_REQUEST_MESSAGE, "Invalid Request Message"));
/// An organisation that nobody knows.
pub(super) const ORGANISATION: Rule = row(400, IssueType::NotFound, concept::ORGANISATION_NOT_FOUND);
/// A number that is no NHS number.
pub(super) const NHS_NUMBER: Rule = row(400, IssueType::Invalid, concept::INVALID_NHS_NUMBER);
/// A format that is not understood or cannot be given.
pub(super) const MEDIA_TYPE: Rule = row(
    415,
    IssueType::Invalid,
    RuleCoding { system: OLD_SYSTEM, ..displayed(concept::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type") },
);
/// An update, whose display differs from the code system's.
pub(super) const UPDATED: RuleCoding = displayed(concept::RESOURCE_UPDATED, "Resource has been updated");

/// The rows, in the order of the published table; Authorization is a row of the token's rules.
#[cfg(test)]
pub(super) const ALL: [Rule; 10] = [
    NOT_FOUND,
    HEADER,
    PARAMETER,
    RESOURCE,
    DUPLICATE,
    INACTIVE,
    MESSAGE,
    ORGANISATION,
    NHS_NUMBER,
    MEDIA_TYPE,
];

/// What the table prints for a body that cannot be read. Why it cannot stands in `details.text`.
pub(super) const MESSAGE_TEXT: &str = "Invalid Request Message";
/// What the table prints for a format that is not understood.
pub(super) const MEDIA_TYPE_TEXT: &str = "Unsupported Media Type";
/// What the table prints for a pointer that is not current.
pub(super) const INACTIVE_TEXT: &str = "DocumentReference status is not 'current'";

/// The same in 2.3.0.
pub(super) const INACTIVE_TEXT_2_3_0: &str = "DocumentReference status is not \"current\"";

/// The code system of the row of media types in 2.3.0.
const OLDER_SYSTEM: &str = "http://fhir.nhs.net/ValueSet/spine-response-code-1-0";

/// A row as the error guidance of 2.3.0 has it.
pub(super) fn of_2_3_0(rule: Rule) -> Rule {
    let shown = |display| Rule { coding: displayed(rule.coding, display), ..rule };
    match rule {
        INACTIVE => Rule { severity: IssueSeverity::Warning, ..shown("Bad Request") },
        DUPLICATE => shown("Duplicate DocumentReference"),
        ORGANISATION => shown("Organisation record not found"),
        MEDIA_TYPE => Rule { coding: RuleCoding { system: OLDER_SYSTEM, ..rule.coding }, ..rule },
        _ => rule,
    }
}

/// No token, in the words of 2.3.0.
pub(super) fn no_token_2_3_0() -> Failure {
    Breach::failure(HEADER, "Authorization HTTP Header is missing")
}

/// No pointer has this id.
pub(super) fn no_pointer(id: &str) -> Failure {
    Breach::failure(NOT_FOUND, no_pointer_text(id))
}

/// The words of [`no_pointer`]. For criteria, which begin with `?`, the identifier among them.
pub(super) fn no_pointer_text(id: &str) -> String {
    let identifier = id.strip_prefix('?').and_then(|query| {
        query.split('&').find_map(|pair| pair.strip_prefix("identifier=").or(pair.strip_prefix("_id=")))
    });
    let id = identifier.map_or_else(|| id.to_owned(), decoded);
    format!("No record found for supplied DocumentReference identifier - {id}.")
}

/// A value of a query as it was meant (WHATWG URL, "application/x-www-form-urlencoded").
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|hex| u8::from_str_radix(core::str::from_utf8(hex).ok()?, 16).ok());
        match (first, escaped) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(*byte),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Nobody has a record of this patient.
pub(super) fn no_patient(nhs_number: &str) -> Failure {
    Breach::failure(NOT_FOUND, format!("The given NHS number could not be found {nhs_number}."))
}

/// The pointer is not current.
pub(super) fn inactive() -> Failure {
    Breach::failure(INACTIVE, INACTIVE_TEXT)
}

/// The master identifier was used for this patient.
pub(super) fn duplicate(system: &str, value: &str) -> Failure {
    Breach::failure(DUPLICATE, format!("Duplicate masterIdentifier value: {value} system: {system}"))
}

/// The resource breaks a rule at this element, given without the type's name.
pub(super) fn resource(element: &str, sentence: &str) -> Failure {
    Breach::failure_at(RESOURCE, format!("DocumentReference.{element}"), sentence)
}

/// A parameter of the request breaks a rule.
pub(super) fn parameter(sentence: impl Into<String>) -> Failure {
    Breach::failure(PARAMETER, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 3.10 as it was read, apart from the code above: status, issue type, code, display.
    #[test]
    fn the_rows_are_those_of_the_published_table() {
        let expected = [
            (404, "not-found", "NO_RECORD_FOUND", "No record found"),
            (400, "invalid", "MISSING_OR_INVALID_HEADER", "There is a required header missing or invalid"),
            (400, "invalid", "INVALID_PARAMETER", "Invalid parameter"),
            (400, "invalid", "INVALID_RESOURCE", "Invalid validation of resource"),
            (400, "duplicate", "DUPLICATE_REJECTED", "Create would lead to creation of a duplicate resource"),
            (400, "invalid", "BAD_REQUEST", "Bad request"),
            (400, "value", "INVALID_REQUEST_MESSAGE", "Invalid Request Message"),
            (400, "not-found", "ORGANISATION_NOT_FOUND", "Organisation not found"),
            (400, "invalid", "INVALID_NHS_NUMBER", "Invalid NHS number"),
            (415, "invalid", "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type"),
        ];
        for (rule, (status, issue, code, display)) in ALL.iter().zip(expected) {
            assert_eq!((rule.status, rule.issue.code()), (status, issue), "{code}");
            assert_eq!((rule.coding.code, rule.coding.display), (code, Some(display)));
            assert_eq!(rule.severity, IssueSeverity::Error);
        }
    }

    #[test]
    fn the_words_are_those_of_the_published_table() {
        for (failure, sentence) in [
            (no_pointer("x-1"), "No record found for supplied DocumentReference identifier - x-1."),
            (
                no_pointer("?subject=x&identifier=urn%3Aa+b%7Curn%3Aoid%3A1%"),
                "No record found for supplied DocumentReference identifier - urn:a b|urn:oid:1%.",
            ),
            (no_pointer("?_id=x"), "No record found for supplied DocumentReference identifier - x."),
            (no_patient("9876543210"), "The given NHS number could not be found 9876543210."),
            (inactive(), "DocumentReference status is not 'current'"),
            (duplicate("s", "v"), "Duplicate masterIdentifier value: v system: s"),
        ] {
            assert_eq!(failure.to_string(), sentence);
        }
    }
}
