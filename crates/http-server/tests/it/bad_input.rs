//! What clients send by mistake or on purpose: each gets a clear answer, on every mount, and the
//! server goes on.

use fhir_model::json::{self, Limits};

use crate::client::{Connection, Request, Response, text_at};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, stale};

/// Words that would show that the inside of the server came out.
const INSIDE: [&str; 16] = [
    "panicked",
    "RUST_BACKTRACE",
    "unwrap",
    "expect(",
    "Err(",
    "Ok(",
    "Some(",
    "None)",
    ".rs:",
    "src/",
    "SELECT ",
    "INSERT ",
    "sqlite",
    "Failure",
    "JsonError",
    "Refusal",
];

/// An error answer has an OperationOutcome with severity, type, code and diagnostics, and shows
/// nothing of the inside.
#[track_caller]
pub(crate) fn check_outcome(answer: &Response, status: u16, what: &str) {
    let body: String = answer.body_text().chars().take(2000).collect();
    assert_eq!(answer.status, status, "{what}: {body}");
    assert_eq!(answer.header("content-type"), Some("application/fhir+json; charset=utf-8"), "{what}: {body}");
    let outcome =
        json::parse(&answer.body, &Limits::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(text_at(&outcome, "resourceType").as_deref(), Some("OperationOutcome"), "{what}");
    assert_eq!(text_at(&outcome, "issue.0.severity").as_deref(), Some("error"), "{what}");
    for path in ["issue.0.code", "issue.0.details.coding.0.system", "issue.0.details.coding.0.code"] {
        assert!(text_at(&outcome, path).is_some_and(|text| !text.is_empty()), "{what}: {path} in {body}");
    }
    let diagnostics = text_at(&outcome, "issue.0.diagnostics").expect("diagnostics");
    assert!(diagnostics.len() > 10 && diagnostics.len() < 2000, "{what}: {diagnostics}");
    assert!(!diagnostics.contains(|char: char| char.is_control()), "{what}: {diagnostics:?}");
    for word in INSIDE {
        assert!(!body.contains(word), "{what}: {word} in {body}");
    }
    assert!(answer.header("x-request-id").is_some(), "{what}");
}

/// A good request works.
#[track_caller]
pub(crate) fn goes_on(connection: &mut Connection, path: &str) {
    let created = connection.send(&Request::post(&format!("{path}/Flag"), r#"{"resourceType":"Flag"}"#));
    assert_eq!(created.status, 201, "{path}: {}", created.body_text());
}

/// Bodies that are no Flag, with what is wrong in them.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str| {
        let levels = 10_000;
        format!(r#"{{"resourceType":"Flag","id":"a","x":{}1{}}}"#, open.repeat(levels), close.repeat(levels))
    };
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("no JSON", text("status=active")),
        ("XML", text("<Flag xmlns=\"http://hl7.org/fhir\"/>")),
        ("cut off", text(r#"{"resourceType":"Flag","id":"a""#)),
        ("two documents", text(r#"{"resourceType":"Flag","id":"a"}{}"#)),
        ("a comma too many", text(r#"{"resourceType":"Flag","id":"a",}"#)),
        ("white space only", text(" \n\t ")),
        ("an array", text(r#"[{"resourceType":"Flag","id":"a"}]"#)),
        ("a string", text(r#""Flag""#)),
        ("a number", text("17")),
        ("null", text("null")),
        ("a number where an object belongs", text(r#"{"resourceType":"Flag","id":"a","meta":17}"#)),
        ("no type", text(r#"{"id":"a"}"#)),
        ("a type that is no text", text(r#"{"resourceType":5,"id":"a"}"#)),
        ("a type that does not exist", text(r#"{"resourceType":"Flagg","id":"a"}"#)),
        ("a type in the wrong case", text(r#"{"resourceType":"flag","id":"a"}"#)),
        ("another type", text(r#"{"resourceType":"List","id":"a"}"#)),
        ("an id that is no text", text(r#"{"resourceType":"Flag","id":5}"#)),
        ("a member twice", text(r#"{"resourceType":"Flag","id":"a","status":"active","status":"inactive"}"#)),
        ("10 000 arrays", nested("[", "]").into_bytes()),
        ("10 000 objects", nested(r#"{"x":"#, "}").into_bytes()),
        ("10 000 arrays left open", [br#"{"resourceType":"Flag","x":"#.as_slice(), &[b'['; 10_000]].concat()),
        ("not UTF-8", b"{\"resourceType\":\"Flag\",\"id\":\"a\",\"status\":\"\xff\xfe\"}".to_vec()),
        (
            "UTF-8 cut in a character",
            b"{\"resourceType\":\"Flag\",\"id\":\"a\",\"status\":\"\xc3\"}".to_vec(),
        ),
        ("half a surrogate pair", text(r#"{"resourceType":"Flag","id":"a","status":"\ud800"}"#)),
        ("UTF-16", r#"{"resourceType":"Flag"}"#.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("a control character", text("{\"resourceType\":\"Flag\",\"id\":\"a\",\"status\":\"\u{1}\"}")),
        ("a number that is none", text(r#"{"resourceType":"Flag","id":"a","x":NaN}"#)),
    ]
}

#[test]
fn bodies_that_are_no_resource() {
    let server = TestServer::start();
    for path in PATHS {
        let mut connection = server.connect();
        let (target, etag) = server.flag(path);
        for (what, body) in bad_bodies() {
            let what = format!("{what} on {path}");
            let answer = connection.send(&Request::post(&format!("{path}/Flag"), &body));
            check_outcome(&answer, 400, &what);
            let answer = connection.send(&Request::put(&target, &body).if_match(&etag));
            check_outcome(&answer, 400, &what);
        }
        for request in
            [Request::new("POST", &format!("{path}/Flag")), Request::new("PUT", &target).if_match(&etag)]
        {
            check_outcome(&connection.send(&request), 400, &format!("no body on {path}"));
        }
        assert_eq!(server.send(&Request::get(&target)).etag(), etag, "{path}: nothing was written");
        goes_on(&mut connection, path);
    }
}

/// RFC 8259 8.1 lets a parser pass over a byte order mark; either answer is clear.
#[test]
fn a_byte_order_mark() {
    let server = TestServer::start();
    for path in PATHS {
        let body = [b"\xef\xbb\xbf".as_slice(), br#"{"resourceType":"Flag"}"#].concat();
        let answer = server.send(&Request::post(&format!("{path}/Flag"), body));
        check_outcome(&answer, 400, path);
        assert!(answer.diagnostics().contains("byte order mark"), "{}", answer.diagnostics());
    }
}

#[test]
fn ids_on_update() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let mut connection = server.connect();
        for (what, body) in [
            ("missing", r#"{"resourceType":"Flag"}"#),
            ("different", r#"{"resourceType":"Flag","id":"another"}"#),
            ("illegal", r#"{"resourceType":"Flag","id":"not an id"}"#),
            ("empty", r#"{"resourceType":"Flag","id":""}"#),
            ("null", r#"{"resourceType":"Flag","id":null}"#),
        ] {
            let answer = connection.send(&Request::put(&target, body).if_match(&etag));
            check_outcome(&answer, 400, &format!("an id that is {what} on {path}"));
        }
        let long = "a".repeat(65);
        for id in ["a_b", "a%20b", "%C3%A9", "a%2Fb", "a%00b", long.as_str()] {
            let target = format!("{path}/Flag/{id}");
            for request in [Request::put(&target, "{}"), Request::get(&target), Request::delete(&target)] {
                check_outcome(&connection.send(&request), 400, &format!("{} {target}", request.method));
            }
        }
        goes_on(&mut connection, path);
    }
}

/// Ignored where the client may not choose, refused where the API says so.
#[test]
fn an_id_on_create() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        for id in ["mine", "not an id", ""] {
            let body = format!(r#"{{"resourceType":"Flag","id":"{id}"}}"#);
            let created = server.send(&Request::post(&format!("{path}/Flag"), body));
            assert_eq!(created.status, 201, "{path} {id}");
            assert_ne!(created.text("id"), id, "{path}");
        }
        assert_eq!(server.send(&Request::get(&format!("{path}/Flag/mine"))).status, 404, "{path}");
    }
    let refused = server.send(&Request::post("/spine/STU3/Flag", r#"{"resourceType":"Flag","id":"mine"}"#));
    check_outcome(&refused, 405, "an id on Spine");
    assert_eq!(refused.text("issue.0.details.coding.0.code"), "MSG_RESOURCE_ID_FAIL");
    assert_eq!(refused.text("issue.0.details.coding.0.display"), "Client is not permitted to assign an id");
}

#[test]
fn paths_that_are_no_route() {
    let server = TestServer::start();
    for path in PATHS {
        let mut connection = server.connect();
        for below in [
            "/nothing",
            "/Flagg",
            "/flag",
            "/FLAG/1",
            "/Flag/1/2",
            "/Flag/1/_history/1/2",
            "/Flag//",
            "//Flag",
            "/Flag/1/$op",
            "/$op",
            "/_histories",
            "/metadata/x",
            "/%ff",
            "/Flag/%ff",
            "/%2e%2e/R4/Flag",
            "/Flag/../../x",
            "/.",
            "/Flag;x=1",
            "/%00",
        ] {
            let target = format!("{path}{below}");
            for method in ["GET", "PUT", "DELETE", "POST"] {
                check_outcome(
                    &connection.send(&Request::new(method, &target)),
                    404,
                    &format!("{method} {target}"),
                );
            }
        }
        goes_on(&mut connection, path);
    }
    let mut connection = server.connect();
    for target in
        ["/", "/R6/Flag", "/r4/Flag", "/R4x/Flag", "/spine", "/spine/STU3x", "/%52%34/Flag", "//R4/Flag"]
    {
        check_outcome(&connection.send(&Request::get(target)), 404, target);
    }
}

#[test]
fn versions_that_do_not_exist() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let (target, _) = server.flag(path);
        let long = "9".repeat(3000);
        for id in [
            "abc",
            "0",
            "01",
            "+1",
            "-1",
            "1.0",
            "18446744073709551616",
            "18446744073709551617",
            "1%00",
            "1%0a",
            "%20",
            "2",
            &long,
        ] {
            let target = format!("{target}/_history/{id}");
            check_outcome(&server.send(&Request::get(&target)), 404, &target);
        }
        assert_eq!(server.send(&Request::get(&format!("{target}/_history/1"))).status, 200, "{path}");
        assert_eq!(server.send(&Request::get(&format!("{target}/_history/%31"))).status, 200, "{path}");
    }
}

#[test]
fn conditional_fields_that_are_malformed() {
    let server = TestServer::start();
    let many = vec!["\"x\""; 200].join(",");
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let mut connection = server.connect();
        for value in ["1", "W/\"1", "\"1\" \"2\"", "*, \"1\"", "", ",,,", &many] {
            let answer = connection.send(&Request::delete(&target).if_match(value));
            check_outcome(&answer, 400, &format!("If-Match: {value} on {path}"));
            assert!(answer.diagnostics().starts_with("If-Match"), "{}", answer.diagnostics());
        }
        let answer = connection.send(&Request::delete(&target).if_match("\"x\""));
        check_outcome(&answer, stale(path), path);
        assert_eq!(answer.etag(), etag);
        goes_on(&mut connection, path);
    }
}

#[test]
fn queries_that_cannot_be_read() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, _) = server.flag(path);
        let status = if path.starts_with("/spine") { 422 } else { 400 };
        for query in ["_format=%ff", "%ff=json", "_format=json&_format=json", "a=%c3%28"] {
            check_outcome(
                &server.send(&Request::get(&format!("{target}?{query}"))),
                status,
                &format!("{path} {query}"),
            );
        }
        for query in ["", "&&", "=", "=x", "%", "%2", "a=%zz"] {
            assert_eq!(
                server.send(&Request::get(&format!("{target}?{query}"))).status,
                200,
                "{path} {query}"
            );
        }
    }
}
