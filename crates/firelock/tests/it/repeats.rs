//! `Idempotency-Key` across crashes, restarts, backups and purges.

use std::path::Path;

use crate::process::{Answer, Server, basic, request, succeed};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn send(server: &Server, method: &str, path: &str, key: &str, body: &str) -> Answer {
    request(&server.address, method, path, &format!("Idempotency-Key: {key}\r\n"), body)
}

#[test]
fn a_repetition_is_answered_alike_after_a_crash_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, file, copy) = (path("data"), path("backup"), path("copy"));
    let server = Server::start(&data);
    let create = |server: &Server| {
        send(server, "POST", "/R4/Basic", "create", r#"{"resourceType":"Basic","code":{"text":"x"}}"#)
    };
    let update = |server: &Server| send(server, "PUT", "/R4/Basic/a", "update", &basic("a", 1));
    // Finds everything as it should be.
    let again = |server: &Server| send(server, "PUT", "/R4/Basic/a", "again", &basic("a", 1));
    let nothing = |server: &Server| send(server, "DELETE", "/R4/Basic/b", "nothing", "");
    let all = |server: &Server| [create(server), update(server), again(server), nothing(server)];
    let first = all(&server);
    assert_eq!(first.each_ref().map(|answer| answer.status), [201, 201, 200, 204], "{first:?}");
    assert_eq!(server.put("/R4/Basic/a", &basic("a", 2)).etag.as_deref(), Some("W/\"2\""));
    assert_eq!(server.put("/R4/Basic/b", &basic("b", 1)).status, 201);
    let newest = |server: &Server| ["a", "b"].map(|id| server.get(&format!("/R4/Basic/{id}")).etag.unwrap());
    let before = newest(&server);
    // Killed.
    drop(server);
    let server = Server::start(&data);
    assert_eq!(all(&server), first, "after a crash");
    assert_eq!(newest(&server), before);
    server.stop();
    let server = Server::start(&data);
    assert_eq!(all(&server), first, "after a restart");
    assert_eq!(newest(&server), before);
    succeed(&["backup", text(&file), "--data", text(&data)]);
    server.stop();
    succeed(&["check", "--pages", "--data", text(&data)]);
    succeed(&["restore", text(&file), "--data", text(&copy)]);
    let restored = Server::start(&copy);
    assert_eq!(all(&restored), first, "after a restore");
    restored.stop();
    // What the answer would tell of is gone.
    succeed(&["purge", "Basic/a", "--mount", "/R4", "--data", text(&data), "--yes"]);
    let server = Server::start(&data);
    assert_eq!([update(&server), again(&server)].map(|answer| answer.status), [410, 410]);
    assert_eq!(server.get("/R4/Basic/a").status, 404, "it was not made again");
    server.stop();
}
