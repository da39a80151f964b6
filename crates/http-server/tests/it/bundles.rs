//! Batches: each entry as if it had been sent alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use fhir_model::json::Value;
use http_server::Settings;

use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, parse};

const FLAG: &str = r#"{"resourceType":"Flag","id":"a","status":"active"}"#;
const OTHER: &str = r#"{"resourceType":"Flag","id":"a","status":"inactive"}"#;
const PATIENT: &str = r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"1"}]}"#;

/// A request: method, URL below the base, a condition as header field and as element, body.
struct Single {
    method: &'static str,
    url: &'static str,
    /// Name of the header field, name of the element, value.
    conditions: &'static [(&'static str, &'static str, &'static str)],
    /// With `Content-Type` where it is a patch that an entry sends in a Binary.
    media: &'static str,
    body: &'static str,
}

const fn one(method: &'static str, url: &'static str, body: &'static str) -> Single {
    Single { method, url, conditions: &[], media: JSON, body }
}

/// With a condition.
const fn on(
    method: &'static str,
    url: &'static str,
    conditions: &'static [(&'static str, &'static str, &'static str)],
    body: &'static str,
) -> Single {
    Single { conditions, ..one(method, url, body) }
}

const fn patch(url: &'static str, media: &'static str, body: &'static str) -> Single {
    Single { media, ..one("PATCH", url, body) }
}

const JSON: &str = "application/fhir+json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const XML_PATCH: &str = "application/xml-patch+xml";

const PARAMETERS: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Flag.status"},{"name":"value","valueCode":"draft"}]}]}"#;
const BINARY: &str = r#"{"resourceType":"Binary","id":"i","contentType":"text/plain","data":"YQ=="}"#;

macro_rules! if_match {
    ($tag:literal) => {
        &[("If-Match", "ifMatch", $tag)]
    };
}

macro_rules! if_none_match {
    ($tag:literal) => {
        &[("If-None-Match", "ifNoneMatch", $tag)]
    };
}

macro_rules! if_none_exist {
    ($criteria:literal) => {
        &[("If-None-Exist", "ifNoneExist", $criteria)]
    };
}

