//! The tables of the record locator, row by row, in both formats: `fixtures/spine/nrl-rows.json`.
//!
//! A case is sent once in JSON and once in XML, each time to a new server. `given` makes pointers
//! before: `create NAME EDITS`, `patch NAME`, `delete NAME`, and `found NAME EDITS` for one that
//! nobody known created, where the mount asks for no header fields. `{{NAME}}` stands for the id.

use fhir_model::json::Value;

use super::{BASE, PATCH, PROVIDER, id_of, in_json, patch, post, server, shown};
use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::outcomes;
use crate::pointers::{self, pointer, value};
use crate::tokens::{bearer, claims};

const CASES: &str = include_str!("../../../../../fixtures/spine/nrl-rows.json");

/// A format by its media type.
const FORMATS: [&str; 2] = ["application/fhir+json", "application/fhir+xml"];

struct Case<'a>(&'a Value);

impl Case<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.0.get(name).and_then(Value::as_array).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    fn name(&self) -> String {
        format!("{}: {}", self.text("row").unwrap_or("?"), self.text("case").unwrap_or_default())
    }
}

#[test]
fn every_row_is_answered_as_published() {
    let cases = value(CASES);
    let cases = cases.as_array().expect("a list of cases");
    assert!(cases.len() >= 100, "the cases were read: {}", cases.len());
    let mut wrong = Vec::new();
    for case in cases.iter().map(Case) {
        for format in FORMATS {
            if let Err(why) = play(&case, format) {
                wrong.push(format!("{} in {format}: {why}", case.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays a case and compares what came back.
fn play(case: &Case<'_>, format: &str) -> Result<(), String> {
    let server = server(case.text("settings").unwrap_or_default());
    let names = prepare(&server, case);
    let only = case.text("only").is_some_and(|only| !format.ends_with(only));
    let Some(request) = request(case, format, &names) else {
        return if only { Ok(()) } else { Err("the format cannot say it".to_owned()) };
    };
    let answer = server.send(&request);
    compare(case, &answer, &names)
}

/// Makes what is there before, and gives the names with their ids.
fn prepare(server: &TestServer, case: &Case<'_>) -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = Vec::new();
    for step in case.texts("given") {
        let step = named(step, &names);
        let mut words = step.splitn(3, ' ');
        let (verb, name, edits) = (words.next(), words.next().expect("a name"), words.next());
        let id = |names: &[(String, String)]| {
            names.iter().find(|(known, _)| known == name).expect("a name given before").1.clone()
        };
        match verb {
            Some(verb @ ("create" | "found")) => {
                let resource = pointer(edits.into_iter().flat_map(|edits| edits.split("; ")));
                let anonymous =
                    Request::post(&format!("{BASE}/DocumentReference"), pointers::json(&resource));
                let request = if verb == "create" { post(&resource) } else { anonymous };
                names.push((name.to_owned(), id_of(&server.send(&request))));
            }
            Some("patch") => assert_eq!(server.send(&patch(&id(&names))).status, 200),
            Some("delete") => {
                let target = format!("{BASE}/DocumentReference/{}", id(&names));
                assert_eq!(server.send(&in_json(Request::delete(&target))).status, 200);
            }
            other => panic!("{other:?} is no step"),
        }
    }
    names
}

fn named(text: &str, names: &[(String, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{{{name}}}}}"), id))
}

/// The request of a case; nothing where it cannot be said in the format.
fn request(case: &Case<'_>, format: &str, names: &[(String, String)]) -> Option<Request> {
    let is_xml = format.ends_with("xml");
    let line = named(case.text("send").expect("send"), names);
    let (method, target) = line.split_once(' ').expect("METHOD target");
    let mut request = Request::new(method, &format!("{BASE}{target}"));
    let body = if let Some(raw) = case.text(if is_xml { "raw_xml" } else { "raw_json" }) {
        Some(raw.to_owned())
    } else if case.text("raw_json").is_some() || case.text("raw_xml").is_some() {
        return None;
    } else {
        let edits: Vec<String> = case.texts("edits").iter().map(|edit| named(edit, names)).collect();
        let resource = match method {
            "POST" => Some(pointer(edits.iter().map(String::as_str))),
            "PATCH" => Some(case.0.get("body").cloned().unwrap_or_else(|| value(PATCH))),
            _ => None,
        };
        match resource {
            Some(resource) if is_xml => Some(pointers::xml(&resource)?),
            Some(resource) => Some(pointers::json(&resource)),
            None => None,
        }
    };
    let headers = Headers { case, access: if method == "GET" { "read" } else { "write" }, format };
    request = headers.put_on(request, body.is_some());
    Some(request.body(body.unwrap_or_default()))
}

/// The header fields of a case: those of the provider, apart from what the case says otherwise.
struct Headers<'a> {
    case: &'a Case<'a>,
    access: &'a str,
    format: &'a str,
}

impl Headers<'_> {
    fn put_on(&self, mut request: Request, has_body: bool) -> Request {
        let (asid, ods_code) = PROVIDER;
        let claims = claims(asid, ods_code, &format!("patient/DocumentReference.{}", self.access));
        let claims = edited(&claims, &self.case.texts("token"));
        let mut headers = vec![
            ("Authorization", bearer(&claims)),
            ("fromASID", asid.to_owned()),
            ("toASID", "999999999999".to_owned()),
            ("Accept", self.format.to_owned()),
        ];
        if has_body {
            headers.push(("Content-Type", self.format.to_owned()));
        }
        for text in self.case.texts("headers") {
            let (name, value) = text.split_once(':').expect("NAME: VALUE");
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            if !value.trim().is_empty() {
                headers.push((name, value.trim().to_owned()));
            }
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    }
}

/// Claims with edits.
fn edited(claims: &str, edits: &[&str]) -> String {
    let mut claims = value(claims);
    for text in edits {
        let (place, replacement) = text.split_once('=').expect("PLACE = JSON");
        pointers::edit(&mut claims, place.trim(), replacement.trim());
    }
    pointers::json(&claims)
}

/// What came back against status, severity, issue type, code, display and diagnostics.
fn compare(case: &Case<'_>, answer: &Response, names: &[(String, String)]) -> Result<(), String> {
    let expected: Vec<String> = case.texts("answer").iter().map(|text| named(text, names)).collect();
    let mut found = vec![answer.status.to_string()];
    let is_text = !answer.body.is_empty() && answer.header("content-encoding").is_none();
    let body = is_text.then(|| pointers::read(&answer.body));
    let text = |path: &str| body.as_ref().map(|body| shown(body, path)).unwrap_or_default();
    if expected.len() > 1 {
        let paths = [
            "issue.0.severity",
            "issue.0.code",
            "issue.0.details.coding.0.code",
            "issue.0.details.coding.0.display",
            "issue.0.diagnostics",
        ];
        found.extend(paths.map(text));
    }
    // `varies` in the table: the text says so by its beginning.
    let fits = |(expected, found): (&String, &String)| match expected.strip_suffix('…') {
        Some(beginning) => found.starts_with(beginning),
        None => expected == found,
    };
    if expected.len() != found.len() || !expected.iter().zip(&found).all(fits) {
        return Err(format!("\n  expected {expected:?}\n  found    {found:?}"));
    }
    if expected.len() > 1 {
        let claims_profile = case.text("profile").is_none();
        check_vocabulary(case.text("system"), claims_profile, &text)?;
    }
    if let Some(fault) = body.as_ref().and_then(outcomes::fault) {
        return Err(fault);
    }
    for more in case.texts("also") {
        let (path, expected) = more.split_once(" = ").expect("PATH = TEXT");
        let found = match path.strip_prefix("header ") {
            Some(name) => answer.header(name).unwrap_or("(none)").to_owned(),
            None => text(path),
        };
        if found != named(expected, names) {
            return Err(format!("{path} is {found:?}, not {expected:?}"));
        }
    }
    Ok(())
}

/// The code system of the outcome, and for the usual one its profile, where it claims that.
fn check_vocabulary(
    system: Option<&str>,
    claims_profile: bool,
    text: &dyn Fn(&str) -> String,
) -> Result<(), String> {
    const SYSTEM: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
    const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1";
    let found = [text("issue.0.details.coding.0.system"), text("meta.profile.0")];
    let fits = match system {
        Some(other) => found[0] == other && found[1] != PROFILE,
        None => found == [SYSTEM, if claims_profile { PROFILE } else { "" }],
    };
    if fits { Ok(()) } else { Err(format!("system and profile are {found:?}")) }
}
