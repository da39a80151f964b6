//! Golden HTTP transcripts: `fixtures/http/*.http` and `fixtures/spine/*.http`.
//!
//! A transcript is a list of sections, and a section is a list of exchanges on a server of its own
//! with empty stores:
//!
//! ```text
//! ## A stale client is refused
//! @on /R4 /R4B /R5
//! @clock +1000
//! > PUT {{base}}/Flag/a
//! > If-Match: W/"1"
//! >
//! > {"resourceType":"Flag","id":"a","status":"inactive"}
//! = 412
//! < 412 Precondition Failed
//! < etag: W/"2"
//! <
//! < {
//! <   "resourceType": "OperationOutcome"
//! < }
//! ```
//!
//! Lines with `>` are sent; `\xNN` stands for a byte. `= STATUS` is written by hand from the
//! specification and always checked. Lines with `<` are what came back and are rewritten by
//! `UPDATE_GOLDEN=1`; the header fields that every response has are left out.
//!
//! `= 200 Patient/a Patient/b` says by hand what a search must find too, in order; `= 200 nothing` that it finds nothing.
//! `@put RESOURCE` stores what a section starts from at `{{base}}`, without showing it. Behind `@brief` a searchset is
//! shown in a few lines: its links, its total, and of each entry the mode and what it is; so is an outcome.
//!
//! `@index` completes the indexes of all mounts, which nothing else does here.
//!
//! `@on BASE…` plays the section once for each base, as `{{base}}`; all must answer the same.
//! `@clock +MS` moves time. `@let NAME = etag` (or `id`, `location`, `last-modified`, or a path such
//! as `link.1.url` into the body) keeps something of the last response for `{{NAME}}` in later
//! requests. `@token NAME ASID ODS SCOPE` makes the value of Authorization of a clinician at that system
//! and organisation, `@pointer NAME PLACE = JSON; …` a pointer with edits of the record locator's sample. Before the first section, `@mount PATH API SETTINGS` adds a mount to those that are
//! there by default (see `mounts::parse`), and `@limit NAME NUMBER` sets a limit (`body`, `header` and `uri` in
//! bytes, `entries`), and
//! `@reads MS` makes every read of a store take so many milliseconds, `@validation structure` validates what is stored,
//! `@references check` wants them to lead somewhere, `@narratives refuse` refuses patches that outdate a narrative,
//! `@full_text on` finds resources by their words. Lines with `#` are
//! for readers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use http_server::{Limits, Settings};

use fhir_service::{FullText, Narratives, ReferentialIntegrity, Service, Validation};

use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::mounts::{self, default_mounts};
use crate::pointers;
use crate::searchsets::{found, in_brief, put};
use crate::tokens::{bearer, claims};

/// Header fields that say nothing about the exchange.
const LEFT_OUT: [&str; 5] = ["date", "content-length", "cache-control", "vary", "x-request-id"];

/// The request id of every exchange that sends none, so that outcomes with an id repeat.
const REQUEST_ID: &str = "transcript";

#[test]
fn transcripts_are_as_written() {
    let files = files();
    assert!(!files.is_empty(), "there are transcripts");
    let mut wrong = Vec::new();
    for file in files {
        let written = std::fs::read_to_string(&file).expect("read");
        let played = play(&written, &file, &mut wrong);
        if played == written {
            continue;
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, played).expect("write");
        } else {
            wrong.push(difference(&file, &written, &played));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n(UPDATE_GOLDEN=1 rewrites what came back)", wrong.join("\n"));
}

/// All transcripts, sorted.
pub(crate) fn files() -> Vec<PathBuf> {
    let folders = ["http", "spine"];
    let folder = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    let mut files: Vec<PathBuf> = folders
        .into_iter()
        .flat_map(|name| std::fs::read_dir(folder(name)).expect(name))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    files.sort();
    files
}

/// The first line that differs, in words.
fn difference(place: &Path, expected: &str, found: &str) -> String {
    let same = expected.lines().zip(found.lines()).take_while(|(left, right)| left == right).count();
    let show = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!(
        "{}:{}: differs\n  written: {}\n  played:  {}",
        place.display(),
        same + 1,
        show(expected),
        show(found)
    )
}

/// Plays a transcript and gives its text with what came back.
fn play(text: &str, file: &Path, wrong: &mut Vec<String>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("## ")).unwrap_or(lines.len());
    let preamble = &lines[..first];
    let mut out: String = preamble.iter().flat_map(|line| [line, "\n"]).collect();
    let mut start = first;
    while start < lines.len() {
        let behind = lines[start + 1..].iter().position(|line| line.starts_with("## "));
        let end = behind.map_or(lines.len(), |behind| start + 1 + behind);
        let section = Section { file, start, lines: &lines[start..end], preamble };
        out.push_str(&section.play_on_all(wrong));
        start = end;
    }
    out
}

