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

/// Writers go on while everything is indexed anew, again and again: what is found in the end is what is there.
#[test]
fn writers_and_an_index_in_the_making_agree() {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 25;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let address = &server.address;
    let write = |method: &str, target: &str, body: &str, allowed: &[u16]| {
        let answer = request(address, method, target, "", body);
        assert!(allowed.contains(&answer.status), "{method} {target}: {answer:?}");
    };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let id = format!("w{writer}");
                    write(
                        "PUT",
                        &format!("/R4/Patient/{id}"),
                        &patient(&id, &format!("N{writer}x{round:02}")),
                        &[200, 201],
                    );
                    // Criteria are refused as long as their parameter is not complete.
                    let once = format!(
                        r#"{{"resourceType":"Patient","identifier":[{{"system":"s","value":"{round}"}}]}}"#
                    );
                    let target = format!("/R4/Patient?identifier=s|{round}");
                    write("PUT", &target, &once, &[200, 201, 409, 503]);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..5 {
                write("POST", "/R4/$reindex?full=true", "", &[202]);
                while server.get("/R4/$reindex").status == 202 {}
            }
        });
    });
    for writer in 0..WRITERS {
        for round in 0..ROUNDS {
            let expected = if round == ROUNDS - 1 { "1" } else { "0" };
            assert_eq!(
                found(&server, &format!("N{writer}x{round:02}")),
                expected,
                "writer {writer} round {round}"
            );
        }
    }
    for round in 0..ROUNDS {
        let bundle = server.get(&format!("/R4/Patient?identifier=s|{round}")).body;
        assert!(bundle.matches("\"fullUrl\"").count() <= 1, "identifier {round} is there twice: {bundle}");
    }
    server.stop();
    succeed(&["check", "--pages", "--data", text(folder.path())]);
}
