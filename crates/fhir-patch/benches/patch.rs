//! How long a patch of one change takes in each format on a resource of about 1 kB; and how long the most that the
//! default limits allow.
//!
//! `cargo bench -p fhir-patch --bench patch`

use std::hint::black_box;
use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhir_model::{object, xml};
use fhir_patch::{
    FhirPathPatch, JsonPatch, Limits, MergePatch, XmlPatch, changed_elements, fhirpath_diff, json_diff, merge,
};

/// Each figure is the best of this many runs.
const RUNS: usize = 10;
const REPEATS: u32 = 1_000;

const XML_PATCH: &[u8] = br#"<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Patient/f:contact[2]/f:gender/@value">other</replace></diff>"#;

fn main() {
    let r4 = Definitions::of(FhirVersion::R4);
    let limits = Limits::default();
    let old = patient(3, "male");
    let new = patient(3, "other");
    println!("a resource of {} bytes", old.to_bytes().len());

    let json = json_diff(&old, &new).to_value();
    report("JSON Patch: parse and apply", || {
        JsonPatch::parse(&json, &limits).is_ok_and(|patch| patch.apply(&old, &limits).is_ok())
    });
    let change: Value = object! { "gender": "other" }.into();
    report("Merge Patch: parse and apply", || {
        MergePatch::parse(change.clone()).is_ok_and(|patch| !patch.apply(&old).is_null())
    });
    let parameters = fhirpath_diff(&old, &new, r4).expect("both are of one type");
    report("FHIRPath Patch: parse and apply", || {
        FhirPathPatch::parse(&parameters, r4, &limits).is_ok_and(|patch| patch.apply(&old, &limits).is_ok())
    });
    let text = xml_of(&old, r4);
    report("XML Patch: parse and apply, XML on both sides", || {
        XmlPatch::parse(XML_PATCH, &limits).is_ok_and(|patch| patch.apply(&text, &limits).is_ok())
    });
    report("difference as JSON Patch", || !json_diff(&old, &new).operations().is_empty());
    report("difference as FHIRPath Patch", || fhirpath_diff(&old, &new, r4).is_ok());
    report("changed elements", || !changed_elements(&old, &new, r4).is_empty());
    report("merge", || merge(&old, &new, &old, r4).is_ok());
    worst_cases(r4, &limits);
    nested_cases(r4);
}

