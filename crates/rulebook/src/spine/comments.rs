//! Comments of the DSTU2 kind, which published payloads of STU3 still have.

use fhir_model::IssueType;
use fhir_model::json::{Object, Value};

use crate::Warning;
use crate::spine::catalogue::concept;

/// Drops them, with what the client should know of it if there were any.
pub(super) fn drop_from(resource: &mut Value) -> Option<Warning> {
    drop_comments(resource).then(|| Warning {
        issue: IssueType::Informational,
        coding: concept::INVALID_ELEMENT,
        diagnostics: "Members named fhir_comments are no part of STU3 and were dropped.".to_owned(),
    })
}

/// Drops members named `fhir_comments`, and what is empty without them.
fn drop_comments(value: &mut Value) -> bool {
    let mut dropped = false;
    match value {
        Value::Object(object) => object.retain(|name, value| {
            if name == "fhir_comments" {
                dropped = true;
                return false;
            }
            let below = drop_comments(value);
            dropped |= below;
            !(below && value.as_object().is_some_and(Object::is_empty))
        }),
        Value::Array(values) => {
            for value in values {
                dropped |= drop_comments(value);
            }
        }
        _ => {}
    }
    dropped
}
