//! Search parameters and compartments.

use std::fs;
use std::path::Path;

use fhir_definitions::{
    ComponentDef, Definitions, FhirVersion, SearchParameterDef, SearchType, TypeDef, resource_types,
};

use crate::{per_version, type_named};

fn parameter(version: FhirVersion, resource_type: &str, code: &str) -> SearchParameterDef {
    Definitions::of(version)
        .search_parameter(resource_type, code)
        .unwrap_or_else(|| panic!("{version} {resource_type} has no {code}"))
}

fn codes(all: Definitions, resource_type: &str) -> Vec<&'static str> {
    all.search_parameters(resource_type).map(SearchParameterDef::code).collect()
}

#[test]
fn counts() {
    let own = |all: Definitions| {
        let general = codes(all, "DomainResource");
        let own_of = |name: &&str| codes(all, name).iter().filter(|code| !general.contains(code)).count();
        resource_types(all.version()).iter().map(own_of).sum::<usize>()
    };
    assert_eq!(per_version(own), [1360, 1706, 1740, 1966]);
    assert_eq!(
        per_version(|all| codes(all, "Resource").join(" ")),
        [
            "_content _id _lastUpdated _profile _query _security _tag",
            "_content _filter _id _lastUpdated _profile _query _security _source _tag",
            "_content _filter _has _id _lastUpdated _list _profile _query _security _source _tag _text _type",
            "_content _filter _has _id _in _language _lastUpdated _list _profile _query _security _source _tag _text _type",
        ]
    );
    assert_eq!(per_version(|all| codes(all, "DomainResource").len()), [8, 10, 13, 15]);
    assert_eq!(per_version(|all| codes(all, "Patient").len()), [25 + 8, 24 + 10, 24 + 13, 23 + 15]);
    assert_eq!(per_version(|all| codes(all, "HumanName").len()), [0; 4]);
    assert_eq!(per_version(|all| codes(all, "Unicorn").len()), [0; 4]);
}

#[test]
fn every_parameter_is_found_by_its_code() {
    for version in FhirVersion::ALL {
        for name in resource_types(version) {
            let all: Vec<_> = type_named(version, name).search_parameters().collect();
            assert!(all.is_sorted_by(|a, b| a.code() < b.code()), "{version} {name}");
            for found in all {
                assert_eq!(parameter(version, name, found.code()).url(), found.url());
                assert!(found.url().starts_with("http://hl7.org/fhir/SearchParameter/"), "{}", found.url());
            }
            assert!(Definitions::of(version).search_parameter(name, "no-such").is_none());
        }
    }
}

#[test]
fn expressions_are_reduced_to_the_type_and_name_no_other() {
    let expression = |version, name, code| parameter(version, name, code).expression();
    assert_eq!(expression(FhirVersion::R4, "Patient", "birthdate"), Some("Patient.birthDate"));
    assert_eq!(expression(FhirVersion::R4, "Person", "birthdate"), Some("Person.birthDate"));
    assert_eq!(
        expression(FhirVersion::R4, "Condition", "code"),
        Some("Condition.code"),
        "clinical-code has an alternative for each of fourteen types"
    );
    assert_eq!(
        expression(FhirVersion::R4, "AllergyIntolerance", "code"),
        Some("AllergyIntolerance.code | AllergyIntolerance.reaction.substance")
    );
    assert_eq!(
        expression(FhirVersion::R4, "MedicationRequest", "code"),
        Some("(MedicationRequest.medication as CodeableConcept)")
    );
    assert_eq!(expression(FhirVersion::R4, "InsurancePlan", "name"), Some("name | alias"));
    assert_eq!(
        expression(FhirVersion::R5, "Appointment", "date"),
        Some("(start | requestedPeriod.start).first()")
    );
    assert_eq!(expression(FhirVersion::R5, "Flag", "date"), Some("Flag.period"));
    assert!(
        Definitions::of(FhirVersion::R5).search_parameter("CareTeam", "date").is_none(),
        "no alternative for it"
    );
    assert_eq!(expression(FhirVersion::R4, "Flag", "_lastUpdated"), Some("Resource.meta.lastUpdated"));
    assert_eq!(expression(FhirVersion::R4, "Flag", "_text"), None);
    for version in FhirVersion::ALL {
        for name in resource_types(version) {
            let ancestors: Vec<&str> = type_named(version, name).lineage().map(TypeDef::name).collect();
            for found in type_named(version, name).search_parameters() {
                let heads = found.expression().unwrap_or_default().split(" | ");
                let heads = heads
                    .map(|part| part.trim_start_matches('(').split(['.', ' ']).next().unwrap_or_default());
                for head in heads.filter(|head| resource_types(version).binary_search(head).is_ok()) {
                    assert!(ancestors.contains(&head), "{version} {name} {}: {head}", found.code());
                }
            }
        }
    }
}

