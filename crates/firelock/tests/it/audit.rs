//! The audit file is whole after a clean shutdown.

use crate::process::{Server, request};

#[test]
fn nothing_is_lost_on_a_clean_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, config) = (folder.path().join("audit.jsonl"), folder.path().join("firelock.toml"));
    let text = format!(
        "audit = {:?}\n[[mount]]\npath = \"/flags/STU3\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\nheaders = \"off\"\n",
        audit.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    let server = Server::start_with(&folder.path().join("data"), &["--config", config.to_str().unwrap()]);
    let flag = include_str!("../../../../fixtures/spine/flags/flag.json");
    for _ in 0..200 {
        assert_eq!(request(&server.address, "POST", "/flags/STU3/Flag", "", flag).status, 201);
    }
    server.stop();
    let text = std::fs::read_to_string(&audit).unwrap();
    assert_eq!(text.lines().count(), 200);
    assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')));
    assert!(text.lines().all(|line| line.contains("\"status\":201") && line.contains("\"to\":")));
}
