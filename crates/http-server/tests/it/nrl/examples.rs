//! The published examples of the record locator, which stand beside the project where they are
//! there: requests are sent as a client would send them, and answers are what the server gives.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fhir_model::json::Value;

use super::{BASE, URL, id_of, in_json, make, patch, post, server, shown, signed};
use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::pointers;

/// Folders with examples of this API, and how the names of those begin that are requests.
const FOLDERS: [(&str, &[&str]); 6] = [
    ("fixed/nrl-2.8.0", &REQUESTS),
    ("nrl-2.8.0", &REQUESTS),
    ("nrl-2.3.0-beta", &REQUESTS),
    ("nrl-2019-phase2", &REQUESTS),
    ("fixed/profiles/Examples", &["NRL"]),
    ("profiles/Examples", &["NRL"]),
];
const REQUESTS: [&str; 4] = ["create_documentreference", "supersede", "patch", "retrieval"];

/// The host of the published references to pointers.
const PUBLISHED: &str = "https://psis-sync.national.ncrs.nhs.uk/DocumentReference/";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spine-examples")
}

/// Every example that is a request is answered as `fixtures/spine/nrl-examples.txt` says, with the
/// reason; those that were repaired are accepted.
#[test]
fn published_requests_are_answered_as_listed() {
    let folder = folder();
    if !folder.exists() {
        println!("skipped: there is no {}", folder.display());
        return;
    }
    let mut table = String::from(
        "# What becomes of each published example of the record locator that is a request: the status, and for a\n# refusal the reason. Those under fixed were repaired.\n\n",
    );
    for (directory, beginnings) in FOLDERS {
        let mut files: Vec<String> = std::fs::read_dir(folder.join(directory))
            .expect("a folder of examples")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|file| beginnings.iter().any(|beginning| file.starts_with(beginning)))
            .filter(|file| file.ends_with("json") || file.ends_with("xml"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(folder.join(directory).join(&file)).expect("an example");
            let answer = send(&server(""), &file, &text);
            let is_repaired = directory.starts_with("fixed/nrl");
            assert!(!is_repaired || answer.status < 300, "{file}: {}", answer.body_text());
            writeln!(table, "{directory}/{file}: {}", worded(&answer)).expect("written");
        }
    }
    println!("{table}");
    let listed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spine/nrl-examples.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&listed, &table).expect("written");
    }
    assert_eq!(table, std::fs::read_to_string(&listed).expect("the list"));
}

/// The status, and for a refusal its code and its reason.
fn worded(answer: &Response) -> String {
    if answer.status < 300 {
        return answer.status.to_string();
    }
    let outcome = pointers::read(&answer.body);
    let text = |path: &str| shown(&outcome, path);
    // Where the table fixes the words the reason stands beside them.
    let reason = match text("issue.0.details.text") {
        reason if reason.is_empty() => text("issue.0.diagnostics"),
        reason => reason,
    };
    let reason: String = reason.chars().take(160).collect();
    format!("{} {}: {reason}", answer.status, text("issue.0.details.coding.0.code"))
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
