//! The concrete resource types of each version, as lists made while compiling.

use crate::format::{KIND_MASK, KIND_RESOURCE, TYPE_ABSTRACT, TypeRow};
use crate::tables::{self, Tables, const_string};
use crate::{Definitions, FhirVersion};

/// The resource types of `version` that can have instances (no abstract ones), sorted.
pub const fn resource_types(version: FhirVersion) -> &'static [&'static str] {
    match version {
        FhirVersion::Stu3 => &STU3,
        FhirVersion::R4 => &R4,
        FhirVersion::R4b => &R4B,
        FhirVersion::R5 => &R5,
    }
}

/// Whether `name` is a concrete resource type of `version`; upper and lower case differ.
pub fn is_resource_type(version: FhirVersion, name: &str) -> bool {
    Definitions::of(version).resource_type(name).is_some()
}

static STU3: [&str; count(&tables::STU3)] = names(&tables::STU3);
static R4: [&str; count(&tables::R4)] = names(&tables::R4);
static R4B: [&str; count(&tables::R4B)] = names(&tables::R4B);
static R5: [&str; count(&tables::R5)] = names(&tables::R5);

const fn count(tables: &Tables) -> usize {
    let (mut index, mut count) = (0, 0);
    while index < tables.types.len() {
        count += is_concrete(&TypeRow::unpack(&tables.types[index])) as usize;
        index += 1;
    }
    count
}

const fn names<const COUNT: usize>(tables: &Tables) -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let (mut index, mut at) = (0, 0);
    while index < tables.types.len() {
        let row = TypeRow::unpack(&tables.types[index]);
        if is_concrete(&row) {
            names[at] = const_string(row.name);
            at += 1;
        }
        index += 1;
    }
    names
}

/// Whether a type is a resource that can have instances.
pub(crate) const fn is_concrete(row: &TypeRow) -> bool {
    row.kind & (KIND_MASK | TYPE_ABSTRACT) == KIND_RESOURCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_without_repeats_and_as_long_as_the_specifications_say() {
        let expected = [117, 146, 141, 158];
        for (version, count) in FhirVersion::ALL.into_iter().zip(expected) {
            let types = resource_types(version);
            assert!(types.is_sorted_by(|a, b| a < b), "{version}");
            assert_eq!(types.len(), count, "{version}");
        }
    }

    #[test]
    fn a_type_belongs_to_the_versions_that_define_it() {
        let known = |name| FhirVersion::ALL.map(|version| is_resource_type(version, name));
        assert_eq!(known("Patient"), [true; 4]);
        assert_eq!(known("ProcedureRequest"), [true, false, false, false]);
        assert_eq!(known("MedicinalProduct"), [false, true, false, false]);
        assert_eq!(known("SubscriptionTopic"), [false, false, true, true]);
        assert_eq!(known("Transport"), [false, false, false, true]);
        for never in ["patient", "Resource", "DomainResource", "CanonicalResource", "HumanName", "", "Pat"] {
            assert_eq!(known(never), [false; 4], "{never}");
        }
        for version in FhirVersion::ALL {
            assert!(resource_types(version).iter().all(|name| is_resource_type(version, name)), "{version}");
        }
    }
}
