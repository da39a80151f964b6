//! Searches: their order, their pages, what comes along, and where they look.

use fhir_model::json::Value;

use crate::bad_input::check_outcome;
use crate::client::{Request, Response, at, text_at};
use crate::harness::TestServer;
use crate::mounts::FHIR_PATHS;

fn put(server: &TestServer, path: &str, resource: &str) -> Response {
    let tree =
        fhir_model::json::parse(resource.as_bytes(), &fhir_model::json::Limits::default()).expect("JSON");
    let text = |name: &str| text_at(&tree, name).expect("a name");
    let target = format!("{path}/{}/{}", text("resourceType"), text("id"));
    let response = server.send(&Request::put(&target, resource));
    assert!(matches!(response.status, 200 | 201), "{target}: {}", response.body_text());
    response
}

fn patient(id: &str, family: &str, born: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}],"birthDate":"{born}","managingOrganization":{{"reference":"Organization/o"}}}}"#
    )
}

fn observation(id: &str, patient: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
}

/// A hospital with three patients.
fn fill(server: &TestServer, path: &str) {
    put(
        server,
        path,
        r#"{"resourceType":"Organization","id":"o","name":"o","partOf":{"reference":"Organization/top"}}"#,
    );
    put(server, path, r#"{"resourceType":"Organization","id":"top","name":"top"}"#);
    for (id, family, born) in
        [("a", "Neal", "1970-01-01"), ("b", "Adams", "1980-01-01"), ("c", "Neal", "1960-01-01")]
    {
        put(server, path, &patient(id, family, born));
    }
    for (id, patient) in [("1", "a"), ("2", "a"), ("3", "b")] {
        put(server, path, &observation(id, patient));
    }
    put(
        server,
        path,
        r#"{"resourceType":"List","id":"l","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/a"}},{"item":{"reference":"Patient/b"}}]}"#,
    );
}

/// The entries of a page as `mode Type/id`.
fn entries(bundle: &Value) -> Vec<String> {
    let text = |n: usize, path: &str| text_at(bundle, &format!("entry.{n}.{path}"));
    let entry = |n: usize| {
        let mode = text(n, "search.mode")?;
        let (kind, id) = (text(n, "resource.resourceType")?, text(n, "resource.id").unwrap_or_default());
        Some(format!("{mode} {kind}/{id}"))
    };
    (0..).map_while(entry).collect()
}

/// What matches on one page, as `Type/id` in order.
fn found(server: &TestServer, target: &str) -> Vec<String> {
    let response = server.send(&Request::get(target));
    assert_eq!(response.status, 200, "{target}: {}", response.body_text());
    let matched = |entry: String| entry.strip_prefix("match ").map(str::to_owned);
    entries(&response.json()).into_iter().filter_map(matched).collect()
}

fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = (0..).map_while(|n| Some((text_at(bundle, &format!("link.{n}.relation"))?, n)));
    let (_, n) = links.into_iter().find(|(found, _)| found == relation)?;
    let url = text_at(bundle, &format!("link.{n}.url"))?;
    Some(url.strip_prefix("http://server.example").expect("our URL").to_owned())
}

/// Every page from a target on.
fn pages(server: &TestServer, target: &str, mut between: impl FnMut(usize)) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(target.to_owned());
    while let Some(target) = next {
        let response = server.send(&Request::get(&target));
        assert_eq!(response.status, 200, "{target}: {}", response.body_text());
        let bundle = response.json();
        pages.push(entries(&bundle));
        next = link(&bundle, "next");
        between(pages.len());
        assert!(pages.len() < 50, "{target} does not end");
    }
    pages
}

#[test]
fn results_come_in_the_order_asked_for() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        fill(&server, path);
        for (sort, expected) in [
            ("family", ["b", "a", "c"]),
            ("family,birthdate", ["b", "c", "a"]),
            ("-family,birthdate", ["c", "a", "b"]),
            ("-birthdate", ["b", "a", "c"]),
            ("-_id", ["c", "b", "a"]),
            ("_lastUpdated", ["a", "b", "c"]),
            ("-_lastUpdated", ["c", "b", "a"]),
        ] {
            let target = format!("{path}/Patient?_sort={sort}");
            let expected = expected.map(|id| format!("Patient/{id}"));
            assert_eq!(found(&server, &target), expected, "{target}");
            let paged = pages(&server, &format!("{target}&_count=1"), |_| {});
            assert_eq!(paged.concat(), expected.map(|key| format!("match {key}")), "{target}");
        }
        let unknown = server.send(&Request::get(&format!("{path}/Patient?_sort=nonsense,family"))).json();
        assert_eq!(entries(&unknown).len(), 4, "a warning: {unknown}");
        assert_eq!(
            link(&unknown, "self").as_deref(),
            Some(format!("{path}/Patient?_sort=family&_count=100").as_str())
        );
        let strict =
            Request::get(&format!("{path}/Patient?_sort=nonsense")).header("Prefer", "handling=strict");
        check_outcome(&server.send(&strict), 400, path);
    }
}

