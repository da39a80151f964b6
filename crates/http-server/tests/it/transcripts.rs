//! Golden HTTP transcripts: `fixtures/http/*.http`.
//!
//! A transcript is a list of exchanges on a server of its own with empty stores:
//!
//! ```text
//! ## A stale client is refused
//! @clock +1000
//! > PUT /STU3/Flag/a
//! > If-Match: W/"1"
//! >
//! > {"resourceType":"Flag","id":"a","status":"inactive"}
//! = 409
//! < 409 Conflict
//! < etag: W/"2"
//! <
//! < {
//! <   "resourceType": "OperationOutcome"
//! < }
//! ```
//!
//! Lines with `>` are sent; `\xNN` stands for a byte. `= STATUS` is written by hand and always
//! checked. Lines with `<` are what came back and are rewritten by `UPDATE_GOLDEN=1`; the header
//! fields that every response has are left out. `@clock +MS` moves time, `@let NAME = etag` (or
//! `id`, `location`) keeps something of the last response for `{{NAME}}` in later requests. Lines
//! with `#` are for readers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::client::{Request, Response};
use crate::harness::TestServer;

/// Header fields that say nothing about the exchange.
const LEFT_OUT: [&str; 5] = ["date", "content-length", "cache-control", "vary", "x-request-id"];

/// The request id of every exchange that sends none, so that outcomes with an id repeat.
const REQUEST_ID: &str = "transcript";

#[test]
fn transcripts_are_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/http");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("fixtures/http")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are transcripts");
    let mut wrong = Vec::new();
    for file in files {
        let written = std::fs::read_to_string(&file).expect("read");
        let played = play(&written, &file, &mut wrong);
        if played != written {
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&file, played).expect("write");
            } else {
                let line = played.lines().zip(written.lines()).position(|(left, right)| left != right);
                let at = line.map_or(0, |line| line + 1);
                let show = |text: &str| text.lines().nth(at.saturating_sub(1)).unwrap_or("").to_owned();
                wrong.push(format!(
                    "{}:{at}: differs\n  written: {}\n  played:  {}",
                    file.display(),
                    show(&written),
                    show(&played)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n(UPDATE_GOLDEN=1 rewrites what came back)", wrong.join("\n"));
}

/// Plays a transcript and gives its text with what came back.
fn play(text: &str, file: &Path, wrong: &mut Vec<String>) -> String {
    let server = TestServer::start();
    let mut connection = server.connect();
    let mut out = String::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut sent: Vec<String> = Vec::new();
    let mut last: Option<Response> = None;
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", file.display(), index + 1);
        if line.starts_with('<') {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if let Some(rest) = line.strip_prefix('>') {
            sent.push(substitute(rest.strip_prefix(' ').unwrap_or(rest), &names));
        } else if let Some(millis) = line.strip_prefix("@clock +") {
            server
                .clock
                .advance(millis.trim().parse().unwrap_or_else(|_| panic!("{}: milliseconds", place())));
        } else if let Some(binding) = line.strip_prefix("@let ") {
            let (name, what) =
                binding.split_once('=').unwrap_or_else(|| panic!("{}: @let NAME = what", place()));
            let response = last.as_ref().unwrap_or_else(|| panic!("{}: nothing came back yet", place()));
            names.insert(name.trim().to_owned(), pick(response, what.trim()));
        } else if let Some(expected) = line.strip_prefix('=') {
            let response = connection.send(&request(&sent));
            sent.clear();
            if expected.trim() != response.status.to_string() {
                wrong.push(format!("{}: {} came back", place(), response.status));
            }
            out.push_str(&received(&response));
            last = Some(response);
        }
    }
    assert!(sent.is_empty(), "{}: the last request has no `= STATUS`", file.display());
    out
}

fn substitute(line: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(line.to_owned(), |line, (name, value)| line.replace(&format!("{{{{{name}}}}}"), value))
}

fn pick(response: &Response, what: &str) -> String {
    let header = |name| response.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
    match what {
        "etag" => header("etag"),
        "location" => header("location"),
        "id" => {
            let location = header("location");
            let resource = location.split("/_history/").next().unwrap_or_default();
            resource.rsplit('/').next().unwrap_or_default().to_owned()
        }
        other => panic!("@let knows etag, id and location, not {other}"),
    }
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

fn received(response: &Response) -> String {
    let mut out = format!("< {} {}\n", response.status, response.reason);
    let mut headers = response.headers.clone();
    headers.retain(|(name, _)| !LEFT_OUT.contains(&name.to_ascii_lowercase().as_str()));
    headers.sort();
    for (name, value) in headers {
        writeln!(out, "< {}: {value}", name.to_ascii_lowercase()).expect("write to a string");
    }
    if !response.body.is_empty() {
        out.push_str("<\n");
        let mut pretty = Vec::new();
        response.json().write_pretty(&mut pretty);
        for line in String::from_utf8(pretty).expect("UTF-8").lines() {
            writeln!(out, "< {line}").expect("write to a string");
        }
    }
    out
}
