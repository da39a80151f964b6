//! What one evaluation costs after parsing, in nanoseconds: search expressions and invariants on a small resource.
//!
//! `cargo bench -p fhirpath --bench evaluate`

use std::hint::black_box;
use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, parse};
use fhirpath::{Dialect, Environment, Expression, Item};

/// Each figure is the best of this many runs.
const RUNS: usize = 7;
const ROUNDS: u32 = 20_000;

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"identifier":[
    {"system":"http://a","value":"1"},{"system":"http://b","value":"2"}],"active":true,"name":[
    {"use":"official","family":"Chalmers","given":["Peter","James"]},{"use":"usual","given":["Jim"]}],"telecom":[
    {"system":"phone","value":"1"},{"system":"email","value":"2"}],"gender":"male","birthDate":"1974-12-25",
    "deceasedBoolean":false,"managingOrganization":{"reference":"Organization/1"}}"#;
const OBSERVATION: &[u8] = br#"{"resourceType":"Observation","id":"a","status":"final","category":[{"coding":[
    {"system":"http://c","code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},
    "subject":{"reference":"Patient/a"},"effectiveDateTime":"2016-03-28","valueQuantity":{"value":185,"unit":"lbs",
    "system":"http://unitsofmeasure.org","code":"[lb_av]"}}"#;

/// Expressions that end at the default limits: the most that one evaluation can cost.
const HOSTILE: [&str; 6] = [
    "1.repeat($this + 1)",
    "1.repeat(@2020 + $this.toString().length() * 1 day)",
    "1.repeat(iif($this < 100000, $this + 1)).select(%resource.descendants().count())",
    "1.repeat(iif($this < 100000, $this + 1)).select(%resource.name = %resource.name)",
    "1.repeat(iif($this < 100000, $this + 1)).select('a' & 'b').select(matches($this & '+'))",
    "1.repeat(iif($this < 100000, $this + 1)).select(1 day).isDistinct()",
];

fn main() {
    let definitions = Definitions::of(FhirVersion::R4);
    for (resource, dialect, expressions) in [
        (
            PATIENT,
            Dialect::Search,
            &[
                "Patient.name.family",
                "Patient.name.given",
                "Patient.birthDate",
                "Patient.telecom.where(system='email')",
                "Patient.deceased.exists() and Patient.deceased != false",
            ][..],
        ),
        (
            OBSERVATION,
            Dialect::Search,
            &[
                "Observation.code",
                "(Observation.value as Quantity)",
                "(Observation.value as Quantity) | (Observation.value as SampledData)",
                "Observation.subject.where(resolve() is Patient)",
            ][..],
        ),
        (
            PATIENT,
            Dialect::Invariant,
            &["hasValue() or (children().count() > id.count())", "contained.contained.empty()"][..],
        ),
    ] {
        let tree = parse(resource, &Limits::default()).expect("valid JSON");
        let environment = Environment::new(definitions).with_dialect(dialect);
        for text in expressions {
            let expression = Expression::parse(text).expect("a valid expression");
            let nanos = best(|| {
                let found = expression.evaluate(Item::resource(&tree, definitions), &environment);
                found.map_or(0, |items| items.len())
            });
            println!("{nanos:>6} ns  {text}");
        }
    }
    let tree = parse(PATIENT, &Limits::default()).expect("valid JSON");
    let environment = Environment::new(definitions);
    for text in HOSTILE {
        let expression = Expression::parse(text).expect("a valid expression");
        let start = Instant::now();
        let found =
            expression.evaluate(Item::resource(&tree, definitions), &environment).map(|items| items.len());
        println!("{:>6} ms  {text}: {found:?}", start.elapsed().as_millis());
    }
    let text = "(Observation.value as Quantity) | (Observation.value as SampledData)";
    println!("{:>6} ns  parse {text}", best(|| usize::from(Expression::parse(text).is_ok())));
}

fn best(mut run: impl FnMut() -> usize) -> u128 {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(run());
        }
        best = best.min(start.elapsed());
    }
    (best / ROUNDS).as_nanos()
}
