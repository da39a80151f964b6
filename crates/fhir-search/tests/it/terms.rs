//! Which terms a resource gets.

use fhir_definitions::{FhirVersion, SearchType, resource_types};
use fhir_model::json::{Limits, parse};
use fhir_search::Extractor;
use storage_api::{Reference, Term, Value};

/// A term in one line.
fn show(term: &Term) -> String {
    format!("{} {}", term.param, show_value(&term.value))
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Token(coding) => format!("{}|{}", coding.system.as_deref().unwrap_or_default(), coding.code),
        Value::Text { normal, original } => format!("{normal}/{original}"),
        Value::Reference(Reference::Local(key)) => format!("local {key}"),
        Value::Reference(Reference::External(text)) => format!("external {text}"),
        Value::Date(span) => format!("{}..{}", span.low.0, span.high.0),
        Value::Number(number) => number.get().to_string(),
        Value::Quantity { value, unit: None } => value.get().to_string(),
        Value::Quantity { value, unit: Some(unit) } => {
            format!("{} {}|{}", value.get(), unit.system.as_deref().unwrap_or_default(), unit.code)
        }
        Value::Uri(text) => text.to_string(),
        Value::Position(place) => format!("at {} {}", place.latitude().get(), place.longitude().get()),
        Value::Words(document) => format!("{document:?}"),
        Value::Composite(parts) => parts.iter().map(show_value).collect::<Vec<_>>().join(" $ "),
    }
}

/// The terms of a resource on a server that is known as `http://here/fhir`.
#[track_caller]
fn check(version: FhirVersion, resource: &str, expected: &[&str]) {
    let tree = parse(resource.as_bytes(), &Limits::default()).unwrap();
    let terms = Extractor::of(version).terms(&tree, &["http://here/fhir"]).unwrap();
    assert!(terms.is_sorted() && terms.windows(2).all(|pair| pair[0] != pair[1]));
    let mut shown: Vec<String> = terms.iter().map(show).collect();
    let mut expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn every_published_parameter_with_an_expression_compiles() {
    for version in FhirVersion::ALL {
        let extractor = Extractor::of(version);
        for name in resource_types(version) {
            let parameters = extractor.parameters(name).unwrap();
            assert!(parameters.iter().len() > 0, "{version} {name}");
            for parameter in parameters.iter() {
                let definition = parameter.definition();
                let is_read = definition.search_type() != SearchType::Special || parameter.is_position();
                let expected = definition.expression().is_some() && is_read;
                assert_eq!(parameter.is_supported(), expected, "{version} {name} {definition:?}");
                let found = parameters.get(definition.code()).unwrap();
                assert_eq!(found.term(), parameter.term());
            }
        }
        assert!(extractor.parameters("DomainResource").is_none());
        assert!(extractor.parameters("Nothing").is_none());
    }
}

#[test]
fn a_patient_is_found_by_names_identifiers_and_dates() {
    let patient = r#"{"resourceType":"Patient","id":"p","active":true,"gender":"female","birthDate":"1970-01-02",
        "identifier":[{"system":"urn:nhs","value":"943","type":{"coding":[{"system":"t","code":"NH"}]}}],
        "name":[{"family":"M\u00fcller","given":["Eve"]}],
        "telecom":[{"system":"phone","value":"555"}],
        "managingOrganization":{"reference":"http://here/fhir/Organization/o","identifier":{"value":"77"}},
        "meta":{"tag":[{"system":"s","code":"c"}],"profile":["http://p|1"]}}"#;
    let expected = [
        "Patient.active |true",
        "Patient.birthdate 86400000000..172799999999",
        "Patient.deceased |false",
        "Patient.family muller/M\u{fc}ller",
        "Patient.gender http://hl7.org/fhir/administrative-gender|female",
        "Patient.given eve/Eve",
        "Patient.identifier urn:nhs|943",
        "Patient.identifier:of-type t|NH $ |943",
        "Patient.name eve/Eve",
        "Patient.name muller/M\u{fc}ller",
        "Patient.organization local Organization/o",
        "Patient.organization:identifier |77",
        "Patient.phone phone|555",
        "Patient.telecom phone|555",
        "_profile http://p|1",
        "_tag s|c",
    ];
    check(FhirVersion::R4, patient, &expected);
}