/// What matches all the while is seen once, though its values move before and behind the page.
#[test]
fn a_sorted_walk_sees_everything_once_while_others_write() {
    let server = TestServer::start();
    for n in 0..12 {
        put(&server, "/R4", &patient(&format!("p{n}"), &format!("f{:02}", (n * 5) % 12), "1970-01-01"));
    }
    let expected = found(&server, "/R4/Patient?_sort=family");
    let walked = pages(&server, "/R4/Patient?_sort=family&_count=5", |page| {
        for n in 0..12 {
            let family = format!("f{:02}", (n * 7 + page * 3) % 12);
            put(&server, "/R4", &patient(&format!("p{n}"), &family, "1970-01-01"));
        }
        put(&server, "/R4", &patient(&format!("new{page}"), "f00", "1970-01-01"));
    });
    let walked: Vec<String> =
        walked.concat().iter().map(|entry| entry.trim_start_matches("match ").to_owned()).collect();
    assert_eq!(walked, expected);
}

#[test]
fn what_belongs_to_a_page_comes_along() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        fill(&server, path);
        let iterate = if path == "/STU3" { "recurse" } else { "iterate" };
        for (query, expected) in [
            ("Observation?_id=1&_include=Observation:subject", vec!["Patient/a"]),
            ("Observation?_id=1&_include=Observation:patient", vec!["Patient/a"]),
            ("Observation?_id=1&_include=Observation:subject:Patient", vec!["Patient/a"]),
            ("Observation?_id=1&_include=Observation:subject:Group", vec![]),
            ("Observation?_id=1&_include=*", vec!["Patient/a"]),
            ("Observation?_include=Observation:*", vec!["Patient/a", "Patient/b"]),
            (
                &format!(
                    "Observation?_id=1&_include=Observation:subject&_include:{iterate}=Patient:organization"
                ),
                vec!["Organization/o", "Patient/a"],
            ),
            (
                &format!("Observation?_id=1&_include:{iterate}=*"),
                vec!["Organization/o", "Organization/top", "Patient/a"],
            ),
            (
                "Observation?_id=1&_include=Observation:subject&_include=Patient:organization",
                vec!["Patient/a"],
            ),
            ("Patient?_id=a&_revinclude=Observation:subject", vec!["Observation/1", "Observation/2"]),
            (
                "Patient?_id=a&_revinclude=Observation:patient&_include=Patient:organization",
                vec!["Observation/1", "Observation/2", "Organization/o"],
            ),
            ("Patient?_id=a&_revinclude=List:*", vec!["List/l"]),
            ("Patient?_id=a&_include=Patient:nonsense", vec![]),
        ] {
            let target = format!("{path}/{query}");
            let bundle = server.send(&Request::get(&target)).json();
            let mut included: Vec<String> = entries(&bundle)
                .into_iter()
                .filter_map(|entry| entry.strip_prefix("include ").map(str::to_owned))
                .collect();
            included.sort();
            assert_eq!(included, expected, "{target}: {bundle}");
            let matched = entries(&bundle).iter().filter(|entry| entry.starts_with("match")).count();
            assert_eq!(
                at(&bundle, "total").and_then(Value::as_number).map(ToString::to_string),
                Some(matched.to_string()),
                "{target}"
            );
        }
        for bad in ["_include=x", "_include=a:b:c:d", "_include:always=Patient:link", "_revinclude=*"] {
            check_outcome(&server.send(&Request::get(&format!("{path}/Patient?{bad}"))), 400, bad);
        }
    }
}

#[test]
fn totals_and_counts() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        fill(&server, path);
        let total = |query: &str| {
            let bundle = server.send(&Request::get(&format!("{path}/Patient?{query}"))).json();
            (at(&bundle, "total").map(ToString::to_string), entries(&bundle).len())
        };
        let three = || Some("3".to_owned());
        assert_eq!(total(""), (three(), 3));
        assert_eq!(total("_count=2"), (None, 2));
        assert_eq!(total("_count=2&_total=accurate"), (three(), 2));
        assert_eq!(total("_total=none"), (None, 3));
        assert_eq!(total("_summary=count"), (three(), 0));
        assert_eq!(total("_count=0"), (three(), 0));
        assert_eq!(total("_summary=count&family=neal"), (Some("2".to_owned()), 0));
        assert_eq!(total("_summary=count&_sort=family&_include=Patient:organization"), (three(), 0));
        let read = server.send(&Request::get(&format!("{path}/Patient/a?_summary=count")));
        check_outcome(&read, 400, "a count of one resource");
    }
}

