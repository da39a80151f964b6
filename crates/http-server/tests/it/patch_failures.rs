//! Everything that can be wrong with a PATCH, in every format, version and representation: the status, an outcome, and
//! nothing written.

use fhir_model::json::Value;
use fhir_service::Validation;
use http_server::Settings;

use crate::client::{Connection, Request, Response};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, default_mounts, stale};

const FLAG: &str = r#"{"resourceType":"Flag","id":"a","identifier":[{"system":"urn:x","value":"1"}],"status":"active","code":{"text":"ramp"},"subject":{"reference":"Patient/1"}}"#;

/// A format, and patches of it. An empty one stands for what the format cannot do.
struct Patches {
    media: &'static str,
    /// Sets the status to inactive.
    good: &'static str,
    malformed: &'static str,
    not_applicable: &'static str,
    failed_test: &'static str,
    other_id: &'static str,
    /// Sets the status to what is no status.
    invalid: &'static str,
}

macro_rules! fhirpath_json {
    ($kind:literal, $path:literal, $value:literal) => {
        concat!(
            r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":""#,
            $kind,
            r#""},{"name":"path","valueString":""#,
            $path,
            r#""},{"name":"value","valueString":""#,
            $value,
            r#""}]}]}"#
        )
    };
}

macro_rules! fhirpath_xml {
    ($kind:literal, $path:literal, $value:literal) => {
        concat!(
            r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value=""#,
            $kind,
            r#""/></part><part><name value="path"/><valueString value=""#,
            $path,
            r#""/></part><part><name value="value"/><valueString value=""#,
            $value,
            r#""/></part></parameter></Parameters>"#
        )
    };
}

