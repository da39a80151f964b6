//! Tokens: codes in systems.

use fhir_model::json::{Object, Value as Json};
use fhirpath::Element;
use storage_api::{Coding, Value};

use super::{Sink, each, string, system_name};

pub(super) fn values(element: &Element<'_>, system: Option<&'static str>, sink: Sink<'_>) {
    match element.value() {
        Some(Json::String(text)) => {
            let system = system.filter(|_| element.type_name() == "code");
            bare(text.as_str(), system, sink);
        }
        Some(Json::Bool(value)) => truth(*value, sink),
        Some(Json::Number(number)) => bare(number.as_str(), None, sink),
        Some(Json::Object(object)) => object_values(element, object, sink),
        Some(Json::Null | Json::Array(_)) | None => {}
    }
}

fn object_values(element: &Element<'_>, object: &Object, sink: Sink<'_>) {
    match element.type_name() {
        "CodeableConcept" => concept(object, sink),
        "CodeableReference" => {
            if let Some(found) = object.get("concept").and_then(Json::as_object) {
                concept(found, sink);
            }
        }
        // A ContactPoint has the same members: its system is a code such as `phone`.
        "Identifier" | "ContactPoint" => identifier(object, sink),
        "Extension" => {
            for (name, value) in object.iter().filter(|(name, _)| name.starts_with("value")) {
                match value {
                    Json::Object(inner) if name == "valueCodeableConcept" => concept(inner, sink),
                    Json::Object(inner) if name == "valueIdentifier" => identifier(inner, sink),
                    Json::Object(inner) => coding(inner, sink),
                    Json::String(text) => bare(text.as_str(), None, sink),
                    Json::Bool(value) => truth(*value, sink),
                    _ => {}
                }
            }
        }
        _ => coding(object, sink),
    }
}

pub(super) fn bare(code: &str, system: Option<&str>, sink: Sink<'_>) {
    sink(Value::Token(Coding { code: code.into(), system: system.map(system_name) }));
}

pub(super) fn truth(value: bool, sink: Sink<'_>) {
    bare(if value { "true" } else { "false" }, None, sink);
}

pub(super) fn concept(object: &Object, sink: Sink<'_>) {
    for item in each(object, "coding").iter().filter_map(Json::as_object) {
        coding(item, sink);
    }
}

pub(super) fn identifier(object: &Object, sink: Sink<'_>) {
    pair(string(object, "system"), string(object, "value"), sink);
}

fn coding(object: &Object, sink: Sink<'_>) {
    pair(string(object, "system"), string(object, "code"), sink);
}

/// A system without code is found by `system|`.
fn pair(system: Option<&str>, code: Option<&str>, sink: Sink<'_>) {
    if system.is_some() || code.is_some() {
        bare(code.unwrap_or_default(), system, sink);
    }
}
