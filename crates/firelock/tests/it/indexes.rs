//! Indexes that are made anew when a store comes from elsewhere.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Server, request, succeed};

const PATIENTS: usize = 150;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn patient(id: &str, family: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}]}}"#)
}

/// Patients whose name begins like this, once the index is complete.
fn found(server: &Server, family: &str) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.get("/R4/$reindex").status == 202 {
        assert!(Instant::now() < deadline, "the index is not complete after a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.get("/R4/$reindex").status, 200);
    let bundle = server.get(&format!("/R4/Patient?family={family}&_count=1000")).body;
    bundle.matches("\"fullUrl\"").count().to_string()
}

#[test]
fn what_is_imported_is_found_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, copy, file) = (path("data"), path("copy"), path("export"));
    let server = Server::start(&data);
    for n in 0..PATIENTS {
        let answer = server.put(&format!("/R4/Patient/p{n}"), &patient(&format!("p{n}"), "Imported"));
        assert_eq!(answer.status, 201);
    }
    assert_eq!(found(&server, "imported"), PATIENTS.to_string());
    server.stop();
    succeed(&["export", text(&file), "--data", text(&data)]);
    succeed(&["import", text(&file), "--data", text(&copy), "--mount", "/R4"]);
    // Killed wherever the index has got to by now.
    drop(Server::start(&copy));
    let server = Server::start(&copy);
    // What is written meanwhile is found as well.
    server.put("/R4/Patient/p1", &patient("p1", "Changed"));
    assert_eq!(found(&server, "imported"), (PATIENTS - 1).to_string());
    assert_eq!(found(&server, "changed"), "1");
    let once = request(
        &server.address,
        "POST",
        "/R4/Patient",
        "If-None-Exist: family:exact=Changed\r\n",
        &patient("x", "Changed"),
    );
    assert_eq!(once.status, 200, "{once:?}");
    server.stop();

    // Versions that are appended are found too.
    succeed(&["import", text(&file), "--data", text(&copy), "--mount", "/R4", "--append"]);
    let server = Server::start(&copy);
    assert_eq!(found(&server, "imported"), PATIENTS.to_string());
    assert_eq!(found(&server, "changed"), "0");
    server.stop();

    // And those of a backup.
    let (backup, restored) = (path("backup"), path("restored"));
    succeed(&["backup", text(&backup), "--data", text(&copy)]);
    succeed(&["restore", text(&backup), "--data", text(&restored)]);
    let server = Server::start(&restored);
    assert_eq!(found(&server, "imported"), PATIENTS.to_string());
    server.stop();
    succeed(&["check", "--pages", "--data", text(&restored)]);
}
