//! Expansions become the lists of codes that required bindings allow.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use super::model::Model;
use super::source::{ExpandedCode, ValueSet};

/// Value sets of required bindings that are no closed lists: another body keeps them, or a grammar does, so an
/// expansion (where the packages have one) is a snapshot or a sample.
const OPEN: [&str; 10] = [
    "http://www.rfc-editor.org/bcp/bcp13.txt",
    "http://hl7.org/fhir/ValueSet/mimetypes",
    "http://hl7.org/fhir/ValueSet/ucum-units",
    "http://hl7.org/fhir/ValueSet/currencies",
    "http://hl7.org/fhir/ValueSet/country",
    "http://hl7.org/fhir/ValueSet/timezones",
    "http://hl7.org/fhir/ValueSet/all-languages",
    "http://hl7.org/fhir/ValueSet/color-codes",
    "http://loinc.org/vs/LL379-9",
    "http://loinc.org/LL2938-0/",
];

/// Fills [`Model::codes`]: every value set of a required binding is a closed list or named in [`OPEN`].
pub(super) fn add(model: &mut Model, value_sets: &[ValueSet]) -> Result<()> {
    let expansions: BTreeMap<&str, &ValueSet> =
        value_sets.iter().filter(|set| set.expansion.is_some()).map(|set| (set.url.as_str(), set)).collect();
    let required: BTreeSet<String> = model
        .elements
        .iter()
        .filter_map(|element| element.shape.binding.as_ref())
        .filter(|binding| binding.strength == "required" && !OPEN.contains(&binding.url.as_str()))
        .map(|binding| binding.url.clone())
        .collect();
    for url in required {
        let mut codes = BTreeSet::new();
        if let Some(expansion) = expansions.get(url.as_str()).and_then(|set| set.expansion.as_ref()) {
            collect(&expansion.contains, &mut codes);
        }
        ensure!(!codes.is_empty(), "{url} is required somewhere, not known to be open, and has no expansion");
        model.codes.insert(url, codes.into_iter().collect());
    }
    Ok(())
}

/// The codes that may be chosen, at every depth of the hierarchy.
fn collect(contains: &[ExpandedCode], codes: &mut BTreeSet<(Option<String>, String)>) {
    for entry in contains {
        if let Some(code) = entry.code.as_ref().filter(|_| !entry.is_abstract) {
            codes.insert((entry.system.clone(), code.clone()));
        }
        collect(&entry.contains, codes);
    }
}
