//! What the log tells of messages.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::process::{Server, request};

const TOKEN: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJjIn0.";

/// A server whose log is kept until it ends.
struct Logged {
    server: Child,
    address: String,
}

impl Logged {
    fn start(arguments: &[&str]) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_firelock"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("FIRELOCK_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("firelock listening on http://").unwrap().to_owned();
        Self { server, address }
    }

    fn end(mut self) -> Vec<String> {
        self.server.kill().unwrap();
        let lines = BufReader::new(self.server.stderr.take().unwrap()).lines();
        let log = lines.map_while(Result::ok).collect();
        self.server.wait().unwrap();
        log
    }
}

/// A failure says that its reason is in the log under the id of the request, and there it is.
#[test]
fn the_log_has_the_reason_of_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start(folder.path());
    let text = "x".repeat(2 << 20);
    let coding = text.as_bytes().chunks(1 << 19).map(|part| String::from_utf8_lossy(part));
    let coding: Vec<String> = coding.map(|part| format!(r#"{{"display":"{part}"}}"#)).collect();
    let large = format!(r#"{{"resourceType":"Basic","id":"a","code":{{"coding":[{}]}}}}"#, coding.join(","));
    assert_eq!(server.put("/R4/Basic/a", &large).status, 201);
    server.stop();
    // Somebody takes away where the content lies.
    fs::remove_dir_all(folder.path().join("R4/blobs")).unwrap();
    let server = Logged::start(&["--data", data]);
    let answer = request(&server.address, "GET", "/R4/Basic/a", "X-Request-Id: find-me-4711\r\n", "");
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("blobs"), "{}", answer.body);
    let log = server.end();
    let found = log.iter().any(|line| line.contains("find-me-4711") && line.contains("is missing"));
    assert!(found, "{log:#?}");
}

/// 004-27: by the id in its answer a message is found in the log.
#[test]
fn the_log_knows_a_message_by_the_id_in_its_answer() {
    let server = Logged::start(&["--store", "memory"]);
    let headers = format!("Authorization: Bearer {TOKEN}\r\nAccept: application/fhir+json\r\n");
    let answer = request(&server.address, "PATCH", "/nrl/STU3/DocumentReference/x", &headers, "{}");
    assert_eq!(answer.status, 400);
    let id = answer.body.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    let log = server.end();
    let line = log.iter().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} in {log:#?}"));
    for told in ["PATCH", "/nrl/STU3/DocumentReference/x", "400"] {
        assert!(line.contains(told), "{line}");
    }
    assert!(log.iter().all(|line| !line.contains(TOKEN)), "no token is told");
}
