//! Starts the program and talks to it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server on a data folder; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

/// An answer: status, the `ETag` and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// With more arguments.
    pub(crate) fn start_with(data: &Path, more: &[&str]) -> Self {
        let mut arguments: Vec<&OsStr> = vec!["--data".as_ref(), data.as_ref()];
        arguments.extend(more.iter().map(OsStr::new));
        Self::with(&arguments)
    }

    /// With these arguments of `serve`.
    pub(crate) fn with(arguments: &[&OsStr]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_firelock"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("FIRELOCK_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("firelock listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(&self.address, "GET", path, "", "")
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        request(&self.address, "PUT", path, "", body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `headers` are whole lines.
pub(crate) fn request(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n{headers}\
         Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ").or(line.strip_prefix("ETag: ")));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        etag: etag.map(str::to_owned),
        body: body.to_owned(),
    }
}

/// How a command ended and everything that it said.
pub(crate) fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_firelock")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A command that must end well; what it said.
#[track_caller]
pub(crate) fn succeed(arguments: &[&str]) -> String {
    let (success, said) = run(arguments);
    assert!(success, "{arguments:?}: {said}");
    said
}

/// A command that must fail and say this.
#[track_caller]
pub(crate) fn fail(arguments: &[&str], expected: &str) {
    let (success, said) = run(arguments);
    assert!(!success, "{arguments:?} went well: {said}");
    assert!(said.contains(expected), "{arguments:?}: {said}");
}

/// A resource whose content tells versions apart.
pub(crate) fn basic(id: &str, count: usize) -> String {
    format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"{count}"}}}}"#)
}
