//! The property that fuzzing and the property tests share.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, parse};

use crate::settings::{Level, Settings};
use crate::{Finding, Rule};

/// Findings are listed up to this number in the check.
const FINDINGS_MAX: usize = 50;

/// What [`check_validate`] found to be wrong.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValidateFault {
    /// More findings than were asked for.
    TooMany(usize),
    /// A finding that says nothing.
    Mute(Rule),
    /// A place that is no place in a resource.
    Nowhere(Rule),
    /// Another answer the second time, or another one for the same tree read again.
    Unstable,
}

/// For any input and every version: validating does not panic, gives no more findings than asked for, each with a
/// sentence and, unless the input is no resource, with a place. Called by the fuzz target `validate` and by the
/// property tests; not meant for other code.
#[doc(hidden)]
pub fn check_validate(input: &[u8]) -> Result<(), ValidateFault> {
    let Ok(tree) = parse(input, &Limits::default()) else { return Ok(()) };
    let again = parse(&tree.to_bytes(), &Limits::default());
    for version in FhirVersion::ALL {
        for level in [Level::Structure, Level::Strict] {
            let settings = Settings { level, findings_max: FINDINGS_MAX, ..Settings::default() };
            let validate = |tree| crate::validate(tree, Definitions::of(version), &settings);
            let findings = validate(&tree);
            check_findings(&findings)?;
            if again.as_ref().map(validate) != Ok(findings) {
                return Err(ValidateFault::Unstable);
            }
        }
    }
    Ok(())
}

fn check_findings(findings: &[Finding]) -> Result<(), ValidateFault> {
    if findings.len() > FINDINGS_MAX + 1 {
        return Err(ValidateFault::TooMany(findings.len()));
    }
    for finding in findings {
        let Finding { rule, expression, message, .. } = finding;
        if message.is_empty() {
            return Err(ValidateFault::Mute(*rule));
        }
        let has_no_place = [Rule::NotAResource, Rule::UnknownResourceType, Rule::TooManyFindings];
        if expression.is_empty() && !has_no_place.contains(rule) {
            return Err(ValidateFault::Nowhere(*rule));
        }
    }
    Ok(())
}
