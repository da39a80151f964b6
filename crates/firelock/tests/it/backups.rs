//! `firelock backup` and `firelock restore`.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::process::{Server, basic, fail, request, succeed};

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

/// What a history says of each version, newest first, without the parts that depend on who asks.
fn versions(server: &Server, id: &str) -> Vec<String> {
    let answer = server.get(&format!("/R4/Basic/{id}/_history?_count=1000"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
        .body
        .split("\"resource\":")
        .skip(1)
        .map(|entry| entry.split(",\"request\"").next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_backup_under_load_comes_back_as_a_state_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file, copy) =
        (folder.path().join("data"), folder.path().join("backup"), folder.path().join("copy"));
    let server = Server::start(&data);
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        for count in 0..20 {
            assert!(server.put(&format!("/R4/Basic/{id}"), &basic(id, count)).status < 300);
        }
    }
    let coding = format!(r#"{{"display":"{}"}}"#, "x".repeat(100_000));
    let codings = vec![coding; 20].join(",");
    let large = format!(r#"{{"resourceType":"Basic","id":"big","code":{{"coding":[{codings}]}}}}"#);
    assert_eq!(server.put("/STU3/Basic/big", &large).status, 201);
    let acknowledged: Vec<_> = ids.iter().map(|id| versions(&server, id)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for id in ids {
            let (done, address) = (&done, &server.address);
            scope.spawn(move || {
                let mut count = 20;
                while !done.load(Ordering::Relaxed) {
                    let path = format!("/R4/Basic/{id}");
                    assert_eq!(request(address, "PUT", &path, "", &basic(id, count)).status, 200);
                    count += 1;
                }
            });
        }
        let said = succeed(&["backup", text(&file), "--data", text(&data)]);
        assert!(said.contains("firelock restore"), "{said}");
        done.store(true, Ordering::Relaxed);
    });
    let said = succeed(&["restore", text(&file), "--data", text(&copy), "--margin", "0"]);
    assert!(!said.contains("raised"), "{said}");
    let restored = Server::start(&copy);
    for (id, acknowledged) in ids.iter().zip(acknowledged) {
        let (then, now) = (versions(&restored, id), versions(&server, id));
        // Everything acknowledged before is there, and nothing that never was.
        assert!(then.ends_with(&acknowledged), "{id}");
        assert!(now.ends_with(&then), "{id}");
        assert!(now.len() > 20, "nothing was written meanwhile to {id}");
    }
    assert_eq!(restored.get("/STU3/Basic/big").body, server.get("/STU3/Basic/big").body);
    server.stop();
    restored.stop();
    succeed(&["check", "--pages", "--data", text(&copy)]);
}

#[test]
fn version_ids_that_were_lost_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file, copy) =
        (folder.path().join("data"), folder.path().join("backup"), folder.path().join("copy"));
    let server = Server::start(&data);
    server.put("/R4/Basic/a", &basic("a", 1));
    succeed(&["backup", text(&file), "--data", text(&data)]);
    // Lost with the original.
    let lost = server.put("/R4/Basic/a", &basic("a", 2));
    assert_eq!(lost.etag.as_deref(), Some("W/\"2\""));
    drop(server);
    let said = succeed(&["restore", text(&file), "--data", text(&copy)]);
    assert!(said.contains("raised the version numbers of 1 resources by 1000"), "{said}");
    let server = Server::start(&copy);
    assert_eq!(server.get("/R4/Basic/a").etag.as_deref(), Some("W/\"1001\""));
    let next = server.put("/R4/Basic/a", &basic("a", 3));
    assert_eq!(next.etag.as_deref(), Some("W/\"1002\""));
    let stale = request(&server.address, "PUT", "/R4/Basic/a", "If-Match: W/\"2\"\r\n", &basic("a", 4));
    assert_eq!(stale.status, 412);
    // What the backup has is still read by its old number.
    assert_eq!(server.get("/R4/Basic/a/_history/1").status, 200);
    assert_eq!(server.get("/R4/Basic/a/_history/2").status, 404);
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file, copy) =
        (folder.path().join("data"), folder.path().join("backup"), folder.path().join("copy"));
    let server = Server::start(&data);
    server.put("/R4/Basic/a", &basic("a", 1));
    server.stop();
    succeed(&["backup", text(&file), "--data", text(&data)]);
    fail(&["backup", text(&file), "--data", text(&data)], "exists; choose another name");
    fail(&["backup", text(&file), "--data", text(&copy)], "cannot read");
    fail(&["restore", text(&file), "--data", text(&data)], "is not empty");
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x10;
    for (bytes, expected) in [
        // Where a length was changed, the file seems to end early.
        (&changed[..], "nothing was restored from"),
        (&whole[..whole.len() - 1], "incomplete"),
        (&whole[..middle], "incomplete"),
        (b"something else entirely", "no Firelock backup"),
        (b"", "no Firelock backup"),
    ] {
        let broken = folder.path().join("broken");
        fs::write(&broken, bytes).unwrap();
        fail(&["restore", text(&broken), "--data", text(&copy)], expected);
        assert!(!copy.exists(), "{expected}");
    }
    // A restore that was interrupted is served by nobody.
    fs::create_dir_all(copy.join(".restoring")).unwrap();
    for command in ["serve", "check"] {
        fail(&[command, "--data", text(&copy)], "was interrupted");
    }
    fail(&["restore", text(&file), "--data", text(&copy)], "was interrupted");
    // Nothing is left beside the backup.
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().contains("unfinished")), "{names:?}");
}

/// Where nobody reads what a command says, it does all the same.
#[test]
fn a_restore_does_not_stop_where_nobody_listens() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        drop(writeln!(io::stderr(), "SKIPPED: there is no /dev/full"));
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (data, file, copy) =
        (folder.path().join("data"), folder.path().join("backup"), folder.path().join("copy"));
    let server = Server::start(&data);
    server.put("/R4/Basic/a", &basic("a", 1));
    server.stop();
    for arguments in
        [["backup", text(&file), "--data", text(&data)], ["restore", text(&file), "--data", text(&copy)]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firelock"));
        assert!(command.args(arguments).stdout(full.try_clone().unwrap()).status().unwrap().success());
    }
    assert_eq!(Server::start(&copy).get("/R4/Basic/a").status, 200);
}
