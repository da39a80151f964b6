//! What does one lookup cost? `cargo bench -p fhir-definitions`

use std::hint::black_box;

use criterion::{Criterion, criterion_main};
use fhir_definitions::{BindingDef, Definitions, ElementDef, FhirVersion, TypeDef, ValueSetDef};

fn type_named(version: FhirVersion, name: &str) -> TypeDef {
    Definitions::of(version).type_named(name).expect("the bench names types that exist")
}

fn lookups(c: &mut Criterion) {
    let r4 = Definitions::of(FhirVersion::R4);
    c.bench_function("type by name", |b| b.iter(|| black_box(r4).type_named(black_box("MedicationRequest"))));
    let patient = type_named(FhirVersion::R4, "Patient");
    let observation = type_named(FhirVersion::R4, "Observation");
    let extension = type_named(FhirVersion::R5, "Extension");
    let cases = [
        ("element of Patient", patient, "birthDate"),
        ("choice of Observation", observation, "valueCodeableConcept"),
        ("choice among 54 types of Extension", extension, "valueReference"),
        ("no element of Patient", patient, "birthday"),
    ];
    for (name, of, member) in cases {
        let fields = of.fields();
        c.bench_function(name, |b| b.iter(|| black_box(fields).resolve_json_name(black_box(member))));
    }
    let gender = patient.element("gender").and_then(ElementDef::binding).and_then(BindingDef::required_codes);
    let types = r4.value_set("http://hl7.org/fhir/ValueSet/all-types").and_then(ValueSetDef::codes);
    let (gender, types) = gender.zip(types).expect("both are closed");
    c.bench_function("code among 4", |b| b.iter(|| black_box(gender).contains(black_box("unknown"))));
    c.bench_function("code among 213", |b| b.iter(|| black_box(types).contains(black_box("Observation"))));
    c.bench_function("search parameter by code", |b| {
        b.iter(|| black_box(observation).search_parameter(black_box("value-quantity")));
    });
}

/// Every member name of R4, looked up in the place where it belongs: about what a mixed load does to the caches.
fn whole_version(c: &mut Criterion) {
    let types = Definitions::of(FhirVersion::R4).types();
    let all: Vec<_> =
        types.flat_map(|one| one.fields().json_names().map(move |(name, ..)| (one.fields(), name))).collect();
    c.bench_function(&format!("{} names of R4, each in its place", all.len()), |b| {
        b.iter(|| {
            let found =
                all.iter().filter(|(fields, name)| black_box(fields).resolve_json_name(name).is_some());
            assert_eq!(found.count(), all.len());
        });
    });
}

mod groups {
    //! In a module of its own: the macro makes a public function without documentation.
    #![allow(missing_docs)]
    criterion::criterion_group!(benches, super::lookups, super::whole_version);
}

criterion_main!(groups::benches);
