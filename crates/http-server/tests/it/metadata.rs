//! Capabilities: what `metadata` says, and by which requests.

use fhir_definitions::{Definitions, FhirVersion, resource_types};
use fhir_model::json::Value;
use fhir_service::FullText;
use http_server::Settings;

use crate::bad_input::check_outcome;
use crate::client::{Request, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, default_mounts};

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
            &[
                "read",
                "vread",
                "update",
                "patch",
                "delete",
                "history-instance",
                "history-type",
                "create",
                "search-type",
            ]
        };
        assert_eq!(interactions, expected, "{path}");
        let system = texts(&statement, "rest.0.interaction", "code");
        let expected = ["transaction", "batch", "history-system", "search-system"];
        assert_eq!(system, expected[..if spine { 2 } else { 4 }], "{path}");
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

#[test]
fn the_statements_are_valid() {
    let server = TestServer::start();
    for path in PATHS {
        let definitions = Definitions::of(version(path));
        for mode in ["full", "terminology"] {
            let statement = server.send(&Request::get(&format!("{path}/metadata?mode={mode}"))).json();
            let settings =
                fhir_validate::Settings { level: fhir_validate::Level::Strict, ..Default::default() };
            let findings = fhir_validate::validate(&statement, definitions, &settings);
            let errors: Vec<String> =
                findings.iter().filter(|finding| finding.is_error()).map(ToString::to_string).collect();
            assert_eq!(errors, Vec::<String>::new(), "{path} {mode}");
        }
    }
}

