//! Bindings and the closed lists of codes.

use fhir_definitions::{BindingDef, BindingStrength, Definitions, FhirVersion, ValueSetDef};

use crate::{element, per_version};

#[test]
fn closed_lists_are_those_of_required_bindings_but_for_the_open_ones() {
    let count = |all: Definitions| {
        let mut closed: Vec<ValueSetDef> = all.value_sets().filter(|set| set.codes().is_some()).collect();
        closed.dedup_by_key(|set| set.url());
        let codes: usize =
            closed.iter().filter_map(|set| set.codes()).map(fhir_definitions::CodeList::len).sum();
        (closed.len(), codes)
    };
    // Required are 202, 224, 234 and 260 value sets; the others are open.
    assert_eq!(per_version(count), [(202 - 1, 1480), (224 - 4, 2065), (234 - 5, 2105), (260 - 8, 2580)]);
    let open = |all: Definitions| {
        let is_open = |url: &str| all.value_set(url).is_some_and(|set| set.codes().is_none());
        ["mimetypes", "currencies", "ucum-units", "all-languages"]
            .map(|name| is_open(&format!("http://hl7.org/fhir/ValueSet/{name}")))
    };
    assert_eq!(
        per_version(open),
        [[false, false, false, false], [true, true, true, false], [true, true, true, false], [true; 4]]
    );
}

#[test]
fn genders() {
    for version in FhirVersion::ALL {
        let binding = element(version, "Patient.gender").binding().expect("it is bound");
        assert_eq!(binding.strength(), BindingStrength::Required);
        assert_eq!(binding.value_set().url(), "http://hl7.org/fhir/ValueSet/administrative-gender");
        let expected = if version == FhirVersion::Stu3 { None } else { Some(version.number()) };
        assert_eq!(binding.value_set().version(), expected);
        let codes = binding.required_codes().expect("it is closed");
        let groups: Vec<_> =
            codes.groups().map(|group| (group.system(), group.codes().collect::<Vec<_>>())).collect();
        let system = Some("http://hl7.org/fhir/administrative-gender");
        assert_eq!(groups, [(system, vec!["female", "male", "other", "unknown"])]);
        assert!(codes.contains("female") && !codes.contains("Female") && !codes.contains(""));
        assert!(codes.contains_coding("http://hl7.org/fhir/administrative-gender", "male"));
        assert!(!codes.contains_coding("http://hl7.org/fhir/gender", "male"));
        assert_eq!((codes.len(), codes.is_empty()), (4, false));
    }
}

#[test]
fn only_required_bindings_require() {
    let marital = element(FhirVersion::R4, "Patient.maritalStatus").binding().expect("it is bound");
    assert_eq!(marital.strength(), BindingStrength::Extensible);
    assert_eq!(marital.value_set().url(), "http://hl7.org/fhir/ValueSet/marital-status");
    assert!(marital.required_codes().is_none());
    let content = element(FhirVersion::Stu3, "Attachment.contentType").binding().expect("it is bound");
    assert_eq!(content.strength(), BindingStrength::Required);
    assert!(content.required_codes().is_none(), "media types are no closed list");
    assert_eq!(content.value_set().url(), "http://www.rfc-editor.org/bcp/bcp13.txt");
    assert!(element(FhirVersion::R4, "Patient.birthDate").binding().is_none());
}

#[test]
fn every_code_of_every_list_is_found_and_no_other() {
    for version in FhirVersion::ALL {
        for set in Definitions::of(version).value_sets() {
            let found = Definitions::of(version).value_set(set.url()).expect("its URL was just read");
            assert_eq!(found.url(), set.url());
            let Some(codes) = set.codes() else { continue };
            assert!(!codes.is_empty(), "{}", set.url());
            for group in codes.groups() {
                assert!(group.codes().len() > 0 && group.codes().is_sorted());
                for code in group.codes() {
                    assert!(codes.contains(code));
                    assert!(group.system().is_none_or(|system| codes.contains_coding(system, code)));
                    assert!(!codes.contains(&format!("{code}\u{0}")));
                }
            }
        }
        assert!(Definitions::of(version).value_set("http://hl7.org/fhir/ValueSet/none").is_none());
    }
}

#[test]
fn headings_that_cannot_be_chosen_are_no_codes() {
    for version in [FhirVersion::R4b, FhirVersion::R5] {
        let codes =
            element(version, "Questionnaire.item.type").binding().and_then(BindingDef::required_codes);
        let codes = codes.expect("it is closed");
        assert!(codes.contains("group") && !codes.contains("question"), "{version}");
    }
}
