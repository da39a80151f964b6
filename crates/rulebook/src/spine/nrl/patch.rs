//! The one patch that there is: a FHIRPath Patch that takes a pointer back as entered in error.

use fhir_model::json::{Object, Value};

use super::rows;
use crate::{Breach, Failure};

/// The parts of the operation: name, how its value may be typed, the value. The published body has
/// a string where the status is a code; both are read.
const PARTS: [(&str, &[&str], &str); 3] = [
    ("type", &["valueCode"], "replace"),
    ("path", &["valueString"], "DocumentReference.status"),
    ("value", &["valueString", "valueCode"], "entered-in-error"),
];

/// The patch that a body comes to: its first parameter, with the status as a code. Further
/// parameters are passed over, as published. A parameter that is not the one expected is refused by
/// the part that is wrong.
pub(super) fn read(parameters: &Value) -> Result<Value, Failure> {
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(refused("parameter"));
    }
    let first = parameters.get("parameter").and_then(|list| list.as_array()?.first());
    let operation = first.ok_or_else(|| refused("parameter"))?;
    if operation.get("name").and_then(Value::as_str) != Some("operation") {
        return Err(refused("parameter.name"));
    }
    let parts = operation.get("part").and_then(Value::as_array).unwrap_or_default();
    for (name, types, expected) in PARTS {
        let mut named = parts.iter().filter(|part| part.get("name").and_then(Value::as_str) == Some(name));
        let value =
            |part: &Value| types.iter().any(|of| part.get(of).and_then(Value::as_str) == Some(expected));
        let is_right = named.next().is_some_and(value) && named.next().is_none();
        if !is_right {
            return Err(refused(&format!("parameter.part.{name}")));
        }
    }
    if parts.len() != PARTS.len() {
        return Err(refused("parameter.part"));
    }
    Ok(canonical())
}

fn refused(place: &str) -> Failure {
    Breach::failure(rows::RESOURCE, format!("Resource is invalid : {place}"))
}

/// The patch as the FHIRPath Patch of the standard wants it.
fn canonical() -> Value {
    let part = |name: &str, of: &str, value: &str| {
        let mut part = Object::new();
        part.insert("name", Value::from(name));
        part.insert(of, Value::from(value));
        Value::Object(part)
    };
    let parts = vec![
        part("type", "valueCode", "replace"),
        part("path", "valueString", "DocumentReference.status"),
        part("value", "valueCode", "entered-in-error"),
    ];
    let mut operation = Object::new();
    operation.insert("name", Value::from("operation"));
    operation.insert("part", Value::Array(parts));
    let mut parameters = Object::new();
    parameters.insert("resourceType", Value::from("Parameters"));
    parameters.insert("parameter", Value::Array(vec![Value::Object(operation)]));
    Value::Object(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::nrl::samples::{edit, value};

    const PATCH: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
        {"name":"type","valueCode":"replace"},
        {"name":"path","valueString":"DocumentReference.status"},
        {"name":"value","valueString":"entered-in-error"}]}]}"#;

    #[test]
    fn the_published_body_is_read_in_any_order_and_the_rest_is_passed_over() {
        let patch = value(PATCH);
        assert_eq!(read(&patch), Ok(canonical()));
        let mut turned = patch.clone();
        edit(&mut turned, "parameter.0.part.0", r#"{"name":"value","valueCode":"entered-in-error"}"#);
        edit(&mut turned, "parameter.0.part.2", r#"{"name":"type","valueCode":"replace"}"#);
        assert_eq!(read(&turned), Ok(canonical()));
        let mut more = patch;
        let Some(list) = more.as_object_mut().and_then(|it| it.get_mut("parameter")?.as_array_mut()) else {
            panic!("a list")
        };
        list.push(value(r#"{"name":"operation","part":[{"name":"type","valueCode":"delete"}]}"#));
        assert_eq!(read(&more), Ok(canonical()));
    }

    /// Every part left out, typed otherwise, with another value, and doubled.
    #[test]
    fn the_refusal_names_the_part_that_is_wrong() {
        let rows = [
            ("resourceType", r#""Bundle""#, "parameter"),
            ("parameter", "", "parameter"),
            ("parameter", "[]", "parameter"),
            ("parameter.0.name", "", "parameter.name"),
            ("parameter.0.name", r#""Operation""#, "parameter.name"),
            ("parameter.0.part", "", "parameter.part.type"),
            ("parameter.0.part.0", "", "parameter.part.type"),
            ("parameter.0.part.0", r#"{"name":"type","valueString":"replace"}"#, "parameter.part.type"),
            ("parameter.0.part.0.valueCode", r#""replaces""#, "parameter.part.type"),
            ("parameter.0.part.0.valueCode", r#""add""#, "parameter.part.type"),
            ("parameter.0.part.1", "", "parameter.part.path"),
            (
                "parameter.0.part.1",
                r#"{"name":"path","valueCode":"DocumentReference.status"}"#,
                "parameter.part.path",
            ),
            ("parameter.0.part.1.valueString", r#""DocumentReference.type""#, "parameter.part.path"),
            ("parameter.0.part.2", "", "parameter.part.value"),
            ("parameter.0.part.2.valueString", r#""superseded""#, "parameter.part.value"),
            ("parameter.0.part.2.valueString", r#""current""#, "parameter.part.value"),
            (
                "parameter.0.part.2",
                r#"{"name":"value","valueUri":"entered-in-error"}"#,
                "parameter.part.value",
            ),
            ("parameter.0.part.1", r#"{"name":"type","valueCode":"replace"}"#, "parameter.part.type"),
            (
                "parameter.0.part",
                r#"[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"DocumentReference.status"},{"name":"value","valueString":"entered-in-error"},{"name":"index","valueInteger":1}]"#,
                "parameter.part",
            ),
        ];
        for (place, replacement, expected) in rows {
            let mut patch = value(PATCH);
            edit(&mut patch, place, replacement);
            let Err(Failure::Rule(breach)) = read(&patch) else { panic!("{place} {replacement} is read") };
            assert_eq!(breach.rule, rows::RESOURCE);
            assert_eq!(
                breach.diagnostics,
                format!("Resource is invalid : {expected}"),
                "{place} {replacement}"
            );
        }
    }
}
