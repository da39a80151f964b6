//! The rows of the published tables, each as a request that falls under it: `rows.txt` in
//! `fixtures/spine/flags` has the requests and, by hand, what comes back. Each is sent in JSON and
//! in XML.

use std::fmt::Write as _;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Object, Value, parse};
use fhir_model::xml;

use super::fixtures::{ASID, Payload, SPINE, claims, demands, token};
use super::{BASE, Made, make, server};
use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::outcomes;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Json,
    Xml,
}

impl Form {
    const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json",
            Self::Xml => "application/fhir+xml",
        }
    }
}

/// One case, line by line.
struct Row<'a> {
    title: &'a str,
    lines: Vec<&'a str>,
}

fn text() -> String {
    let path = format!("{}/../../fixtures/spine/flags/rows.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        match line.strip_prefix("## ") {
            Some(title) => rows.push(Row { title, lines: Vec::new() }),
            None => rows.last_mut().expect("a title").lines.push(line),
        }
    }
    rows
}

#[test]
fn every_row_is_answered_as_published() {
    let text = text();
    let rows = rows(&text);
    assert!(rows.len() > 50, "the file was read: {}", rows.len());
    let mut wrong = String::new();
    for row in &rows {
        for form in [Form::Json, Form::Xml] {
            for difference in Case::of(row, form).play() {
                writeln!(wrong, "{} ({form:?}): {difference}", row.title).expect("written");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A refusal has its display and its diagnostics in the file, and what is sent to the letter is
/// there in both formats: otherwise a case could be answered for another reason than its own.
#[test]
fn every_refusal_is_told_whole() {
    let text = text();
    let mut short = Vec::new();
    for row in rows(&text) {
        let count = |word: &str| row.lines.iter().filter(|line| line.starts_with(word)).count();
        let refusals =
            row.lines.iter().filter(|line| line.starts_with("= ") && line.contains(" error ")).count();
        if count("| ") < 2 * refusals || count("raw ") != count("raw-xml ") {
            short.push(row.title);
        }
    }
    assert!(short.is_empty(), "{short:#?}");
}

/// Every table that this API is about has cases. Transactions, 4.4, are shown elsewhere.
#[test]
fn every_table_has_cases() {
    let text = text();
    let rows = rows(&text);
    for table in [
        "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.9", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6",
        "2.7", "4.1", "4.2", "4.3", "4.5", "4.6", "4.9", "8", "8.1",
    ] {
        assert!(rows.iter().any(|row| row.title.split(' ').next() == Some(table)), "{table}");
    }
}

/// A row that is being played.
struct Case<'a> {
    form: Form,
    row: &'a Row<'a>,
    server: TestServer,
    given: Vec<Made>,
    last: Option<Response>,
}

/// A request as the lines of a row put it together.
#[derive(Default)]
struct Draft {
    method: String,
    target: String,
    body: Option<Payload>,
    raw: Option<String>,
    raw_xml: Option<String>,
    headers: Vec<(String, String)>,
    dropped: Vec<String>,
    claims: Vec<(String, Option<Value>)>,
    authorization: Option<String>,
}

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl<'a> Case<'a> {
    fn of(row: &'a Row<'a>, form: Form) -> Self {
        let settings: Vec<&str> = row.lines.iter().filter_map(|line| line.strip_prefix("mount ")).collect();
        Self { form, row, server: server(&settings.join(" ")), given: Vec::new(), last: None }
    }

    /// Plays the row and gives what is not as it says.
    fn play(mut self) -> Vec<String> {
        let mut draft = Draft::default();
        let mut wrong = Vec::new();
        let mut texts = 0;
        for line in &self.row.lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                // What one of the formats cannot say.
                "only" if rest != format!("{:?}", self.form) => return Vec::new(),
                "mount" | "only" => {}
                "given" => {
                    let mut payload = Payload::of(rest.split(' ').next().unwrap_or_default());
                    if let Some(number) = rest.split_once(" of ").map(|(_, number)| number) {
                        payload = payload.of_patient(number);
                    }
                    let made = self.make(&payload);
                    self.given.push(made);
                }
                "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "TRACE" | "OPTIONS" => {
                    draft = Draft {
                        method: word.to_owned(),
                        target: format!("{BASE}{}", self.filled(rest)),
                        ..Draft::default()
                    };
                    texts = 0;
                }
                "body" => draft.body = Some(self.payload(rest)),
                "raw" => draft.raw = Some(rest.to_owned()),
                "raw-xml" => draft.raw_xml = Some(rest.to_owned()),
                "ended" => draft.body = draft.body.take().map(Payload::ended),
                "reasoned" => draft.body = draft.body.take().map(|body| body.reasoned(rest)),
                "set" => {
                    let (path, value) = rest.split_once(" = ").expect("set PATH = JSON");
                    let value = json(&self.filled(value));
                    draft.body = draft.body.take().map(|body| body.with(path, value));
                }
                "drop" => draft.body = draft.body.take().map(|body| body.with(rest, None)),
                "header" => {
                    let (name, value) = rest.split_once(": ").expect("header NAME: VALUE");
                    draft.headers.push((name.to_owned(), self.filled(value)));
                }
                "no-header" => draft.dropped.push(rest.to_owned()),
                "claim" => {
                    let (name, value) = rest.split_once(" = ").expect("claim NAME = JSON");
                    draft.claims.push((name.to_owned(), Some(json(value))));
                }
                "no-claim" => draft.claims.push((rest.to_owned(), None)),
                "authorization" => draft.authorization = Some(rest.to_owned()),
                "=" => {
                    let response = self.server.send(&self.request(std::mem::take(&mut draft)));
                    wrong.extend(compare(&response, rest));
                    self.last = Some(response);
                }
                "|" => {
                    let path = ["issue.0.details.coding.0.display", "issue.0.diagnostics"][texts];
                    texts += 1;
                    wrong.extend(self.compare_text(path, &self.filled(rest)));
                }
                "at" => {
                    let (path, expected) = rest.split_once(" = ").expect("at PATH = TEXT");
                    wrong.extend(self.compare_text(path, &self.filled(expected)));
                }
                "differs" => {
                    let (path, expected) = rest.split_once(" = ").expect("differs PATH = TEXT");
                    if self.compare_text(path, &self.filled(expected)).is_none() {
                        wrong.push(format!("{path} is {expected}"));
                    }
                }
                "lacks" => {
                    let body = self.last.as_ref().and_then(body).expect("a body");
                    if at(&body, rest).is_some() {
                        wrong.push(format!("{rest} is there"));
                    }
                }
                "lacks-header" => {
                    if let Some(found) = self.last.as_ref().and_then(|last| last.header(rest)) {
                        wrong.push(format!("{rest}: {found}"));
                    }
                }
                "has" => {
                    let (name, expected) = rest.split_once(": ").expect("has NAME: VALUE");
                    let expected = self.filled(expected);
                    let found = self.last.as_ref().and_then(|last| last.header(name)).unwrap_or("(nothing)");
                    if !matches(&expected, found) {
                        wrong.push(format!("{name}: {found}, not {expected}"));
                    }
                }
                other => panic!("{}: {other}", self.row.title),
            }
        }
        wrong
    }

    /// Creates what a row needs. A row about a mount without callers has no use for a token.
    fn make(&self, payload: &Payload) -> Made {
        make(&self.server, payload)
    }

    fn payload(&self, name: &str) -> Payload {
        match name {
            "stored" => self.given.last().expect("something given").payload.clone(),
            "answer" => Payload::from(body(self.last.as_ref().expect("an answer")).expect("a body")),
            _ => Payload::of(name),
        }
    }

    /// A text with what was given: its id and its version, and those of the last answer.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{media}", self.form.media());
        if let Some(made) = self.given.last() {
            let id = made.target.rsplit('/').next().unwrap_or_default();
            text = text.replace("{id}", id).replace("{etag}", &made.etag);
            text = text.replace("{version}", made.etag.trim_start_matches("W/").trim_matches('"'));
        }
        // Something of the last answer.
        while let Some((before, (path, after))) =
            text.split_once("{at ").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            let body = self.last.as_ref().and_then(body).expect("an answer");
            let found = text_at(&body, path).unwrap_or_else(|| panic!("{}: no {path}", self.row.title));
            text = format!("{before}{found}{after}");
        }
        if let Some(etag) = self.last.as_ref().and_then(|last| last.header("etag")) {
            text = text.replace("{last}", etag);
        }
        text
    }

    fn request(&self, draft: Draft) -> Request {
        let (scope, interaction) = demands(&draft.method, &draft.target);
        let mut request = Request::new(&draft.method, &draft.target);
        let mut own: Object = claims(&scope);
        for (name, value) in draft.claims {
            match value {
                Some(value) => drop(own.insert(name, value)),
                None => drop(own.remove(&name)),
            }
        }
        let authorization = draft.authorization.unwrap_or_else(|| format!("Bearer {}", token(&own)));
        let media = self.form.media();
        let raw = if self.form == Form::Json { draft.raw } else { draft.raw_xml };
        let body = match (raw, draft.body) {
            (Some(raw), _) => raw.into_bytes(),
            (None, Some(body)) if self.form == Form::Json => body.bytes(),
            (None, Some(body)) => as_xml(&body.0),
            (None, None) => Vec::new(),
        };
        let usual = [
            ("Authorization", authorization),
            ("FromASID", ASID.to_owned()),
            ("ToASID", SPINE.to_owned()),
            ("InteractionID", interaction),
            ("TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706".to_owned()),
            ("Accept", media.to_owned()),
            ("Content-Type", if body.is_empty() { String::new() } else { media.to_owned() }),
        ];
        for (name, value) in usual {
            let replaced = draft.headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
            if !value.is_empty() && !replaced && !draft.dropped.iter().any(|dropped| dropped == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in draft.headers {
            request = request.header(&name, value);
        }
        request.body(body)
    }

    fn compare_text(&self, path: &str, expected: &str) -> Option<String> {
        let body = self.last.as_ref().and_then(body);
        let found = body.and_then(|body| shown(&body, path)).unwrap_or_default();
        (!matches(expected, &found)).then(|| format!("{path} is\n  {found}\nnot\n  {expected}"))
    }
}

/// Compares `STATUS SEVERITY ISSUE CODE`, or a status alone.
fn compare(response: &Response, expected: &str) -> Option<String> {
    let mut words = expected.split(' ');
    let status = words.next().unwrap_or_default();
    if status != response.status.to_string() {
        return Some(format!("{}, not {status}: {}", response.status, response.body_text()));
    }
    let paths = ["issue.0.severity", "issue.0.code", "issue.0.details.coding.0.code"];
    let body = body(response);
    if let Some(fault) = body.as_ref().and_then(outcomes::fault) {
        return Some(format!("{fault}: {}", response.body_text()));
    }
    for (path, expected) in paths.iter().zip(words) {
        let found = body.as_ref().and_then(|body| text_at(body, path)).unwrap_or_default();
        if found != expected {
            return Some(format!("{path} is {found}, not {expected}: {}", response.body_text()));
        }
    }
    None
}

/// The answer as a tree, if it has a body and is written in what was asked for.
fn body(response: &Response) -> Option<Value> {
    let is_json = response.header("content-type")?.starts_with(Form::Json.media());
    if is_json {
        return parse(&response.body, &Limits::default()).ok();
    }
    xml::parse(&response.body, Definitions::of(FhirVersion::Stu3), &Limits::default()).ok()
}

/// A text, a number or a boolean at a path.
fn shown(body: &Value, path: &str) -> Option<String> {
    let found = at(body, path)?;
    let number = || found.as_number().map(ToString::to_string);
    let boolean = || found.as_bool().map(|boolean| boolean.to_string());
    found.as_str().map(str::to_owned).or_else(number).or_else(boolean)
}

/// A star at the end of what is expected stands for the rest.
fn matches(expected: &str, found: &str) -> bool {
    match expected.strip_suffix('*') {
        Some(beginning) => found.starts_with(beginning),
        None => found == expected,
    }
}

fn as_xml(resource: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let object = resource.as_object().expect("a resource");
    xml::write(object, Definitions::of(FhirVersion::Stu3), &mut out).expect("XML");
    out
}

/// Every row of the error table either has a case here, or the page says why it has none.
#[test]
fn the_page_tells_which_rows_no_request_triggers() {
    let path = format!("{}/../../docs/flags.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = text();
    let titles: Vec<&str> = rows(&text).iter().map(|row| row.title).collect();
    for (name, _) in rulebook::spine::catalogue::ROWS {
        let shown = match *name {
            // Rows that stand in other tables.
            "MISSING_OR_INVALID_TOKEN" => titles.iter().any(|title| title.starts_with("2.3 ")),
            "FORBIDDEN_TRANSITION" => titles.iter().any(|title| title.starts_with("4.2 ")),
            name => titles.iter().any(|title| {
                let title = title.strip_prefix("1.6 ").unwrap_or_default();
                title == name || title.starts_with(&format!("{name}:"))
            }),
        };
        let explained = page.contains(&format!("\n| {name} | "));
        assert!(shown != explained, "{name}: shown {shown}, explained {explained}");
    }
}
