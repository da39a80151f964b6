//! Pointers to records, for the record locator.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_model::xml;

/// A pointer that keeps every rule.
const POINTER: &str = include_str!("../../../../fixtures/spine/nrl-pointer.json");

pub(crate) fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The pointer with edits `PLACE = JSON`, such as `author.0.reference = "x"`; without the JSON the
/// place is removed.
pub(crate) fn pointer<'a>(edits: impl IntoIterator<Item = &'a str>) -> Value {
    let mut resource = value(POINTER);
    for text in edits {
        let (place, replacement) = text.split_once('=').unwrap_or_else(|| panic!("PLACE = JSON: {text}"));
        edit(&mut resource, place.trim(), replacement.trim());
    }
    resource
}

pub(crate) fn edit(resource: &mut Value, place: &str, replacement: &str) {
    let (first, rest) = place.split_once('.').unwrap_or((place, ""));
    if let Some(items) = resource.as_array_mut() {
        let index: usize = first.parse().expect("an index");
        match (rest, replacement) {
            ("", "") => drop(items.remove(index)),
            ("", _) if index == items.len() => items.push(value(replacement)),
            ("", _) => items[index] = value(replacement),
            _ => edit(&mut items[index], rest, replacement),
        }
        return;
    }
    let object = resource.as_object_mut().expect("an object");
    match (rest, replacement) {
        ("", "") => drop(object.remove(first)),
        ("", _) => drop(object.insert(first, value(replacement))),
        _ => edit(object.get_mut(first).expect(first), rest, replacement),
    }
}

pub(crate) fn json(resource: &Value) -> String {
    String::from_utf8(resource.to_bytes()).expect("UTF-8")
}

/// The same in XML; nothing for what XML cannot say.
pub(crate) fn xml(resource: &Value) -> Option<String> {
    let mut out = Vec::new();
    xml::write(resource.as_object()?, Definitions::of(FhirVersion::Stu3), &mut out).ok()?;
    String::from_utf8(out).ok()
}

/// A resource in either format.
pub(crate) fn read(bytes: &[u8]) -> Value {
    if bytes.starts_with(b"<") {
        xml::parse(bytes, Definitions::of(FhirVersion::Stu3), &Limits::default()).expect("FHIR XML")
    } else {
        value(core::str::from_utf8(bytes).expect("UTF-8"))
    }
}
