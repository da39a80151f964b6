//! Whatever stands in a pointer or a patch: an answer of the table, never a failure of the server.

use fhir_model::json::Value;

use super::{BASE, PATCH, in_json, make, post, server, signed};
use crate::client::Request;
use crate::pointers::{self, pointer, value};

/// What takes the place of every element in turn.
const JUNK: [&str; 9] = [
    "null",
    "true",
    "-1e400",
    r#""""#,
    r#"" ""#,
    r#""\u0000|\ud83d\ude00""#,
    "[]",
    "{}",
    r#"[{"coding":[{"coding":[[]]}]}]"#,
];

/// Every place in a value, as [`pointers::edit`] names them.
fn places(value: &Value, prefix: &str, found: &mut Vec<String>) {
    let mut add = |name: &str, value: &Value| {
        let place = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        places(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| add(name, value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| add(&index.to_string(), value));
        }
        _ => {}
    }
}

#[test]
fn junk_in_a_pointer_is_refused_in_words() {
    let server = server("");
    let mut connection = server.connect();
    let sample =
        pointer([r#"relatesTo = [{"code":"replaces","target":{"reference":"DocumentReference/x"}}]"#]);
    let mut found = Vec::new();
    places(&sample, "", &mut found);
    assert!(found.len() > 50, "{found:?}");
    for place in found {
        for junk in JUNK {
            let mut resource = sample.clone();
            pointers::edit(&mut resource, &place, junk);
            let answer = connection.send(&post(&resource));
            assert!(matches!(answer.status, 400), "{place} = {junk}: {}", answer.body_text());
            assert!(!answer.diagnostics().is_empty());
        }
    }
}

#[test]
fn junk_in_a_patch_is_refused_in_words() {
    let server = server("");
    let id = make(&server, []);
    let mut connection = server.connect();
    let sample = value(PATCH);
    let mut found = Vec::new();
    places(&sample, "", &mut found);
    for place in found {
        for junk in JUNK {
            let mut patch = sample.clone();
            pointers::edit(&mut patch, &place, junk);
            let target = format!("{BASE}/DocumentReference/{id}");
            let request = Request::new("PATCH", &target).header("Content-Type", "application/fhir+json");
            let answer = connection.send(&signed(request.body(pointers::json(&patch))));
            assert_eq!(answer.status, 400, "{place} = {junk}: {}", answer.body_text());
        }
    }
}

#[test]
fn junk_in_a_query_is_refused_in_words() {
    let server = server("");
    make(&server, []);
    let mut connection = server.connect();
    let values =
        ["", "%00", "%7C", "%7C%7C", "%5C", "a%2Cb", "$", "%F0%9F%98%80", "%FF", "&&", "=", "'%20or%201=1"];
    for method in ["GET", "PATCH", "DELETE"] {
        for name in ["subject", "identifier", "_id", "custodian", "type", "_summary", "_format", "x", ""] {
            for value in values {
                let target = format!("{BASE}/DocumentReference?{name}={value}");
                let request = Request::new(method, &target).header("Content-Type", "application/fhir+json");
                let answer =
                    connection.send(&in_json(request.body(if method == "PATCH" { PATCH } else { "" })));
                assert!(matches!(answer.status, 400 | 404), "{method} {target}: {}", answer.body_text());
            }
        }
    }
}
