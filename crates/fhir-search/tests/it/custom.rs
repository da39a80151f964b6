//! Parameters that were defined on the server, and what tells that an index is of another make.

use std::fmt::Write as _;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value as Json, parse};
use fhir_search::{CustomError, CustomParameter, Defined, Extractor, Outgoing, outgoing};
use storage_api::{Key, Term, Value};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn read(version: FhirVersion, text: &str) -> Result<Defined, CustomError> {
    let Json::Object(resource) = json(text) else { panic!("an object") };
    CustomParameter::read(&resource, Definitions::of(version))
}

fn custom(version: FhirVersion, members: &str) -> CustomParameter {
    let text =
        format!(r#"{{"resourceType":"SearchParameter","status":"active","url":"http://e/p",{members}}}"#);
    match read(version, &text) {
        Ok(Defined::Custom(found)) => *found,
        other => panic!("{other:?}"),
    }
}

fn terms_of(extractor: &Extractor, resource: &str, param: &str) -> Vec<Value> {
    let terms = extractor.terms(&json(resource), &[]).unwrap();
    terms.into_iter().filter(|term| term.param == param).map(|Term { value, .. }| value).collect()
}

#[test]
fn a_custom_parameter_finds_what_its_expression_selects() {
    let shoe = r#""code":"shoe","base":["Patient","Practitioner"],"type":"token",
        "expression":"Patient.extension('http://e/shoe').value | Practitioner.name.use""#;
    let patient = r#"{"resourceType":"Patient","extension":[{"url":"http://e/shoe","valueCode":"42"}],
        "name":[{"use":"usual"}]}"#;
    for version in FhirVersion::ALL {
        let found = custom(version, shoe);
        assert_eq!(
            found.types().map(fhir_definitions::TypeDef::name).collect::<Vec<_>>(),
            ["Patient", "Practitioner"]
        );
        let extractor = Extractor::with_custom(version, vec![found]);
        assert_eq!(terms_of(&extractor, patient, "Patient.shoe").len(), 1, "{version}");
        assert_eq!(terms_of(Extractor::of(version), patient, "Patient.shoe"), []);
        let same = extractor.terms(&json(r#"{"resourceType":"Encounter","status":"planned"}"#), &[]).unwrap();
        assert_eq!(same.len(), 1, "{version}: other types have what they had");
        let query = [("shoe".to_owned(), "42".to_owned())];
        let understood = extractor.criteria("Patient", &query, &[]).unwrap();
        assert_eq!(understood.conditions.len(), 1);
        assert!(Extractor::of(version).criteria("Patient", &query, &[]).is_err());
        assert_eq!(extractor.fingerprint(), Extractor::of(version).fingerprint());
    }
}

#[test]
fn a_definition_keeps_its_meaning_when_it_is_written_down() {
    let version = FhirVersion::R4;
    for members in [
        r#""code":"a","base":["Patient"],"type":"reference","expression":"Patient.link.other","target":["Patient"]"#,
        r#""code":"b","base":["Resource"],"type":"date","expression":"Resource.meta.lastUpdated""#,
        r#""code":"c","base":["Observation"],"type":"composite","expression":"Observation","component":[
            {"definition":"http://hl7.org/fhir/SearchParameter/clinical-code","expression":"code"},
            {"definition":"http://hl7.org/fhir/SearchParameter/Observation-value-quantity","expression":"value.as(Quantity)"}]"#,
    ] {
        let found = custom(version, members);
        let again = CustomParameter::read(&found.to_resource(), Definitions::of(version)).unwrap();
        assert_eq!(again, Defined::Custom(Box::new(found)));
    }
}

#[test]
fn a_composite_keeps_its_parts_together() {
    let found = custom(
        FhirVersion::R4,
        r#""code":"both","base":["Observation"],"type":"composite","expression":"Observation.component","component":[
        {"definition":"http://hl7.org/fhir/SearchParameter/clinical-code","expression":"code"},
        {"definition":"http://hl7.org/fhir/SearchParameter/Observation-status","expression":"value.as(CodeableConcept)"}]"#,
    );
    let extractor = Extractor::with_custom(FhirVersion::R4, vec![found]);
    let observation = r#"{"resourceType":"Observation","component":[
        {"code":{"coding":[{"code":"a"}]},"valueCodeableConcept":{"coding":[{"code":"x"}]}},
        {"code":{"coding":[{"code":"b"}]},"valueCodeableConcept":{"coding":[{"code":"y"}]}}]}"#;
    assert_eq!(terms_of(&extractor, observation, "Observation.both").len(), 2);
    let query = [("both".to_owned(), "a$x".to_owned())];
    assert_eq!(extractor.search("Observation", &query, &[]).unwrap().ignored, []);
}

