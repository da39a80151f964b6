//! The National Record Locator as its clients see it.

mod audit;
mod bad_input;
mod examples;
mod races;
mod rows;

use fhir_model::json::Value;

use crate::client::{Request, Response, at};
use crate::harness::TestServer;
use crate::mounts;
use crate::pointers::{self, pointer};
use crate::tokens::{bearer, claims};

pub(crate) const BASE: &str = "/nrl/STU3";

/// What a pointer's URL on these servers starts with.
pub(crate) const URL: &str = "http://server.example/nrl/STU3/DocumentReference";

/// The one system of the demonstration that may do everything.
pub(crate) const PROVIDER: (&str, &str) = ("200000000118", "RR8");

/// The published patch.
pub(crate) const PATCH: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
    {"name":"type","valueCode":"replace"},{"name":"path","valueString":"DocumentReference.status"},
    {"name":"value","valueString":"entered-in-error"}]}]}"#;

/// A server with the API at its usual path.
pub(crate) fn server(settings: &str) -> TestServer {
    let mount = mounts::parse(&format!("{BASE} nrl/STU3 {settings}"));
    TestServer::with(&[mount], http_server::Settings::default())
}

/// The request with the header fields of the provider, and the scope that its method needs.
pub(crate) fn signed(request: Request) -> Request {
    let access = if request.method == "GET" { "read" } else { "write" };
    let (asid, ods_code) = PROVIDER;
    let token = bearer(&claims(asid, ods_code, &format!("patient/DocumentReference.{access}")));
    request.header("Authorization", token).header("fromASID", asid).header("toASID", "999999999999")
}

/// The same, answered in JSON.
pub(crate) fn in_json(request: Request) -> Request {
    signed(request).header("Accept", "application/fhir+json")
}

pub(crate) fn post(resource: &Value) -> Request {
    signed(Request::post(&format!("{BASE}/DocumentReference"), pointers::json(resource)))
}

pub(crate) fn patch(id: &str) -> Request {
    let target = format!("{BASE}/DocumentReference/{id}");
    let patch = Request::new("PATCH", &target).header("Content-Type", "application/fhir+json").body(PATCH);
    signed(patch)
}

pub(crate) fn read(server: &TestServer, id: &str) -> Response {
    server.send(&in_json(Request::get(&format!("{BASE}/DocumentReference/{id}"))))
}

/// How many current pointers the patient of the sample has.
pub(crate) fn count(server: &TestServer) -> String {
    let subject = "https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210";
    let target = format!("{BASE}/DocumentReference?subject={subject}&_summary=count");
    let answer = server.send(&in_json(Request::get(&target)));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    shown(&answer.json(), "total")
}

/// The text or number at a path; empty if there is none.
pub(crate) fn shown(value: &Value, path: &str) -> String {
    let found = at(value, path);
    let number = || found.and_then(Value::as_number).map(ToString::to_string);
    found.and_then(Value::as_str).map(str::to_owned).or_else(number).unwrap_or_default()
}

/// The id in Location.
pub(crate) fn id_of(created: &Response) -> String {
    assert_eq!(created.status, 201, "{}", created.body_text());
    created.header("location").and_then(|url| url.rsplit('/').next()).expect("Location").to_owned()
}

/// Creates the sample with edits.
pub(crate) fn make<'a>(server: &TestServer, edits: impl IntoIterator<Item = &'a str>) -> String {
    id_of(&server.send(&post(&pointer(edits))))
}

/// What takes the place of a pointer, with a master identifier of its own.
pub(crate) fn replacing(id: &str, own: usize) -> Value {
    let relates = format!(r#"relatesTo = [{{"code":"replaces","target":{{"reference":"{URL}/{id}"}}}}]"#);
    let identifier = format!(r#"masterIdentifier.value = "urn:oid:9.{own}""#);
    pointer([relates.as_str(), identifier.as_str()])
}

/// The statement lists the one type with what it has, and the formats of this API.
#[test]
fn the_statement_says_what_there_is() {
    let server = server("");
    let statement = server.send(&Request::get(&format!("{BASE}/metadata"))).body;
    let statement = pointers::read(&statement);
    let list = |path: &str, member: &str| -> Vec<String> {
        let items = at(&statement, path).and_then(Value::as_array).unwrap_or_default();
        items
            .iter()
            .map(|item| if member.is_empty() { item.as_str() } else { item.get(member)?.as_str() })
            .map(|text| text.unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(list("format", ""), ["application/fhir+xml", "application/fhir+json"]);
    assert_eq!(list("patchFormat", ""), ["application/fhir+json", "application/fhir+xml"]);
    assert_eq!(list("rest.0.resource", "type"), ["DocumentReference"]);
    let interactions = ["read", "patch", "delete", "create", "search-type"];
    assert_eq!(list("rest.0.resource.0.interaction", "code"), interactions);
    assert_eq!(list("rest.0.resource.0.searchParam", "name"), ["_id", "custodian", "subject", "type"]);
    let methods = server.send(&signed(Request::new("OPTIONS", &format!("{BASE}/DocumentReference/x"))));
    assert_eq!(methods.header("allow"), Some("GET, HEAD, PATCH, DELETE, OPTIONS"));
    assert_eq!(methods.header("accept-patch"), None, "there is one patch, not a format of patches");
}

/// What the server dropped of a pointer it says beside the success.
#[test]
fn dropped_comments_are_told() {
    let created = server("").send(&post(&pointer([r#"fhir_comments = ["for readers"]"#])));
    assert_eq!((created.status, created.text("issue.1.severity").as_str()), (201, "warning"));
    assert!(created.text("issue.1.diagnostics").contains("fhir_comments"));
}
