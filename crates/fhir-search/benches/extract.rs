//! What do the terms of a typical Observation cost? They are made for every write, before the writer.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits, parse};
use fhir_search::Extractor;

const OBSERVATION: &[u8] = br#"{"resourceType":"Observation","id":"w","status":"final","category":[{"coding":[
{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"coding":[
{"system":"http://loinc.org","code":"29463-7"},{"system":"http://snomed.info/sct","code":"27113001"}]},
"subject":{"reference":"Patient/7f1b9d5c-3a04-4b63-93a2-1a0b6ee4d7d1"},
"encounter":{"reference":"Encounter/6a2f0a51-52f4-44d5-b7a5-0c0c2a9f1b11"},
"effectiveDateTime":"2016-03-28T10:12:00+01:00","issued":"2016-03-28T10:12:00.000+01:00",
"performer":[{"reference":"Practitioner/p1"}],
"valueQuantity":{"value":185.0,"unit":"lbs","system":"http://unitsofmeasure.org","code":"[lb_av]"}}"#;

fn extract(criterion: &mut Criterion) {
    let tree = parse(OBSERVATION, &Limits::default()).expect("the example is JSON");
    let extractor = Extractor::of(FhirVersion::R4);
    let count = extractor.terms(&tree, &[]).expect("the example has terms").len();
    criterion.bench_function(&format!("{count} terms of an Observation"), |bench| {
        bench.iter(|| extractor.terms(black_box(&tree), &[]));
    });
    criterion.bench_function("parse the same Observation", |bench| {
        bench.iter(|| parse(black_box(OBSERVATION), &Limits::default()));
    });
}

criterion_group!(benches, extract);
criterion_main!(benches);
