//! The published examples of the record locator, which stand beside the project where they are
//! there: requests are sent as a client would send them, and answers are what the server gives.

use std::path::{Path, PathBuf};

use fhir_model::json::Value;

use super::{BASE, URL, id_of, in_json, make, patch, post, server, shown, signed};
use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::pointers;

/// Folder, file, and the status that a request with the file gets; for the originals why it is not
/// accepted. Without a file at hand nothing is shown, and the test says so.
const REQUESTS: &[(&str, &str, u16, &str)] = &[
    ("fixed/nrl-2.8.0", "create_documentreference_resource.json", 201, ""),
    ("fixed/nrl-2.8.0", "create_documentreference_resource.xml", 201, ""),
    ("fixed/nrl-2.8.0", "supersede_documentreference_resource_identifier.json", 201, ""),
    ("fixed/nrl-2.8.0", "supersede_documentreference_resource_identifier.xml", 201, ""),
    ("fixed/nrl-2.8.0", "supersede_documentreference_resource_reference.json", 201, ""),
    ("fixed/nrl-2.8.0", "supersede_documentreference_resource_reference.xml", 201, ""),
    ("fixed/nrl-2.8.0", "retrieval_multiple_formats.json", 201, ""),
    ("fixed/nrl-2.8.0", "retrieval_multiple_formats.xml", 201, ""),
    ("fixed/nrl-2.8.0", "patch_parameters_resource.json", 200, ""),
    ("fixed/nrl-2.8.0", "patch_parameters_resource.xml", 200, ""),
    ("nrl-2019-phase2", "patch_parameters_resource.json", 200, ""),
    ("nrl-2019-phase2", "patch_parameters_resource.xml", 200, ""),
    ("nrl-2.8.0", "patch_parameters_resource.json", 200, ""),
    ("nrl-2.8.0", "patch_parameters_resource.xml", 200, ""),
    ("nrl-2.3.0-beta", "patch_parameters_resource.json", 200, ""),
    ("nrl-2.3.0-beta", "patch_parameters_resource.xml", 200, ""),
    ("nrl-2.8.0", "create_documentreference_resource.json", 201, "the id in it is passed over"),
    ("nrl-2.8.0", "create_documentreference_resource.xml", 400, "content.extension is not the first"),
    ("nrl-2.8.0", "supersede_documentreference_resource_identifier.json", 400, "an extension is no array"),
    ("nrl-2.8.0", "supersede_documentreference_resource_identifier.xml", 400, "no namespace"),
    ("nrl-2.8.0", "supersede_documentreference_resource_reference.json", 400, "an extension is no array"),
    ("nrl-2.8.0", "supersede_documentreference_resource_reference.xml", 400, "no namespace"),
    ("nrl-2.8.0", "retrieval_multiple_formats.json", 400, "an extension is no array"),
    ("nrl-2.8.0", "retrieval_multiple_formats.xml", 400, "no namespace"),
    ("nrl-2.3.0-beta", "create_documentreference_resource.json", 201, "the id in it is passed over"),
    ("nrl-2.3.0-beta", "create_documentreference_resource.xml", 400, "content.extension is not the first"),
];

/// The host of the published references to pointers.
const PUBLISHED: &str = "https://psis-sync.national.ncrs.nhs.uk/DocumentReference/";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spine-examples")
}

#[test]
fn published_requests_are_answered_as_listed() {
    let folder = folder();
    if !folder.exists() {
        println!("skipped: there is no {}", folder.display());
        return;
    }
    let mut wrong = Vec::new();
    for (directory, file, expected, why) in REQUESTS {
        let path = folder.join(directory).join(file);
        let bytes =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let answer = send(&server(""), file, &bytes);
        println!("{} {directory}/{file} {why}", answer.status);
        if answer.status != *expected {
            wrong.push(format!("{directory}/{file}: {} {}", answer.status, answer.body_text()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Sends a file as what it is: a patch of a pointer, a pointer in the place of another, or one.
fn send(server: &TestServer, file: &str, text: &str) -> Response {
    let media = if file.ends_with("xml") { "application/fhir+xml" } else { "application/fhir+json" };
    let body = text.trim_start_matches('\u{feff}');
    if file.starts_with("patch") {
        let id = make(server, []);
        let target = format!("{BASE}/DocumentReference/{id}");
        return server.send(&signed(Request::new("PATCH", &target).header("Content-Type", media).body(body)));
    }
    let mut body = body.to_owned();
    if body.contains("relatesTo") {
        let old = r#"masterIdentifier.value = "urn:oid:1.3.6.1.4.1.21367.2005.3.6""#;
        let id = id_of(&server.send(&post(&pointers::pointer([old]))));
        if let Some((before, rest)) = body.split_once(PUBLISHED) {
            let end = rest.find('"').expect("the end of the reference");
            body = format!("{before}{URL}/{id}{}", &rest[end..]);
        }
    }
    let request = Request::new("POST", &format!("{BASE}/DocumentReference"));
    server.send(&signed(request.header("Content-Type", media).body(body)))
}

/// The published outcomes of successes, apart from the ids and the URL in them.
#[test]
fn published_answers_are_those_of_the_server() {
    let folder = folder().join("nrl-2.8.0");
    if !folder.exists() {
        println!("skipped: there is no {}", folder.display());
        return;
    }
    let server = server("nrl_spec=2.8.0");
    let created = server.send(&post(&pointers::pointer([])));
    let id = id_of(&created);
    let updated = server.send(&patch(&id));
    let deleted = server.send(&in_json(Request::delete(&format!("{BASE}/DocumentReference/{id}"))));
    for (answer, file) in [(created, "create"), (updated, "update"), (deleted, "delete")] {
        for end in ["json", "xml"] {
            let path = folder.join(format!("{file}_response.{end}"));
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let published = without_ids(pointers::read(&bytes));
            assert_eq!(
                pointers::json(&without_ids(answer.json())),
                pointers::json(&published),
                "{file} {end}"
            );
        }
    }
}

/// An outcome without its id, the message's, and the URL at the end of its diagnostics.
fn without_ids(mut outcome: Value) -> Value {
    let diagnostics = shown(&outcome, "issue.0.diagnostics");
    let words = diagnostics.split(": http").next().unwrap_or_default();
    pointers::edit(&mut outcome, "issue.0.diagnostics", &format!("{words:?}"));
    pointers::edit(&mut outcome, "issue.0.details.text", "");
    pointers::edit(&mut outcome, "id", "");
    outcome
}
