//! Values: where they go, what they may be, what they are made into.

use fhir_definitions::{TypeDef, TypeKind, TypeRef};

use super::*;

#[test]
fn new_members_stand_where_the_definition_has_them() {
    let patient = r#"{"resourceType":"Patient","id":"a","_active":{"id":"x"},"name":[{"text":"A"}],"address":[{"city":"C"}]}"#;
    for (added, expected) in [
        (
            add("Patient", "birthDate", r#""valueDate":"2000""#),
            r#""name":[{"text":"A"}],"birthDate":"2000","address""#,
        ),
        (add("Patient", "language", r#""valueCode":"en""#), r#""id":"a","language":"en","_active""#),
        (
            add("Patient", "photo", r#""valueAttachment":{"title":"P"}"#),
            r#"[{"city":"C"}],"photo":[{"title":"P"}]}"#,
        ),
        (add("Patient.name", "family", r#""valueString":"F""#), r#"{"text":"A","family":"F"}"#),
        (add("Patient.name", "use", r#""valueCode":"usual""#), r#"{"use":"usual","text":"A"}"#),
        (
            add("Patient", "birthDate", r#""valueDate":"2000","_valueDate":{"id":"b"}"#),
            r#""birthDate":"2000","_birthDate":{"id":"b"},"address""#,
        ),
    ] {
        let patched = apply(patient, &[added]).unwrap();
        assert!(patched.contains(expected), "{patched} without {expected}");
    }
    // In a resource whose members are in no order, behind the last one that comes before.
    let unordered = r#"{"birthDate":"2000","resourceType":"Patient","active":true}"#;
    check(
        unordered,
        add("Patient", "gender", r#""valueCode":"male""#),
        Ok(r#"{"birthDate":"2000","resourceType":"Patient","active":true,"gender":"male"}"#),
    );
}

#[test]
fn primitives_with_ids_and_extensions() {
    let name = |rest: &str| format!(r#"{{"resourceType":"Patient","name":[{{{rest}}}]}}"#);
    let both = name(r#""given":["a","b","c"],"_given":[null,{"id":"i"},null]"#);
    for (operation, expected) in [
        (delete("Patient.name[0].given[1]"), r#""given":["a","c"]"#),
        (delete("Patient.name.given[0]"), r#""given":["b","c"],"_given":[{"id":"i"},null]"#),
        (relocate("Patient.name.given", 1, 0), r#""given":["b","a","c"],"_given":[{"id":"i"},null,null]"#),
        (
            insert("Patient.name.given", 1, r#""valueString":"x""#),
            r#""given":["a","x","b","c"],"_given":[null,null,{"id":"i"},null]"#,
        ),
        (
            insert("Patient.name.given", 3, r#""_valueString":{"id":"j"}"#),
            r#""given":["a","b","c",null],"_given":[null,{"id":"i"},null,{"id":"j"}]"#,
        ),
        (replace("Patient.name.given[1]", r#""valueString":"x""#), r#""given":["a","x","c"]"#),
        (
            replace("Patient.name.given[2]", r#""_valueString":{"id":"j"}"#),
            r#""given":["a","b",null],"_given":[null,{"id":"i"},{"id":"j"}]"#,
        ),
        (
            add("Patient.name.given[0]", "id", r#""valueString":"h""#),
            r#""given":["a","b","c"],"_given":[{"id":"h"},{"id":"i"},null]"#,
        ),
        (delete("Patient.name.given[1].id"), r#""given":["a","b","c"]"#),
        (
            replace("Patient.name.given.where($this = 'b')", r#""valueString":"y""#),
            r#""given":["a","y","c"]"#,
        ),
    ] {
        check(&both, operation, Ok(&name(expected)));
    }
    let only = name(r#""_given":[{"id":"i"}]"#);
    check(
        &only,
        add("Patient.name", "given", r#""valueString":"a""#),
        Ok(&name(r#""_given":[{"id":"i"},null],"given":[null,"a"]"#).replace(
            r#""_given":[{"id":"i"},null],"given":[null,"a"]"#,
            r#""given":[null,"a"],"_given":[{"id":"i"},null]"#,
        )),
    );
    check(&only, delete("Patient.name.given"), Ok(r#"{"resourceType":"Patient"}"#));
    let born = r#"{"resourceType":"Patient","birthDate":"2000"}"#;
    let extension =
        r#""part":[{"name":"url","valueUri":"http://a.org"},{"name":"value","valueTime":"12:00:00"}]"#;
    check(
        born,
        add("Patient.birthDate", "extension", extension),
        Ok(
            r#"{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"http://a.org","valueTime":"12:00:00"}]}}"#,
        ),
    );
    let unknown = FhirPathPatchRefusal::UnknownElement { name: "value".into(), inside: "date".into() };
    check(born, add("Patient.birthDate", "value", r#""valueString":"2001""#), Err(unknown));
    check(born, delete("Patient.birthDate.value"), Err(FhirPathPatchRefusal::NotAnElement));
}

#[test]
fn choices() {
    let patient = r#"{"resourceType":"Patient","deceasedBoolean":true,"_deceasedBoolean":{"id":"a"},"multipleBirthInteger":2}"#;
    let rest = r#""multipleBirthInteger":2}"#;
    let dead = format!(r#"{{"resourceType":"Patient","deceasedDateTime":"2020",{rest}"#);
    check(patient, replace("Patient.deceased", r#""valueDateTime":"2020""#), Ok(&dead));
    check(patient, replace("Patient.deceasedBoolean", r#""valueDateTime":"2020""#), Ok(&dead));
    // A date can only be meant as a dateTime here, a string as anything.
    check(patient, replace("Patient.deceased", r#""valueDate":"2020""#), Ok(&dead));
    let wrong = |found: &str| FhirPathPatchRefusal::WrongType {
        expected: "boolean or dateTime".into(),
        found: found.into(),
    };
    check(patient, replace("Patient.deceased", r#""valueString":"2020""#), Err(wrong("string")));
    check(patient, replace("Patient.deceased", r#""valueQuantity":{"value":1}"#), Err(wrong("Quantity")));
    check(patient, delete("Patient.deceased"), Ok(&format!(r#"{{"resourceType":"Patient",{rest}"#)));
    check(
        patient,
        add("Patient", "deceased", r#""valueDateTime":"2020""#),
        Err(FhirPathPatchRefusal::Exists { name: "deceased".into() }),
    );
    let alive = format!(r#"{{"resourceType":"Patient",{rest}"#);
    for name in ["deceased", "deceased[x]", "deceasedDateTime"] {
        check(&alive, add("Patient", name, r#""valueDateTime":"2020""#), Ok(&dead));
    }
    // The name says which type is meant.
    check(&alive, add("Patient", "deceasedDateTime", r#""valueString":"2020""#), Ok(&dead));
    check(
        &alive,
        add("Patient", "deceasedBoolean", r#""valueDateTime":"2020""#),
        Err(FhirPathPatchRefusal::WrongType { expected: "boolean".into(), found: "dateTime".into() }),
    );
}

#[test]
fn values_are_made_to_fit_or_refused() {
    let with = |name: &str, value: &str| {
        let patched = apply(r#"{"resourceType":"Patient"}"#, &[add("Patient", name, value)]);
        patched.map(|text| {
            text.trim_start_matches(r#"{"resourceType":"Patient","#).trim_end_matches('}').to_owned()
        })
    };
    for (name, value, expected) in [
        ("gender", r#""valueString":"male""#, r#""gender":"male""#),
        ("gender", r#""valueId":"male""#, r#""gender":"male""#),
        ("birthDate", r#""valueString":"2000-02-29""#, r#""birthDate":"2000-02-29""#),
        ("birthDate", r#""valueDateTime":"2000-02""#, r#""birthDate":"2000-02""#),
        ("active", r#""valueString":"true""#, r#""active":true"#),
        ("active", r#""valueCode":"false""#, r#""active":false"#),
        ("multipleBirth", r#""valueInteger":2"#, r#""multipleBirthInteger":2"#),
        ("multipleBirth", r#""valuePositiveInt":2"#, r#""multipleBirthInteger":2"#),
        ("multipleBirthInteger", r#""valueString":"2""#, r#""multipleBirthInteger":2"#),
        ("multipleBirthInteger", r#""valueDecimal":2"#, r#""multipleBirthInteger":2"#),
        ("implicitRules", r#""valueCanonical":"http://a.org""#, r#""implicitRules":"http://a.org""#),
        ("id", r#""valueString":"a""#, r#""id":"a""#),
    ] {
        assert_eq!(with(name, value).as_deref(), Ok(expected), "{name} {value}");
    }
    let bad = |expected: &'static str, found: &str| FhirPathPatchRefusal::BadValue {
        expected,
        found: found.into(),
    };
    let wrong = |expected: &str, found: &str| FhirPathPatchRefusal::WrongType {
        expected: expected.into(),
        found: found.into(),
    };
    for (name, value, refusal) in [
        ("gender", r#""valueString":"a  b""#, bad("code", "a  b")),
        ("gender", r#""valueInteger":1"#, wrong("code", "integer")),
        ("gender", r#""valueBoolean":true"#, wrong("code", "boolean")),
        ("birthDate", r#""valueString":"2000-02-30""#, bad("date", "2000-02-30")),
        ("birthDate", r#""valueDateTime":"2000-02-29T12:00:00Z""#, bad("date", "2000-02-29T12:00:00Z")),
        ("birthDate", r#""valueTime":"12:00:00""#, wrong("date", "time")),
        ("active", r#""valueString":"yes""#, bad("boolean", "yes")),
        ("active", r#""valueInteger":1"#, wrong("boolean", "integer")),
        ("multipleBirthInteger", r#""valueDecimal":2.0"#, bad("integer", "2.0")),
        ("multipleBirthInteger", r#""valueDecimal":3000000000"#, bad("integer", "3000000000")),
        ("multipleBirthInteger", r#""valueString":"+2""#, bad("integer", "+2")),
        ("maritalStatus", r#""valueCoding":{"code":"M"}"#, wrong("CodeableConcept", "Coding")),
        ("maritalStatus", r#""valueCodeableConcept":"M""#, bad("CodeableConcept", "M")),
        (
            "maritalStatus",
            r#""valueCodeableConcept":{"text":"M"},"_valueCodeableConcept":{"id":"a"}"#,
            bad("CodeableConcept", "an object"),
        ),
        ("birthDate", r#""valueHumanName":{"text":"M"}"#, wrong("date", "HumanName")),
        ("birthDate", r#""valueDate":null"#, bad("date", "null")),
        ("birthDate", r#""valueDate":["2000"]"#, bad("date", "an array")),
        ("birthDate", r#""part":[{"name":"id","valueString":"a"}]"#, wrong("date", "a value given as parts")),
        ("contact", r#""valueHumanName":{"text":"M"}"#, wrong("BackboneElement", "HumanName")),
        ("contained", r#""valueReference":{"reference":"a/b"}"#, wrong("Resource", "Reference")),
        (
            "contained",
            r#""part":[{"name":"id","valueString":"a"}]"#,
            wrong("Resource", "a value given as parts"),
        ),
        ("name", r#""resource":{"resourceType":"Flag"}"#, wrong("HumanName", "Flag")),
    ] {
        assert_eq!(with(name, value), Err(refusal), "{name} {value}");
    }
}

#[test]
fn values_in_parts() {
    let parts = r#""part":[
        {"name":"telecom","valueContactPoint":{"value":"1"}},
        {"name":"gender","valueString":"male"},
        {"name":"name","part":[{"name":"given","valueString":"G"},{"name":"given","valueString":"H","_valueString":{"id":"h"}}]},
        {"name":"telecom","valueContactPoint":{"value":"2"}},
        {"name":"extension","part":[{"name":"url","valueUri":"u"},{"name":"valueCode","valueString":"c"}]}]"#;
    check(
        r#"{"resourceType":"Patient"}"#,
        add("Patient", "contact", parts),
        Ok(concat!(
            r#"{"resourceType":"Patient","contact":[{"extension":[{"url":"u","valueCode":"c"}],"#,
            r#""name":{"given":["G","H"],"_given":[null,{"id":"h"}]},"#,
            r#""telecom":[{"value":"1"},{"value":"2"}],"gender":"male"}]}"#
        )),
    );
    check(
        r#"{"resourceType":"Patient"}"#,
        add(
            "Patient",
            "contact",
            r#""part":[{"name":"gender","valueCode":"a"},{"name":"gender","valueCode":"b"}]"#,
        ),
        Err(FhirPathPatchRefusal::Repeated { name: "gender".into() }),
    );
    check(
        r#"{"resourceType":"Patient"}"#,
        add("Patient", "contact", r#""part":[{"name":"sex","valueCode":"a"}]"#),
        Err(FhirPathPatchRefusal::UnknownElement { name: "sex".into(), inside: "Patient.contact".into() }),
    );
    let bundle = r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:a"}]}"#;
    check(
        bundle,
        add("Bundle.entry[0]", "resource", r#""resource":{"resourceType":"Flag","status":"active"}"#),
        Ok(
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:a","resource":{"resourceType":"Flag","status":"active"}}]}"#,
        ),
    );
}

/// Whatever type an element can have, a patch can carry its values: as such, or in parts. Only where a choice has
/// several types that go in parts does it take the name to tell them apart.
#[test]
fn every_type_of_every_element_can_be_given() {
    let mut doubtful = Vec::new();
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        let carried: Vec<TypeDef> = part_fields(definitions)
            .unwrap()
            .json_names()
            .filter(|(_, element, _)| element.is_choice())
            .map(|(_, _, type_ref)| type_ref.type_def())
            .collect();
        assert!(carried.len() > 30);
        for element in definitions.types().flat_map(TypeDef::elements) {
            let in_parts = element
                .types()
                .map(TypeRef::type_def)
                .filter(|found| found.kind() == TypeKind::Complex && !carried.contains(found));
            let path = format!("{version} {}", element.path());
            if in_parts.count() > 1 && !doubtful.contains(&path) {
                doubtful.push(path);
            }
        }
    }
    let open = [
        "ElementDefinition.defaultValue",
        "ElementDefinition.fixed",
        "ElementDefinition.pattern",
        "Extension.value",
    ];
    assert_eq!(doubtful, open.map(|path| format!("R4B {path}[x]")));
    let element = |member: &str, text: &str| {
        read(&format!(
            r#"{{"resourceType":"StructureDefinition","snapshot":{{"element":[{{"id":"a","path":"a","{member}":{{{text}}}}}]}}}}"#
        ))
    };
    let r4b = Definitions::of(FhirVersion::R4b);
    let limits = Limits::default();
    let ratio = element("defaultValueRatioRange", r#""lowNumerator":{"value":1}"#);
    let other = element("defaultValueRatioRange", r#""lowNumerator":{"value":2}"#);
    let reference = element("defaultValueCodeableReference", r#""concept":{"text":"x"}"#);
    for (old, new) in [(&ratio, &other), (&ratio, &reference), (&reference, &ratio)] {
        let parameters = crate::fhirpath_diff(old, new, r4b).unwrap();
        let patch = FhirPathPatch::parse(&parameters, r4b, &limits).unwrap();
        assert_eq!(patch.apply(old, &limits).as_ref(), Ok(new), "{parameters}");
    }
}
