//! Patches that are none, and those that ask for too much.

use super::FhirPathPatchFault as F;
use super::*;
use crate::limits::Exceeded;

#[test]
fn what_is_no_patch() {
    let limits = Limits { operations_max: 3, ..Limits::default() };
    let fault = |text: &str| FhirPathPatch::parse(&read(text), r4(), &limits).unwrap_err();
    let first = |operation: &str| {
        let fault = fault(&parameters(&[delete("Patient.id"), operation.to_owned()]).to_string());
        assert_eq!(fault.operation, Some(1), "{operation}");
        fault.fault
    };
    assert_eq!(fault("[]"), Malformed { operation: None, fault: F::NotParameters });
    assert_eq!(fault(r#"{"resourceType":"Patient"}"#).fault, F::NotParameters);
    let many = parameters(&vec![delete("Patient.id"); 4]).to_string();
    assert_eq!(
        fault(&many),
        Malformed { operation: None, fault: F::TooManyOperations { found: 4, operations_max: 3 } }
    );
    assert!(matches!(fault(r#"{"resourceType":"Parameters","parameter":{}}"#).fault, F::Shape { .. }));
    assert!(matches!(first("7"), F::Shape { .. }));
    assert!(matches!(first(r#"{"name":"operation","part":{}}"#), F::Shape { .. }));
    assert!(matches!(first(r#"{"name":"operation","part":[1]}"#), F::Shape { .. }));
    assert_eq!(first(r#"{"name":"patch"}"#), F::NotAnOperation("patch".into()));
    assert_eq!(first("{}"), F::NotAnOperation(String::new()));
    assert_eq!(first(r#"{"name":"operation"}"#), F::Missing { part: "type" });
    assert_eq!(first(&operation("upsert", "Patient", "")), F::UnknownType("upsert".into()));
    assert_eq!(
        first(&operation("delete", "Patient", r#"{"name":"path","valueString":"a"}"#)),
        F::Repeated { part: "path".into() }
    );
    assert_eq!(
        first(&operation("delete", "Patient", r#"{"name":"index","valueInteger":0}"#)),
        F::Unused { part: "index".into() }
    );
    assert_eq!(
        first(&operation("delete", "Patient", r#"{"name":"colour","valueInteger":0}"#)),
        F::Unused { part: "colour".into() }
    );
    assert_eq!(first(&operation("add", "Patient", "")), F::Missing { part: "name" });
    assert_eq!(first(&operation("replace", "Patient", "")), F::Missing { part: "value" });
    assert_eq!(
        first(&operation("move", "Patient", r#"{"name":"source","valueInteger":0}"#)),
        F::Missing { part: "destination" }
    );
    assert!(matches!(first(&delete("Patient..name")), F::BadPath(_)));
    let index =
        |value: &str| first(&operation("insert", "Patient.name", &format!(r#"{{"name":"index",{value}}}"#)));
    assert_eq!(index(r#""valueInteger":-1"#), F::Part { part: "index", fault: PartFault::Negative });
    let wrong = |found: &str| F::Part {
        part: "index",
        fault: PartFault::Type { expected: "an integer", found: found.into() },
    };
    assert_eq!(index(r#""valueString":"1""#), wrong("string"));
    assert_eq!(index(r#""valueDecimal":1.0"#), wrong("decimal"));
    // What an index is too large for is the list, not the patch.
    assert_eq!(index(r#""valueInteger":99999999999999999999"#), F::Missing { part: "value" });
    let value = |value: &str| match first(&replace("Patient.gender", value)) {
        F::Part { part: "value", fault } => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(value(r#""id":"a""#), PartFault::Empty);
    assert_eq!(value(r#""part":[]"#), PartFault::Empty);
    assert_eq!(value(r#""valueCode":"a","valueString":"b""#), PartFault::Several);
    assert_eq!(value(r#""valueCode":"a","_valueString":{}"#), PartFault::Several);
    assert_eq!(value(r#""valueCode":"a","part":[{"name":"b","valueCode":"c"}]"#), PartFault::Several);
    assert_eq!(value(r#""valueColour":"a""#), PartFault::UnknownValue("valueColour".into()));
    assert_eq!(value(r#""gender":"a""#), PartFault::UnknownValue("gender".into()));
    assert_eq!(value(r#""resource":{"resourceType":"Colour"}"#), PartFault::UnknownResource);
    assert!(matches!(value(r#""part":[{"valueCode":"c"}]"#), PartFault::Type { .. }));
    assert!(matches!(value(r#""part":"a""#), PartFault::Type { .. }));
    // What a version does not have is unknown in it.
    let url = parameters(&[replace("Patient.implicitRules", r#""valueUrl":"http://a.org""#)]);
    assert!(FhirPathPatch::parse(&url, r4(), &limits).is_ok());
    assert!(FhirPathPatch::parse(&url, Definitions::of(FhirVersion::Stu3), &limits).is_err());
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| {
        let end = r#""part":[{"name":"url","valueUri":"u"}]"#.to_owned();
        (1..depth).fold(end, |inside, _| format!(r#""part":[{{"name":"extension",{inside}}}]"#))
    };
    let limits = Limits { depth_max: 20, ..Limits::default() };
    let flag = r#"{"resourceType":"Flag"}"#;
    assert!(apply_within(flag, &[add("Flag", "extension", &nested(9))], &limits).is_ok());
    let too_deep = FhirPathPatchRefusal::Exceeded(Exceeded::Depth { depth_max: 20 });
    let refused = apply_within(flag, &[add("Flag", "extension", &nested(10))], &limits).unwrap_err();
    assert_eq!(refused.refusal, too_deep);
    // One inside the other, by one operation each.
    let deeper: Vec<String> = (0..20)
        .map(|depth| {
            add(
                &format!("Flag{}", ".extension".repeat(depth)),
                "extension",
                r#""part":[{"name":"url","valueUri":"u"}]"#,
            )
        })
        .collect();
    let refused = apply_within(flag, &deeper, &limits).unwrap_err();
    assert_eq!((refused.operation, refused.refusal), (9, too_deep));

    let limits = Limits { nodes_max: 5, ..Limits::default() };
    let refused = apply_within(
        flag,
        &vec![add("Flag", "category", r#""valueCodeableConcept":{"text":"x"}"#); 3],
        &limits,
    );
    assert_eq!(
        refused.unwrap_err().refusal,
        FhirPathPatchRefusal::Exceeded(Exceeded::Nodes { nodes_max: 5 })
    );

    let limits = Limits { steps_max: 2_000, ..Limits::default() };
    let many = vec![delete("Flag.descendants().where($this = 'x')"); 200];
    let names: Vec<String> = (0..500).map(|name| format!(r#"{{"text":"{name}"}}"#)).collect();
    let flag = format!(r#"{{"resourceType":"Flag","category":[{}]}}"#, names.join(","));
    let refused = apply_within(&flag, &many, &limits).unwrap_err();
    assert!(matches!(refused.refusal, FhirPathPatchRefusal::Evaluation(_)), "{refused}");
    let moves = vec![relocate("Flag.category", 499, 0); 200];
    let refused = apply_within(&flag, &moves, &limits).unwrap_err();
    assert_eq!(refused.refusal, FhirPathPatchRefusal::Exceeded(Exceeded::Steps { steps_max: 2_000 }));
}