/// A small resource of any type: nothing is validated here.
fn small(resource_type: &str, id: &str) -> String {
    format!(r#"{{"resourceType":"{resource_type}","id":"{id}"}}"#)
}

/// Failure 18: whatever the statement names is there, on every type it names.
#[test]
fn what_the_statement_names_is_served() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let mut connection = server.connect();
        let resources = at(&statement, "rest.0.resource").and_then(Value::as_array).expect("types");
        for resource in resources {
            let resource_type = text_at(resource, "type").expect("a type");
            let has = |code: &str| texts(resource, "interaction", "code").iter().any(|known| known == code);
            let base = format!("{path}/{resource_type}");
            let place = |response: &crate::client::Response| {
                let location = response.header("location").expect("a location").to_owned();
                let resource = location.split("/_history/").next().unwrap_or_default();
                resource.strip_prefix("http://server.example").expect("our URL").to_owned()
            };
            assert!(has("create"), "{base}");
            let body = format!(r#"{{"resourceType":"{resource_type}"}}"#);
            let created = connection.send(&Request::post(&base, body));
            assert_eq!(created.status, 201, "{base}");
            let instance = place(&created);
            let id = instance.rsplit('/').next().unwrap_or_default().to_owned();
            let mut check = |code: &str, request: Request, status: u16| {
                let expected = if has(code) { status } else { 404 };
                let answer = connection.send(&request.header("Accept", "application/fhir+json"));
                assert_eq!(answer.status, expected, "{code} on {base}");
                answer
            };
            check("read", Request::get(&instance), 200);
            let version_id = created.etag();
            let version_id = version_id.trim_start_matches("W/").trim_matches('"').to_owned();
            check("vread", Request::get(&format!("{instance}/_history/{version_id}")), 200);
            check("history-instance", Request::get(&format!("{instance}/_history")), 200);
            check("history-type", Request::get(&format!("{base}/_history")), 200);
            let unconditional =
                connection_status(&server, &Request::put(&instance, small(&resource_type, &id)));
            let versioning = text_at(resource, "versioning").expect("versioning");
            assert_eq!(unconditional == 412, versioning == "versioned-update", "{base}: {versioning}");
            let update = Request::put(&instance, small(&resource_type, &id)).if_match(created.etag());
            let mut latest = check("update", update, 200).etag();
            if has("patch") {
                let patch = Request::new("PATCH", &instance)
                    .header("Content-Type", "application/json-patch+json")
                    .body(r#"[{"op":"add","path":"/language","value":"en"}]"#);
                latest = check("patch", patch.if_match(latest), 200).etag();
            }
            let create = Request::put(&format!("{base}/new"), small(&resource_type, "new"));
            let create = connection_status(&server, &create.if_none_match());
            let update_create = at(resource, "updateCreate").and_then(Value::as_bool).expect("updateCreate");
            assert_eq!(create == 201, update_create, "{base}: {create}");
            check("delete", Request::delete(&instance).if_match(latest), 204);
        }
    }
}

fn connection_status(server: &TestServer, request: &Request) -> u16 {
    server.send(request).status
}

/// Failure 18, the other way round: what the statement does not name is refused, not ignored.
#[test]
fn what_the_statement_does_not_name_is_refused() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let resource = at(&statement, "rest.0.resource.0").expect("a type");
        let flag = |name: &str| at(resource, name).and_then(Value::as_bool);
        let codes = texts(resource, "interaction", "code");
        let has = |code: &str| codes.iter().any(|known| known == code);
        let searches = has("search-type");
        let answers = |request: Request, named: bool, status: u16, refusal: u16| {
            let answer = server.send(&request);
            let what = format!("{} {}", request.method, request.target);
            if named {
                assert_eq!(answer.status, status, "{what}");
            } else {
                check_outcome(&answer, refusal, &what);
            }
        };
        let create = Request::post(&format!("{path}/Flag"), r#"{"resourceType":"Flag"}"#);
        let create = create.header("If-None-Exist", "identifier=1");
        answers(create, flag("conditionalCreate") == Some(true), 201, 400);
        let update = Request::put(&format!("{path}/Flag?identifier=1"), r#"{"resourceType":"Flag"}"#);
        answers(update, flag("conditionalUpdate") == Some(true), 201, 405);
        let deletes = text_at(resource, "conditionalDelete").as_deref() == Some("single");
        answers(Request::delete(&format!("{path}/Flag?identifier=1")), deletes, 204, 405);
        let patch = Request::new("PATCH", &format!("{path}/Flag/a")).body("[]");
        let patch = patch.header("Content-Type", "application/json-patch+json");
        check_outcome(&server.send(&patch), if has("patch") { 404 } else { 405 }, path);
        answers(Request::get(&format!("{path}/Flag?identifier=1")), searches, 200, 405);
        answers(Request::post(&format!("{path}/Flag/_search"), ""), searches, 200, 404);
        let system = texts(&statement, "rest.0.interaction", "code");
        for code in ["transaction", "batch"] {
            let bundle = Request::post(path, format!(r#"{{"resourceType":"Bundle","type":"{code}"}}"#));
            answers(bundle, system.iter().any(|named| named == code), 200, 405);
        }
        let operations = texts(&statement, "rest.0.operation", "name");
        let validate = Request::post(&format!("{path}/Flag/$validate"), r#"{"resourceType":"Flag"}"#);
        let expected = if operations.iter().any(|name| name == "validate") { 200 } else { 404 };
        assert_eq!(server.send(&validate).status, expected, "{path}");
        let named = operations.iter().any(|name| name == "diff");
        let (flag, _) = server.flag(path);
        assert_eq!(
            server.send(&Request::get(&format!("{flag}/$diff"))).status,
            if named { 200 } else { 404 }
        );
        let named = operations.iter().any(|name| name == "reindex");
        let reindex = server.send(&Request::get(&format!("{path}/$reindex")));
        assert_eq!(reindex.status, if named { 200 } else { 404 }, "{path}");
        let known = ["validate", "diff", "reindex"];
        assert!(operations.iter().all(|name| known.contains(&name.as_str())), "{path}: {operations:?}");
        check_outcome(&server.send(&Request::post(&format!("{path}/Flag/$everything"), "{}")), 404, path);
    }
}

/// Every parameter that the statement names finds resources or none, and no other is known.
#[test]
fn the_parameters_are_those_of_the_statement() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let resources = at(&statement, "rest.0.resource").and_then(Value::as_array).expect("types");
        let mut connection = server.connect();
        for resource in resources {
            let resource_type = text_at(resource, "type").expect("a type");
            let mut find = |name: &str, value: &str| {
                let request = Request::get(&format!("{path}/{resource_type}?{name}={value}"));
                connection.send(&request.header("Prefer", "handling=strict")).status
            };
            let names = texts(resource, "searchParam", "name");
            for (name, kind) in names.iter().zip(texts(resource, "searchParam", "type")) {
                let value = match kind.as_str() {
                    _ if name == "near" => ["1|2|3|km", "1:2"][usize::from(path == "/STU3")],
                    _ if name == "near-distance" => "3&near=1:2",
                    "date" => "ge2013",
                    "number" | "quantity" => "gt5",
                    "reference" => "Patient/1",
                    "composite" => continue,
                    _ => "x",
                };
                let status = find(name, value);
                // `Patient/1` is no value of a parameter that refers to something else only.
                assert!(status == 200 || kind == "reference" && status == 400, "{resource_type} {name}");
            }
            assert!(!names.is_empty(), "{path} {resource_type}");
            assert_eq!(find("nonsense", "x"), 400, "{path} {resource_type}");
            assert_eq!(find("_text", "x"), 400, "{path} {resource_type}");
        }
    }
}

#[test]
fn words_are_in_the_statement_where_they_are_indexed() {
    let server = TestServer::adjusted(&default_mounts(), Settings::default(), &|service| {
        service.with_full_text(FullText::On)
    });
    for path in FHIR_PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let resources = at(&statement, "rest.0.resource").and_then(Value::as_array).expect("types");
        let mut connection = server.connect();
        for resource in resources {
            let resource_type = text_at(resource, "type").expect("a type");
            let names = texts(resource, "searchParam", "name");
            for name in ["_text", "_content"] {
                let offered = names.iter().any(|known| known == name);
                assert!(offered || name == "_text", "{path} {resource_type}");
                let request = Request::get(&format!("{path}/{resource_type}?{name}=x"));
                let status = connection.send(&request.header("Prefer", "handling=strict")).status;
                assert_eq!(status, if offered { 200 } else { 400 }, "{path} {resource_type} {name}");
            }
        }
    }
}

/// Every format that the statement names is given and taken, and no other.
#[test]
fn the_formats_are_those_of_the_statement() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let formats: Vec<&str> = at(&statement, "format")
            .and_then(Value::as_array)
            .expect("formats")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for format in ["application/fhir+json", "application/fhir+xml", "json", "xml", "ttl", "text/turtle"] {
            let asked = format.replace('+', "%2B");
            let answer = server.send(&Request::get(&format!("{path}/metadata?_format={asked}")));
            let refused = if path.starts_with("/spine") { 415 } else { 406 };
            let expected = if formats.contains(&format) { 200 } else { refused };
            assert_eq!(answer.status, expected, "{path} {format}");
            let media = answer.header("content-type").unwrap_or_default();
            assert_eq!(media.contains("xml"), format.contains("xml"), "{path} {format}: {media}");
        }
        for format in formats.iter().filter(|format| format.contains('/')) {
            let body = if format.contains("xml") {
                r#"<Flag xmlns="http://hl7.org/fhir"/>"#
            } else {
                r#"{"resourceType":"Flag"}"#
            };
            let mut create = Request::post(&format!("{path}/Flag"), body);
            create.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            assert_eq!(server.send(&create.header("Content-Type", format)).status, 201, "{path} {format}");
        }
    }
}

