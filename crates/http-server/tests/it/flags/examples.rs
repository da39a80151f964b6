//! The published examples: each is sent as what it is, and accepted or refused as
//! `fixtures/spine/flags/examples.txt` says, with the reason. The examples themselves are not part
//! of the project; without them this test says that it is skipped.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_model::xml;

use super::fixtures::{Payload, signed};
use super::{BASE, make, server};
use crate::client::{Request, Response, text_at};
use crate::harness::TestServer;
use crate::mounts;

/// Where the examples are, beside the project.
const PLACE: &str = "../../../shared/spine-examples";

/// The directories with examples of this API. A repaired copy under `fixed` is looked at as well.
const DIRECTORIES: [&str; 14] = [
    "profiles/Examples",
    "ra-api-0.3.4-beta/examples",
    "ra-ig-0.3.6-beta/resourceexamples",
    "ra-ig-0.3.6-beta/unit-create",
    "ra-ig-0.3.6-beta/unit-update",
    "ra-ig-0.3.6-beta/usecaseexamples",
    "ra-ig-2018-transaction",
    "fixed/profiles/Examples",
    "fixed/ra-api-0.3.4-beta/examples",
    "fixed/ra-ig-0.3.6-beta/resourceexamples",
    "fixed/ra-ig-0.3.6-beta/unit-create",
    "fixed/ra-ig-0.3.6-beta/unit-update",
    "fixed/ra-ig-0.3.6-beta/usecaseexamples",
    "fixed/ra-ig-2018-transaction",
];

/// The patient of the repaired examples.
const PATIENT: &str = "5900026175";

#[test]
fn published_examples_are_accepted_or_refused_as_listed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = here.join(PLACE);
    if !place.is_dir() {
        println!("SKIPPED: there are no published examples at {}", place.display());
        return;
    }
    let mut table = String::from(
        "# What becomes of each published example of the flags API that is a request. First what it is sent as,\n# then the status, then the reason. An example with an id is sent without it too: the server assigns ids.\n\n",
    );
    let mut count = 0;
    for directory in DIRECTORIES {
        for file in files(&place.join(directory)) {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            if let Some(outcome) = play(&file) {
                writeln!(table, "{directory}/{name}: {outcome}").expect("written");
                count += 1;
            }
        }
    }
    println!("{table}");
    assert!(count > 100, "{count} examples");
    let listed = here.join("../../fixtures/spine/flags/examples.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&listed, &table).expect("written");
        return;
    }
    let expected = std::fs::read_to_string(&listed).expect("the list");
    for (expected, found) in expected.lines().zip(table.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}

/// The published transaction, where no rules of records hold.
#[test]
fn the_published_transaction_is_taken_without_the_rules_of_records() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(PLACE).join("fixed/ra-ig-2018-transaction");
    if !place.is_dir() {
        println!("SKIPPED: there are no published examples at {}", place.display());
        return;
    }
    let mounts = [mounts::parse("/spine/STU3 spine/STU3")];
    let server = TestServer::adjusted(&mounts, http_server::Settings::default(), &|service| service);
    for (end, media) in [("json", "application/fhir+json"), ("xml", "application/fhir+xml")] {
        let file = place.join(format!("RARecord-CreateListTransactionRequestBody-example.{end}"));
        let body = std::fs::read(file).expect("an example");
        let request = Request::new("POST", "/spine/STU3").header("Content-Type", media).body(body);
        let answer = server.send(&request);
        assert_eq!(answer.status, 200, "{end}: {}", answer.body_text());
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json" || end == "xml"))
        .collect();
    files.sort();
    files
}

