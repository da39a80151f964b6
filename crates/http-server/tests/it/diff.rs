//! `$diff`: what it gives is a patch that works.

use fhir_model::json::Value;

use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts::FHIR_PATHS;

const TARGETS: [(&str, &str); 3] = [
    ("application/fhir+json", "application/fhir+json"),
    ("application/fhir+xml", "application/fhir+xml"),
    ("application/json-patch+json", "application/json-patch+json"),
];

/// Versions of one resource: elements come, go, move and change, meta and extensions of primitives among them.
const VERSIONS: [&str; 5] = [
    r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"family":"A","given":["B","C"]}]}"#,
    r#"{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"t"}]},"name":[{"family":"A","given":["C","B"]}]}"#,
    r#"{"resourceType":"Patient","id":"a","meta":{"profile":["http://a.org/p"]},"_birthDate":{"id":"x"},"birthDate":"1815","deceasedBoolean":true}"#,
    r#"{"resourceType":"Patient","id":"a","contact":[{"id":"1","gender":"male"},{"id":"2","name":{"text":"D"}}],"deceasedDateTime":"1852"}"#,
    r#"{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Flag","id":"f"}],"contact":[{"id":"2","name":{"text":"D"}},{"id":"1","gender":"female"}]}"#,
];

fn without_version_meta(mut resource: Value) -> Value {
    let object = resource.as_object_mut().expect("a resource");
    if let Some(Value::Object(meta)) = object.get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
    resource
}

/// From every version to every other, in every format: the patch, applied to the one, makes the other.
#[test]
fn a_difference_can_be_applied() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Patient/a");
        let mut connection = server.connect();
        for version in VERSIONS {
            assert!(connection.send(&Request::put(&target, version)).status < 300);
        }
        for from in 1..=VERSIONS.len() {
            for to in 1..=VERSIONS.len() {
                let version = |number: usize| Request::get(&format!("{target}/_history/{number}"));
                let before = connection.send(&version(from)).json().to_string();
                let after = without_version_meta(connection.send(&version(to)).json());
                for (accept, content_type) in TARGETS {
                    let what = format!("{path} {from} {to} {accept}");
                    let diff = Request::get(&format!("{target}/$diff?fromVersion={from}&toVersion={to}"));
                    let diff = connection.send(&diff.header("Accept", accept));
                    assert_eq!(diff.status, 200, "{what}: {}", diff.body_text());
                    assert!(diff.header("content-type").is_some_and(|media| media.starts_with(accept)));
                    assert!(connection.send(&Request::put(&target, &before)).status < 300, "{what}");
                    let patch = Request::new("PATCH", &target).header("Content-Type", content_type);
                    let patched =
                        connection.send(&patch.header("Accept", "application/fhir+json").body(&diff.body));
                    assert_eq!(patched.status, 200, "{what}: {}", patched.body_text());
                    assert_eq!(without_version_meta(patched.json()), after, "{what}");
                }
            }
        }
    }
}