/// Every patch format that the statement names is taken, and no other.
#[test]
fn the_patch_formats_are_those_of_the_statement() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let formats = at(&statement, "patchFormat").and_then(Value::as_array).unwrap_or_default();
        let target = format!("{path}/Flag/a");
        assert_eq!(path.starts_with("/spine"), formats.is_empty(), "{path}");
        if formats.is_empty() {
            continue;
        }
        assert_eq!(server.send(&Request::put(&target, small("Flag", "a"))).status, 201);
        let known = |format: &str| formats.iter().any(|known| known.as_str() == Some(format));
        for (format, body) in [
            ("application/json-patch+json", r#"[{"op":"test","path":"/id","value":"a"}]"#),
            ("application/merge-patch+json", "{}"),
            ("application/xml-patch+xml", r#"<diff xmlns:f="http://hl7.org/fhir"/>"#),
            ("application/fhir+json", r#"{"resourceType":"Parameters"}"#),
            ("application/fhir+xml", r#"<Parameters xmlns="http://hl7.org/fhir"/>"#),
            ("application/json", "[]"),
            ("text/plain", "change it"),
        ] {
            let patch = Request::new("PATCH", &target).header("Content-Type", format).body(body);
            let answer = server.send(&patch);
            assert_eq!(answer.status, if known(format) { 200 } else { 415 }, "{path} {format}");
            assert_eq!(answer.header("accept-patch").is_some(), !known(format), "{path} {format}");
        }
    }
}

/// Reading on a condition, old versions, and patches by criteria: what the statement says of them is so.
#[test]
fn conditions_and_histories_are_those_of_the_statement() {
    let server = TestServer::start();
    for path in PATHS {
        let statement = server.send(&Request::get(&format!("{path}/metadata"))).json();
        let resource = at(&statement, "rest.0.resource.0").expect("a type");
        let flag = |name: &str| at(resource, name).and_then(Value::as_bool);
        let (target, etag) = server.flag(path);
        assert_eq!(text_at(resource, "conditionalRead").as_deref(), Some("full-support"), "{path}");
        let read = server.send(&Request::get(&target));
        let modified = read.header("last-modified").expect("a date").to_owned();
        for (header, value) in [("If-None-Match", etag.as_str()), ("If-Modified-Since", modified.as_str())] {
            let again = server.send(&Request::get(&target).header(header, value));
            assert_eq!(again.status, 304, "{path} {header}");
        }
        let version_id = etag.trim_start_matches("W/").trim_matches('"');
        let history = flag("readHistory") == Some(true);
        for old in [format!("{target}/_history/{version_id}"), format!("{target}/_history")] {
            assert_eq!(server.send(&Request::get(&old)).status, if history { 200 } else { 404 }, "{old}");
        }
        let system = texts(&statement, "rest.0.interaction", "code");
        let all = server.send(&Request::get(&format!("{path}/_history"))).status;
        assert_eq!(all == 200, system.iter().any(|code| code == "history-system"), "{path}: {all}");
        if let Some(named) = flag("conditionalPatch") {
            let patch = Request::new("PATCH", &format!("{path}/Flag?identifier=none")).body("[]");
            let patch = patch.header("Content-Type", "application/json-patch+json");
            // Nothing matches, which only who looked can know.
            assert_eq!(server.send(&patch).status, if named { 404 } else { 405 }, "{path}");
        }
    }
}