#[test]
fn types_targets_and_comparators() {
    let types = per_version(|all| {
        let mut counts = [0; 9];
        for name in resource_types(all.version()) {
            for found in all.search_parameters(name).filter(|found| !found.code().starts_with('_')) {
                counts[found.search_type() as usize] += 1;
            }
        }
        counts
    });
    let expected = [
        [8, 126, 172, 520, 466, 12, 10, 46, 0],
        [6, 139, 204, 670, 519, 72, 40, 55, 1],
        [6, 136, 203, 698, 526, 72, 40, 58, 1],
        [4, 150, 214, 810, 595, 84, 43, 63, 3],
    ];
    assert_eq!(types, expected, "number, date, string, token, reference, composite, quantity, uri, special");
    let subject = parameter(FhirVersion::R4, "Flag", "patient");
    assert_eq!(subject.search_type(), SearchType::Reference);
    assert_eq!(subject.targets().map(TypeDef::name).collect::<Vec<_>>(), ["Group", "Patient"]);
    let date = parameter(FhirVersion::R4, "Flag", "date");
    assert_eq!(date.search_type().code(), "date");
    assert_eq!(
        date.comparators().collect::<Vec<_>>(),
        ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
    );
    assert_eq!(subject.comparators().count(), 0);
    assert_eq!(
        (
            subject.multiple_or(),
            parameter(FhirVersion::R4, "Observation", "code-value-quantity").multiple_or()
        ),
        (None, Some(false))
    );
    assert_eq!(parameter(FhirVersion::R4b, "Flag", "_filter").search_type(), SearchType::Special);
}

#[test]
fn composites_have_typed_components() {
    let parts = |version, name, code| -> Vec<(Option<&str>, SearchType, &str)> {
        let parts = parameter(version, name, code).components();
        parts.map(|part| (part.code(), part.search_type(), part.expression())).collect()
    };
    assert_eq!(
        parts(FhirVersion::R4, "Observation", "code-value-quantity"),
        [
            (Some("code"), SearchType::Token, "code"),
            (Some("value-quantity"), SearchType::Quantity, "value.as(Quantity)")
        ]
    );
    // STU3 names http://hl7.org/fhir/SearchParameter/Observation-code, which is published as clinical-code.
    assert_eq!(parts(FhirVersion::Stu3, "Observation", "code-value-date")[0].0, Some("code"));
    // R5 names parameters that do not exist; the elements show the types.
    assert_eq!(
        parts(FhirVersion::R5, "ResearchStudy", "progress-status-state-period-actual"),
        [
            (None, SearchType::Token, "state"),
            (None, SearchType::Date, "period"),
            (None, SearchType::Token, "actual")
        ]
    );
    assert_eq!(parts(FhirVersion::R5, "Encounter", "location-period")[1].1, SearchType::Date);
    for version in FhirVersion::ALL {
        for name in resource_types(version) {
            for found in type_named(version, name).search_parameters() {
                let is_composite = found.search_type() == SearchType::Composite;
                assert_eq!(is_composite, found.components().len() > 1, "{version} {name} {}", found.code());
                let is_simple = |part: ComponentDef| part.search_type() != SearchType::Composite;
                assert!(found.components().all(is_simple), "{version} {name} {}", found.code());
            }
        }
    }
}

#[test]
fn compartments() {
    let counts = per_version(|all| {
        let all = all.compartments();
        all.map(|one| (one.type_def().name(), one.members().len())).collect::<Vec<_>>()
    });
    let expected = |numbers: [usize; 5]| -> Vec<(&str, usize)> {
        ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"].into_iter().zip(numbers).collect()
    };
    let numbers = [[33, 21, 64, 62, 32], [32, 25, 66, 59, 32], [32, 25, 66, 59, 32], [30, 26, 73, 57, 30]];
    assert_eq!(counts, numbers.map(expected));
    let patient = Definitions::of(FhirVersion::R4).compartment("Patient").expect("every version has it");
    assert_eq!(patient.url(), "http://hl7.org/fhir/CompartmentDefinition/patient");
    let by = |name| patient.parameters(type_named(FhirVersion::R4, name)).collect::<Vec<_>>();
    assert_eq!(by("Observation"), ["subject", "performer"]);
    assert_eq!(by("Patient"), ["link"]);
    assert_eq!(by("Medication"), [""; 0]);
    assert!(Definitions::of(FhirVersion::R4).compartment("Flag").is_none());
}

#[test]
fn compartments_name_parameters_that_exist() {
    let mut unknown = Vec::new();
    for version in FhirVersion::ALL {
        for compartment in Definitions::of(version).compartments() {
            for (member, parameters) in compartment.members() {
                let missing = parameters.filter(|code| member.search_parameter(code).is_none());
                unknown.extend(missing.map(|code| (version, member.name(), code)));
            }
        }
    }
    let expected = [
        (FhirVersion::Stu3, "AuditEvent", "agent.patient"),
        (FhirVersion::Stu3, "AuditEvent", "entity.patient"),
        (FhirVersion::Stu3, "Provenance", "target.subject"),
        (FhirVersion::Stu3, "Provenance", "target.patient"),
    ];
    assert_eq!(unknown, expected, "only the chains of STU3");
}

/// What another implementation extracted from the official examples, where those files are at hand: every parameter
/// that it found a value for is in the tables, under the same code and the same definition.
#[test]
fn parameters_with_golden_values_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/search-golden");
    for (version, file) in [(FhirVersion::Stu3, "stu3.ndjson"), (FhirVersion::R4, "r4.ndjson")] {
        let Ok(lines) = fs::read_to_string(folder.join(file)) else {
            println!("SKIPPED: {} is not there", folder.join(file).display());
            continue;
        };
        for line in lines.lines() {
            let golden: serde_json::Value = serde_json::from_str(line).expect("the file is NDJSON");
            let text = |key: &str| golden[key].as_str().unwrap_or_default().to_owned();
            if text("sp").starts_with("example") {
                continue;
            }
            let found = parameter(version, &text("type"), &text("code"));
            assert_eq!(found.url().rsplit('/').next(), Some(&*text("sp")), "{version}");
            assert!(found.expression().is_some());
        }
    }
}
