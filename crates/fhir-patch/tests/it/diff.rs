//! Differences: applying them gives the second version, and they are short.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhir_model::{array, object};
use fhir_patch::{FhirPathPatch, JsonPatch, Limits, NotExpressibleReason, fhirpath_diff, json_diff};
use proptest::prelude::*;

use crate::edits::{Dice, Examples, edit};

fn r4() -> Definitions {
    Definitions::of(FhirVersion::R4)
}

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

/// The patch that leads from one to the other, applied.
fn there(old: &Value, new: &Value, definitions: Definitions) -> (Value, FhirPathPatch) {
    let limits = Limits::default();
    let parameters = fhirpath_diff(old, new, definitions).unwrap();
    let patch = FhirPathPatch::parse(&parameters, definitions, &limits).unwrap();
    let patched = patch.apply(old, &limits).unwrap_or_else(|refused| panic!("{refused}\n{parameters}"));
    (patched, patch)
}

/// Checks both kinds of patch, and the number of FHIRPath operations.
fn check(old: &str, new: &str, operations_max: usize) {
    let (old, new) = (read(old), read(new));
    let (patched, patch) = there(&old, &new, r4());
    assert_eq!(patched, new);
    assert!(patch.len() <= operations_max, "{}", fhirpath_diff(&old, &new, r4()).unwrap());
    let patched = json_diff(&old, &new).apply(&old, &Limits::default()).unwrap();
    assert_eq!(patched, new);
}

#[test]
fn nothing_changed() {
    let patient = r#"{"resourceType":"Patient","name":[{"given":["A"],"_given":[{"id":"x"}]}]}"#;
    check(patient, patient, 0);
    assert_eq!(
        fhirpath_diff(&read(patient), &read(patient), r4()).unwrap().to_string(),
        r#"{"resourceType":"Parameters"}"#
    );
}

