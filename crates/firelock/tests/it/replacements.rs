//! Replacements of one pointer on the store that the program keeps.

use crate::process::{Server, request, succeed};

const CLIENTS: usize = 16;

const POINTER: &str = include_str!("../../../../fixtures/spine/nrl-pointer.json");
const IDENTIFIER: &str = "urn:oid:1.3.6.1.4.1.21367.2005.3.7";

/// The pointer of the fixtures under another identifier, in the place of the one that has it.
fn replacing(own: usize) -> String {
    let relates = format!(
        r#""relatesTo":[{{"code":"replaces","target":{{"identifier":{{"system":"urn:ietf:rfc:3986","value":"{IDENTIFIER}"}}}}}}],"type""#
    );
    POINTER.replace(IDENTIFIER, &format!("urn:oid:9.{own}")).replacen("\"type\"", &relates, 1)
}

/// One of sixteen succeeds, and the store has what that one wrote and nothing else.
#[test]
fn one_of_sixteen_replacements_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("firelock.toml"));
    let text =
        "[[mount]]\npath = \"/nrl/STU3\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\nheaders = \"off\"\n";
    std::fs::write(&config, text).unwrap();
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let post = |body: &str| request(&server.address, "POST", "/nrl/STU3/DocumentReference", "", body).status;
    assert_eq!(post(POINTER), 201);
    let start = std::sync::Barrier::new(CLIENTS);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let client = |own| {
            let (start, post) = (&start, &post);
            scope.spawn(move || {
                let body = replacing(own);
                start.wait();
                post(&body)
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    let mut expected = vec![201];
    expected.resize(CLIENTS, 400);
    assert_eq!(statuses, expected);
    server.stop();
    // The old pointer, superseded, and the new one; an identifier of each.
    let said = succeed(&["check", "--data", data.to_str().unwrap()]);
    assert!(said.contains("2 resources, 3 versions (0 deletions)"), "{said}");
    assert!(said.contains(" 2 claims"), "{said}");
}

/// Where the mount wants it a replacement counts on from what it replaces. The store is whole with the numbers that were
/// passed over, and an export of it becomes the same store.
#[test]
fn a_replacement_counts_on_where_the_mount_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, copy, file, config) = (path("data"), path("copy"), path("export"), path("firelock.toml"));
    let text = "[[mount]]\npath = \"/nrl/STU3\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\nheaders = \"off\"\n\
        [mount.readings]\nreplacement_version = \"successor\"\n";
    std::fs::write(&config, text).unwrap();
    let start = |data: &str| Server::start_with(data.as_ref(), &["--config", &config]);
    let subject = "https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210";
    let found = |server: &Server| {
        let target = format!("/nrl/STU3/DocumentReference?subject={subject}&_format=application/fhir%2Bjson");
        request(&server.address, "GET", &target, "", "").body
    };
    let server = start(&data);
    let post = |body: &str| request(&server.address, "POST", "/nrl/STU3/DocumentReference", "", body);
    assert_eq!(post(POINTER).etag.as_deref(), Some("W/\"1\""));
    let second = replacing(2);
    assert_eq!(post(&second).etag.as_deref(), Some("W/\"2\""));
    let third = second.replace("urn:oid:9.2", "urn:oid:9.3").replace(IDENTIFIER, "urn:oid:9.2");
    assert_eq!(post(&third).etag.as_deref(), Some("W/\"3\""));
    assert!(found(&server).contains("\"versionId\":\"3\""), "{}", found(&server));
    server.stop();
    // The first two pointers have two versions each, the last has one.
    let check = |data: &str| {
        let said = succeed(&["check", "--pages", "--data", data]);
        assert!(said.contains("3 resources, 5 versions (0 deletions)"), "{said}");
    };
    check(&data);
    let export = |data: &str| {
        let said = succeed(&["export", "-", "--data", data]);
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    succeed(&["export", &file, "--data", &data]);
    succeed(&["import", &file, "--mount", "/nrl/STU3", "--data", &copy]);
    check(&copy);
    assert_eq!(export(&copy), export(&data));
}