/// A part of a transcript.
struct Section<'a> {
    file: &'a Path,
    /// The index of its first line.
    start: usize,
    lines: &'a [&'a str],
    preamble: &'a [&'a str],
}

impl Section<'_> {
    /// Plays the section on every base that it names.
    fn play_on_all(&self, wrong: &mut Vec<String>) -> String {
        let on = self.lines.iter().find_map(|line| line.strip_prefix("@on "));
        let mut bases = on.unwrap_or_default().split_whitespace();
        let out = self.play(bases.next(), wrong);
        for base in bases {
            let other = self.play(Some(base), wrong);
            if other != out {
                let place = self.file.with_file_name(format!("{} on {base}", self.name()));
                wrong.push(difference(&place, &out, &other));
            }
        }
        out
    }

    fn name(&self) -> String {
        format!("{} line {}", self.file.file_name().unwrap_or_default().display(), self.start + 1)
    }

    fn play(&self, base: Option<&str>, wrong: &mut Vec<String>) -> String {
        // What is played on one base needs no other mount, unless it names one.
        let is_needed = |path: &str| {
            base.is_none_or(|base| base == path)
                || self.lines.iter().any(|line| !line.starts_with('@') && line.contains(path))
        };
        let server = server(self.preamble, &is_needed);
        let mut connection = server.connect();
        let mut out = String::new();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        names.extend(base.map(|base| ("base".to_owned(), base.to_owned())));
        let mut sent: Vec<String> = Vec::new();
        let mut last: Option<Response> = None;
        let mut brief = false;
        for (index, line) in self.lines.iter().enumerate() {
            let place =
                || format!("{}:{} {}", self.file.display(), self.start + index + 1, base.unwrap_or(""));
            if line.starts_with('<') {
                continue;
            }
            out.push_str(line);
            out.push('\n');
            if let Some(rest) = line.strip_prefix('>') {
                sent.push(substitute(rest.strip_prefix(' ').unwrap_or(rest), &names));
            } else if let Some(millis) = line.strip_prefix("@clock +") {
                let millis = millis.trim().parse().unwrap_or_else(|_| panic!("{}: milliseconds", place()));
                server.clock.advance(millis);
            } else if line == &"@index" {
                server.complete_indexes();
            } else if line == &"@brief" {
                brief = true;
            } else if let Some(resource) = line.strip_prefix("@put ") {
                let response = connection.send(&put(&substitute(resource, &names), base.unwrap_or_default()));
                assert!(matches!(response.status, 200 | 201), "{}: {}", place(), response.body_text());
            } else if let Some(token) = line.strip_prefix("@token ") {
                let words: Vec<&str> = token.split_whitespace().collect();
                let [name, asid, ods_code, scope] = words[..] else { panic!("{}: @token", place()) };
                names.insert(name.to_owned(), bearer(&claims(asid, ods_code, scope)));
            } else if let Some(pointer) = line.strip_prefix("@pointer ") {
                let pointer = substitute(pointer, &names);
                let (name, edits) = pointer.split_once(' ').unwrap_or((&pointer, ""));
                let edits = edits.split(';').filter(|edit| !edit.trim().is_empty());
                names.insert(name.to_owned(), pointers::json(&pointers::pointer(edits)));
            } else if let Some(binding) = line.strip_prefix("@let ") {
                let (name, what) = binding.split_once(" = ").unwrap_or_else(|| panic!("{}: @let", place()));
                let response = last.as_ref().unwrap_or_else(|| panic!("{}: nothing came back", place()));
                names.insert(name.to_owned(), pick(response, what));
            } else if let Some(expected) = line.strip_prefix("= ") {
                let response = connection.send(&request(&sent));
                sent.clear();
                if response.closes() {
                    connection = server.connect();
                }
                let (status, matches) = expected.split_once(' ').unwrap_or((expected, ""));
                if status != response.status.to_string() {
                    wrong.push(format!("{}: {} came back", place(), response.status));
                }
                if !matches.is_empty() && matches != found(&response) {
                    wrong.push(format!("{}: {} was found", place(), found(&response)));
                }
                out.push_str(&received(&response, base, brief));
                last = Some(response);
            } else {
                let known = line.is_empty() || line.starts_with('#') || line.starts_with("@on ");
                assert!(known, "{}: {line}", place());
            }
        }
        assert!(sent.is_empty(), "{}: the last request has no `= STATUS`", self.file.display());
        out
    }
}