#[test]
fn everywhere_and_in_compartments() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        fill(&server, path);
        let sorted = |target: &str| {
            let mut found = found(&server, &format!("{path}{target}"));
            found.sort();
            found
        };
        assert_eq!(sorted("?_id=a"), ["Patient/a"]);
        assert_eq!(sorted("/?_id=a,1,l"), ["List/l", "Observation/1", "Patient/a"]);
        assert_eq!(sorted("").len(), 9);
        assert_eq!(sorted("?_type=Patient,Organization").len(), 5);
        assert_eq!(sorted("?_type=Patient&family=neal"), ["Patient/a", "Patient/c"]);
        assert_eq!(sorted("?_type=Patient,Observation&_sort=-_id").len(), 6);
        // Not every type has the parameter.
        let bundle =
            server.send(&Request::get(&format!("{path}?_type=Patient,Organization&family=neal"))).json();
        assert_eq!(entries(&bundle).len(), 6, "a warning: {bundle}");
        assert_eq!(sorted("/Patient/a/Observation"), ["Observation/1", "Observation/2"]);
        assert_eq!(sorted("/Patient/a/Observation?_id=2"), ["Observation/2"]);
        assert_eq!(
            sorted("/Patient/a/*?_type=Observation,Patient"),
            ["Observation/1", "Observation/2", "Patient/a"]
        );
        assert_eq!(sorted("/Patient/none/Observation"), [""; 0]);
        assert_eq!(sorted("/Patient/a/Organization"), [""; 0]);
        assert!(sorted("/Patient/a/*").contains(&"Patient/a".to_owned()));
        assert!(!sorted("/Patient/a/*").contains(&"Observation/3".to_owned()));
        assert_eq!(sorted("/Patient?_list=l"), ["Patient/a", "Patient/b"]);
        assert_eq!(sorted("/Patient?_list=none"), [""; 0]);

        let form = |target: &str, body: &str| {
            let request = Request::new("POST", &format!("{path}{target}"))
                .header("Content-Type", "application/x-www-form-urlencoded");
            entries(&server.send(&request.body(body)).json())
        };
        assert_eq!(form("/_search", "_type=Patient&_id=a"), ["match Patient/a"]);
        assert_eq!(form("/Patient/a/Observation/_search", "_id=1"), ["match Observation/1"]);
        assert_eq!(form("/Patient/a/_search", "_type=Observation&_id=1"), ["match Observation/1"]);
        assert_eq!(form("/Patient/_search?_sort=family", "_count=1"), ["match Patient/b"]);
        assert_eq!(form("/Patient/_search", "_summary=count"), [""; 0]);
        for bad in [
            "?_type=Patient,Nothing",
            "?_type=",
            "/Observation/1/Patient",
            "/Patient/a/Nothing",
            "/Patient/a b/*",
        ] {
            let response = server.send(&Request::get(&format!("{path}{}", bad.replace(' ', "_"))));
            assert!(matches!(response.status, 400 | 404), "{bad}: {}", response.status);
        }
        let get = server.send(&Request::get(&format!("{path}/_search")));
        check_outcome(&get, 405, path);
    }
}

