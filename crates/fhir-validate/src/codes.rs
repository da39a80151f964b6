//! Codes of required bindings whose value set is a closed list.

use std::fmt;

use fhir_definitions::{BindingDef, CodeList, ElementDef};
use fhir_model::json::{Object, Value};

use crate::finding::Rule;
use crate::place::Place;
use crate::report::{Quoted, Report};

/// A sentence lists the codes of sets with at most this many.
const LISTED_MAX: usize = 12;

/// Checks the value of an element of type `code`: its system is implied.
#[inline]
pub(crate) fn check_code(code: &str, element: ElementDef, place: &Place<'_>, report: &mut Report<'_>) {
    let Some(binding) = element.binding() else { return };
    let Some(codes) = binding.required_codes() else { return };
    if !codes.contains(code) {
        let message = format_args!("{} is not in the value set {}", Quoted(code), Wanted { binding, codes });
        report.add(Rule::CodeUnknown, place, message);
    }
}

/// Checks an element of type `Coding`.
pub(crate) fn check_coding(coding: &Object, element: ElementDef, place: &Place<'_>, report: &mut Report<'_>) {
    let Some(binding) = element.binding() else { return };
    let Some(codes) = binding.required_codes() else { return };
    if !is_in(coding, codes) {
        let message =
            format_args!("{} is not in the value set {}", Coding(coding), Wanted { binding, codes });
        report.add(Rule::CodeUnknown, place, message);
    }
}

/// Checks an element of type `CodeableConcept`: one of its codings must be in the set.
pub(crate) fn check_concept(
    concept: &Object,
    element: ElementDef,
    place: &Place<'_>,
    report: &mut Report<'_>,
) {
    let Some(binding) = element.binding() else { return };
    let Some(codes) = binding.required_codes() else { return };
    let codings = concept.get("coding").and_then(Value::as_array).unwrap_or_default();
    let mut objects = codings.iter().filter_map(Value::as_object);
    if objects.clone().any(|coding| is_in(coding, codes)) {
        return;
    }
    let wanted = Wanted { binding, codes };
    match objects.next() {
        Some(first) => {
            let message = format_args!("{} is not in the value set {wanted}", Coding(first));
            report.add(Rule::CodeUnknown, place, message);
        }
        // An extension says why there is no code (data-absent-reason).
        None if concept.contains("extension") => {}
        None => report.add(
            Rule::CodingMissing,
            place,
            format_args!("add a coding of the value set {wanted}; text alone will not do"),
        ),
    }
}

fn is_in(coding: &Object, codes: CodeList) -> bool {
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    let Some(code) = text("code") else { return false };
    match text("system") {
        Some(system) => codes.contains_coding(system, code),
        None => false,
    }
}

/// A coding as `system|code`.
struct Coding<'a>(&'a Object);

impl fmt::Display for Coding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.0.get(name).and_then(Value::as_str);
        match (text("system"), text("code")) {
            (Some(system), Some(code)) => write!(f, "{} of the system {}", Quoted(code), Quoted(system)),
            (None, Some(code)) => write!(f, "{}, which names no system,", Quoted(code)),
            (_, None) => f.write_str("a coding without a code"),
        }
    }
}

/// The value set, and its codes if they are few.
struct Wanted {
    binding: BindingDef,
    codes: CodeList,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.binding.value_set().url())?;
        if self.codes.len() > LISTED_MAX {
            return f.write_str(": write one of its codes");
        }
        f.write_str(": write ")?;
        let all: Vec<&str> = self.codes.groups().flat_map(fhir_definitions::CodeGroup::codes).collect();
        write!(f, "{}", crate::report::AnyOf(&all))
    }
}
