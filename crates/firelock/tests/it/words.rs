//! Full text search of a running server, and what becomes of its index wherever a store goes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Server, request, succeed};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn patient(id: &str, words: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{words}</div>"}}}}"#
    )
}

/// The ids of the patients that a search finds, once the index is complete.
fn found(server: &Server, query: &str) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.get("/R4/$reindex").status == 202 {
        assert!(Instant::now() < deadline, "the index is not complete after a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = server.get(&format!("/R4/Patient?{query}&_count=1000"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let parts = answer.body.split("\"fullUrl\":\"").skip(1);
    let url = |part: &str| part.split('"').next().unwrap_or_default().to_owned();
    let mut ids: Vec<String> =
        parts.map(|part| url(part).rsplit('/').next().unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids
}

fn expect(server: &Server) {
    assert_eq!(found(server, "_text=left%20bone"), ["a", "c"]);
    assert_eq!(found(server, "_content=%22left%20bone%22"), ["a"]);
    assert_eq!(found(server, "_text=liver"), [""; 0], "what was replaced");
    assert_eq!(found(server, "_text=lung"), [""; 0], "what was deleted");
    assert_eq!(found(server, "_text=brain"), [""; 0], "what was purged");
}

fn whole(data: &Path, documents: usize) {
    let said = succeed(&["check", "--pages", "--data", text(data)]);
    assert!(said.contains(&format!("{documents} texts")), "{said}");
}

#[test]
fn words_are_found_through_purges_exports_backups_and_a_change_of_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, config) = (path("data"), path("config.toml"));
    let mount = "[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\n";
    std::fs::write(&config, format!("{mount}full_text = \"on\"\n")).unwrap();
    let start = |data: &Path| Server::start_with(data, &["--config", text(&config)]);
    let server = start(&data);
    for (id, words) in [
        ("a", "the left bone"),
        ("b", "a liver"),
        ("b", "nothing any more"),
        ("c", "bone, on the left"),
        ("d", "a lung"),
        ("e", "a brain"),
    ] {
        assert!(matches!(server.put(&format!("/R4/Patient/{id}"), &patient(id, words)).status, 200 | 201));
    }
    assert_eq!(request(&server.address, "DELETE", "/R4/Patient/d", "", "").status, 204);
    server.stop();
    succeed(&["purge", "Patient/e", "--mount", "/R4", "--data", text(&data), "--yes"]);
    let server = start(&data);
    expect(&server);
    server.stop();
    whole(&data, 3);

    let (file, copy) = (path("export"), path("copy"));
    succeed(&["export", text(&file), "--data", text(&data)]);
    succeed(&["import", text(&file), "--data", text(&copy), "--mount", "/R4"]);
    let server = start(&copy);
    expect(&server);
    server.stop();

    let (backup, restored) = (path("backup"), path("restored"));
    succeed(&["backup", text(&backup), "--data", text(&data)]);
    succeed(&["restore", text(&backup), "--data", text(&restored)]);
    whole(&restored, 3);
    let server = start(&restored);
    expect(&server);
    server.stop();
    whole(&restored, 3);

    // Without it, which is the default, the words go, and with it they come back.
    std::fs::write(&config, mount).unwrap();
    let server = start(&data);
    assert_eq!(found(&server, "_text=left%20bone").len(), 3, "passed over");
    server.stop();
    whole(&data, 0);
    std::fs::write(&config, format!("{mount}full_text = \"on\"\n")).unwrap();
    let server = start(&data);
    expect(&server);
    server.stop();
    whole(&data, 3);
}
