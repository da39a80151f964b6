//! The public JSON Patch suite, and the `json-patch` crate as a second opinion.

use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhir_patch::{JsonPatch, Limits};
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::suites;

/// What the suite says of patches that are none; its other errors concern the document.
const MALFORMED: [&str; 6] = [
    "missing 'path' parameter",
    "null is not valid value for 'path'",
    "JSON Pointer should start with a slash",
    "missing 'value' parameter",
    "missing 'from' parameter",
    "Unrecognized op 'spam'",
];

fn tree(json: &Json) -> Value {
    parse(json.to_string().as_bytes(), &JsonLimits::default()).unwrap()
}

#[test]
fn the_public_suite_passes() {
    let Some(folder) = suites::find("json-patch-tests") else { return };
    let (mut passed, mut disabled) = (0, 0);
    for file in ["tests.json", "spec_tests.json"] {
        // Some cases repeat a member name on purpose, which our own parser refuses.
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
        for case in &cases {
            if case["disabled"] == true {
                disabled += 1;
            } else if case.get("patch").is_some() {
                check(case);
                passed += 1;
            }
        }
    }
    println!("{passed} cases pass, {disabled} are disabled in the suite");
    assert_eq!((passed, disabled), (108, 4));
}

fn check(case: &Json) {
    let limits = Limits::default();
    let patch = JsonPatch::parse(&tree(&case["patch"]), &limits);
    let error = case["error"].as_str();
    let patch = match (patch, error) {
        (Ok(patch), _) => patch,
        (Err(_), Some(error)) => {
            assert!(MALFORMED.contains(&error), "{case}");
            return;
        }
        (Err(fault), None) => panic!("{case}: {fault}"),
    };
    match (patch.apply(&tree(&case["doc"]), &limits), error) {
        (Ok(patched), None) => {
            if let Some(expected) = case.get("expected") {
                assert_eq!(patched, tree(expected), "{case}");
            }
        }
        (Err(refused), Some(error)) => assert!(!MALFORMED.contains(&error), "{case}: {refused}"),
        (Ok(patched), Some(_)) => panic!("{case}: no error, but {patched}"),
        (Err(refused), None) => panic!("{case}: {refused}"),
    }
}

/// Small documents over few names, so that random pointers meet something.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0..5_i64).prop_map(Json::from),
        "[ab~/]{0,2}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[ab~/]", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("~0"), Just("~1")],
        3 => prop_oneof![Just("0"), Just("1"), Just("2"), Just("-")],
        1 => prop_oneof![Just("00"), Just("x"), Just("")],
    ];
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn operation() -> impl Strategy<Value = Json> {
    let op = prop_oneof!["add", "remove", "replace", "move", "copy", "test"];
    (op, pointer(), pointer(), document()).prop_map(|(op, path, from, value)| match op.as_str() {
        "remove" => serde_json::json!({ "op": op, "path": path }),
        "move" | "copy" => serde_json::json!({ "op": op, "path": path, "from": from }),
        _ => serde_json::json!({ "op": op, "path": path, "value": value }),
    })
}

/// Operations on which the other implementation and the standard part ways, or which this one refuses by choice.
fn is_beyond_the_common_subset(operation: &Json) -> bool {
    let (path, from) = (operation["path"].as_str().unwrap(), operation["from"].as_str());
    let removes_the_document = operation["op"] == "remove" && path.is_empty();
    let moves_the_document = operation["op"] == "move" && from == Some("");
    removes_the_document || moves_the_document
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn agrees_with_the_other_implementation(
        document in document(),
        operations in prop::collection::vec(operation(), 1..4),
    ) {
        prop_assume!(!operations.iter().any(is_beyond_the_common_subset));
        let patch = Json::from(operations);
        let mut theirs = document.clone();
        let expected = serde_json::from_value::<json_patch::Patch>(patch.clone())
            .map_err(|error| error.to_string())
            .and_then(|patch| json_patch::patch_unsafe(&mut theirs, &patch).map_err(|error| error.to_string()));
        let limits = Limits::default();
        let ours = JsonPatch::parse(&tree(&patch), &limits)
            .map_err(|error| error.to_string())
            .and_then(|patch| patch.apply(&tree(&document), &limits).map_err(|error| error.to_string()));
        match (expected, ours) {
            (Ok(()), Ok(ours)) => prop_assert_eq!(ours, tree(&theirs)),
            (Err(_), Err(_)) => {}
            (expected, ours) => prop_assert!(false, "theirs {expected:?}, ours {ours:?}"),
        }
    }
}