/// What a stranger can ask for within the default limits.
fn worst_cases(r4: Definitions, limits: &Limits) {
    let size = 100_000;
    let large = patient(size, "male");
    once("10 000 JSON inserts before 1 000 000 items", || {
        let insert = object! { "op": "add", "path": "/0", "value": 1 };
        let patch: Value = (0..10_000).map(|_| insert.clone()).collect();
        let patch = JsonPatch::parse(&patch, limits).expect("a patch");
        patch
            .apply(&Value::from(vec![0; 1_000_000]), limits)
            .map(|_| ())
            .map_err(|refused| refused.to_string())
    });
    let deletes = |path: &str| {
        let part = |name: &str, member: &str, value: &str| {
            let mut part = object! { "name": name };
            part.insert(member, value);
            Value::from(part)
        };
        let parts: Value =
            [part("type", "valueCode", "delete"), part("path", "valueString", path)].into_iter().collect();
        let operation = object! { "name": "operation", "part": parts };
        let operations: Value = (0..10_000).map(|_| operation.clone()).collect();
        let parameters = object! { "resourceType": "Parameters", "parameter": operations };
        FhirPathPatch::parse(&parameters.into(), r4, limits).expect("a patch")
    };
    for path in ["Patient.contact[0]", "Patient.contact.where(gender = 'x')"] {
        once(&format!("10 000 deletions of {path} among {size}"), || {
            deletes(path).apply(&large, limits).map(|_| ()).map_err(|refused| refused.to_string())
        });
    }
    once("10 000 searches of 300 000 elements by an XML Patch", || {
        let text = xml_of(&large, r4);
        let add = r#"<add sel="//f:contact[100000]">x</add>"#.repeat(10_000);
        let patch = format!(r#"<diff xmlns:f="http://hl7.org/fhir">{add}</diff>"#);
        let patch = XmlPatch::parse(patch.as_bytes(), limits).expect("a patch");
        patch.apply(&text, limits).map(|_| ()).map_err(|refused| refused.to_string())
    });
    let mut reversed = large.clone();
    if let Some(Value::Array(items)) = reversed.as_object_mut().and_then(|object| object.get_mut("contact")) {
        items.reverse();
    }
    once(&format!("difference of {size} items in reverse, as FHIRPath Patch"), || {
        fhirpath_diff(&large, &reversed, r4).map(|_| ()).map_err(|fault| fault.to_string())
    });
    once(&format!("difference of {size} items in reverse, as JSON Patch"), || {
        let _ = black_box(json_diff(&large, &reversed));
        Ok(())
    });
    once(&format!("merge with {size} items in reverse"), || {
        merge(&large, &reversed, &large, r4).map(|_| ()).map_err(|overlap| overlap.to_string())
    });
}

/// Lists in lists around 300 000 items of which every second one is another.
fn nested_cases(r4: Definitions) {
    let nested = |is_changed: bool| {
        let items = (0..300_000).map(|item| {
            let url = if is_changed && item % 2 == 0 { item + 1_000_000 } else { item };
            format!(r#"{{"url":"u{url}","valueString":"x"}}"#)
        });
        let mut text = items.collect::<Vec<_>>().join(",");
        for level in 0..45 {
            let changing = i32::from(is_changed);
            text = format!(
                r#"{{"url":"a{changing}"}},{{"url":"b{level}","extension":[{text}]}},{{"url":"c{changing}"}}"#
            );
        }
        let limits = JsonLimits { depth_max: 200, ..JsonLimits::default() };
        let text = format!(r#"{{"resourceType":"Basic","extension":[{text}]}}"#);
        parse(text.as_bytes(), &limits).expect("the resource is JSON")
    };
    let (old, new) = (nested(false), nested(true));
    once("difference of lists in lists, as FHIRPath Patch", || {
        fhirpath_diff(&old, &new, r4).map(|_| ()).map_err(|fault| fault.to_string())
    });
    once("difference of lists in lists, as JSON Patch", || {
        let _ = black_box(json_diff(&old, &new));
        Ok(())
    });
    once("changed elements of lists in lists", || {
        let _ = black_box(changed_elements(&old, &new, r4));
        Ok(())
    });
}

fn report(what: &str, mut run: impl FnMut() -> bool) {
    assert!(run(), "{what}");
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

fn once(what: &str, run: impl FnOnce() -> Result<(), String>) {
    let start = Instant::now();
    let outcome = run().map_or_else(|refused| format!("refused: {refused}"), |()| "done".to_owned());
    println!("{what}: {} ms, {outcome}", start.elapsed().as_millis());
}

fn xml_of(resource: &Value, definitions: Definitions) -> Vec<u8> {
    let mut text = Vec::new();
    let object = resource.as_object().expect("a resource is an object");
    xml::write(object, definitions, &mut text).expect("the resource is valid");
    text
}

fn patient(contacts: usize, second: &str) -> Value {
    let contact = |index: usize| {
        let gender = if index == 1 { second } else { "female" };
        object! { "name": object! { "text": format!("Somebody {index}"), "family": "Body" }, "gender": gender }
    };
    let text = br#"{"resourceType":"Patient","id":"0190c2a4-7c1e-7d3a-9f60-5b1d2f3e4a5b","meta":{"profile":["https://firelock.example/profile/patient"]},"identifier":[{"system":"https://firelock.example/number","value":"9000000009"}],"active":true,"name":[{"use":"official","family":"Lovelace","given":["Ada","Augusta"]}],"telecom":[{"system":"phone","value":"020 7946 0000","use":"home"}],"gender":"female","birthDate":"1815-12-10","address":[{"line":["12 St James's Square"],"city":"London","postalCode":"SW1Y 4JH"}]}"#;
    let mut patient = parse(text, &JsonLimits::default()).expect("the resource is JSON");
    if let Some(object) = patient.as_object_mut() {
        object.insert("contact", (0..contacts).map(contact).collect::<Value>());
    }
    patient
}
