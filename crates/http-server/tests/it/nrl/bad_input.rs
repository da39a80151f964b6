//! Whatever stands in a pointer or a patch: an answer of the table, never a failure of the server.

use fhir_model::json::Value;

use super::{BASE, PATCH, PROVIDER, in_json, make, post, replacing, server, signed};
use crate::client::Request;
use crate::pointers::{self, pointer, value};
use crate::tokens::{bearer, claims};

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

/// A form is held to the parameters of a URL.
#[test]
fn a_form_cannot_ask_for_more_than_a_url() {
    let server = server("");
    let old = make(&server, []);
    let new = server.send(&post(&replacing(&old, 1)));
    assert_eq!(new.status, 201, "{}", new.body_text());
    let subject = "subject=https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210";
    let (asid, ods_code) = PROVIDER;
    let token = bearer(&claims(asid, ods_code, "patient/DocumentReference.read"));
    let send = |more: &str| {
        let form = Request::new("POST", &format!("{BASE}/DocumentReference/_search"))
            .header("Authorization", &token)
            .header("fromASID", asid)
            .header("toASID", "999999999999")
            .header("Accept", "application/fhir+json")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("{subject}{more}"));
        server.send(&form)
    };
    let found = send("");
    assert_eq!((found.status, found.text("entry.0.resource.status")), (200, "current".to_owned()));
    for more in
        ["&_include=DocumentReference:relatesto", "&_summary=true", "&_elements=status", "&_sort=type"]
    {
        let refused = send(more);
        assert_eq!(refused.status, 400, "{more}: {}", refused.body_text());
        assert!(refused.diagnostics().starts_with("Unsupported search parameter - _"), "{more}");
    }
}

/// A client that says which format it reads is refused in it, also where it names one that there is not.
#[test]
fn a_refusal_is_written_as_accept_asks() {
    let server = server("");
    for media in ["application/fhir+json", "application/fhir+xml"] {
        let target = format!("{BASE}/DocumentReference/x?_format=text/html");
        let answer = server.send(&signed(Request::get(&target)).header("Accept", media));
        assert_eq!(answer.status, 400, "{}", answer.body_text());
        assert!(answer.header("content-type").is_some_and(|found| found.starts_with(media)), "{answer:?}");
    }
}
