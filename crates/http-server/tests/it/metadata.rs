//! Capabilities: what `metadata` says, and by which requests.

use fhir_definitions::{FhirVersion, resource_types};
use fhir_model::json::Value;

use crate::bad_input::check_outcome;
use crate::client::{Request, at, text_at};
use crate::harness::TestServer;
use crate::mounts::PATHS;

fn version(path: &str) -> FhirVersion {
    let label = path.rsplit('/').next().unwrap_or_default();
    FhirVersion::ALL.into_iter().find(|version| version.label() == label).expect("a version")
}

fn texts(value: &Value, list: &str, name: &str) -> Vec<String> {
    (0..).map_while(|index| text_at(value, &format!("{list}.{index}.{name}"))).collect()
}

#[test]
fn the_statement_names_version_types_and_interactions() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let version = version(path);
        assert_eq!(text_at(&statement, "resourceType").as_deref(), Some("CapabilityStatement"), "{path}");
        assert_eq!(text_at(&statement, "fhirVersion").as_deref(), Some(version.number()), "{path}");
        assert_eq!(
            text_at(&statement, "implementation.url"),
            Some(format!("http://server.example{path}")),
            "{path}"
        );
        assert_eq!(texts(&statement, "rest.0.resource", "type"), resource_types(version), "{path}");
        let spine = path.starts_with("/spine");
        let interactions = texts(&statement, "rest.0.resource.0.interaction", "code");
        let expected: &[&str] = if spine {
            &["read", "update", "delete", "create"]
        } else {
            &["read", "vread", "update", "delete", "history-instance", "history-type", "create"]
        };
        assert_eq!(interactions, expected, "{path}");
        let system = texts(&statement, "rest.0.interaction", "code");
        assert_eq!(system, if spine { &[][..] } else { &["history-system"][..] }, "{path}");
        assert_eq!(at(&statement, "acceptUnknown").is_some(), version == FhirVersion::Stu3, "{path}");
    }
}

/// STU3 asks by OPTIONS on the base as well.
#[test]
fn options_on_the_base() {
    let server = TestServer::start();
    for path in ["/STU3", "/spine/STU3"] {
        let by_get = server.send(&Request::get(&format!("{path}/metadata")));
        for target in [path.to_owned(), format!("{path}/")] {
            let by_options = server.send(&Request::new("OPTIONS", &target));
            assert_eq!((by_options.status, &by_options.body), (200, &by_get.body), "{target}");
            assert_eq!(by_options.etag(), by_get.etag(), "{target}");
        }
    }
}

/// The statement has a tag, so that a client that has it need not read it again.
#[test]
fn the_statement_has_a_tag() {
    let server = TestServer::start();
    for path in PATHS {
        let target = format!("{path}/metadata");
        let first = server.send(&Request::get(&target));
        assert_eq!(first.status, 200);
        assert_eq!(first.etag(), server.send(&Request::get(&format!("{target}/"))).etag(), "{path}");
        let again = server.send(&Request::get(&target).header("If-None-Match", first.etag()));
        assert_eq!((again.status, again.body.len(), again.etag()), (304, 0, first.etag()), "{path}");
        let other = server.send(&Request::get(&target).header("If-None-Match", "\"other\""));
        assert_eq!(other.status, 200, "{path}");
        check_outcome(&server.send(&Request::get(&target).if_match("\"other\"")), 412, path);
        // The text depends on the base, and so does the tag.
        let elsewhere = server.send(&Request::get(&target).header("Host", "elsewhere.example"));
        assert_ne!(elsewhere.etag(), first.etag(), "{path}");
    }
}

#[test]
fn modes_from_r4_on() {
    let server = TestServer::start();
    for path in ["/R4", "/R4B", "/R5"] {
        let ask = |query: &str| server.send(&Request::get(&format!("{path}/metadata{query}")));
        let full = ask("");
        for mode in ["?mode=full", "?mode=normative"] {
            assert_eq!(ask(mode).body, full.body, "{path}{mode}");
        }
        assert_eq!(ask("?mode=terminology").text("resourceType"), "TerminologyCapabilities", "{path}");
        for bad in ["?mode=", "?mode=FULL", "?mode=full&mode=full"] {
            check_outcome(&ask(bad), 400, &format!("{path}{bad}"));
        }
    }
    for path in ["/STU3", "/spine/STU3"] {
        let target = format!("{path}/metadata?mode=terminology");
        assert_eq!(server.send(&Request::get(&target)).text("resourceType"), "CapabilityStatement", "{path}");
        let strict = server.send(&Request::get(&target).header("Prefer", "handling=strict"));
        check_outcome(&strict, if path == "/STU3" { 400 } else { 422 }, path);
    }
}
