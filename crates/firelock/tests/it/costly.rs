//! Searches that would occupy a server: small ones that ask for much, and ones that look at everything.

use std::path::Path;

use crate::process::{Answer, Server, request};

const PATIENTS: usize = 300;

fn server(directory: &Path, sqlite: &str) -> Server {
    let file = directory.join("firelock.toml");
    std::fs::write(&file, format!("[sqlite]\n{sqlite}\n")).unwrap();
    Server::start_with(&directory.join("data"), &["--config", file.to_str().unwrap()])
}

fn fill(server: &Server) {
    let entry = |n: usize| {
        format!(
            r#"{{"resource":{{"resourceType":"Patient","id":"p{n}","name":[{{"family":"Neal {n}"}}]}},"request":{{"method":"PUT","url":"Patient/p{n}"}}}}"#
        )
    };
    let entries: Vec<String> = (0..PATIENTS).map(entry).collect();
    let bundle =
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    let answer = request(&server.address, "POST", "/R4", "", &bundle);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[track_caller]
fn expect_too_costly(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("search-too-costly"), "{}", answer.body);
}

/// What looks at everything, each in its own way.
const WIDE: [&str; 5] = [
    "Patient?family:contains=l%20299&_total=accurate",
    "Patient?family:missing=false&_sort=-family&_count=1",
    "Patient?_filter=family%20ew%20299&_total=accurate",
    "Patient?family:not-a-modifier=x",
    "Patient?_id:not=p1&_summary=count",
];

#[test]
fn what_takes_too_long_is_refused_and_the_others_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let first = server(directory.path(), "");
    fill(&first);
    let whole = WIDE.map(|search| first.get(&format!("/R4/{search}")).status);
    assert_eq!(whole, [200, 200, 200, 400, 200]);
    first.stop();

    // Every look at the clock says that it is over.
    let strict = server(directory.path(), "read_time_here_ms = 0\nread_time_max_ms = 0");
    for search in [WIDE[0], WIDE[1], WIDE[2], WIDE[4]] {
        expect_too_costly(&strict.get(&format!("/R4/{search}")));
    }
    assert_eq!(strict.get("/R4/Patient/p7").status, 200);
    let changed = r#"{"resourceType":"Patient","id":"p7","active":true}"#;
    assert_eq!(strict.put("/R4/Patient/p7", changed).status, 200);
    strict.stop();

    // Everything that takes longer than no time at all is begun anew elsewhere, and finds the same.
    let server = server(directory.path(), "read_time_here_ms = 0");
    let found = server.get(&format!("/R4/{}", WIDE[0]));
    assert_eq!(found.status, 200, "{}", found.body);
    assert!(found.body.contains(r#""total":1"#) && found.body.contains("Patient/p299"), "{}", found.body);
    let metrics = server.get("/metrics").body;
    let counted = |line: &&str| line.starts_with("firelock_store_long_reads_total") && line.contains("/R4\"");
    let line = metrics.lines().find(counted);
    assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{line:?}");
}

/// A few bytes each. What they would come to is told before any of it is made.
#[test]
fn small_searches_that_stand_for_millions_are_refused() {
    let server = Server::with(&["--store".as_ref(), "memory".as_ref()]);
    let subjects = "subject.".repeat(4);
    for search in [
        format!("Task?{subjects}_tag=a"),
        format!("Task?_filter={}nothing%20eq%20a", "subject.".repeat(40)),
        format!("?_tag=a{0}&_tag=b{0}&_security=c{0}", ",a".repeat(199)),
        format!("ValueSet?url:above=http:/{}", "/a".repeat(2000)),
        format!("Library?depends-on:above=http://a|1{}", ".1".repeat(2000)),
    ] {
        let answer = server.get(&format!("/R4/{search}"));
        let shown: String = search.chars().take(80).collect();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.body);
    }
    // Two codings and two values are four combinations, and some thousands of each would fill the memory.
    let codes = |count: usize| {
        let coding = |n: usize| format!(r#"{{"system":"s","code":"{n}"}}"#);
        (0..count).map(coding).collect::<Vec<_>>().join(",")
    };
    let observation = |count: usize| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"t"}},"component":[{{"code":{{"coding":[{0}]}},"valueCodeableConcept":{{"coding":[{0}]}}}}]}}"#,
            codes(count)
        )
    };
    assert_eq!(server.put("/R4/Observation/o", &observation(60)).status, 201);
    let refused = server.put("/R4/Observation/o", &observation(5_000));
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("not-findable"), "{}", refused.body);
}
