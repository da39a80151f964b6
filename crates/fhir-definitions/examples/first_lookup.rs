//! What does the first lookup of a process cost, when no page of the tables is in memory yet?
//! `cargo run --release -p fhir-definitions --example first_lookup`

use std::time::Instant;

use fhir_definitions::{Definitions, FhirVersion};

fn main() {
    for version in FhirVersion::ALL {
        let before = Instant::now();
        let patient = Definitions::of(version).type_named("Patient");
        let found = patient.and_then(|patient| patient.resolve_json_name("birthDate"));
        let first = before.elapsed();
        let before = Instant::now();
        let elements: usize = Definitions::of(version).types().map(|one| one.elements().count()).sum();
        let all = before.elapsed();
        println!("{version:>4}: first lookup {first:>9.1?}, all {elements} elements read {all:>9.1?}");
        assert!(found.is_some(), "every version has it");
    }
}
