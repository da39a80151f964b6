//! A valid resource costs no allocation, unless it has contained resources or a narrative.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, parse};
use fhir_validate::{Settings, validate};

#[test]
fn nothing_is_allocated_for_a_valid_resource() {
    let settings = Settings::default();
    for text in [
        include_str!("valid/observation.json"),
        include_str!("valid/questionnaire.json"),
        include_str!("valid/bundle.json"),
        include_str!("valid/parameters.json"),
    ] {
        let tree = parse(text.as_bytes(), &Limits::default()).expect("it is JSON");
        for version in FhirVersion::ALL {
            let definitions = Definitions::of(version);
            let counted =
                allocation_counter::measure(|| assert!(validate(&tree, definitions, &settings).is_empty()));
            assert_eq!(counted.count_total, 0, "{version}");
        }
    }
}

/// The control: a finding is allocated, and so is the list of contained resources.
#[test]
fn the_counter_counts() {
    let settings = Settings::default();
    let tree = parse(include_bytes!("valid/patient.json"), &Limits::default()).expect("it is JSON");
    let counted =
        allocation_counter::measure(|| drop(validate(&tree, Definitions::of(FhirVersion::R4), &settings)));
    assert!(counted.count_total > 0);
}