/// Sends an example as what it is; nothing for one that is no request to this API.
fn play(file: &Path) -> Option<String> {
    let bytes = std::fs::read(file).expect("an example");
    let is_xml = file.extension().is_some_and(|end| end == "xml");
    let media = if is_xml { "application/fhir+xml" } else { "application/fhir+json" };
    let definitions = Definitions::of(FhirVersion::Stu3);
    let tree = if is_xml {
        xml::parse(&bytes, definitions, &Limits::default()).ok()
    } else {
        parse(&bytes, &Limits::default()).ok()
    };
    let kind = match &tree {
        Some(tree) => tree.get("resourceType").and_then(Value::as_str)?.to_owned(),
        None => kind_of_text(&String::from_utf8_lossy(&bytes))?.to_owned(),
    };
    let send = |target: &str, media: &str, body: &[u8]| {
        let server = server("");
        if kind == "Parameters" {
            make(&server, &Payload::of("consent").of_patient(PATIENT));
        }
        let request = Request::new("POST", target).header("Content-Type", media).body(body);
        server.send(&signed(request.header("Accept", "application/fhir+json")))
    };
    match kind.as_str() {
        "Parameters" => {
            Some(format!("operation {}", worded(&send(&format!("{BASE}/$removerarecord"), media, &bytes))))
        }
        "Bundle" => {
            let is_transaction = tree.as_ref()?.get("type").and_then(Value::as_str) == Some("transaction");
            is_transaction.then(|| format!("transaction {}", worded(&send(BASE, media, &bytes))))
        }
        "Consent" | "Flag" | "List" | "Condition" => {
            let target = format!("{BASE}/{kind}");
            let first = send(&target, media, &bytes);
            let Some(tree) = tree.filter(|_| first.status == 405) else {
                return Some(format!("create {}", worded(&first)));
            };
            if is_ended(&tree) {
                return Some(format!("update {}", worded(&update(&target, &tree))));
            }
            let anew = Payload::from(tree).with("id", None);
            Some(format!(
                "create 405; without id {}",
                worded(&send(&target, "application/fhir+json", &anew.bytes()))
            ))
        }
        _ => None,
    }
}

/// The type of an example that is no resource of STU3 at all.
fn kind_of_text(text: &str) -> Option<&'static str> {
    let kinds = ["Consent", "Flag", "List", "Condition"];
    let named = |kind: &&&str| {
        text.contains(&format!("\"resourceType\": \"{kind}\""))
            || text.trim_start().contains(&format!("<{kind}>"))
    };
    kinds.iter().find(named).copied()
}

fn is_ended(resource: &Value) -> bool {
    let is = |name: &str, value: &str| resource.get(name).and_then(Value::as_str) == Some(value);
    let entries = resource.get("entry").and_then(Value::as_array).unwrap_or_default();
    let is_deleted = |entry: &Value| entry.get("deleted").and_then(Value::as_bool) == Some(true);
    is("status", "inactive")
        || is("clinicalStatus", "inactive")
        || is("status", "retired")
        || entries.iter().any(is_deleted)
        || resource.get("contained").and_then(Value::as_array).unwrap_or_default().iter().any(is_ended)
}

/// What a resource must have been before it was ended.
fn begun(resource: &mut Value) {
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(object) = resource.as_object_mut() else { return };
    let (element, first) = match kind.as_str() {
        "Condition" => ("clinicalStatus", "active"),
        "List" => ("status", "current"),
        "Consent" | "Flag" => ("status", "active"),
        _ => return,
    };
    object.insert(element, first);
    let is_reason = |extension: &Value| {
        extension.get("url").and_then(Value::as_str).is_some_and(|url| url.ends_with("RemovalReason-1"))
    };
    if let Some(extensions) = object.get_mut("extension").and_then(Value::as_array_mut) {
        extensions.retain(|extension| !is_reason(extension));
        if extensions.is_empty() {
            object.remove("extension");
        }
    }
    for entry in object.get_mut("entry").and_then(Value::as_array_mut).into_iter().flatten() {
        entry.as_object_mut().expect("an entry").insert("deleted", false);
    }
    object.get_mut("contained").and_then(Value::as_array_mut).into_iter().flatten().for_each(begun);
}

/// An example of an update is sent over what it must have been before.
fn update(target: &str, ended: &Value) -> Response {
    let server = server("");
    let mut before = Payload::from(ended.clone()).with("id", None);
    begun(&mut before.0);
    let created = server.send(&signed(Request::post(target, before.bytes())));
    if created.status != 201 {
        return created;
    }
    let id = created.text("id");
    let ended = Payload::from(ended.clone()).with("id", Value::from(id.as_str()));
    server.send(&signed(Request::put(&format!("{target}/{id}"), ended.bytes()).if_match(created.etag())))
}

/// The status, and for a refusal the first reason.
fn worded(response: &Response) -> String {
    if response.status < 300 {
        return response.status.to_string();
    }
    let outcome = response.json();
    let issues = outcome.get("issue").and_then(Value::as_array).expect("issues");
    let is_error = |issue: &&Value| issue.get("severity").and_then(Value::as_str) == Some("error");
    let error = issues.iter().find(is_error).expect("an error");
    let text = |path: &str| text_at(error, path).expect("a text");
    let code = text("details.coding.0.code");
    let why: String = text("diagnostics").chars().take(160).collect();
    format!("{} {code}: {why}", response.status)
}
