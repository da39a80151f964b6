//! Which expressions can give anything for a resource: those that begin with a member it has.
//!
//! Most resources have a third of the members that their parameters ask for. An expression is evaluated only where
//! one of its first steps finds something.

use fhir_definitions::{Fields, TypeDef};

/// When an expression is worth evaluating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Always: it may give something for a resource without the members it names, or it is not understood here.
    Open,
    /// When the resource has a member of one of these JSON names, with or without a leading `_`.
    Members(Vec<&'static str>),
}

impl Gate {
    /// The gate of an expression of `owner`. Where in doubt it is open.
    pub(crate) fn of(expression: &str, owner: TypeDef) -> Self {
        let mut members = Vec::new();
        for alternative in alternatives(expression) {
            let Some(member) = first_member(alternative, owner) else { return Self::Open };
            json_names(owner.fields(), member, &mut members);
        }
        members.sort_unstable();
        members.dedup();
        Self::Members(members)
    }
}

/// The parts between `|` outside of parentheses and quotes.
pub(crate) fn alternatives(expression: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_u32, false);
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => {
                parts.push(&expression[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

/// `subject` of `Observation.subject.where(…)`, also in parentheses. None for an alternative that can give something
/// for an absent element: a comparison, `exists()`, `is`.
fn first_member(alternative: &str, owner: TypeDef) -> Option<&str> {
    let path = alternative.trim().trim_start_matches('(');
    let (first, rest) = path.split_once('.')?;
    if !owner.lineage().any(|base| base.name() == first) {
        return None;
    }
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (member, steps) = rest.split_at(end);
    let is_function = steps.starts_with('(') && member != "extension";
    (!member.is_empty() && !is_function && !gives_truth(steps)).then_some(member)
}

/// Functions that give something for nothing.
const TRUTHS: [&str; 7] = ["exists", "is", "empty", "not", "count", "all", "iif"];

/// Whether steps outside of criteria turn an absent element into `true` or `false`.
fn gives_truth(steps: &str) -> bool {
    let mut outside = String::new();
    let (mut depth, mut quoted) = (0_u32, false);
    for letter in steps.chars() {
        match letter {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(letter),
            _ => {}
        }
    }
    let harmless = [".where", ".as", ".ofType", ".first", ".extension", "[0]", " as "];
    let plain = harmless.iter().fold(outside, |text, step| text.replace(step, "."));
    !plain.chars().all(|letter| letter.is_ascii_alphanumeric() || ". \n\r\t".contains(letter))
        || plain.split_ascii_whitespace().any(|word| word == "and" || word == "is" || word == "or")
        || plain.split('.').any(|step| TRUTHS.contains(&step.trim()))
}

fn json_names(fields: Fields, member: &str, names: &mut Vec<&'static str>) {
    if let Some(element) = fields.element(member) {
        let own = fields.json_names().filter(|(_, found, _)| *found == element);
        names.extend(own.map(|(name, _, _)| name));
    } else {
        names.extend(fields.json_names().map(|(name, _, _)| name).filter(|name| *name == member));
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::{Definitions, FhirVersion};

    use super::*;

    fn check(owner: &str, expression: &str, expected: Option<&[&'static str]>) {
        let owner = Definitions::of(FhirVersion::R4).type_named(owner).unwrap();
        let expected = expected.map_or(Gate::Open, |names| Gate::Members(names.to_vec()));
        assert_eq!(Gate::of(expression, owner), expected, "{expression}");
    }

    #[test]
    fn paths_are_gated_by_their_first_member() {
        check("Patient", "Patient.name.family", Some(&["name"]));
        check("Patient", "Resource.meta.tag", Some(&["meta"]));
        check("Observation", "Observation.subject.where(resolve() is Patient)", Some(&["subject"]));
        check("Patient", "Patient.telecom.where(system='email')", Some(&["telecom"]));
        check("Bundle", "Bundle.entry[0].resource", Some(&["entry"]));
        check("Account", "Account.owner | Account.name", Some(&["name", "owner"]));
        check(
            "RiskAssessment",
            "(RiskAssessment.occurrence as dateTime)",
            Some(&["occurrenceDateTime", "occurrencePeriod"]),
        );
        check("Observation", "Observation.extension('a|b').value", Some(&["extension"]));
    }

    #[test]
    fn truths_and_unknown_forms_are_always_evaluated() {
        check("Patient", "Patient.deceased.exists() and Patient.deceased != false", None);
        check("Patient", "Patient.deceased.exists()", None);
        check("Condition", "Condition.abatement.is(dateTime)", None);
        check("Observation", "Observation", None);
        check("Patient", "Patient.where(active).name", None);
        check("Patient", "Group.name", None);
        check("Patient", "%resource.name", None);
        check("Patient", "Patient.name.empty().not()", None);
    }
}
