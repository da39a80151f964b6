//! Every name is found where it stands, and nothing is found anywhere else.

use std::collections::{BTreeSet, HashMap};

use fhir_definitions::{Definitions, FhirVersion, Fields, TypeDef};
use proptest::prelude::*;

/// The fields of every type and of every backbone element.
fn all_fields(all: Definitions) -> Vec<Fields> {
    fn add(fields: Fields, found: &mut Vec<Fields>) {
        found.push(fields);
        for element in fields.elements().filter(|element| element.content_reference().is_none()) {
            if let Some(children) = element.children() {
                add(children, found);
            }
        }
    }
    let mut found = Vec::new();
    for one in all.types() {
        add(one.fields(), &mut found);
    }
    found
}

/// What a scan from front to back finds.
fn scan(fields: Fields, name: &str) -> Option<(&'static str, &'static str)> {
    let found = fields.json_names().find(|(known, ..)| *known == name);
    found.map(|(_, element, type_ref)| (element.name(), type_ref.name()))
}

fn look_up(fields: Fields, name: &str) -> Option<(&'static str, &'static str)> {
    fields.resolve_json_name(name).map(|(element, type_ref)| (element.name(), type_ref.name()))
}

#[test]
fn every_name_resolves_in_its_place() {
    let mut places = 0;
    for version in FhirVersion::ALL {
        for fields in all_fields(Definitions::of(version)) {
            let positions: Vec<_> = fields.json_names().map(|(name, ..)| fields.position(name)).collect();
            assert!(
                positions.iter().all(Option::is_some) && positions.is_sorted_by(|a, b| a < b),
                "{fields:?}"
            );
            let mut seen = BTreeSet::new();
            for (name, element, type_ref) in fields.json_names() {
                assert!(seen.insert(name), "{fields:?} has {name} twice");
                assert_eq!(look_up(fields, name), Some((element.name(), type_ref.name())), "{fields:?}");
                assert!(name.starts_with(element.name()));
                assert_eq!(name == element.name(), !element.is_choice(), "{fields:?} {name}");
            }
            for element in fields.elements() {
                assert_eq!(fields.element(element.name()), Some(element), "{fields:?}");
            }
            places += seen.len();
        }
    }
    assert!(places > 30_000, "{places}");
}

#[test]
fn no_name_resolves_out_of_its_place() {
    for version in FhirVersion::ALL {
        let all = all_fields(Definitions::of(version));
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for fields in &all {
            names.extend(fields.json_names().map(|(name, ..)| name));
        }
        for fields in all.iter().step_by(7) {
            let own: HashMap<&str, &str> =
                fields.json_names().map(|(name, element, _)| (name, element.name())).collect();
            for name in &names {
                let found = fields.resolve_json_name(name).map(|(element, _)| element.name());
                assert_eq!(found, own.get(name).copied(), "{fields:?} {name}");
            }
        }
    }
}

#[test]
fn types_are_found_by_name_and_sorted() {
    for version in FhirVersion::ALL {
        let all = Definitions::of(version);
        assert!(all.types().is_sorted_by(|a, b| a.name() < b.name()), "{version}");
        for one in all.types() {
            assert_eq!(all.type_named(one.name()), Some(one));
            assert!(all.type_named(&format!("{}x", one.name())).is_none());
            assert_eq!(
                all.resource_type(one.name()).is_some(),
                fhir_definitions::is_resource_type(version, one.name())
            );
            assert_eq!(one.definitions().version(), version);
        }
    }
}

proptest! {
    /// Whatever a client sends as a name: the lookup agrees with a scan, and neither panics.
    #[test]
    fn any_text_as_a_name(text in "\\PC{0,20}|[a-z]{1,4}[A-Z][a-z]{0,8}", version in 0..4_usize, type_place in 0..150_usize) {
        let all = Definitions::of(FhirVersion::ALL[version]);
        let one = all.types().nth(type_place);
        if let Some(one) = one {
            prop_assert_eq!(look_up(one.fields(), &text), scan(one.fields(), &text));
        }
        let by_scan = all.types().find(|one| one.name() == text);
        prop_assert_eq!(all.type_named(&text).map(TypeDef::name), by_scan.map(TypeDef::name));
        prop_assert!(all.search_parameter("Patient", &text).is_none_or(|found| found.code() == text));
    }
}
