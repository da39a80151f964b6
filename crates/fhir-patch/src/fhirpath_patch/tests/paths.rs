//! Paths: what they give, and what of that can be changed.

use super::super::select::{Evaluations, Selected};
use super::*;
use crate::limits::{Budget, Size};
use crate::path::ElementPath;

#[test]
fn paths_that_do_not_fit() {
    let patient =
        r#"{"resourceType":"Patient","name":[{"given":["a","b"]},{"given":["c"]}],"gender":"male"}"#;
    let unknown = |name: &str, inside: &str| FhirPathPatchRefusal::UnknownElement {
        name: name.into(),
        inside: inside.into(),
    };
    let male = r#""valueCode":"male""#;
    for (operation, refusal) in [
        (replace("Patient.birthDate", r#""valueDate":"2000""#), FhirPathPatchRefusal::NoMatch),
        (add("Patient.maritalStatus", "text", r#""valueString":"a""#), FhirPathPatchRefusal::NoMatch),
        (delete("Patient.name"), FhirPathPatchRefusal::SeveralMatches { found: 2 }),
        (delete("Patient.name.given"), FhirPathPatchRefusal::SeveralMatches { found: 3 }),
        (
            replace("Patient.name.where(true).given", r#""valueString":"x""#),
            FhirPathPatchRefusal::SeveralMatches { found: 3 },
        ),
        (
            insert("Patient.name.given", 0, r#""valueString":"x""#),
            FhirPathPatchRefusal::SeveralMatches { found: 2 },
        ),
        (delete("Patient.name.count()"), FhirPathPatchRefusal::NotAnElement),
        (delete("Patient"), FhirPathPatchRefusal::WholeResource),
        (replace("Patient", r#""resource":{"resourceType":"Patient"}"#), FhirPathPatchRefusal::WholeResource),
        (
            replace("Observation.status", male),
            FhirPathPatchRefusal::OtherType { path: "Observation".into(), resource: "Patient".into() },
        ),
        (
            delete("Observation.where(true).status"),
            FhirPathPatchRefusal::OtherType { path: "Observation".into(), resource: "Patient".into() },
        ),
        (delete("Patient.sex"), unknown("sex", "Patient")),
        (delete("Patient.name[0].gven"), unknown("gven", "HumanName")),
        (delete("Patient.name.where(gven = 'a')"), unknown("gven", "HumanName")),
        (delete("Patient.contact.sex"), unknown("sex", "Patient.contact")),
        (add("Patient", "sex", male), unknown("sex", "Patient")),
        (add("Patient", "resourceType", male), unknown("resourceType", "Patient")),
        (add("Patient", "gender", male), FhirPathPatchRefusal::Exists { name: "gender".into() }),
        (insert("Patient.gender", 0, male), FhirPathPatchRefusal::NotAList),
        (insert("Patient.name[0]", 0, male), FhirPathPatchRefusal::NotAList),
        (relocate("Patient.name.first()", 0, 1), FhirPathPatchRefusal::NotAList),
        (
            insert("Patient.name", 3, r#""valueHumanName":{"text":"x"}"#),
            FhirPathPatchRefusal::OutOfRange { index: 3, len: 2 },
        ),
        (
            insert("Patient.telecom", 1, r#""valueContactPoint":{"value":"x"}"#),
            FhirPathPatchRefusal::OutOfRange { index: 1, len: 0 },
        ),
        (relocate("Patient.name", 0, 2), FhirPathPatchRefusal::OutOfRange { index: 2, len: 2 }),
        (relocate("Patient.name", 5, 0), FhirPathPatchRefusal::OutOfRange { index: 5, len: 2 }),
        (relocate("Patient.telecom", 0, 0), FhirPathPatchRefusal::OutOfRange { index: 0, len: 0 }),
    ] {
        check(patient, operation, Err(refusal));
    }
    let refused =
        apply_within(patient, &[delete("Patient.birthDate"), delete("Patient.name")], &Limits::default());
    assert_eq!(
        refused.unwrap_err().to_string(),
        "operation 1 (counted from 0), path 'Patient.name': this gives 2 elements, and exactly one is needed: say which, as in name[0]"
    );
    assert!(matches!(apply(patient, &[delete("%x.name")]), Err(FhirPathPatchRefusal::Evaluation(_))));
}

#[test]
fn deleting_takes_what_is_left_empty_along() {
    let patient =
        r#"{"resourceType":"Patient","id":"a","contact":[{"name":{"text":"x"}},{"gender":"male"}]}"#;
    check(
        patient,
        delete("Patient.contact[0].name.text"),
        Ok(r#"{"resourceType":"Patient","id":"a","contact":[{"gender":"male"}]}"#),
    );
    check(
        patient,
        delete("Patient.contact[1].gender"),
        Ok(r#"{"resourceType":"Patient","id":"a","contact":[{"name":{"text":"x"}}]}"#),
    );
    check(patient, delete("Patient.birthDate"), Ok(patient));
    check(patient, delete("Patient.contact[7]"), Ok(patient));
    check(patient, delete("Patient.contact.where(gender = 'other')"), Ok(patient));
    check(
        patient,
        delete("Patient.id"),
        Ok(r#"{"resourceType":"Patient","contact":[{"name":{"text":"x"}},{"gender":"male"}]}"#),
    );
    // A contained resource is never empty: it has its type.
    let contained = r#"{"resourceType":"Patient","contained":[{"resourceType":"Flag","status":"active"}]}"#;
    check(
        contained,
        delete("Patient.contained[0].status"),
        Ok(r#"{"resourceType":"Patient","contained":[{"resourceType":"Flag"}]}"#),
    );
}

/// Walking a plain path and evaluating it as FHIRPath lead to the same element, on every path of a resource and on
/// those that lead nowhere or to several.
#[test]
fn plain_paths_mean_what_fhirpath_makes_of_them() {
    let resource = read(
        r#"{"resourceType":"Patient","id":"a","name":[{"given":["a",null,"b"],"_given":[null,{"id":"x"},{"id":"y"}]},
        {"family":"F","_family":{"extension":[{"url":"u","valueCode":"c"}]}}],"deceasedBoolean":true,"_birthDate":{"id":"b"},
        "contained":[{"resourceType":"Flag","id":"f","code":{"coding":[{"code":"c"},{"code":"d"}]}}],
        "contact":[{"telecom":[{"value":"1"}]},{"telecom":[{"value":"2"},{"value":"3"}]}]}"#,
    );
    let budget = || Budget::new(&Limits::default(), Size::of(&resource)).unwrap();
    let evaluations = Evaluations { steps_max: 100_000 };
    let select = |text: &str| {
        let path = PatchPath::parse(text).unwrap();
        let selected = path.select(&resource, r4(), evaluations, &mut budget());
        let path = |selected| match selected {
            Selected::Nothing => "nothing".to_owned(),
            Selected::One(target) => {
                format!("{} {:?} {:?}", target.path, target.fields, target.place.map(|place| place.element))
            }
            Selected::Several(found) => found.to_string(),
        };
        (PatchPath::parse(text).unwrap().is_plain(), selected.map(path))
    };
    let steps = [
        "id",
        "name",
        "name[0]",
        "name[1]",
        "name[2]",
        "given",
        "given[0]",
        "given[1]",
        "given[2]",
        "given[3]",
        "family",
        "extension",
        "extension[0]",
        "value",
        "url",
        "deceased",
        "birthDate",
        "gender",
        "contained",
        "contained[0]",
        "code",
        "coding",
        "coding[1]",
        "contact",
        "contact[1]",
        "telecom",
        "telecom[0]",
        "telecom[2]",
    ];
    let mut paths: Vec<String> = vec!["Patient".into(), "DomainResource".into(), "Resource".into()];
    let (mut from, mut found) = (0, 0);
    for _ in 0..4 {
        let until = paths.len();
        for index in from..until {
            for step in steps {
                let path = format!("{}.{step}", paths[index]);
                // The same path with a step that changes nothing, so that it must be evaluated.
                let (is_plain, walked) = select(&path);
                let (_, evaluated) = select(&format!("{path}.where(true)"));
                assert!(is_plain, "{path}");
                if matches!(walked, Err(FhirPathPatchRefusal::UnknownElement { .. })) {
                    assert!(
                        matches!(evaluated, Err(FhirPathPatchRefusal::UnknownElement { .. }) | Ok(_)),
                        "{path}"
                    );
                    continue;
                }
                assert_eq!(walked, evaluated, "{path}");
                found += 1;
                if walked.is_ok_and(|walked| walked != "nothing") {
                    paths.push(path);
                }
            }
        }
        from = until;
    }
    assert!(found > 300, "{found}");
}

#[test]
fn paths_overlap_where_one_contains_the_other() {
    let resource =
        read(r#"{"resourceType":"Patient","name":[{"given":["a"]},{"given":["b"]}],"active":true}"#);
    let path = |text: &str| -> ElementPath {
        let selected = PatchPath::parse(text).unwrap().select(
            &resource,
            r4(),
            Evaluations { steps_max: 1_000 },
            &mut Budget::new(&Limits::default(), Size::default()).unwrap(),
        );
        match selected {
            Ok(Selected::One(target)) => target.path,
            other => panic!("{other:?}"),
        }
    };
    let all = ["Patient", "Patient.name[0]", "Patient.name[0].given[0]", "Patient.name[1]", "Patient.active"];
    let overlapping: Vec<(&str, &str)> = all
        .into_iter()
        .flat_map(|one| all.map(|other| (one, other)))
        .filter(|(one, other)| path(one).overlaps(&path(other)))
        .collect();
    assert!(overlapping.iter().all(|(one, other)| one.starts_with(other) || other.starts_with(one)));
    assert_eq!(overlapping.len(), 5 + 2 * (4 + 1));
}
