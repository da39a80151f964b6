//! How long it takes to put version meta into a stored body of about 1 kB, which is what answering
//! a read costs besides finding the body; beside a copy of the same bytes, which is the limit, and
//! parsing and printing, which is what it saves.
//!
//! `cargo bench -p fhir-model --bench splice`

use std::hint::black_box;
use std::time::{Duration, Instant};

use fhir_model::json::{Limits, Object, Value, parse};
use fhir_model::{StoredBody, array, object, splice};

/// Each figure is the best of this many runs.
const RUNS: usize = 20;
const REPEATS: u32 = 20_000;

fn main() {
    let stored = StoredBody::from_tree(&resource()).expect("the resource has a meta that is an object");
    let body = stored.bytes.as_slice();
    let at = fhir_model::Instant::from_micros(1_700_000_000_123_456);
    println!("a body of {} bytes", body.len());

    report("copy", || black_box(body).to_vec().len());
    report("splice", || {
        splice(black_box(body), stored.splice, "12", at).map(|body| body.len()).unwrap_or_default()
    });
    report("parse and print", || {
        parse(black_box(body), &Limits::default()).map(|tree| tree.to_bytes().len()).unwrap_or_default()
    });
    let tree = parse(body, &Limits::default()).expect("what was printed can be read");
    let tree = tree.as_object().expect("it is an object");
    report("print without version meta", || {
        StoredBody::from_tree(black_box(tree)).map(|body| body.bytes.len()).unwrap_or_default()
    });
}

fn report(what: &str, mut run: impl FnMut() -> usize) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..REPEATS {
            black_box(run());
        }
        best = best.min(start.elapsed());
    }
    println!("{what}: {} ns", best.as_nanos() / u128::from(REPEATS));
}

fn resource() -> Object {
    let coding = |code: &str, display: &str| {
        Value::from(object! { "system": "https://firelock.example/codes", "code": code, "display": display })
    };
    object! {
        "resourceType": "Flag",
        "id": "0190c2a4-7c1e-7d3a-9f60-5b1d2f3e4a5b",
        "meta": object! { "profile": array!["https://firelock.example/profile/adjustment-flag"] },
        "status": "active",
        "category": array![object! { "coding": array![coding("adjustment", "Reasonable adjustment")] }],
        "code": object! {
            "coding": array![coding("step-free", "Step-free access"), coding("time", "Needs more time")],
            "text": "Needs a room without stairs, and twice the usual time",
        },
        "subject": object! { "reference": "Patient/0190c2a4-7c1e-7d3a-9f60-000000000001", "display": "Ada" },
        "period": object! { "start": "2024-02-29T10:00:00.000Z" },
        "author": object! { "reference": "Organization/0190c2a4-7c1e-7d3a-9f60-000000000002" },
        "extension": array![object! {
            "url": "https://firelock.example/ext/detail",
            "valueCodeableConcept": object! { "coding": array![coding("carer", "A carer comes along")] },
        }],
    }
}
