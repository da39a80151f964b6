//! What the public suite does not ask: messages, limits, the order of members.

use fhir_model::json::{Kind, Limits as JsonLimits, Value, parse};

use super::*;
use crate::limits::Exceeded;
use crate::pointer::PointerFault;

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

fn patched(document: &str, patch: &str) -> Result<String, NotApplicable<JsonPatchRefusal>> {
    patched_within(document, patch, &Limits::default())
}

fn patched_within(
    document: &str,
    patch: &str,
    limits: &Limits,
) -> Result<String, NotApplicable<JsonPatchRefusal>> {
    let patch = JsonPatch::parse(&read(patch), limits).unwrap();
    assert_eq!(JsonPatch::parse(&patch.to_value(), limits).as_ref(), Ok(&patch));
    patch.apply(&read(document), limits).map(|value| value.to_string())
}

#[test]
fn members_keep_their_order_and_numbers_their_digits() {
    let patch = r#"[{"op":"replace","path":"/a","value":1.50},{"op":"add","path":"/c","value":{}},
        {"op":"remove","path":"/b"},{"op":"add","path":"/b","value":2}]"#;
    assert_eq!(patched(r#"{"a":1,"b":1,"d":0.10}"#, patch).unwrap(), r#"{"a":1.50,"d":0.10,"c":{},"b":2}"#);
}

#[test]
fn what_is_no_patch_is_told_by_operation() {
    let fault = |text: &str| JsonPatch::parse(&read(text), &Limits::default()).unwrap_err();
    assert_eq!(fault("{}"), Malformed { operation: None, fault: JsonPatchFault::NotAnArray(Kind::Object) });
    let second = |text: &str| {
        let refused = fault(&format!(r#"[{{"op":"remove","path":""}},{text}]"#));
        assert_eq!(refused.operation, Some(1));
        refused.fault
    };
    assert_eq!(second("7"), JsonPatchFault::NotAnObject(Kind::Number));
    assert_eq!(second("{}"), JsonPatchFault::Missing { member: "op" });
    assert_eq!(second(r#"{"op":null}"#), JsonPatchFault::NotAString { member: "op", found: Kind::Null });
    assert_eq!(second(r#"{"op":"Add"}"#), JsonPatchFault::UnknownOperation("Add".into()));
    assert_eq!(second(r#"{"op":"add","path":"/a"}"#), JsonPatchFault::Missing { member: "value" });
    assert_eq!(
        second(r#"{"op":"copy","path":"","from":"a"}"#),
        JsonPatchFault::BadPointer { member: "from", fault: PointerFault::NoSlash }
    );
    assert_eq!(second(r#"{"op":"move","path":"/a/b","from":"/a"}"#), JsonPatchFault::IntoItself);
    assert_eq!(
        fault(r#"[{"op":"move","path":"/a/b","from":"/a"}]"#).to_string(),
        "operation 0 (counted from 0): a value cannot be moved into itself"
    );
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let document = r#"{"a":[1,2],"b":{"c":"x"}}"#;
    let refusal = |patch: &str| patched(document, patch).unwrap_err();
    let remove = |path: &str| refusal(&format!(r#"[{{"op":"remove","path":"{path}"}}]"#)).refusal;
    assert_eq!(remove("/z/y/x"), JsonPatchRefusal::NotFound { at: "/z".into() });
    assert_eq!(remove("/b/d"), JsonPatchRefusal::NotFound { at: "/b/d".into() });
    assert_eq!(remove("/a/2"), JsonPatchRefusal::NotFound { at: "/a/2".into() });
    assert_eq!(remove("/a/-"), JsonPatchRefusal::NotFound { at: "/a/-".into() });
    assert_eq!(remove("/a/3"), JsonPatchRefusal::OutOfRange { at: "/a".into(), index: 3, len: 2 });
    assert_eq!(
        remove("/a/99999999999999999999999"),
        JsonPatchRefusal::OutOfRange { at: "/a".into(), index: usize::MAX, len: 2 }
    );
    assert_eq!(remove("/a/01"), JsonPatchRefusal::BadIndex { at: "/a".into(), found: "01".into() });
    assert_eq!(remove("/a/+1"), JsonPatchRefusal::BadIndex { at: "/a".into(), found: "+1".into() });
    assert_eq!(remove("/b/c/d"), JsonPatchRefusal::NotAContainer { at: "/b/c".into(), found: Kind::String });
    assert_eq!(remove(""), JsonPatchRefusal::WholeDocument);
    let failed = refusal(r#"[{"op":"remove","path":"/a"},{"op":"test","path":"/b/c","value":"y"}]"#);
    assert_eq!(
        failed.to_string(),
        "operation 1 (counted from 0), path '/b/c': the value there is not the one to be tested for"
    );
}

#[test]
fn a_patch_cannot_make_a_document_grow_without_bound() {
    let doubling = format!("[{}]", vec![r#"{"op":"copy","from":"","path":"/-"}"#; 60].join(","));
    let refused = patched("[[]]", &doubling).unwrap_err();
    assert_eq!(refused.refusal, JsonPatchRefusal::Exceeded(Exceeded::Nodes { nodes_max: 2_000_000 }));

    let limits = Limits { bytes_max: 1_000, ..Limits::default() };
    let long = format!(r#"["{}"]"#, "x".repeat(400));
    let copies = r#"[{"op":"copy","from":"/0","path":"/-"},{"op":"copy","from":"/0","path":"/-"}]"#;
    let refused = patched_within(&long, copies, &limits).unwrap_err();
    assert_eq!(refused.operation, 1);
    assert_eq!(refused.refusal, JsonPatchRefusal::Exceeded(Exceeded::Bytes { bytes_max: 1_000 }));
}

#[test]
fn a_patch_cannot_nest_without_bound() {
    let limits = Limits { depth_max: 5, ..Limits::default() };
    let deeper = |path: &str| format!(r#"{{"op":"add","path":"{path}","value":[[]]}}"#);
    let patch = format!("[{},{},{}]", deeper("/a"), deeper("/a/0/0"), deeper("/a/0/0/0/0"));
    let refused = patched_within("{}", &patch, &limits).unwrap_err();
    assert_eq!(refused.operation, 2);
    assert_eq!(refused.refusal, JsonPatchRefusal::Exceeded(Exceeded::Depth { depth_max: 5 }));
    let nested = r#"[{"op":"move","from":"/b","path":"/a/0/0/-"}]"#;
    assert!(patched_within(r#"{"a":[[[]]],"b":[]}"#, nested, &limits).is_ok());
    let refused = patched_within(r#"{"a":[[[]]],"b":[[]]}"#, nested, &limits).unwrap_err();
    assert_eq!(refused.refusal, JsonPatchRefusal::Exceeded(Exceeded::Depth { depth_max: 5 }));
}

#[test]
fn a_patch_cannot_work_without_bound() {
    let limits = Limits { steps_max: 1_000, ..Limits::default() };
    let document = Value::from(vec![0; 3_000]).to_string();
    let insert = r#"{"op":"add","path":"/0","value":1}"#;
    let patch = format!("[{}]", [insert; 20].join(","));
    let refused = patched_within(&document, &patch, &limits).unwrap_err();
    assert_eq!(refused.refusal, JsonPatchRefusal::Exceeded(Exceeded::Steps { steps_max: 1_000 }));

    let limits = Limits { operations_max: 1, ..Limits::default() };
    let fault = JsonPatch::parse(&read(&patch), &limits).unwrap_err().fault;
    assert_eq!(fault, JsonPatchFault::TooManyOperations { found: 20, operations_max: 1 });
}
