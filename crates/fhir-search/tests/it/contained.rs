//! Contained resources are found as if they stood by themselves.

use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits, Value, parse};
use fhir_search::{Extractor, Problem};
use proptest::prelude::*;
use storage_api::{Alone, Candidate, Key, Timestamp, matches};

fn extractor() -> &'static Extractor {
    Extractor::of(FhirVersion::R4)
}

fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
    query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A patient with some of the elements that the queries are about.
fn patient(n: usize, parts: &[&'static str]) -> Value {
    let members: String = parts.iter().flat_map(|part| [",", part]).collect();
    parse(format!(r#"{{"resourceType":"Patient","id":"p{n}"{members}}}"#).as_bytes(), &Limits::default())
        .unwrap()
}

const FAMILIES: [&str; 3] = [
    r#""name":[{"family":"Neal"}]"#,
    r#""name":[{"family":"Neal"},{"family":"Adams"}]"#,
    r#""name":[{"text":"x"}]"#,
];
const GENDERS: [&str; 2] = [r#""gender":"male""#, r#""gender":"female""#];
const OTHERS: [&str; 3] = [
    r#""birthDate":"1970-05""#,
    r#""identifier":[{"system":"s","value":"1","type":{"coding":[{"system":"t","code":"NH"}]}}]"#,
    r#""managingOrganization":{"reference":"Organization/o"}"#,
];

/// Conditions of every type, turned round too.
const QUERIES: [(&str, &str); 14] = [
    ("family", "neal"),
    ("family:exact", "Adams"),
    ("family:contains", "dam"),
    ("name:missing", "true"),
    ("gender", "male"),
    ("gender:not", "male"),
    ("gender:missing", "false"),
    ("birthdate", "ge1970-05-02"),
    ("birthdate:missing", "true"),
    ("identifier", "s|"),
    ("identifier:of-type", "t|NH|1"),
    ("organization", "Organization/o"),
    ("_id", "p1,p2"),
    ("_filter", "gender eq male or birthdate lt 1971"),
];

fn parts() -> impl Strategy<Value = Vec<&'static str>> {
    let one = |of: &'static [&'static str]| prop::option::of(prop::sample::select(of));
    (one(&FAMILIES), one(&GENDERS), prop::sample::subsequence(OTHERS.to_vec(), 0..3))
        .prop_map(|(family, gender, others)| family.into_iter().chain(gender).chain(others).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn as_if_they_stood_by_themselves(
        patients in prop::collection::vec(parts(), 0..4),
        query in prop::sample::subsequence(QUERIES.to_vec(), 0..4),
        is_patient: bool,
        own in parts(),
    ) {
        let all: Vec<Value> = patients.iter().enumerate().map(|(n, parts)| patient(n, parts)).collect();
        let inside: Vec<String> = all.iter().map(ToString::to_string).collect();
        let kind = if is_patient { "Patient" } else { "Basic" };
        let members: String = own.iter().filter(|_| is_patient).flat_map(|part| [",", part]).collect();
        let container = format!(r#"{{"resourceType":"{kind}","id":"p1"{members},"contained":[{}]}}"#, inside.join(","));
        let container = parse(container.as_bytes(), &Limits::default()).unwrap();

        let understood = extractor().search("Patient", &pairs(&query), &[]).unwrap().query;
        let finds = |resource: &Value, id: &str| {
            let terms = extractor().terms(resource, &[]).unwrap();
            let (key, at) = (&Key::new(resource.get("resourceType").unwrap().as_str().unwrap(), id), Timestamp(0));
            matches(&understood, &Candidate { key, at, terms: &terms }, &Alone)
        };
        let expected: Vec<String> =
            (0..all.len()).map(|n| format!("p{n}")).filter(|id| finds(&all[id[1..].parse::<usize>().unwrap()], id)).collect();
        let itself = finds(&container, "p1");

        let key = Key::new(kind, "p1");
        let met = extractor().met_in((&key, Timestamp(0)), &container, "Patient", &understood.conditions, &[]).unwrap();
        prop_assert_eq!((&met.inside, met.itself), (&expected, itself));
        let terms = extractor().terms(&container, &[]).unwrap();
        for both in [false, true] {
            let queries = extractor().in_containers("Patient", &understood.conditions, both).unwrap();
            let candidate = Candidate { key: &key, at: Timestamp(0), terms: &terms };
            let found = queries.iter().filter(|query| matches(query, &candidate, &Alone)).count();
            let is_expected = !expected.is_empty() || both && itself;
            prop_assert_eq!(found, usize::from(is_expected), "{} {:?}", container, query);
        }
    }
}

#[test]
fn references_of_contained_resources_are_not_followed() {
    for (name, value) in [
        ("organization.name", "x"),
        ("_has:Observation:patient:code", "x"),
        ("_list", "l"),
        ("general-practitioner:below", "Organization/o"),
    ] {
        let query = extractor().search("Patient", &pairs(&[(name, value)]), &[]).unwrap().query;
        let refused = extractor().in_containers("Patient", &query.conditions, false);
        assert_eq!(refused, Err(Problem::Contained), "{name}");
    }
}

/// Words are kept of whole resources.
#[test]
fn words_of_contained_resources_are_those_of_what_contains_them() {
    let extractor = Extractor::with_custom(FhirVersion::R4, Vec::new()).with_full_text(true);
    let query = extractor.search("Patient", &pairs(&[("_content", "x")]), &[]).unwrap().query;
    assert_eq!(extractor.in_containers("Patient", &query.conditions, true), Err(Problem::Contained));
}

/// What is at the other end of a reference may change without the resource itself.
#[test]
fn criteria_do_not_go_along_hierarchies() {
    let problem = |name: &str, value: &str| {
        let pairs = pairs(&[("identifier", "s|1"), (name, value)]);
        extractor().criteria("Encounter", &pairs, &[]).map_err(|error| error.problem)
    };
    assert_eq!(problem("location:below", "Location/x").unwrap_err(), Problem::OfOthers);
    assert_eq!(problem("part-of:above", "Encounter/x").unwrap_err(), Problem::OfOthers);
    assert_eq!(problem("patient.identifier", "x").unwrap_err(), Problem::OfOthers);
    assert!(problem("patient:missing", "true").is_ok());
    let value_set =
        extractor().criteria("ValueSet", &pairs(&[("url:above", "http://a/b"), ("url", "http://a")]), &[]);
    assert!(value_set.is_ok());
}