#[test]
fn primitives_and_what_stands_beside_them() {
    let patient = |rest: &str| format!(r#"{{"resourceType":"Patient",{rest}}}"#);
    let extension = r#"{"extension":[{"url":"http://a.org/x","valueString":"y"}]}"#;
    let born = |extra: &str| patient(&format!(r#""birthDate":"2000","_birthDate":{extra}"#));
    check(&patient(r#""birthDate":"2000""#), &born(extension), 1);
    check(&born(extension), &patient(r#""birthDate":"2000""#), 1);
    check(&born(extension), &patient(r#""birthDate":"2001""#), 1);
    check(&born(extension), &born(r#"{"id":"a"}"#), 2);
    check(&patient(r#""gender":"male""#), &patient(&format!(r#""_gender":{extension}"#)), 1);
    check(&patient(&format!(r#""_gender":{extension}"#)), &patient(r#""gender":"male""#), 1);
    let given = |values: &str, extras: &str| {
        patient(&format!(r#""name":[{{"given":{values},"_given":{extras},"family":"F, of a longer name"}}]"#))
    };
    let longer =
        |rest: &str| patient(&format!(r#""name":[{{"given":{rest},"family":"F, of a longer name"}}]"#));
    check(&longer(r#"["a","b"]"#), &given(r#"["a","b"]"#, &format!("[null,{extension}]")), 1);
    check(&given(r#"["a","b"]"#, &format!("[null,{extension}]")), &longer(r#"["b"]"#), 2);
    check(&given(r#"["a",null]"#, &format!("[null,{extension}]")), &longer(r#"["a"]"#), 1);
}

#[test]
fn choices() {
    let observation = |rest: &str| format!(r#"{{"resourceType":"Observation","status":"final"{rest}}}"#);
    check(&observation(r#","valueString":"a""#), &observation(r#","valueQuantity":{"value":1.50}"#), 1);
    check(&observation(r#","valueString":"a""#), &observation(""), 1);
    check(&observation(""), &observation(r#","valueBoolean":false"#), 1);
    check(
        &observation(r#","valueQuantity":{"value":1}"#),
        &observation(r#","valueQuantity":{"value":1.0}"#),
        1,
    );
}

#[test]
fn values_that_parameters_cannot_carry() {
    let bundle = |resource: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"urn:a","resource":{resource}}}]}}"#
        )
    };
    check(
        &bundle(
            r#"{"resourceType":"Flag","status":"active","code":{"text":"a, of a longer text"},"text":{"status":"generated","div":"<div/>"}}"#,
        ),
        &bundle(
            r#"{"resourceType":"Flag","status":"inactive","code":{"text":"a, of a longer text"},"text":{"status":"generated","div":"<div/>"}}"#,
        ),
        1,
    );
    check(
        &bundle(r#"{"resourceType":"Flag","status":"active"}"#),
        &bundle(r#"{"resourceType":"Patient","active":true}"#),
        1,
    );
    let flag = |rest: &str| format!(r#"{{"resourceType":"Flag"{rest}}}"#);
    check(&flag(""), &flag(r#","text":{"status":"generated","div":"<div>a</div>"}"#), 1);
    check(
        &flag(""),
        &flag(
            r#","extension":[{"url":"http://a.org","extension":[{"url":"b","valueCoding":{"code":"c"}}]}]"#,
        ),
        1,
    );
    check(&flag(""), &flag(r#","contained":[{"resourceType":"Patient","id":"p"}]"#), 1);
}

#[test]
fn lists_take_one_operation_for_each_item() {
    let patient = |names: &[&str]| {
        let identifiers = names.iter().map(|name| object! { "system": "http://example.org", "value": *name });
        Value::from(object! { "resourceType": "Patient", "identifier": identifiers.collect::<Value>() })
            .to_string()
    };
    let steps = |old: &[&str], new: &[&str], max| check(&patient(old), &patient(new), max);
    steps(&["1", "2", "3", "4"], &["2", "3", "4", "1"], 1);
    steps(&["1", "2", "3", "4"], &["4", "3", "2", "1"], 3);
    steps(&["1", "2", "3", "4"], &["1", "5", "2", "3", "4"], 1);
    steps(&["1", "2", "3", "4"], &["4", "1", "3"], 2);
    steps(&["1", "1", "2"], &["2", "1", "1", "1"], 2);
    steps(&["1"], &["2"], 1);
    steps(&["1", "2"], &["3", "4", "5", "1"], 4);
}

#[test]
fn a_difference_is_never_longer_than_replacing() {
    // Every item is another one: patching their values costs more than the values.
    let list = |from: usize| {
        (from..from + 20).map(|number| object! { "code": number.to_string() }).collect::<Value>()
    };
    let coded = |from: usize| object! { "resourceType": "Basic", "code": object! { "coding": list(from) } };
    let (old, new) = (Value::from(coded(0)), Value::from(coded(100)));
    let (patched, patch) = there(&old, &new, r4());
    assert_eq!((patched, patch.len()), (new.clone(), 1));
    assert_eq!(json_diff(&old, &new).operations().len(), 1);
}

#[test]
fn differences_that_a_patch_cannot_name() {
    let flag = read(r#"{"resourceType":"Flag"}"#);
    for (other, path, reason) in [
        (r#"{"resourceType":"Patient"}"#, "Patient", NotExpressibleReason::OtherType),
        (r#"{"resourceType":"Flag","color":"red"}"#, "Flag.color", NotExpressibleReason::Unknown),
        (r#"{"resourceType":"Flag","status":["a"]}"#, "Flag.status", NotExpressibleReason::Shape),
        (r#"{"resourceType":"Flag","code":{}}"#, "Flag.code", NotExpressibleReason::Shape),
        (r#"{"resourceType":"Flag","category":[]}"#, "Flag.category", NotExpressibleReason::Shape),
        (r#"{"resourceType":"Flag","category":{"text":"a"}}"#, "Flag.category", NotExpressibleReason::Shape),
    ] {
        let fault = fhirpath_diff(&flag, &read(other), r4()).unwrap_err();
        assert_eq!((fault.path.to_string().as_str(), fault.reason), (path, reason), "{other}");
    }
    // JSON Patch can say all of them.
    let strange = read(r#"{"resourceType":"Patient","a":[[],{}],"b":null}"#);
    assert_eq!(json_diff(&flag, &strange).apply(&flag, &Limits::default()), Ok(strange));
    assert_eq!(
        json_diff(&array![1, 2].into(), &array![2, 1]).apply(&array![1, 2], &Limits::default()),
        Ok(array![2, 1])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn differences_lead_to_the_second_version(mut dice in Dice::strategy()) {
        thread_local!(static EXAMPLES: Examples = Examples::find());
        let (definitions, old) = EXAMPLES.with(|examples| examples.pick(&mut dice));
        let mut new = old.clone();
        for _ in 0..=dice.below(6) {
            edit(&mut new, definitions, &mut dice);
        }
        let (patched, patch) = there(&old, &new, definitions);
        prop_assert_eq!(&patched, &new);
        let diff = json_diff(&old, &new);
        prop_assert_eq!(diff.apply(&old, &Limits::default()).unwrap(), new.clone());
        let again = JsonPatch::parse(&diff.to_value(), &Limits::default()).unwrap();
        prop_assert_eq!(&again, &diff);
        prop_assert_eq!(patch.is_empty(), old == new);
        prop_assert_eq!(diff.operations().is_empty(), old == new);
        prop_assert!(diff.to_value().to_bytes().len() <= new.to_bytes().len() + 64);
    }

    /// Two versions that have nothing to do with each other, but for their type.
    #[test]
    fn differences_lead_to_any_version(old in generated(), new in generated()) {
        let (old, new) = (read(&old), read(&new));
        let (patched, _) = there(&old, &new, r4());
        prop_assert_eq!(patched, new.clone());
        prop_assert_eq!(json_diff(&old, &new).apply(&old, &Limits::default()).unwrap(), new);
    }
}

/// Small patients over few values, so that much is the same.
fn generated() -> impl Strategy<Value = String> {
    let id = prop_oneof![3 => Just(String::new()), 1 => "[ab]".prop_map(|id| format!(r#""id":"{id}","#))];
    let name = (id, "[ab]{1,2}", prop::collection::vec("[xy]{1,2}", 1..4))
        .prop_map(|(id, family, given)| format!(r#"{{{id}"family":"{family}","given":{given:?}}}"#));
    let names = prop::collection::vec(name, 0..6);
    let extension = prop_oneof![Just(""), Just(r#","_gender":{"id":"g"}"#)];
    let deceased =
        prop_oneof![Just(""), Just(r#","deceasedBoolean":true"#), Just(r#","deceasedDateTime":"2020""#),];
    (names, extension, deceased).prop_map(|(names, extension, deceased)| {
        let names =
            if names.is_empty() { String::new() } else { format!(r#","name":[{}]"#, names.join(",")) };
        format!(r#"{{"resourceType":"Patient","gender":"male"{extension}{deceased}{names}}}"#)
    })
}
