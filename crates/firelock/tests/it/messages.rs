//! What the log tells of messages.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::process::request;

const TOKEN: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJjIn0.";

/// 004-27: by the id in its answer a message is found in the log.
#[test]
fn the_log_knows_a_message_by_the_id_in_its_answer() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_firelock"))
        .args(["serve", "--listen", "127.0.0.1:0", "--store", "memory"])
        .env("FIRELOCK_LOG", "info")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.trim().strip_prefix("firelock listening on http://").unwrap();
    let headers = format!("Authorization: Bearer {TOKEN}\r\nAccept: application/fhir+json\r\n");
    let answer = request(address, "PATCH", "/nrl/STU3/DocumentReference/x", &headers, "{}");
    assert_eq!(answer.status, 400);
    let id = answer.body.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    server.kill().unwrap();
    let log: Vec<String> =
        BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
    server.wait().unwrap();
    let line = log.iter().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} in {log:#?}"));
    for told in ["PATCH", "/nrl/STU3/DocumentReference/x", "400"] {
        assert!(line.contains(told), "{line}");
    }
    assert!(log.iter().all(|line| !line.contains(TOKEN)), "no token is told");
}
