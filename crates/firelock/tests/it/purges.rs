//! `firelock purge`

use crate::process::{Server, basic, fail, succeed};

#[test]
fn a_purged_resource_is_gone_and_its_numbers_are_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start(folder.path());
    for count in 1..=3 {
        server.put("/R4/Basic/a", &basic("a", count));
        server.put("/R4/Basic/b", &basic("b", count));
    }
    let purge = |resource: &'static str| ["purge", resource, "--mount", "/R4", "--data", data];
    let sure = |resource: &'static str| ["purge", resource, "--mount", "/R4", "--data", data, "--yes"];
    fail(&sure("Basic/a"), "in use by process");
    server.stop();
    fail(&purge("Basic/a"), "has 3 versions; --yes removes them");
    fail(&sure("Basic"), "write its type and id");
    fail(&sure("Basic/A"), "there is no Basic/A on /R4");
    fail(&["purge", "Basic/a", "--mount", "/R9", "--data", data, "--yes"], "there is no store of /R9");
    let said = succeed(&sure("Basic/a"));
    assert!(said.contains("3 versions are gone; a new one would be 4"), "{said}");
    fail(&sure("Basic/a"), "was purged already; its last version was 3");
    let server = Server::start(folder.path());
    assert_eq!(server.get("/R4/Basic/a").status, 404);
    assert_eq!(server.get("/R4/Basic/a/_history/2").status, 404);
    let again = server.put("/R4/Basic/a", &basic("a", 9));
    assert_eq!((again.status, again.etag.as_deref()), (201, Some("W/\"4\"")));
    assert_eq!(server.get("/R4/Basic/b").etag.as_deref(), Some("W/\"3\""));
    server.stop();
    succeed(&["check", "--data", data]);
}
