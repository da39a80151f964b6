//! Strings: every text in a name or an address counts.

use fhir_model::json::{Object, Value as Json};
use fhirpath::Element;
use storage_api::Value;

use super::{Sink, each};
use crate::normal::normalised;

pub(super) fn values(element: &Element<'_>, sink: Sink<'_>) {
    match element.value() {
        Some(Json::String(found)) => text(found.as_str(), sink),
        Some(Json::Number(number)) => text(number.as_str(), sink),
        Some(Json::Object(object)) => {
            let members: &[&str] = match element.type_name() {
                "HumanName" => &["text", "family", "given", "prefix", "suffix"],
                "Address" => &["text", "line", "city", "district", "state", "postalCode", "country"],
                "CodeableConcept" => {
                    for coding in each(object, "coding").iter().filter_map(Json::as_object) {
                        members_of(coding, &["display"], sink);
                    }
                    &["text"]
                }
                "Coding" | "Reference" => &["display"],
                "Identifier" | "ContactPoint" => &["value"],
                "Extension" => &["valueString", "valueMarkdown", "valueCode"],
                "Annotation" => &["text"],
                _ => &[],
            };
            members_of(object, members, sink);
        }
        Some(Json::Null | Json::Bool(_) | Json::Array(_)) | None => {}
    }
}

fn members_of(object: &Object, members: &[&str], sink: Sink<'_>) {
    for found in members.iter().flat_map(|member| each(object, member)).filter_map(Json::as_str) {
        text(found, sink);
    }
}

pub(super) fn text(found: &str, sink: Sink<'_>) {
    sink(Value::Text { normal: normalised(found), original: found.into() });
}