/// The server that a transcript asks for, with those of the default mounts that are needed.
fn server(preamble: &[&str], is_needed: &dyn Fn(&str) -> bool) -> TestServer {
    let mut mounts = default_mounts();
    mounts.retain(|(path, _)| is_needed(path));
    let mut limits = Limits::default();
    let mut below = fhir_service::Limits::default();
    let mut validation = Validation::Off;
    let mut narratives = Narratives::Keep;
    let mut references = ReferentialIntegrity::Off;
    let mut full_text = FullText::Off;
    let mut read_ms = 0;
    for line in preamble {
        if let Some(mount) = line.strip_prefix("@mount ") {
            mounts.push(mounts::parse(mount));
        } else if let Some(limit) = line.strip_prefix("@limit ") {
            let (name, number) = limit.split_once(' ').expect("@limit NAME NUMBER");
            let number = number.parse().expect("a number");
            match name {
                "body" => limits.body_bytes_max = number,
                "header" => limits.header_bytes_max = number,
                "uri" => limits.uri_bytes_max = number,
                "entries" => below.bundle_entries_max = number,
                other => panic!("no limit {other}"),
            }
        } else if *line == "@full_text on" {
            full_text = FullText::On;
        } else if let Some(millis) = line.strip_prefix("@reads ") {
            read_ms = millis.parse().expect("milliseconds");
        } else if *line == "@references check" {
            references = ReferentialIntegrity::Check;
        } else if *line == "@narratives refuse" {
            narratives = Narratives::Refuse;
        } else if let Some(level) = line.strip_prefix("@validation ") {
            validation = match level {
                "structure" => Validation::Structure,
                "strict" => Validation::Strict,
                other => panic!("no level {other}"),
            };
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "before the first section: {line}");
        }
    }
    let settings = Settings { limits, ..Settings::default() };
    let adjust = |service: Service| {
        let service = service.with_validation(validation).with_narratives(narratives);
        service.with_referential_integrity(references).with_limits(below).with_full_text(full_text)
    };
    match read_ms {
        0 => TestServer::adjusted(&mounts, settings, &adjust),
        millis => TestServer::slow(&mounts, settings, &adjust, millis),
    }
}

fn substitute(line: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(line.to_owned(), |line, (name, value)| line.replace(&format!("{{{{{name}}}}}"), value))
}

fn pick(response: &Response, what: &str) -> String {
    let header = |name| response.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
    match what {
        "etag" | "last-modified" => header(what),
        "location" => local(&header("location")),
        "id" => {
            let location = header("location");
            let resource = location.split("/_history/").next().unwrap_or_default();
            resource.rsplit('/').next().unwrap_or_default().to_owned()
        }
        path => local(&response.text(path)),
    }
}

/// A URL as a target on the connection that the transcript is played on.
fn local(text: &str) -> String {
    text.strip_prefix("http://server.example").unwrap_or(text).to_owned()
}

fn request(lines: &[String]) -> Request {
    let (method, target) = lines.first().and_then(|line| line.split_once(' ')).expect("METHOD target");
    let mut request = Request::new(method, target);
    let mut rest = lines[1..].iter();
    for line in rest.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        request = request.header(name, unescape(value));
    }
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-request-id")) {
        request = request.header("X-Request-Id", REQUEST_ID);
    }
    let body: Vec<&str> = rest.map(String::as_str).collect();
    request.body(unescape(&body.join("\n")))
}

/// `\xNN` to the byte.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two hex digits"));
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn received(response: &Response, base: Option<&str>, brief: bool) -> String {
    let mut out = format!("< {} {}\n", response.status, response.reason);
    let mut headers = response.headers.clone();
    headers.retain(|(name, _)| !LEFT_OUT.contains(&name.to_ascii_lowercase().as_str()));
    headers.sort();
    for (name, value) in headers {
        writeln!(out, "< {}: {value}", name.to_ascii_lowercase()).expect("write to a string");
    }
    let short = in_brief(response).filter(|_| brief);
    if let Some(short) = short {
        out.truncate(out.find('\n').map_or(out.len(), |end| end + 1));
        out.push_str(&short);
    } else if !response.body.is_empty() {
        out.push_str("<\n");
        let mut shown = Vec::new();
        // JSON is laid out for reading; anything else is shown as it came.
        let as_it_came = response.header("content-type").is_none_or(|media| !media.contains("json"));
        if as_it_came || response.body.contains(&b'\n') {
            shown.clone_from(&response.body);
        } else {
            response.json().write_pretty(&mut shown);
        }
        for line in String::from_utf8(shown).expect("UTF-8").lines() {
            writeln!(out, "< {line}").expect("write to a string");
        }
    }
    match base {
        Some(base) => ["/", "?"].iter().fold(out, |out, behind| {
            out.replace(&format!("{base}{behind}"), &format!("{{{{base}}}}{behind}"))
        }),
        None => out,
    }
}