/// Pages repeat what shapes them, and cursors belong to their search.
#[test]
fn links_say_what_was_used() {
    let server = TestServer::start();
    fill(&server, "/R4");
    let target = "/R4/Patient?nonsense=1&family=a,n&_sort=-family&_elements=name&_count=1&_format=json";
    let bundle = server.send(&Request::get(target)).json();
    let own = "/R4/Patient?family=a%2Cn&_sort=-family&_elements=name&_format=json&_count=1";
    assert_eq!(link(&bundle, "self").as_deref(), Some(own));
    let next = link(&bundle, "next").expect("another page");
    assert!(next.starts_with(&format!("{own}&_cursor=s2-")), "{next}");
    assert!(next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
    let second = server.send(&Request::get(&next)).json();
    assert!(at(&second, "entry.0.resource.birthDate").is_none(), "{second}");

    let cursor = next.rsplit('=').next().expect("a cursor");
    let refused = [
        next.replace("-family", "family"),
        next.replace("a%2Cn", "n"),
        next.replace("/Patient?", "/Person?"),
        next.replace("&_sort=-family", ""),
        next.replace("_cursor=s2-", "_cursor=s2-1"),
        next.replace(cursor, "s1-1"),
        next.replace(cursor, ""),
        format!("{next}&_cursor={cursor}"),
        format!("{next}0"),
        next[..next.len() - 1].to_owned(),
    ];
    for target in refused {
        check_outcome(&server.send(&Request::get(&target)), 400, &target);
    }
    assert_eq!(server.send(&Request::get(&next.replace("_count=1", "_count=2"))).status, 200);
}

/// Value sets and code systems that are stored here.
#[test]
fn codes_by_value_set_and_hierarchy() {
    let server = TestServer::start();
    for path in FHIR_PATHS {
        let coded = |id: &str, code: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"urn:s","code":"{code}","display":"Shown {code}"}}]}}}}"#
            )
        };
        for (id, code) in [("1", "a"), ("2", "b"), ("3", "c")] {
            put(&server, path, &coded(id, code));
        }
        let find = |query: &str| found(&server, &format!("{path}/Observation?{query}"));
        let unknown = |query: &str| {
            check_outcome(&server.send(&Request::get(&format!("{path}/Observation?{query}"))), 400, query);
        };
        unknown("code:in=http://sets/one");
        unknown("code:below=urn:s|a");
        put(
            &server,
            path,
            r#"{"resourceType":"ValueSet","id":"one","url":"http://sets/one","version":"1","status":"active","compose":{"include":[{"system":"urn:s","concept":[{"code":"a"},{"code":"b"}]}]}}"#,
        );
        for set in ["http://sets/one", "http://sets/one|1", "ValueSet/one"] {
            assert_eq!(find(&format!("code:in={set}")), ["Observation/1", "Observation/2"], "{path} {set}");
            assert_eq!(find(&format!("code:not-in={set}")), ["Observation/3"], "{path} {set}");
            assert_eq!(find(&format!("_filter=code in {set}").replace(' ', "%20")).len(), 2, "{path} {set}");
        }
        unknown("code:in=http://sets/one|2");
        // So many are not looked up.
        let sets: Vec<String> = (0..101).map(|n| format!("http://sets/{n}")).collect();
        let many = server.send(&Request::get(&format!("{path}/Observation?code:in={}", sets.join(","))));
        assert!(many.status == 400 && many.body_text().contains("search-too-costly"), "{}", many.body_text());
        put(
            &server,
            path,
            r#"{"resourceType":"CodeSystem","id":"s","url":"urn:s","status":"active","content":"complete","concept":[{"code":"a","concept":[{"code":"b"}]},{"code":"c"}]}"#,
        );
        assert_eq!(find("code:below=urn:s|a"), ["Observation/1", "Observation/2"]);
        assert_eq!(find("code:above=urn:s|b"), ["Observation/1", "Observation/2"]);
        assert_eq!(find("code:above=urn:s|a"), ["Observation/1"]);
        assert_eq!(find("code:text=shown%20c"), ["Observation/3"]);
        unknown("code:below=a");
        unknown("code:below=urn:s|x");
    }
}

/// Whatever is wrong is said; nothing takes the server down.
#[test]
fn bad_searches_are_refused() {
    let server = TestServer::start();
    let many = |what: &str, times: usize| what.repeat(times);
    for path in FHIR_PATHS {
        for query in [
            "birthdate=2013-99".to_owned(),
            "birthdate=zz2013".to_owned(),
            "_lastUpdated=yesterday".to_owned(),
            "organization.name.=x".to_owned(),
            "organization.nonsense:exactly=x".to_owned(),
            "family:exactly=x".to_owned(),
            "_count=-1".to_owned(),
            "_count=1&_count=2".to_owned(),
            "_total=some".to_owned(),
            "_summary=most".to_owned(),
            "_contained=some".to_owned(),
            "_query=current".to_owned(),
            "_containedType=all".to_owned(),
            "_sort=family,,".to_owned(),
            "_filter=family".to_owned(),
            "_list=a_b".to_owned(),
            format!("gender=a{}", many(",a", 10_000)),
            many("gender=a&", 100),
            many("_include=Patient:link&", 100),
            format!("_sort={}", many("family,", 100)),
            format!("_filter={}", many("(", 2_000)),
            format!("_filter={}family%20eq%20x", many("general-practitioner.", 40)),
        ] {
            let target = format!("{path}/Patient?{query}");
            let response = server.send(&Request::get(&target));
            let shown: String = target.chars().take(80).collect();
            if query.starts_with("organization.no") || query.starts_with("organization.name.") {
                assert!(matches!(response.status, 200 | 400), "{shown}");
                continue;
            }
            assert!(matches!(response.status, 400 | 414), "{shown}: {}", response.status);
        }
        // A body may be larger than a URL.
        for body in [
            format!("gender=a{}", many(",a", 10_000)),
            format!("family={}", many("x", 1 << 20)),
            format!("_filter={}", many("x", 1 << 20)),
            format!("_id=a{}", many("&_id=a", 200_000)),
        ] {
            let form = Request::new("POST", &format!("{path}/Patient/_search"))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(&body);
            let response = server.send(&form);
            assert_eq!(response.status, 400, "{path}: {} bytes", body.len());
        }
    }
}
