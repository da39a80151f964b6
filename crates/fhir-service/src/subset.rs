//! `_summary` and `_elements`: part of a resource (FHIR search, "Summary" and "Elements").

use fhir_definitions::{Definitions, FhirVersion, Fields};
use fhir_model::json::{Object, Value};
use fhir_model::object;
use rulebook::Failure;

use crate::search_shape::malformed;

/// Which part of a resource a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subset {
    /// All of it.
    #[default]
    Whole,
    /// The elements that are marked as summary (`_summary=true`).
    Summary,
    /// The narrative, with what a resource must have (`_summary=text`).
    Text,
    /// Everything but the narrative (`_summary=data`).
    Data,
    /// These elements of the top level, with what a resource must have (`_elements`).
    Elements(Vec<String>),
}

impl Subset {
    /// Reads the values of `_summary` and `_elements`. `is_search` also takes `count`: that shows no resource.
    ///
    /// # Errors
    ///
    /// A value that is none of FHIR's, or both parameters at once.
    pub fn parse(summary: Option<&str>, elements: Option<&str>, is_search: bool) -> Result<Self, Failure> {
        match (summary, elements) {
            (None | Some("false"), None) => Ok(Self::Whole),
            (None | Some("false"), Some(elements)) => {
                let names = elements.split(',').map(str::trim).filter(|name| !name.is_empty());
                // `Patient.name` is written for `name` where several types are asked for.
                Ok(Self::Elements(
                    names.map(|name| name.rsplit('.').next().unwrap_or(name).to_owned()).collect(),
                ))
            }
            (Some("true"), None) => Ok(Self::Summary),
            (Some("text"), None) => Ok(Self::Text),
            (Some("data"), None) => Ok(Self::Data),
            (Some("count"), _) if is_search => Ok(Self::Whole),
            (Some(value), Some(_)) => Err(malformed("_summary", value, "it or _elements, not both")),
            (Some(value), None) if is_search => {
                Err(malformed("_summary", value, "true, text, data, count or false"))
            }
            (Some(value), None) => Err(malformed("_summary", value, "true, text, data or false")),
        }
    }
}

/// Cuts a resource down. What is in a Bundle is cut, not the Bundle. An outcome stays whole.
pub(crate) fn cut(resource: &mut Object, subset: &Subset, version: FhirVersion) {
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default().to_owned();
    match name.as_str() {
        _ if *subset == Subset::Whole => {}
        "OperationOutcome" => {}
        "Bundle" => {
            let entries = resource.get_mut("entry").and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten() {
                let held = entry.as_object_mut().and_then(|entry| entry.get_mut("resource"));
                if let Some(held) = held.and_then(Value::as_object_mut) {
                    cut(held, subset, version);
                }
            }
        }
        name => {
            if let Some(definition) = Definitions::of(version).resource_type(name) {
                keep(resource, subset, definition.fields());
                tag(resource, version);
            }
        }
    }
}

/// What every part has: without these it could not be told what it is a part of.
const ALWAYS: [&str; 3] = ["resourceType", "id", "meta"];

fn keep(resource: &mut Object, subset: &Subset, fields: Fields) {
    resource.retain(|name, value| {
        let plain = name.strip_prefix('_').unwrap_or(name);
        if ALWAYS.contains(&plain) {
            return true;
        }
        let Some((element, type_ref)) = fields.resolve_json_name(plain) else { return false };
        match subset {
            Subset::Whole => true,
            Subset::Data => plain != "text",
            Subset::Text => plain == "text" || element.min() > 0,
            Subset::Elements(names) => {
                element.min() > 0 || names.iter().any(|wanted| wanted == plain || *wanted == element.name())
            }
            Subset::Summary => {
                if element.is_summary() {
                    summarise(value, element.fields_as(type_ref));
                }
                element.is_summary()
            }
        }
    });
}

/// Below a summary element, those that are marked too.
fn summarise(value: &mut Value, fields: Fields) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| summarise(item, fields)),
        Value::Object(object) => object.retain(|name, value| {
            let plain = name.strip_prefix('_').unwrap_or(name);
            match fields.resolve_json_name(plain) {
                Some((element, type_ref)) if element.is_summary() => {
                    summarise(value, element.fields_as(type_ref));
                    true
                }
                // Identity within the resource is not content, and extensions are not summary.
                _ => plain == "id" || plain == "resourceType",
            }
        }),
        _ => {}
    }
}

/// Marks a part as one, so that it is never taken for the whole and stored.
fn tag(resource: &mut Object, version: FhirVersion) {
    let system = match version {
        FhirVersion::Stu3 => "http://hl7.org/fhir/v3/ObservationValue",
        FhirVersion::R4 | FhirVersion::R4b | FhirVersion::R5 => {
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
        }
    };
    let mark = Value::from(object! { "system": system, "code": "SUBSETTED" });
    if resource.get("meta").and_then(Value::as_object).is_none() {
        let place =
            resource.position("id").or(resource.position("resourceType")).map_or(0, |place| place + 1);
        resource.insert_at(place, "meta", Object::new());
    }
    let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) else { return };
    match meta.get_mut("tag").and_then(Value::as_array_mut) {
        Some(tags) => tags.push(mark),
        None => {
            meta.insert("tag", Value::Array(vec![mark]));
        }
    }
}

#[cfg(test)]
mod tests {
    use fhir_model::json::{Limits, parse};

    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"text":{"status":"generated"},"active":true,"_active":{"id":"x"},"name":[{"family":"Neal","extension":[{"url":"u"}]}],"contact":[{"gender":"male"}],"communication":[{"language":{"text":"en"}}]}"#;

    fn check(subset: &Subset, expected: &str) {
        let Value::Object(mut patient) = parse(PATIENT.as_bytes(), &Limits::default()).unwrap() else {
            panic!()
        };
        cut(&mut patient, subset, FhirVersion::R4);
        let mark = r#","tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]"#;
        assert_eq!(patient.to_string().replace(mark, ""), expected, "{subset:?}");
        assert_eq!(patient.to_string().contains(mark), *subset != Subset::Whole);
    }

    #[test]
    fn each_part_of_a_patient() {
        let head = r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}"#;
        check(&Subset::Whole, PATIENT);
        check(&Subset::Text, &format!(r#"{head},"text":{{"status":"generated"}}}}"#));
        check(&Subset::Data, &PATIENT.replace(r#""text":{"status":"generated"},"#, ""));
        check(
            &Subset::Summary,
            &format!(r#"{head},"active":true,"_active":{{"id":"x"}},"name":[{{"family":"Neal"}}]}}"#),
        );
        check(
            &Subset::Elements(vec!["contact".into()]),
            &format!(r#"{head},"contact":[{{"gender":"male"}}]}}"#),
        );
    }
}