macro_rules! xml_patch {
    ($operation:literal) => {
        concat!(r#"<diff xmlns:f="http://hl7.org/fhir">"#, $operation, "</diff>")
    };
}

const FORMATS: [Patches; 5] = [
    Patches {
        media: "application/json-patch+json",
        good: r#"[{"op":"replace","path":"/status","value":"inactive"}]"#,
        malformed: r#"[{"op":"change","path":"/status","value":"inactive"}]"#,
        not_applicable: r#"[{"op":"replace","path":"/period/start","value":"2024"}]"#,
        failed_test: r#"[{"op":"test","path":"/status","value":"inactive"},{"op":"remove","path":"/code"}]"#,
        other_id: r#"[{"op":"replace","path":"/id","value":"b"}]"#,
        invalid: r#"[{"op":"replace","path":"/status","value":"dormant"}]"#,
    },
    Patches {
        media: "application/merge-patch+json",
        good: r#"{"status":"inactive"}"#,
        malformed: r#"{"status":"inactive""#,
        not_applicable: "",
        failed_test: "",
        other_id: r#"{"id":"b"}"#,
        invalid: r#"{"status":"dormant"}"#,
    },
    Patches {
        media: "application/xml-patch+xml",
        good: xml_patch!(r#"<replace sel="f:Flag/f:status/@value">inactive</replace>"#),
        malformed: xml_patch!(r#"<change sel="f:Flag/f:status/@value">inactive</change>"#),
        not_applicable: xml_patch!(r#"<replace sel="f:Flag/f:period/@value">2024</replace>"#),
        failed_test: "",
        other_id: xml_patch!(r#"<replace sel="f:Flag/f:id/@value">b</replace>"#),
        invalid: xml_patch!(r#"<replace sel="f:Flag/f:status/@value">dormant</replace>"#),
    },
    Patches {
        media: "application/fhir+json",
        good: fhirpath_json!("replace", "Flag.status", "inactive"),
        malformed: fhirpath_json!("change", "Flag.status", "inactive"),
        not_applicable: fhirpath_json!("replace", "Flag.period.start", "2024"),
        failed_test: "",
        other_id: fhirpath_json!("replace", "Flag.id", "b"),
        invalid: fhirpath_json!("replace", "Flag.status", "dormant"),
    },
    Patches {
        media: "application/fhir+xml",
        good: fhirpath_xml!("replace", "Flag.status", "inactive"),
        malformed: fhirpath_xml!("change", "Flag.status", "inactive"),
        not_applicable: fhirpath_xml!("replace", "Flag.period.start", "2024"),
        failed_test: "",
        other_id: fhirpath_xml!("replace", "Flag.id", "b"),
        invalid: fhirpath_xml!("replace", "Flag.status", "dormant"),
    },
];

fn patch(target: &str, media: &str, body: &str) -> Request {
    Request::new("PATCH", target).header("Content-Type", media).body(body)
}

fn server() -> TestServer {
    let validating = |service: fhir_service::Service| service.with_validation(Validation::Structure);
    TestServer::adjusted(&default_mounts(), Settings::default(), &validating)
}

/// An outcome in the format asked for, with this code; what it says.
#[track_caller]
fn check_refused(answer: &Response, accept: &str, (status, code): (u16, &str), what: &str) -> String {
    let text = answer.body_text();
    assert_eq!(answer.status, status, "{what}: {text}");
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with(accept)), "{what}");
    assert!(text.contains("OperationOutcome") && text.contains(&format!("\"{code}\"")), "{what}: {text}");
    text
}

/// Sends what must be refused, wants the outcome in both representations, and looks that nothing happened.
#[track_caller]
fn refuse(connection: &mut Connection, request: &Request, expected: (u16, &str), places: &[&str]) {
    let what = format!("{} {}", request.target, expected.1);
    for accept in ["application/fhir+json", "application/fhir+xml"] {
        let answer = connection.send(&request.clone().header("Accept", accept));
        let text = check_refused(&answer, accept, expected, &what);
        assert_eq!(answer.header("accept-patch").is_some(), expected.0 == 415, "{what}");
        for place in places {
            assert!(text.contains(place), "{what}: {place} in {text}");
        }
    }
    let target = request.target.split('?').next().unwrap_or_default();
    let target = if target.ends_with("/a") { target.to_owned() } else { format!("{target}/a") };
    assert_eq!(connection.send(&Request::get(&target)).etag(), "W/\"1\"", "{what}");
}

#[test]
fn every_fault_in_every_format_version_and_representation() {
    let server = server();
    for path in FHIR_PATHS {
        let instance = format!("{path}/Flag/a");
        let mut connection = server.connect();
        assert_eq!(connection.send(&Request::put(&instance, FLAG)).status, 201, "{path}");
        for target in [instance.clone(), format!("{path}/Flag?identifier=urn:x|1")] {
            for format in &FORMATS {
                let cases: [(&str, (u16, &str), &[&str]); 6] = [
                    (format.malformed, (400, malformed_code(format)), &[]),
                    ("", (400, "empty-body"), &[]),
                    (format.not_applicable, (422, "patch-not-applicable"), &["operation 0", "period"]),
                    (format.failed_test, (422, "patch-not-applicable"), &["operation 0", "/status"]),
                    (format.other_id, (422, "patched-identity"), &[]),
                    (format.invalid, (422, "code-unknown"), &["Flag.status", "dormant"]),
                ];
                for (body, expected, places) in cases {
                    if body.is_empty() && expected.1 != "empty-body" {
                        continue;
                    }
                    refuse(&mut connection, &patch(&target, format.media, body), expected, places);
                }
            }
            for media in ["application/json", "application/xml", "text/plain", "application/fhir+turtle"] {
                refuse(&mut connection, &patch(&target, media, "{}"), (415, "unsupported-media-type"), &[]);
            }
        }
    }
}

/// What a merge patch says wrong, only JSON can tell.
fn malformed_code(format: &Patches) -> &'static str {
    if format.media == "application/merge-patch+json" { "malformed-json" } else { "malformed-patch" }
}

/// Failure 9: no format and no conditional form of PATCH passes over If-Match, If-None-Match or If-Unmodified-Since.
#[test]
fn failure_09_ignored_on_patch_in_every_format() {
    let server = server();
    for path in FHIR_PATHS {
        let instance = format!("{path}/Flag/a");
        let mut connection = server.connect();
        assert_eq!(connection.send(&Request::put(&instance, FLAG)).status, 201, "{path}");
        for target in [instance.clone(), format!("{path}/Flag?identifier=urn:x|1")] {
            for format in &FORMATS {
                let good = patch(&target, format.media, format.good);
                for (header, value, status) in [
                    ("If-Match", "W/\"7\"", stale(path)),
                    ("If-Match", "\"2\", W/\"3\"", stale(path)),
                    ("If-None-Match", "*", 412),
                    ("If-None-Match", "W/\"1\"", 412),
                    ("If-Unmodified-Since", "Fri, 25 May 2018 16:09:49 GMT", 412),
                    ("If-Match", "W/1", 400),
                ] {
                    let answer = connection.send(&good.clone().header(header, value));
                    let what = format!("{target} {} {header}: {value}", format.media);
                    assert_eq!(answer.status, status, "{what}: {}", answer.body_text());
                    assert_eq!(connection.send(&Request::get(&instance)).etag(), "W/\"1\"", "{what}");
                }
            }
        }
        // And a good one passes, in each format.
        for (number, format) in FORMATS.iter().enumerate() {
            let now = format!("W/\"{}\"", 2 * number + 1);
            let answer = connection.send(&patch(&instance, format.media, format.good).if_match(&now));
            assert_eq!(answer.status, 200, "{path} {}", format.media);
            assert_eq!(connection.send(&Request::put(&instance, FLAG)).status, 200, "{path}");
        }
    }
}

/// Sixteen clients, each in its own element, in all formats, none with If-Match. (XML Patch adds at the end, so it adds the
/// last element that there is.)
#[test]
fn patches_of_different_elements_in_different_formats_all_survive() {
    const ELEMENTS: [(&str, &str, &str); 16] = [
        ("application/merge-patch+json", r#"{"active":true}"#, "active"),
        ("application/merge-patch+json", r#"{"gender":"female"}"#, "gender"),
        ("application/merge-patch+json", r#"{"birthDate":"1815"}"#, "birthDate"),
        ("application/merge-patch+json", r#"{"language":"en"}"#, "language"),
        ("application/json-patch+json", r#"[{"op":"add","path":"/name","value":[{"family":"L"}]}]"#, "name"),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/telecom","value":[{"value":"1"}]}]"#,
            "telecom",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/address","value":[{"text":"A"}]}]"#,
            "address",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/maritalStatus","value":{"text":"M"}}]"#,
            "maritalStatus",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/multipleBirthInteger","value":2}]"#,
            "multipleBirthInteger",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/deceasedBoolean","value":false}]"#,
            "deceasedBoolean",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/communication","value":[{"language":{"text":"en"}}]}]"#,
            "communication",
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/implicitRules","value":"http://a.org"}]"#,
            "implicitRules",
        ),
        (
            "application/xml-patch+xml",
            r#"<diff xmlns:f="http://hl7.org/fhir" xmlns="http://hl7.org/fhir"><add sel="f:Patient"><link><other><reference value="Patient/2"/></other><type value="refer"/></link></add></diff>"#,
            "link",
        ),
        (
            "application/fhir+json",
            r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"generalPractitioner"},{"name":"value","valueReference":{"reference":"Practitioner/1"}}]}]}"#,
            "generalPractitioner",
        ),
        (
            "application/fhir+json",
            r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"identifier"},{"name":"value","valueIdentifier":{"value":"1"}}]}]}"#,
            "identifier",
        ),
        (
            "application/fhir+xml",
            r#"<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="add"/></part><part><name value="path"/><valueString value="Patient"/></part><part><name value="name"/><valueString value="managingOrganization"/></part><part><name value="value"/><valueReference><reference value="Organization/1"/></valueReference></part></parameter></Parameters>"#,
            "managingOrganization",
        ),
    ];
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let target = format!("{path}/Patient/a");
        let empty = r#"{"resourceType":"Patient","id":"a"}"#;
        assert_eq!(server.send(&Request::put(&target, empty)).status, 201);
        let patches = ELEMENTS.map(|(media, body, _)| patch(&target, media, body)).into();
        let answers = server.race(patches);
        for (answer, (_, body, _)) in answers.iter().zip(ELEMENTS) {
            assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body_text());
        }
        let patient = server.send(&Request::get(&target));
        assert_eq!(patient.etag(), "W/\"17\"", "{path}");
        let Value::Object(patient) = patient.json() else { panic!("a patient") };
        for (_, _, element) in ELEMENTS {
            assert!(patient.contains(element), "{path}: {element} is lost");
        }
    }
}
