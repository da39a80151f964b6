//! A rule may count as more or less than usual.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::IssueSeverity;
use fhir_model::json::{Limits, parse};
use fhir_validate::{Finding, Rule, Settings, Subsetted, validate};

fn found(text: &str, settings: &Settings) -> Vec<(IssueSeverity, Rule)> {
    let tree = parse(text.as_bytes(), &Limits::default()).expect("it is JSON");
    let findings = validate(&tree, Definitions::of(FhirVersion::Stu3), settings);
    findings.into_iter().map(|Finding { severity, rule, .. }| (severity, rule)).collect()
}

#[test]
fn a_rule_can_be_made_a_warning_and_a_warning_an_error() {
    let text =
        r#"{"resourceType":"Basic","contained":[{"resourceType":"Patient","id":"p"}],"code":{"text":" "}}"#;
    let usual =
        [(IssueSeverity::Warning, Rule::StringBlank), (IssueSeverity::Error, Rule::ContainedUnreferenced)];
    assert_eq!(found(text, &Settings::default()), usual);
    let severities =
        [(Rule::ContainedUnreferenced, IssueSeverity::Warning), (Rule::StringBlank, IssueSeverity::Error)];
    let settings = Settings { severities: severities.into(), ..Settings::default() };
    let other =
        [(IssueSeverity::Error, Rule::StringBlank), (IssueSeverity::Warning, Rule::ContainedUnreferenced)];
    assert_eq!(found(text, &settings), other);
}

#[test]
fn a_partial_copy_can_be_let_through() {
    let text = r#"{"resourceType":"Basic","meta":{"tag":[{"code":"SUBSETTED"}]},"code":{"text":"x"}}"#;
    assert_eq!(found(text, &Settings::default()), [(IssueSeverity::Error, Rule::Subsetted)]);
    let settings = Settings { subsetted: Subsetted::Accepted, ..Settings::default() };
    assert_eq!(found(text, &settings), []);
}
