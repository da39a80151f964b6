//! Plays one script: its operations in order, and its asserts on what came back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Limits, Value};
use fhir_model::xml;

use super::asserts::check;
use super::paths::select;
use super::settings::Settings;
use crate::client::{Request, Response, text_at};
use crate::harness::TestServer;

const BASE: &str = "/STU3";

/// How one test of a script went.
pub(super) struct Play {
    pub(super) test: String,
    pub(super) faults: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What a request or a response carried.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) status: u16,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) resource: Option<Value>,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A script under way.
pub(super) struct Player<'a> {
    server: &'a TestServer,
    pub(super) script: Value,
    /// Fixtures, requests and responses by their ids.
    pub(super) known: BTreeMap<String, Message>,
    inputs: BTreeMap<String, String>,
    /// What a client that is tested would send where the script does not say.
    sends: Vec<Value>,
    pub(super) request: Message,
    pub(super) response: Message,
}

/// Plays a script on an empty server, test by test. A setup that fails fails every test.
pub(super) fn play(path: &Path, name: &str, settings: &Settings) -> Vec<Play> {
    let script = parse(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let server = TestServer::start();
    let suite = super::suite();
    let read = |file: &str| parse(&suite.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let input = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut player = Player {
        server: &server,
        known: BTreeMap::new(),
        inputs: settings.of("input", name).filter_map(input).collect(),
        sends: settings.of("send", name).map(read).collect(),
        request: Message::default(),
        response: Message::default(),
        script,
    };
    for file in settings.of("load", name) {
        let resource = player.with_variables(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let response = server.send(&Request::put(&target_of(&resource), resource.to_string()));
        assert!(matches!(response.status, 200 | 201), "{file}: {}", response.body_text());
    }
    player.load_fixtures(path);
    let script = player.script.clone();
    let setup = player.actions(script.get("setup"));
    let tests = list(&script, "test").iter().enumerate().map(|(n, test)| {
        let name = text_at(test, "name").unwrap_or_else(|| format!("test {}", n + 1));
        let (mut faults, mut warnings) = player.actions(Some(test));
        faults.splice(0..0, setup.0.iter().map(|fault| format!("setup: {fault}")));
        warnings.extend(setup.1.iter().cloned());
        Play { test: name, faults, warnings }
    });
    let plays: Vec<Play> = tests.collect();
    player.actions(script.get("teardown"));
    plays
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

fn target_of(resource: &Value) -> String {
    let text = |name| text_at(resource, name).expect("a name");
    format!("{BASE}/{}/{}", text("resourceType"), text("id"))
}

fn parse(path: &Path) -> Result<Value, String> {
    let bytes = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    read(generated(&bytes).as_bytes(), path.extension().is_some_and(|extension| extension == "xml"))
}

/// `${C8}`, `${D4}`, `${CD13}` stand for so many letters, digits, or either. The same ones stand for the same text, so
/// that fixtures of one script fit each other.
fn generated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        let letters = match name.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
            "C" => "abcdefgh",
            "D" => "12345678",
            "CD" => "a1b2c3d4",
            _ => "",
        };
        let length = name.trim_start_matches(['C', 'D']).parse().unwrap_or(0);
        out.push_str(before);
        match letters {
            "" => out.extend(["${", name, "}"]),
            letters => out.extend(letters.chars().cycle().take(length)),
        }
        rest = behind;
    }
    out + rest
}

fn read(bytes: &[u8], is_xml: bool) -> Result<Value, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if is_xml {
        let definitions = Definitions::of(FhirVersion::Stu3);
        return xml::parse(bytes, definitions, &Limits::default()).map_err(|error| error.to_string());
    }
    json::parse(bytes, &Limits::default()).map_err(|error| error.to_string())
}

