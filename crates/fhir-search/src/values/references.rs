//! References: to resources of this server, or to anything else.

use fhir_model::json::Value as Json;
use fhir_model::{Reference as Written, Target};
use fhirpath::{Element, Item};
use storage_api::{Key, Reference, Value};

use super::{Sink, string};

pub(super) fn values(element: &Element<'_>, bases: &[&str], sink: Sink<'_>) {
    match element.value() {
        Some(Json::String(text)) => canonical(text.as_str(), bases, sink),
        Some(Json::Object(object)) => {
            if let (Some(kind), Some(id)) = (string(object, "resourceType"), string(object, "id")) {
                // A resource in a Bundle stands for a reference to it.
                sink(Value::Reference(Reference::Local(Key::new(kind, id))));
            } else if let Some(reference) = literal(element).and_then(|text| read(text, bases)) {
                sink(Value::Reference(reference));
            }
        }
        _ => {}
    }
}

/// The text of a Reference, a CodeableReference, or a reference in an extension.
fn literal<'a>(element: &Element<'a>) -> Option<&'a str> {
    let object = element.value()?.as_object()?;
    match object.get("reference") {
        Some(Json::String(text)) => Some(text.as_str()),
        Some(Json::Object(inner)) => string(inner, "reference"),
        _ => object.get("valueReference")?.as_object().and_then(|inner| string(inner, "reference")),
    }
}

/// A reference as it is found. One to a version is one to its resource; a contained resource is found by none.
pub(crate) fn read(text: &str, bases: &[&str]) -> Option<Reference> {
    match Written::parse(text).ok()?.target {
        Target::Contained => None,
        Target::Literal { base, resource_type, id, .. } => {
            if base.is_none_or(|base| bases.contains(&base)) {
                return Some(Reference::Local(Key::new(resource_type, id)));
            }
            let whole = text.split_once("/_history/").map_or(text, |(whole, _)| whole);
            Some(Reference::External(whole.into()))
        }
        Target::Uri(_) | Target::Uuid(_) | Target::Oid(_) | Target::Conditional { .. } => {
            Some(Reference::External(text.into()))
        }
    }
}

/// A canonical URL is found with its version and without.
fn canonical(text: &str, bases: &[&str], sink: Sink<'_>) {
    if let Some((url, _)) = text.split_once('|') {
        if let Some(reference) = read(url, bases) {
            sink(Value::Reference(reference));
        }
        sink(Value::Reference(Reference::External(text.into())));
    } else if let Some(reference) = read(text, bases) {
        sink(Value::Reference(reference));
    }
}

/// The id of the contained resource that an item refers to.
pub(crate) fn contained<'a>(item: &Item<'a>) -> Option<&'a str> {
    let element = item.as_element()?;
    let text = element.value()?.as_str().or_else(|| literal(element))?;
    text.strip_prefix('#').filter(|id| !id.is_empty())
}

/// The type that a reference states.
pub(crate) fn type_of<'a>(item: &Item<'a>) -> Option<&'a str> {
    let element = item.as_element()?;
    let stated = element.value().and_then(|value| value.get("type")).and_then(Json::as_str);
    let written = literal(element).and_then(|text| Written::parse(text).ok());
    written.and_then(|reference| reference.resource_type()).or(stated)
}

/// Whether an item is a reference that states this type.
pub(crate) fn points_to(item: &Item<'_>, resource_type: &str) -> bool {
    type_of(item) == Some(resource_type)
}
