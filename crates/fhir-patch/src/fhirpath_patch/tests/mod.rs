//! What the public suite does not ask: types, places, messages, limits.

mod faults;
mod paths;
mod values;

use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits as JsonLimits, parse};

use super::*;

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn r4() -> Definitions {
    Definitions::of(FhirVersion::R4)
}

/// An operation from its type, its path and the JSON of its further parts.
fn operation(kind: &str, path: &str, rest: &str) -> String {
    let path = Value::from(path);
    let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
    format!(
        r#"{{"name":"operation","part":[{{"name":"type","valueCode":"{kind}"}},{{"name":"path","valueString":{path}}}{rest}]}}"#
    )
}

fn parameters(operations: &[String]) -> Value {
    read(&format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, operations.join(",")))
}

fn apply_within(
    resource: &str,
    operations: &[String],
    limits: &Limits,
) -> Result<String, NotApplicable<FhirPathPatchRefusal>> {
    let patch = FhirPathPatch::parse(&parameters(operations), r4(), limits).unwrap();
    patch.apply(&read(resource), limits).map(|patched| patched.to_string())
}

fn apply(resource: &str, operations: &[String]) -> Result<String, FhirPathPatchRefusal> {
    apply_within(resource, operations, &Limits::default()).map_err(|refused| refused.refusal)
}

fn add(path: &str, name: &str, value: &str) -> String {
    operation("add", path, &format!(r#"{{"name":"name","valueString":"{name}"}},{{"name":"value",{value}}}"#))
}

fn replace(path: &str, value: &str) -> String {
    operation("replace", path, &format!(r#"{{"name":"value",{value}}}"#))
}

fn insert(path: &str, index: i64, value: &str) -> String {
    operation(
        "insert",
        path,
        &format!(r#"{{"name":"index","valueInteger":{index}}},{{"name":"value",{value}}}"#),
    )
}

fn delete(path: &str) -> String {
    operation("delete", path, "")
}

fn relocate(path: &str, source: i64, destination: i64) -> String {
    let rest = format!(
        r#"{{"name":"source","valueInteger":{source}}},{{"name":"destination","valueInteger":{destination}}}"#
    );
    operation("move", path, &rest)
}

/// One operation on a resource of that type with these members.
fn check(resource: &str, operation: impl Into<String>, expected: Result<&str, FhirPathPatchRefusal>) {
    let operation = operation.into();
    let found = apply(resource, std::slice::from_ref(&operation));
    assert_eq!(found, expected.map(str::to_owned), "{resource}\n{operation}");
}