impl Player<'_> {
    fn load_fixtures(&mut self, path: &Path) {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let script = self.script.clone();
        for fixture in list(&script, "fixture") {
            let text = |name| text_at(fixture, name);
            let (Some(id), Some(reference)) = (text("id"), text("resource.reference")) else { continue };
            let file = located(&folder, &reference);
            if let Ok(resource) = parse(&file) {
                if text("autocreate").as_deref() == Some("true") {
                    self.server.send(&Request::put(&target_of(&resource), resource.to_string()));
                }
                self.known.insert(id, Message { resource: Some(resource), ..Message::default() });
            }
        }
    }

    /// The faults and the warnings of a list of actions. The first fault ends it.
    fn actions(&mut self, holder: Option<&Value>) -> (Vec<String>, Vec<String>) {
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        let none = Value::Null;
        for action in list(holder.unwrap_or(&none), "action") {
            if let Some(operation) = action.get("operation")
                && let Err(fault) = self.operate(operation)
            {
                faults.push(fault);
            }
            if let Some(assert) = action.get("assert")
                && let Err(fault) = check(self, assert)
            {
                let only = assert.get("warningOnly").and_then(Value::as_bool) == Some(true);
                let said = text_at(assert, "description").unwrap_or_default();
                let fault = format!("{fault} ({said})");
                if only { warnings.push(fault) } else { faults.push(fault) }
            }
            if !faults.is_empty() {
                break;
            }
        }
        (faults, warnings)
    }

    /// `${name}` becomes the variable's value.
    pub(super) fn filled(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, behind) = behind.split_once('}').ok_or("an open variable")?;
            out.push_str(before);
            out.push_str(&self.variable(name)?);
            rest = behind;
        }
        Ok(out + rest)
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        let variables = list(&self.script, "variable");
        let found = variables.iter().find(|known| text_at(known, "name").as_deref() == Some(name));
        let Some(variable) = found else {
            return self.inputs.get(name).cloned().ok_or_else(|| format!("no variable {name}"));
        };
        let source = text_at(variable, "sourceId").and_then(|id| self.known.get(&id));
        let value = match (text_at(variable, "path"), text_at(variable, "headerField"), source) {
            (Some(path), _, Some(source)) => {
                source.resource.as_ref().and_then(|resource| first(resource, &path))
            }
            (_, Some(field), Some(source)) => source.header(&field).map(str::to_owned),
            _ => None,
        };
        let entered = || self.inputs.get(name).cloned().or_else(|| text_at(variable, "defaultValue"));
        value.or_else(entered).ok_or_else(|| format!("variable {name} has no value"))
    }

    fn operate(&mut self, operation: &Value) -> Result<(), String> {
        let text = |name: &str| text_at(operation, name);
        let code = text("type.code").unwrap_or_default();
        let method = match code.as_str() {
            "create" => "POST",
            "update" | "updateCreate" => "PUT",
            "delete" => "DELETE",
            // Some histories state no type of operation.
            "read" | "vread" | "search" | "history" | "" => "GET",
            other => return Err(format!("operation {other:?} is not known here")),
        };
        let target = self.target(operation, &code)?;
        let mut request = Request::new(method, &target);
        if let Some(accept) = text("accept").and_then(|word| media_type(&word)) {
            request = request.header("Accept", accept);
        }
        let body = self.body(operation, method)?;
        let is_xml = text("contentType").as_deref() == Some("xml");
        if let Some(resource) = &body {
            let media = if is_xml { "application/fhir+xml" } else { "application/fhir+json" };
            request = request.header("Content-Type", media).body(written(resource, is_xml)?);
        }
        for header in list(operation, "requestHeader") {
            if let (Some(field), Some(value)) = (text_at(header, "field"), text_at(header, "value")) {
                request = request.header(&field, self.filled(&value)?);
            }
        }
        let sent =
            |(name, value): &(String, Vec<u8>)| (name.clone(), String::from_utf8_lossy(value).into_owned());
        self.request = Message {
            status: 0,
            method: method.to_owned(),
            url: request.target.clone(),
            headers: request.headers.iter().map(sent).collect(),
            resource: body,
        };
        let Response { status, headers, body, .. } = self.server.send(&request);
        let is_xml = headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("content-type") && value.contains("xml"));
        let resource = if body.is_empty() { None } else { Some(read(&body, is_xml)?) };
        self.response = Message { status, headers, resource, ..self.request.clone() };
        if let Some(id) = text("requestId") {
            self.known.insert(id, self.request.clone());
        }
        if let Some(id) = text("responseId") {
            self.known.insert(id, self.response.clone());
        }
        Ok(())
    }

    fn target(&self, operation: &Value, code: &str) -> Result<String, String> {
        let text = |name: &str| text_at(operation, name);
        if let Some(url) = text("url") {
            let url = self.filled(&url)?;
            return Ok(url.strip_prefix("http://server.example").unwrap_or(&url).to_owned());
        }
        // A create that names no type is one of its fixture's.
        let source = text("sourceId").and_then(|id| self.known.get(&id)?.resource.clone());
        let kind = text("resource").or_else(|| source.and_then(|source| text_at(&source, "resourceType")));
        let kind = kind.map(|kind| format!("/{kind}")).unwrap_or_default();
        if let Some(id) = text("targetId") {
            let fixture = self.known.get(&id).and_then(|known| known.resource.as_ref());
            let target = fixture.map(target_of).ok_or_else(|| format!("no fixture {id}"))?;
            return Ok(if code == "history" { target + "/_history" } else { target });
        }
        let params = self.filled(&text("params").unwrap_or_default())?;
        let encoded: String = params
            .chars()
            .map(|letter| if letter == ' ' { "%20".to_owned() } else { letter.to_string() })
            .collect();
        Ok(format!("{BASE}{kind}{encoded}"))
    }

    /// The fixture that the script names, or what the client that is tested would send.
    fn body(&self, operation: &Value, method: &str) -> Result<Option<Value>, String> {
        if method != "POST" && method != "PUT" {
            return Ok(None);
        }
        if let Some(id) = text_at(operation, "sourceId") {
            return self.fixture(&id).map(Some);
        }
        let kind = text_at(operation, "resource");
        let found = self.sends.iter().find(|resource| text_at(resource, "resourceType") == kind);
        let found = found.ok_or("the script does not say what is sent")?;
        self.with_variables(found).map(Some)
    }

    /// A fixture with its variables filled in.
    pub(super) fn fixture(&self, id: &str) -> Result<Value, String> {
        let fixture = self.known.get(id).and_then(|known| known.resource.as_ref());
        self.with_variables(fixture.ok_or_else(|| format!("no fixture {id}"))?)
    }

    fn with_variables(&self, resource: &Value) -> Result<Value, String> {
        read(self.filled(&resource.to_string())?.as_bytes(), false)
    }
}

/// The file of a fixture. Examples of the standard are named by type and id.
fn located(folder: &Path, reference: &str) -> PathBuf {
    match reference {
        "Patient/example" => super::suite().join("../examples-stu3-pairs/json/patient-example.json"),
        "Patient/pat1" => super::suite().join("../examples-stu3-pairs/json/patient-example-a.json"),
        file => folder.join(file),
    }
}

fn first(resource: &Value, path: &str) -> Option<String> {
    select(resource, path).into_iter().next()
}

fn written(resource: &Value, is_xml: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match resource.as_object() {
        Some(object) if is_xml => xml::write(object, Definitions::of(FhirVersion::Stu3), &mut out)
            .map_err(|error| error.to_string())?,
        _ => out = resource.to_bytes(),
    }
    Ok(out)
}

/// The media type of `json`, `xml`, or of what is one already.
pub(super) fn media_type(word: &str) -> Option<String> {
    match word {
        "json" | "xml" => Some(format!("application/fhir+{word}")),
        "none" => None,
        other => Some(other.to_owned()),
    }
}
