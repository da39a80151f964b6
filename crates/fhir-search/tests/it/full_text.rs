//! `_text` and `_content`.

use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits, Value, parse};
use fhir_search::{Extractor, Problem, QueryError};
use storage_api::{Alone, Candidate, Key, Term, Timestamp, matches};

const CONDITION: &str = r#"{"resourceType":"Condition","id":"secret1","meta":{"profile":["http://uri.example/secret2"]},
    "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><h1>Metastases</h1><p>in the left bone <!-- secret3 --> marrow</p></div>"},
    "contained":[{"resourceType":"Patient","id":"secret4","name":[{"text":"Ève Müller"}],
        "text":{"status":"generated","div":"<div>Contained narrative</div>"}}],
    "code":{"coding":[{"system":"http://snomed.info/secret5","code":"94222008","display":"Secondary malignant neoplasm"}],
        "text":"Secondary malignant neoplasm"},
    "subject":{"reference":"Patient/secret6","display":"Ève"},
    "identifier":[{"value":"NHS-943"}],
    "extension":[{"url":"http://e/secret7","valueString":"an extension"},{"url":"x","valueBase64Binary":"c2VjcmV0OA=="}],
    "note":[{"text":"First line\nsecond line, smile \u263a"}]}"#;

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn extractor(version: FhirVersion) -> Extractor {
    Extractor::with_custom(version, vec![]).with_full_text(true)
}

fn words(version: FhirVersion, resource: &str) -> Vec<Term> {
    let terms = extractor(version).terms(&json(resource), &[]).unwrap();
    terms.into_iter().filter(|term| term.param.ends_with("._content")).collect()
}

fn finds(version: FhirVersion, resource: &str, query: &str) -> Result<bool, QueryError> {
    let tree = json(resource);
    let text = |name: &str| tree.get(name).unwrap().as_str().unwrap().to_owned();
    let key = Key::new(text("resourceType"), text("id"));
    let terms = extractor(version).terms(&tree, &[]).unwrap();
    let pairs: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let understood = extractor(version).search(&key.kind, &pairs, &[])?;
    if let Some(ignored) = understood.ignored.into_iter().next() {
        return Err(ignored);
    }
    let candidate = Candidate { key: &key, at: Timestamp(0), terms: &terms };
    Ok(matches(&understood.query, &candidate, &Alone))
}

#[test]
fn narratives_and_everything_are_found_by_words_in_every_version() {
    for version in FhirVersion::ALL {
        for (query, expected) in [
            ("_text=metastases", true),
            ("_text=METASTASES AND bone", true),
            ("_text=(bone OR liver) and metastases", true),
            ("_text=\"left bone marrow\"", true),
            ("_text=\"metastases in the left\"", true),
            ("_text=metastas*", true),
            ("_text=bone&_text=marrow", true),
            ("_text=bone&_text=liver", false),
            ("_text=liver,bone", true),
            ("_text=secondary", false),
            ("_text=contained", false),
            ("_text=generated", false),
            ("_text=not liver", true),
            ("_content=bone malignant eve", true),
            ("_content=muller", true),
            ("_content=\"contained narrative\"", true),
            ("_content=94222008", true),
            ("_content=nhs-943", true),
            ("_content=extension", true),
            ("_content=\"line second\"", true),
            ("_content=\"secondary malignant neoplasm\"", true),
            ("_content=\"neoplasm secondary\"", false),
            ("_content=final", false),
            ("_content=secret*", false),
            ("_text=bone&_content=secondary", true),
            ("_text=bone&code=94222008", true),
            ("_text=bone&code=other", false),
        ] {
            assert_eq!(finds(version, CONDITION, query), Ok(expected), "{version} {query}");
        }
    }
}

#[test]
fn an_identical_text_counts_once_and_a_narrative_apart() {
    let resource = r#"{"resourceType":"Basic","id":"b","text":{"status":"generated","div":"<div>one</div>"},
        "code":{"coding":[{"display":"two"}],"text":"two"}}"#;
    let [term] = &words(FhirVersion::R4, resource)[..] else { panic!("one term") };
    assert_eq!(format!("{:?}", term.value), "Words([Words(\"one\"), Words(\"two\")])");
    assert_eq!(term.param, "Basic._content");
}

#[test]
fn what_has_no_words_has_no_term_and_what_has_too_many_is_cut() {
    let version = FhirVersion::R4;
    assert_eq!(words(version, r#"{"resourceType":"Patient","id":"p","active":true}"#), []);
    let many = "word ".repeat(40_000);
    let resource =
        format!(r#"{{"resourceType":"Patient","id":"p","name":[{{"text":"{many}end"}}],"gender":"male"}}"#);
    let [term] = &words(version, &resource)[..] else { panic!("one term") };
    let bytes = format!("{:?}", term.value).len();
    assert!((100_000..=132_000).contains(&bytes), "{bytes}");
    assert_eq!(finds(version, &resource, "_content=word"), Ok(true));
    assert_eq!(finds(version, &resource, "_content=end"), Ok(false));
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let problem = |query| finds(FhirVersion::R4, CONDITION, query).map_err(|error| error.problem);
    assert_eq!(problem("_text="), Err(Problem::Empty));
    assert_eq!(problem("_text:exact=bone"), Err(Problem::Modifier));
    assert_eq!(problem("_content:missing=true"), Err(Problem::Modifier));
    assert!(matches!(problem("_text=(bone"), Err(Problem::Malformed { .. })));
    assert!(matches!(problem(&format!("_text={}", "a".repeat(2000))), Err(Problem::TooLong { max: 1024 })));
    // Where words are not indexed they are passed over, and named.
    let off = Extractor::of(FhirVersion::R4);
    let pairs = vec![("_text".to_owned(), "bone".to_owned())];
    let understood = off.search("Condition", &pairs, &[]).unwrap();
    let ignored: Vec<Problem> = understood.ignored.into_iter().map(|error| error.problem).collect();
    assert_eq!((understood.query.conditions.len(), ignored), (0, vec![Problem::WithoutFullText]));
    for extractor in [off, &extractor(FhirVersion::R4)] {
        let refused = extractor.criteria(
            "Condition",
            &[pairs.clone(), vec![("code".into(), "x".into())]].concat(),
            &[],
        );
        assert_eq!(refused.map_err(|error| error.problem), Err(Problem::NotInCriteria));
    }
}

/// Every resource that has a narrative can be looked for by it, and all by what is in them.
#[test]
fn every_type_has_what_the_standard_gives_it() {
    for version in FhirVersion::ALL {
        let extractor = extractor(version);
        for name in extractor.types() {
            let parameters = extractor.parameters(name).unwrap();
            let has_narrative =
                extractor.definitions().resource_type(name).unwrap().fields().element("text").is_some();
            let has = |code: &str| parameters.get(code).is_some_and(fhir_search::Parameter::is_full_text);
            // R4B has `_text` for types without narrative too.
            assert!(has("_content") && (has("_text") || !has_narrative), "{version} {name}");
        }
    }
}