#[test]
fn what_cannot_be_used_is_refused_with_the_place() {
    let long = format!("Patient.name.where(family = '{}')", "x".repeat(5_000));
    for (members, path, why) in [
        (r#""code":"a.b","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "letters"),
        (r#""code":"","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "letters"),
        (r#""code":"_a","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "standard"),
        (r#""code":"a","base":[],"type":"token","expression":"Patient.id""#, "base", "name the"),
        (r#""code":"a","base":["Pashent"],"type":"token","expression":"Patient.id""#, "base[0]", "Pashent"),
        (r#""code":"a","base":["HumanName"],"type":"token","expression":"use""#, "base[0]", "HumanName"),
        (r#""code":"a","base":["Patient"],"type":"tokken","expression":"Patient.id""#, "type", "tokken"),
        (r#""code":"a","base":["Patient"],"type":"token","expression":"Patient.(""#, "expression", ""),
        (r#""code":"a","base":["Patient"],"type":"token","expression":"Patient.nmae""#, "expression", "nmae"),
        (
            r#""code":"a","base":["Patient"],"type":"token","expression":"Group.name""#,
            "expression",
            "Patient",
        ),
        (
            r#""code":"a","base":["Patient"],"type":"reference","expression":"Patient.link.other","target":["X"]"#,
            "target[0]",
            "X",
        ),
        (
            r#""code":"a","base":["Patient"],"type":"composite","expression":"Patient","component":[]"#,
            "component",
            "parts",
        ),
        (
            r#""code":"a","base":["Patient"],"type":"composite","expression":"Patient","component":[
                {"definition":"http://e/none","expression":"id"},{"definition":"http://e/none","expression":"id"}]"#,
            "component[0].definition",
            "http://e/none",
        ),
        (
            &format!(r#""code":"a","base":["Patient"],"type":"string","expression":"{long}""#),
            "expression",
            "bytes",
        ),
    ] {
        let text = format!(r#"{{"resourceType":"SearchParameter","status":"active",{members}}}"#);
        let error = read(FhirVersion::R4, &text).expect_err(members);
        assert_eq!(error.path, format!("SearchParameter.{path}"), "{error}");
        assert!(error.why.contains(why), "{error}");
    }
}

#[test]
fn what_changes_nothing_says_so() {
    for (members, why) in [
        (
            r#""status":"draft","code":"a","base":["Patient"],"type":"token","expression":"Patient.id""#,
            "active",
        ),
        (r#""code":"a.b""#, "active"),
        (r#""status":"retired","code":"a""#, "active"),
        (r#""status":"active","code":"a","base":["Patient"],"type":"special""#, "expression"),
        (
            r#""status":"active","code":"name","base":["Patient"],"type":"string","expression":"Patient.name""#,
            "published",
        ),
        (
            r#""status":"active","code":"_id","base":["Resource"],"type":"token","expression":"Resource.id""#,
            "published",
        ),
    ] {
        let text = format!(r#"{{"resourceType":"SearchParameter",{members}}}"#);
        match read(FhirVersion::R4, &text) {
            Ok(Defined::Without(reason)) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

/// A parameter that somebody defined is no reason to refuse a resource.
#[test]
fn what_cannot_be_evaluated_gives_nothing() {
    let costly = "Patient.descendants().descendants().descendants().where(true).id";
    for expression in ["Patient.name.given.single()", costly] {
        let members = format!(r#""code":"a","base":["Patient"],"type":"string","expression":"{expression}""#);
        let extractor = Extractor::with_custom(FhirVersion::R4, vec![custom(FhirVersion::R4, &members)]);
        let given: Vec<String> = (0..500).map(|n| format!(r#""g{n}""#)).collect();
        let patient = format!(
            r#"{{"resourceType":"Patient","active":true,"name":[{{"given":[{}]}}]}}"#,
            given.join(",")
        );
        assert_eq!(terms_of(&extractor, &patient, "Patient.a"), [], "{expression}");
        assert_eq!(terms_of(&extractor, &patient, "Patient.active").len(), 1);
    }
}

#[test]
fn every_reference_to_a_resource_goes_out_once() {
    let definitions = Definitions::of(FhirVersion::R4);
    let observation = r##"{"resourceType":"Observation","subject":{"reference":"Patient/1"},
        "contained":[{"resourceType":"Patient","id":"c","generalPractitioner":[{"reference":"Practitioner/in"}]}],
        "extension":[{"url":"http://e/x","valueReference":{"reference":"Organization/e/_history/3"}}],
        "performer":[{"reference":"#c"},{"reference":"http://here/Practitioner/2"},{"reference":"http://there/Practitioner/3"},
            {"identifier":{"value":"1"}},{"reference":"Patient/1"},{"reference":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}],
        "note":[{"authorReference":{"reference":"Patient/n"},"text":"Patient/none"}],
        "_status":{"extension":[{"url":"http://e/y","valueReference":{"reference":"Device/d"}}]}}"##;
    let found = outgoing(&json(observation), definitions, &["http://here"]);
    let found: Vec<String> =
        found.into_iter().map(|Outgoing { target, path }| format!("{target} {path}")).collect();
    assert_eq!(
        found,
        [
            "Device/d Observation._status.extension[0].valueReference.reference",
            "Organization/e Observation.extension[0].valueReference.reference",
            "Patient/1 Observation.subject.reference",
            "Patient/n Observation.note[0].authorReference.reference",
            "Practitioner/2 Observation.performer[1].reference",
            "Practitioner/in Observation.contained[0].generalPractitioner[0].reference",
        ]
    );
    let bundle = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Flag","subject":{"reference":"Patient/1"}}}]}"#;
    assert_eq!(outgoing(&json(bundle), definitions, &[]), []);
    let itself = outgoing(
        &json(r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/2"}}]}"#),
        definitions,
        &[],
    );
    assert_eq!(itself[0].target, Key::new("Patient", "2"));
}

/// If this fails the terms of resources have changed: raise `REVISION` in `extractor.rs`, so that existing stores are
/// indexed anew, and put both new numbers here.
#[test]
fn other_terms_come_with_another_revision() {
    const RESOURCES: [&str; 7] = [
        r#"{"resourceType":"Patient","active":true,"birthDate":"1970-01","gender":"female","deceasedBoolean":true,
            "meta":{"tag":[{"system":"t","code":"x"}],"profile":["http://p|1"]},"language":"de",
            "identifier":[{"system":"s","value":"1","type":{"coding":[{"system":"t","code":"MR"}]}}],
            "name":[{"family":"M\u00fcller  Q","given":["A","B"],"text":"x"}],
            "telecom":[{"system":"phone","value":"5"}],"address":[{"city":"Leeds","use":"home"}],
            "managingOrganization":{"reference":"Organization/1"}}"#,
        r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"l","code":"c"}],"text":"t"},
            "subject":{"reference":"Patient/1","identifier":{"value":"9"}},"effectivePeriod":{"start":"2020"},
            "valueQuantity":{"value":1.50,"unit":"mg","code":"mg","system":"u"},
            "component":[{"code":{"coding":[{"code":"d"}]},"valueString":"v"}]}"#,
        r#"{"resourceType":"ValueSet","url":"http://v","version":"1","status":"active","date":"2020-01-02T03:04:05Z"}"#,
        r#"{"resourceType":"RiskAssessment","status":"final","subject":{"reference":"http://x/Patient/2"},
            "prediction":[{"probabilityDecimal":0.25}]}"#,
        r#"{"resourceType":"Encounter","status":"finished","class":{"system":"c","code":"AMB"},
            "length":{"value":5,"unit":"min"},"period":{"end":"2020-02-03"},
            "text":{"status":"generated","div":"<div>Caf\u00e9 <b>x</b>y \u6771\u4eac</div>"}}"#,
        r#"{"resourceType":"Location","position":{"latitude":53.8,"longitude":-1.5}}"#,
        r##"{"resourceType":"Condition","subject":{"reference":"Group/1"},"asserter":{"reference":"#p"},
            "contained":[{"resourceType":"Practitioner","id":"p","name":[{"family":"A"}]}]}"##,
    ];
    let mut shown = String::new();
    for version in FhirVersion::ALL {
        let extractor = Extractor::with_custom(version, vec![]).with_full_text(true);
        for text in RESOURCES {
            let _ = write!(shown, "{:?}", extractor.terms(&json(text), &[]).unwrap());
        }
    }
    let digest = shown.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let fingerprint = Extractor::of(FhirVersion::R4).fingerprint();
    assert_eq!(format!("{digest:016x} {fingerprint:016x}"), "e73d19d3bb392bd0 11c37e8d12494cfd");
}
