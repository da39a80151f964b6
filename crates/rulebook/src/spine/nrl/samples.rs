//! Pointers for tests.

use fhir_model::json::{Limits, Value, parse};

/// A pointer that keeps every rule.
const POINTER: &str = include_str!("../../../../../fixtures/spine/nrl-pointer.json");

pub(super) fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::default()).expect("JSON")
}

pub(super) fn pointer() -> Value {
    value(POINTER)
}

/// The pointer with another value at a place such as `author.0.reference`, or without it.
pub(super) fn edited(place: &str, replacement: &str) -> Value {
    let mut resource = pointer();
    edit(&mut resource, place, replacement);
    resource
}

pub(super) fn edit(resource: &mut Value, place: &str, replacement: &str) {
    let (first, rest) = place.split_once('.').unwrap_or((place, ""));
    if let Some(items) = resource.as_array_mut() {
        let index: usize = first.parse().expect("an index");
        match (rest, replacement) {
            ("", "") => drop(items.remove(index)),
            ("", _) => items[index] = value(replacement),
            _ => edit(&mut items[index], rest, replacement),
        }
        return;
    }
    let object = resource.as_object_mut().expect("an object");
    match (rest, replacement) {
        ("", "") => drop(object.remove(first)),
        ("", _) => drop(object.insert(first, value(replacement))),
        _ => edit(object.get_mut(first).expect("an element"), rest, replacement),
    }
}