#[test]
fn an_observation_shares_rows_and_keeps_components_together() {
    let observation = r##"{"resourceType":"Observation","status":"final",
        "code":{"coding":[{"system":"l","code":"85354-9"}]},
        "subject":{"reference":"Patient/p/_history/3"},
        "performer":[{"reference":"#inside"},{"reference":"https://else/fhir/Practitioner/x"}],
        "effectivePeriod":{"start":"1970-01-01"},
        "component":[{"code":{"coding":[{"system":"l","code":"8480-6"}]},
            "valueQuantity":{"value":120.0,"unit":"mmHg","system":"u","code":"mm[Hg]"}}]}"##;
    let expected = [
        "Observation.code l|85354-9",
        "Observation.component-code l|8480-6",
        "Observation.component-code-value-quantity l|8480-6 $ 120 u|mm[Hg]",
        "Observation.component-code-value-quantity l|8480-6 $ 120 |mmHg",
        "Observation.component-value-quantity 120 u|mm[Hg]",
        "Observation.component-value-quantity 120 |mmHg",
        &format!("Observation.date 0..{}", fhir_model::Instant::MAX.micros()),
        "Observation.performer external https://else/fhir/Practitioner/x",
        "Observation.performer# |inside",
        "Observation.status http://hl7.org/fhir/observation-status|final",
        "Observation.subject local Patient/p",
    ];
    check(FhirVersion::R4, observation, &expected);
}

#[test]
fn what_is_no_known_resource_has_no_terms() {
    for text in ["{}", "[]", "null", r#"{"resourceType":"Nothing"}"#, r#"{"resourceType":3}"#] {
        check(FhirVersion::R4, text, &[]);
    }
    // Values of the wrong shape are found by nothing.
    let odd = r#"{"resourceType":"Flag","status":{"a":1},"subject":"x y","period":{"start":"soon"}}"#;
    check(FhirVersion::Stu3, odd, &[]);
}

#[test]
fn what_is_contained_is_found_with_its_id() {
    let request = r##"{"resourceType":"MedicationRequest","status":"active",
        "medicationReference":{"reference":"#m"},"subject":{"reference":"Patient/p"},
        "contained":[
            {"resourceType":"Medication","id":"m","code":{"coding":[{"system":"s","code":"c"}]},
                "manufacturer":{"reference":"Organization/o"}},
            {"resourceType":"Organization","id":"o","name":"Acme","meta":{"tag":[{"code":"t"}]}},
            {"resourceType":"Nothing","id":"n"},
            {"resourceType":"Organization","name":"nobody"},
            17]}"##;
    let expected = [
        "MedicationRequest#Medication |m",
        "MedicationRequest#Medication.code s|c $ |m",
        "MedicationRequest#Medication.manufacturer local Organization/o $ |m",
        "MedicationRequest#Organization |o",
        "MedicationRequest#Organization.name acme/Acme $ |o",
        "MedicationRequest#Organization.phonetic acme/Acme $ |o",
        "MedicationRequest#_tag |t $ |o",
        "MedicationRequest.medication# |m",
        "MedicationRequest.status http://hl7.org/fhir/CodeSystem/medicationrequest-status|active",
        "MedicationRequest.subject local Patient/p",
    ];
    check(FhirVersion::R4, request, &expected);
}

#[test]
fn a_place_on_the_earth_is_one_value() {
    for version in FhirVersion::ALL {
        let location =
            r#"{"resourceType":"Location","position":{"longitude":-1.55,"latitude":53.80,"altitude":9}}"#;
        check(version, location, &["Location.near at 53.8 -1.55"]);
        check(
            version,
            r#"{"resourceType":"Location","position":{"longitude":-1.55,"latitude":153.80}}"#,
            &[],
        );
        check(version, r#"{"resourceType":"Location","position":{"longitude":-1.55}}"#, &[]);
    }
}

/// `patient` finds what it refers to among the terms of `subject`; only the absence of one needs a term of its own.
#[test]
fn references_for_none_of_those_who_share_them() {
    let with = |rest: &str| format!(r#"{{"resourceType":"Observation",{rest}}}"#);
    let none: [&str; 1] = ["Observation.patient:missing |true"];
    for (subject, expected) in [
        (r#""subject":{"reference":"Patient/p"}"#, &["Observation.subject local Patient/p"][..]),
        (r#""subject":{"reference":"Group/g"}"#, &[none[0], "Observation.subject local Group/g"]),
        (r#""subject":{"display":"somebody"}"#, &none),
        (r#""subject":{"type":"Patient","display":"somebody"}"#, &[]),
    ] {
        check(FhirVersion::R4, &with(subject), expected);
    }
    let contained = r##""subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p"}]"##;
    let expected =
        ["Observation#Patient |p", "Observation#Patient.deceased |false $ |p", "Observation.subject# |p"];
    check(FhirVersion::R4, &with(contained), &expected);
}
