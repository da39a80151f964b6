//! The references that pointers hold: URLs of Spine's registers of patients and organisations.

use super::rows;
use crate::spine::identifiers::{self, ORGANIZATION_URL, PATIENT_URL};
use crate::{Breach, Failure};

/// What a URL that is none of the expected form is told, with that form.
const FORM: &str = "The given resource URL does not conform to the expected format - ";

/// How a token of the form `[system]|[value]` is asked for; the spelling is the published one.
const TOKEN: &str =
    "The given parameter identifier does not confirm to the expected format - [system]|[value]";

/// The NHS number at the end of a patient's URL.
pub(super) fn patient(url: &str) -> Result<&str, Failure> {
    let wrong = || rows::parameter(format!("{FORM}{PATIENT_URL}[NHS Number]"));
    let number = url.strip_prefix(PATIENT_URL).filter(|number| !number.is_empty()).ok_or_else(wrong)?;
    if identifiers::is_nhs_number(number) {
        return Ok(number);
    }
    let sentence = format!("The NHS number does not conform to the NHS Number format: {}", shortened(number));
    Err(Breach::failure(rows::NHS_NUMBER, sentence))
}

/// The ODS code at the end of an organisation's URL. Whether anyone has it is not asked here.
pub(super) fn organisation(url: &str) -> Result<&str, Failure> {
    let wrong = || rows::parameter(format!("{FORM}{ORGANIZATION_URL}[ODS Code]"));
    url.strip_prefix(ORGANIZATION_URL).filter(|code| !code.is_empty()).ok_or_else(wrong)
}

/// The two halves of `[system]|[value]`, neither of which is empty.
pub(super) fn token(text: &str) -> Result<(&str, &str), Failure> {
    let halves = text.split_once('|').filter(|(system, value)| !system.is_empty() && !value.is_empty());
    halves.ok_or_else(|| rows::parameter(TOKEN))
}

/// A value as it stands in the criteria of a search (FHIR, search, section "Escaping").
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '\\' | '|' | ',' | '$') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// What a client sent, short enough to be quoted.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(failed: Result<&str, Failure>, code: &str, end: &str) {
        let Err(Failure::Rule(breach)) = failed else { panic!("{failed:?}") };
        assert_eq!(breach.rule.coding.code, code);
        assert!(breach.diagnostics.ends_with(end), "{}", breach.diagnostics);
    }

    #[test]
    fn a_patient_is_named_by_a_valid_number_at_one_place() {
        assert_eq!(patient(&format!("{PATIENT_URL}9876543210")), Ok("9876543210"));
        for url in [
            "",
            "9876543210",
            "Patient/9876543210",
            PATIENT_URL,
            "http://demographics.spineservices.nhs.uk/STU3/Patient/9876543210",
            "https://demographics.spineservices.nhs.uk/Patient/9876543210",
        ] {
            refused(
                patient(url),
                "INVALID_PARAMETER",
                " - https://demographics.spineservices.nhs.uk/STU3/Patient/[NHS Number]",
            );
        }
        for number in ["9876543211", "987654321", "98765432101", "987 654 3210", "9876543210/", "abc"] {
            refused(
                patient(&format!("{PATIENT_URL}{number}")),
                "INVALID_NHS_NUMBER",
                &format!("format: {number}"),
            );
        }
    }

    #[test]
    fn an_organisation_is_named_at_one_place() {
        assert_eq!(organisation(&format!("{ORGANIZATION_URL}RR8")), Ok("RR8"));
        for url in ["", "RR8", ORGANIZATION_URL, "https://directory.spineservices.nhs.uk/Organization/RR8"] {
            refused(organisation(url), "INVALID_PARAMETER", "/STU3/Organization/[ODS Code]");
        }
    }

    #[test]
    fn a_token_has_two_halves() {
        assert_eq!(token("a|b|c"), Ok(("a", "b|c")));
        for text in ["", "a", "a|", "|b", "|"] {
            assert!(token(text).is_err(), "{text}");
        }
        assert_eq!(escaped(r"a|b,c$d\e"), r"a\|b\,c\$d\\e");
    }
}