/// In their order: what comes later meets what came before.
const REQUESTS: &[Single] = &[
    // update
    one("PUT", "Flag/a", FLAG),
    one("PUT", "Flag/a", FLAG),
    on("PUT", "Flag/a", if_match!("W/\"7\""), OTHER),
    on("PUT", "Flag/a", if_none_match!("*"), OTHER),
    on("PUT", "Flag/a", if_none_match!("W/\"1\""), OTHER),
    on("PUT", "Flag/a", if_match!("1"), OTHER),
    on("PUT", "Flag/a", if_match!("W/\"7\", W/\"1\""), OTHER),
    on(
        "PUT",
        "Flag/a",
        &[("If-Match", "ifMatch", "W/\"2\""), ("If-None-Match", "ifNoneMatch", "\"2\"")],
        OTHER,
    ),
    on("PUT", "Flag/never", if_match!("*"), r#"{"resourceType":"Flag","id":"never"}"#),
    one("PUT", "Flag/b", FLAG),
    one("PUT", "Flag/b", r#"{"resourceType":"Flag"}"#),
    one("PUT", "Flag/b", r#"{"resourceType":"List","id":"b"}"#),
    one("PUT", "Flag/no%20id", FLAG),
    one("PUT", "Nothing/1", FLAG),
    one("PUT", "Binary/i", BINARY),
    // read, vread, history
    one("GET", "Flag/a", ""),
    one("GET", "Flag/never", ""),
    one("GET", "Binary/i?_format=json", ""),
    one("GET", "Flag/a?_elements=status", ""),
    one("GET", "Flag/a?_summary=text", ""),
    one("GET", "Flag/a?_summary=perhaps", ""),
    on("GET", "Flag/a", if_none_match!("W/\"2\""), ""),
    on("GET", "Flag/a", if_none_match!("W/\"1\""), ""),
    on("GET", "Flag/a", if_match!("W/\"1\""), ""),
    on("GET", "Flag/a", if_match!("W/\"2\""), ""),
    one("HEAD", "Flag/a", ""),
    one("GET", "Flag/a/_history/1", ""),
    one("GET", "Flag/a/_history/7", ""),
    on("GET", "Flag/a/_history/1", if_none_match!("W/\"1\""), ""),
    one("GET", "Flag/a/_history", ""),
    one("GET", "Flag/a/_history?_count=1", ""),
    one("GET", "Flag/a/_history?_count=none", ""),
    one("GET", "Flag/never/_history", ""),
    one("GET", "Flag/_history", ""),
    one("GET", "_history?_count=2", ""),
    one("GET", "metadata", ""),
    one("GET", "metadata?mode=terminology", ""),
    one("GET", "metadata?mode=perhaps", ""),
    // What is not known, and what cannot be read
    one("GET", "Flag/a?nonsense=1", ""),
    one("GET", "Flag/a/_history?nonsense=1", ""),
    one("GET", "Flag/a/Patient", ""),
    one("GET", "Flag/a/b/c/d", ""),
    one("GET", "Flag?identifier=%ff", ""),
    one("PUT", "Patient?identifier=%ff", PATIENT),
    on("POST", "Patient", if_none_exist!("identifier=%ff"), PATIENT),
    // layout
    one("PUT", "Flag/a?_format=json", OTHER),
    one("POST", "Flag?_format=json&_pretty=true", FLAG),
    one("DELETE", "Flag?identifier=s|none&_format=json", ""),
    // create
    one("POST", "Patient", FLAG),
    one("POST", "Patient", r#"{"resourceType":"Patient","id":"passed-over","gender":"male"}"#),
    on("POST", "Patient", if_match!("W/\"1\""), PATIENT),
    on("POST", "Patient", if_none_exist!("identifier=s|1"), PATIENT),
    on("POST", "Patient", if_none_exist!("identifier=s|1"), PATIENT),
    on("POST", "Patient", if_none_exist!("identifer=s|1"), PATIENT),
    on("POST", "Patient", if_none_exist!("_count=1"), PATIENT),
    // search
    one("GET", "Patient?identifier=s|1", ""),
    one("GET", "Patient?identifier=s|1&_summary=count", ""),
    one("GET", "Patient?gender=male&_elements=gender", ""),
    one("GET", "Patient?birthdate=yesterday", ""),
    one("GET", "Patient?nonsense=1", ""),
    one("GET", "Patient/passed-over/Observation", ""),
    one("GET", "Nothing?a=b", ""),
    // by criteria
    on("PUT", "Patient?identifier=s|1", if_match!("W/\"7\""), PATIENT),
    on(
        "PUT",
        "Patient?identifier=s|1",
        if_match!("W/\"1\""),
        r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"1"}],"active":true}"#,
    ),
    one(
        "PUT",
        "Patient?identifier=s|2",
        r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"2"},{"system":"s","value":"both"}]}"#,
    ),
    one(
        "PUT",
        "Patient?identifier=s|3",
        r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"3"},{"system":"s","value":"both"}]}"#,
    ),
    one("PUT", "Patient?identifier=s|both", PATIENT),
    one("DELETE", "Patient?identifier=s|both", ""),
    on("POST", "Patient", if_none_exist!("identifier=s|both"), PATIENT),
    one("DELETE", "Patient?identifier=s|none", ""),
    on("DELETE", "Patient?identifier=s|none", if_match!("W/\"1\""), ""),
    one("DELETE", "Patient?nonsense=1", ""),
    one("DELETE", "Patient?identifier=s|1", ""),
    // systems as people write them
    one(
        "PUT",
        "Patient?identifier=http://example.org/ids|1",
        r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/ids","value":"1"}]}"#,
    ),
    on("POST", "Patient", if_none_exist!("identifier=http://example.org/ids|1"), PATIENT),
    one("GET", "Patient?identifier=http://example.org/ids|1", ""),
    one("DELETE", "Patient?identifier=http://example.org/ids|1", ""),
    // delete
    on("DELETE", "Flag/a", if_match!("W/\"1\""), ""),
    on("DELETE", "Flag/a", if_match!("one"), ""),
    on("DELETE", "Flag/a", if_match!("W/\"2\""), ""),
    one("DELETE", "Flag/a", ""),
    one("DELETE", "Flag/never", ""),
    on("DELETE", "Flag/never", if_match!("*"), ""),
    one("GET", "Flag/a", ""),
    one("GET", "Flag/a/_history/3", ""),
    on("PUT", "Flag/a", if_match!("*"), FLAG),
    on("PUT", "Flag/a", if_match!("W/\"3\""), FLAG),
];

