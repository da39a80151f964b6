//! The commands that the demonstration prints do what they say.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Runs `bash` and `curl`, as a reader of the commands would.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// How the commands end, in their order.
const LISTED: [u16; 10] = [200, 200, 409, 412, 422, 200, 200, 400, 201, 400];

#[test]
fn the_printed_commands_end_as_printed() {
    if !has("bash") || !has("curl") {
        println!("SKIPPED: the commands need bash and curl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_firelock"))
        .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .env("FIRELOCK_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut script = String::new();
    // Nothing comes behind the last command.
    let (mut expected, mut commands) = (Vec::new(), 0);
    while let Some(Ok(line)) = lines.next() {
        if let Some(status) = line.strip_prefix("# ").and_then(|rest| rest.split(':').next()) {
            expected.extend(status.parse::<u16>().ok());
        }
        commands += usize::from(line.starts_with("curl "));
        let continues = line.ends_with('\\');
        script.push_str(&line);
        script.push('\n');
        if commands == LISTED.len() && !continues {
            break;
        }
    }
    let script = script.split_once("H=(").map(|(_, rest)| format!("H=({rest}")).unwrap();
    let output = Command::new("bash").arg("-c").arg(&script).output().unwrap();
    // It stops as it is asked to, although one of its mounts has two names.
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let statuses: Vec<u16> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(expected, LISTED);
    assert_eq!(statuses, expected, "{script}");
    assert!(!folder.path().join("firelock-data").exists(), "a demonstration leaves nothing behind");
}
