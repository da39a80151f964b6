//! `firelock explain`.

use std::path::Path;

use crate::process::{Server, fail, succeed};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_search_is_explained_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\nfull_text = \"on\"\n").unwrap();
    let server = Server::start_with(folder.path(), &["--config", text(&config)]);
    for n in 0..12 {
        let (unique, shared) = (n, n % 2);
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"p{n}","identifier":[{{"system":"s","value":"{unique}"}},
            {{"system":"t","value":"{shared}"}}],"managingOrganization":{{"reference":"Organization/o"}}}}"#
        );
        assert_eq!(server.put(&format!("/R4/Patient/p{n}"), &patient).status, 201);
    }
    let explain = |search: &str| {
        let data = text(folder.path());
        succeed(&["explain", search, "--mount", "/R4", "--data", data, "--config", text(&config)])
    };
    let check = |search: &str, expected: &[&str]| {
        let said = explain(search);
        for expected in expected {
            assert!(said.contains(expected), "{search}: {expected:?} is not in\n{said}");
        }
    };
    check(
        "Patient?identifier=s|7&organization=Organization/o",
        &[
            "query: Patient of which",
            "Patient.identifier",
            "SELECT res, (EXISTS (SELECT 1 FROM term f",
            "plan: SEARCH term USING PRIMARY KEY (param=? AND value=? AND res>?)",
            "each that passes is found",
            "found: Patient/p7\n",
            "update, patch and delete touch Patient/p7",
        ],
    );
    check("Patient?identifier=t%7C1", &["found: Patient/p1, ", "412: several match"]);
    check("Patient?identifier=s|none", &["found: nothing", "make a new resource"]);
    check("Patient?organization:Organization.name=x", &["no statement"]);
    check("Patient?_lastUpdated=gt2020", &["SELECT res, 1 FROM resource", "refused. Criteria need"]);
    check(
        "Patient?_content=one%20NOT%20%22two%20three%22&identifier=t|1",
        &[
            "Patient._content",
            "FROM words WHERE words MATCH ?",
            "'((\"one\")) NOT (\"two three\")'",
            "refused. _content has no place",
        ],
    );
    check("Patient?shoe=42&identifier=s|1", &["passed over: shoe", "refused. shoe"]);
    for (search, expected) in
        [("Pashent?name=x", "is not a resource type"), ("Patient?birthdate=soon", "birthdate")]
    {
        fail(&["explain", search, "--mount", "/R4", "--data", text(folder.path())], expected);
    }
    fail(&["explain", "Patient?name=x", "--mount", "/R6", "--data", text(folder.path())], "no API is at /R6");
    server.stop();
    check("Patient?_id=p3", &["found: Patient/p3\n"]);
}