/// Of versions whose Bundles have PATCH.
const PATCHES: &[Single] = &[
    one(
        "PUT",
        "Flag/p",
        r#"{"resourceType":"Flag","id":"p","identifier":[{"system":"s","value":"p"}],"status":"active"}"#,
    ),
    one("PATCH", "Flag/p", PARAMETERS),
    on("PATCH", "Flag/p", if_match!("W/\"1\""), PARAMETERS),
    on("PATCH", "Flag?identifier=s|p", if_match!("W/\"2\""), PARAMETERS),
    one("PATCH", "Flag?identifier=s|none", PARAMETERS),
    one("PATCH", "Flag/never", PARAMETERS),
    one("PATCH", "Flag/p", r#"{"resourceType":"Parameters"}"#),
    patch("Flag/p", JSON_PATCH, r#"[{"op":"replace","path":"/status","value":"active"}]"#),
    patch("Flag/p", JSON_PATCH, r#"[{"op":"test","path":"/status","value":"draft"}]"#),
    patch("Flag/p", JSON_PATCH, "["),
    patch("Flag/p", JSON_PATCH, r#"[{"op":"replace","path":"/id","value":"q"}]"#),
    patch("Flag/p", MERGE_PATCH, r#"{"status":"inactive"}"#),
    patch("Flag/p", MERGE_PATCH, r#"{"resourceType":"List"}"#),
    patch(
        "Flag/p",
        XML_PATCH,
        r#"<diff xmlns:f="http://hl7.org/fhir"><replace sel="f:Flag/f:status/@value">active</replace></diff>"#,
    ),
    patch(
        "Flag/p",
        XML_PATCH,
        r#"<diff xmlns:f="http://hl7.org/fhir"><remove sel="f:Flag/f:subject"/></diff>"#,
    ),
    one("DELETE", "Flag/p", ""),
    patch("Flag/p", MERGE_PATCH, r#"{"status":"inactive"}"#),
];

const PREFERENCES: [Option<&str>; 4] = [
    None,
    Some("return=minimal"),
    Some("return=OperationOutcome"),
    Some("return=representation, handling=strict"),
];

/// Sends a request alone.
fn alone(server: &TestServer, path: &str, single: &Single, prefer: Option<&str>) -> Response {
    let target = format!("{path}/{}", single.url.replace('|', "%7C"));
    let mut request = Request::new(single.method, &target).header("X-Request-Id", "same");
    for (field, _, value) in single.conditions {
        request = request.header(field, value);
    }
    if let Some(prefer) = prefer {
        request = request.header("Prefer", prefer);
    }
    if !single.body.is_empty() {
        request = request.header("Content-Type", single.media).body(single.body);
    }
    server.send(&request)
}

/// Sends a request as the only entry of a batch.
fn bundled(server: &TestServer, path: &str, single: &Single, prefer: Option<&str>) -> Response {
    let Single { method, url, conditions, media, body } = single;
    let mut written = String::new();
    for (_, element, value) in *conditions {
        write!(written, r#","{element}":"{}""#, value.replace('"', "\\\"")).expect("write to a string");
    }
    let resource = match *media {
        _ if body.is_empty() => String::new(),
        JSON => format!(r#""resource":{body},"#),
        media => {
            let data = base64::engine::general_purpose::STANDARD.encode(body);
            format!(r#""resource":{{"resourceType":"Binary","contentType":"{media}","data":"{data}"}},"#)
        }
    };
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{{{resource}"request":{{"method":"{method}","url":"{url}"{written}}}}}]}}"#
    );
    let mut request = Request::post(path, bundle).header("X-Request-Id", "same");
    if let Some(prefer) = prefer {
        request = request.header("Prefer", prefer);
    }
    server.send(&request)
}

/// Compares the answers, and gives the status.
fn compare(single: &Response, batch: &Response, what: &str) -> u16 {
    assert_eq!(batch.status, 200, "{what}");
    let batch = batch.json();
    let response = |name: &str| text_at(&batch, &format!("entry.0.response.{name}"));
    let status = response("status").unwrap_or_default();
    assert_eq!(status.split(' ').next(), Some(single.status.to_string().as_str()), "{what}");
    for name in ["etag", "location"] {
        assert_eq!(response(name).as_deref(), single.header(name), "{what}: {name}");
    }
    let modified = response("lastModified").map(|text| {
        let instant: fhir_model::Instant = text.parse().unwrap_or_else(|_| panic!("{what}: {text}"));
        instant.http_date()
    });
    assert_eq!(modified.as_deref(), single.header("last-modified"), "{what}: last modified");
    let (resource, outcome) = (at(&batch, "entry.0.resource"), at(&batch, "entry.0.response.outcome"));
    assert!(resource.is_none() || outcome.is_none(), "{what}: one of them");
    let expected: Option<Value> = (!single.body_text().is_empty()).then(|| single.json());
    assert_eq!(resource.or(outcome), expected.as_ref(), "{what}");
    single.status
}

/// Two servers draw the same ids and have the same time, so what they answer can be compared as it is.
#[test]
fn an_entry_is_answered_as_the_single_request() {
    let mut seen = BTreeSet::new();
    for path in FHIR_PATHS {
        // What is preferred does not depend on the version.
        for prefer in PREFERENCES.into_iter().take(if path == "/R4" { PREFERENCES.len() } else { 1 }) {
            let servers = [(); 2]
                .map(|()| TestServer::with(&[parse(&format!("{path} {}", &path[1..]))], Settings::default()));
            let patches = if path == "/STU3" { &[] } else { PATCHES };
            for single in REQUESTS.iter().chain(patches) {
                // STU3 has no HEAD in Bundles.
                if path == "/STU3" && single.method == "HEAD" {
                    continue;
                }
                let what =
                    format!("{} {path}/{} {:?} {prefer:?}", single.method, single.url, single.conditions);
                let [alone, bundled] =
                    [alone(&servers[0], path, single, prefer), bundled(&servers[1], path, single, prefer)];
                seen.insert(compare(&alone, &bundled, &what));
                for server in &servers {
                    server.clock.advance(1);
                }
            }
        }
    }
    let expected = [200, 201, 204, 304, 400, 404, 409, 410, 412, 422];
    assert_eq!(Vec::from_iter(seen), expected, "every status was compared");
}
