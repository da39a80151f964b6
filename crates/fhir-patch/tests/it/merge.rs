//! Three-way merge and the explanation of conflicts.

use std::collections::BTreeSet;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhir_patch::{Limits, changed_elements, json_diff, merge};
use proptest::prelude::*;

use crate::edits::{Dice, Examples, edit};

fn r4() -> Definitions {
    Definitions::of(FhirVersion::R4)
}

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

const BASE: &str = r##"{"resourceType":"Patient","id":"a",
    "meta":{"versionId":"1","lastUpdated":"2024-01-01T00:00:00Z","tag":[{"code":"t"}],"profile":["http://a.org"]},
    "text":{"status":"generated","div":"<div/>"},
    "contained":[{"resourceType":"Organization","id":"o","name":"O"},{"resourceType":"Flag","id":"f","status":"active"}],
    "extension":[{"url":"http://a.org/x","valueString":"x"}],
    "active":true,"name":[{"use":"official","family":"F","given":["G","H"]}],
    "telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}],
    "birthDate":"2000","_birthDate":{"id":"b"},"deceasedBoolean":false,
    "maritalStatus":{"coding":[{"code":"M"}],"text":"married"},
    "contact":[{"id":"c1","gender":"male","name":{"text":"one"}},{"id":"c2","gender":"female","name":{"text":"two"}}],
    "color":"red"}"##;

/// One change of one unit each: the unit, and what JSON Patch does to it.
const EDITS: [(&str, &str); 27] = [
    ("Patient.meta.tag", r#"[{"op":"add","path":"/meta/tag/-","value":{"code":"u"}}]"#),
    ("Patient.meta.profile", r#"[{"op":"remove","path":"/meta/profile"}]"#),
    ("Patient.text", r#"[{"op":"replace","path":"/text/div","value":"<div>a</div>"}]"#),
    ("Patient.contained[0].name", r#"[{"op":"replace","path":"/contained/0/name","value":"P"}]"#),
    ("Patient.contained[0].alias", r#"[{"op":"add","path":"/contained/0/alias","value":["Q"]}]"#),
    ("Patient.contained[1].status", r#"[{"op":"replace","path":"/contained/1/status","value":"inactive"}]"#),
    ("Patient.extension[0]", r#"[{"op":"replace","path":"/extension/0/valueString","value":"y"}]"#),
    ("Patient.active", r#"[{"op":"remove","path":"/active"}]"#),
    ("Patient.active", r#"[{"op":"replace","path":"/active","value":false}]"#),
    ("Patient.name[0]", r#"[{"op":"replace","path":"/name/0/family","value":"E"}]"#),
    ("Patient.name[0]", r#"[{"op":"remove","path":"/name/0/given/0"}]"#),
    ("Patient.telecom[0]", r#"[{"op":"replace","path":"/telecom/0/value","value":"3"}]"#),
    ("Patient.telecom[1]", r#"[{"op":"replace","path":"/telecom/1/value","value":"4"}]"#),
    ("Patient.gender", r#"[{"op":"add","path":"/gender","value":"female"}]"#),
    ("Patient.gender", r#"[{"op":"add","path":"/_gender","value":{"id":"g"}}]"#),
    ("Patient.birthDate", r#"[{"op":"replace","path":"/birthDate","value":"2001"}]"#),
    ("Patient.birthDate", r#"[{"op":"remove","path":"/_birthDate"}]"#),
    (
        "Patient.deceased",
        r#"[{"op":"remove","path":"/deceasedBoolean"},{"op":"add","path":"/deceasedDateTime","value":"2020"}]"#,
    ),
    ("Patient.deceased", r#"[{"op":"replace","path":"/deceasedBoolean","value":true}]"#),
    ("Patient.maritalStatus", r#"[{"op":"remove","path":"/maritalStatus/coding"}]"#),
    ("Patient.maritalStatus", r#"[{"op":"replace","path":"/maritalStatus/text","value":"single"}]"#),
    ("Patient.contact[0].gender", r#"[{"op":"remove","path":"/contact/0/gender"}]"#),
    ("Patient.contact[0].name", r#"[{"op":"replace","path":"/contact/0/name/text","value":"uno"}]"#),
    ("Patient.contact[1].gender", r#"[{"op":"replace","path":"/contact/1/gender","value":"other"}]"#),
    ("Patient.address", r#"[{"op":"add","path":"/address","value":[{"text":"there"}]}]"#),
    ("Patient.color", r#"[{"op":"replace","path":"/color","value":"blue"}]"#),
    ("Patient.shape", r#"[{"op":"add","path":"/shape","value":"round"}]"#),
];

fn edited(resource: &Value, edit: usize) -> Value {
    let patch = fhir_patch::JsonPatch::parse(&read(EDITS[edit].1), &Limits::default()).unwrap();
    patch.apply(resource, &Limits::default()).unwrap()
}

fn without_version_meta(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(Value::Object(meta)) = resource.as_object_mut().unwrap().get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            resource.as_object_mut().unwrap().remove("meta");
        }
    }
    resource
}

/// Every edit of ours against every edit of theirs: the same unit never is merged, others always are, to what both
/// edits in either order make.
#[test]
fn every_pair_of_edits() {
    let base = read(BASE);
    for (first, (unit, _)) in EDITS.iter().enumerate() {
        for (second, (other, _)) in EDITS.iter().enumerate() {
            let (theirs, mine) = (edited(&base, first), edited(&base, second));
            match merge(&base, &theirs, &mine, r4()) {
                Ok(merged) => {
                    assert_ne!(unit, other, "both {}", EDITS[first].1);
                    assert_eq!(merged, without_version_meta(&edited(&theirs, second)), "{unit} and {other}");
                    assert_eq!(merged, without_version_meta(&edited(&mine, first)), "{unit} and {other}");
                }
                Err(overlap) => {
                    let paths: Vec<String> = overlap.paths.iter().map(ToString::to_string).collect();
                    assert_eq!((unit, &paths), (other, &vec![(*unit).to_owned()]), "{unit} and {other}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_sets_of_edits(
        theirs in prop::collection::btree_set(0..EDITS.len(), 0..5),
        mine in prop::collection::btree_set(0..EDITS.len(), 0..5),
    ) {
        let one_of_each = |edits: BTreeSet<usize>| {
            let mut units = BTreeSet::new();
            edits.into_iter().filter(|edit| units.insert(EDITS[*edit].0)).collect::<Vec<_>>()
        };
        let (theirs, mine) = (one_of_each(theirs), one_of_each(mine));
        let base = read(BASE);
        let all = |start: &Value, edits: &[usize]| edits.iter().fold(start.clone(), |resource, edit| edited(&resource, *edit));
        let units = |edits: &[usize]| edits.iter().map(|edit| EDITS[*edit].0).collect::<BTreeSet<_>>();
        let shared: BTreeSet<&str> = units(&theirs).intersection(&units(&mine)).copied().collect();
        match merge(&base, &all(&base, &theirs), &all(&base, &mine), r4()) {
            Ok(merged) => {
                prop_assert!(shared.is_empty());
                prop_assert_eq!(&merged, &without_version_meta(&all(&all(&base, &theirs), &mine)));
                prop_assert_eq!(&merged, &without_version_meta(&all(&all(&base, &mine), &theirs)));
            }
            Err(overlap) => {
                let paths: Vec<String> = overlap.paths.iter().map(ToString::to_string).collect();
                prop_assert_eq!(paths.iter().map(String::as_str).collect::<BTreeSet<_>>(), shared);
            }
        }
    }

    /// On real resources: merging is symmetric, takes nothing from nobody, and changes what the two changed.
    #[test]
    fn random_edits_of_examples(mut dice in Dice::strategy()) {
        thread_local!(static EXAMPLES: Examples = Examples::find());
        let (definitions, base) = EXAMPLES.with(|examples| examples.pick(&mut dice));
        let (mut theirs, mut mine) = (base.clone(), base.clone());
        for _ in 0..=dice.below(2) {
            edit(&mut theirs, definitions, &mut dice);
            edit(&mut mine, definitions, &mut dice);
        }
        let [plain_base, plain_theirs, plain_mine] = [&base, &theirs, &mine].map(without_version_meta);
        let merged = |theirs: &Value, mine: &Value| merge(&base, theirs, mine, definitions);
        prop_assert_eq!(merged(&base, &mine), Ok(plain_mine.clone()));
        prop_assert_eq!(merged(&theirs, &base), Ok(plain_theirs.clone()));
        prop_assert_eq!(merged(&mine, &mine).is_ok(), plain_mine == plain_base);
        let changes = |to: &Value| changed_elements(&base, to, definitions).into_iter().collect::<BTreeSet<_>>();
        prop_assert_eq!(changes(&mine).is_empty(), plain_mine == plain_base);
        match (merged(&theirs, &mine), merged(&mine, &theirs)) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(&one, &other);
                prop_assert_eq!(changes(&one), &changes(&theirs) | &changes(&mine));
                prop_assert!(!changes(&theirs).iter().any(|one| changes(&mine).iter().any(|other| one.overlaps(other))));
            }
            (Err(one), Err(other)) => {
                let set = |paths: Vec<fhir_patch::ElementPath>| paths.into_iter().collect::<BTreeSet<_>>();
                prop_assert_eq!(set(one.paths), set(other.paths));
            }
            (one, other) => prop_assert!(false, "{one:?} but {other:?}"),
        }
        // What the difference is made of, and what it is said to be made of, agree.
        prop_assert_eq!(json_diff(&plain_base, &plain_mine).operations().is_empty(), changes(&mine).is_empty());
    }
}

fn check(base: &str, theirs: &str, mine: &str, expected: Result<&str, &str>) {
    let merged = merge(&read(base), &read(theirs), &read(mine), r4());
    let merged = merged.map(|value| value.to_string()).map_err(|overlap| overlap.to_string());
    assert_eq!(merged.as_deref().map_err(String::as_str), expected);
}

#[test]
fn parts_of_a_value_are_not_mixed() {
    let weight = |value: &str, unit: &str| {
        format!(r#"{{"resourceType":"Observation","valueQuantity":{{"value":{value},"unit":"{unit}"}}}}"#)
    };
    let (base, theirs, mine) = (weight("70", "kg"), weight("150", "kg"), weight("70", "lb"));
    check(&base, &theirs, &mine, Err("both changed Observation.value"));
}

#[test]
fn items_that_may_be_others_are_not_merged() {
    let phones = |phones: &str| format!(r#"{{"resourceType":"Patient","telecom":[{phones}]}}"#);
    let [a, b, c] = ["1", "2", "3"].map(|number| format!(r#"{{"value":"{number}"}}"#));
    // They removed the first of three, I changed the second: which is now the first.
    let base = phones(&format!("{a},{b},{b}"));
    check(
        &base,
        &phones(&format!("{b},{b}")),
        &phones(&format!("{a},{c},{b}")),
        Err("both changed Patient.telecom"),
    );
    // They reordered, I changed one in place.
    let base = phones(&format!("{a},{b}"));
    check(
        &base,
        &phones(&format!("{b},{a}")),
        &phones(&format!("{a},{c}")),
        Err("both changed Patient.telecom"),
    );
    // Both appended the same: two doses, not one.
    check(
        &phones(&a),
        &phones(&format!("{a},{b}")),
        &phones(&format!("{a},{b}")),
        Err("both changed Patient.telecom"),
    );
}

#[test]
fn an_element_that_two_edits_would_empty_is_an_overlap() {
    let contact = |rest: &str| format!(r#"{{"resourceType":"Patient","contact":[{{"id":"c"{rest}}}]}}"#);
    check(
        &contact(r#","gender":"male","period":{"start":"2020"}"#),
        &contact(r#","gender":"male""#),
        &contact(r#","period":{"start":"2020"}"#),
        Err("both changed Patient.contact[0]"),
    );
}

#[test]
fn resources_of_different_types_have_nothing_to_merge() {
    let flag = r#"{"resourceType":"Flag"}"#;
    let patient = r#"{"resourceType":"Patient"}"#;
    check(flag, flag, patient, Err("both changed Flag"));
    check(flag, patient, flag, Err("both changed Patient"));
}

#[test]
fn changes_are_told_as_expressions() {
    let changed = |old: &str, new: &str| {
        let paths = changed_elements(&read(old), &read(new), r4());
        paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let patient = |rest: &str| format!(r#"{{"resourceType":"Patient"{rest}}}"#);
    let check =
        |old: &str, new: &str, expected: &str| assert_eq!(changed(&patient(old), &patient(new)), expected);
    check("", "", "");
    check(r#","meta":{"versionId":"1"}"#, r#","meta":{"versionId":"2","lastUpdated":"2024"}"#, "");
    check(r#","meta":{"versionId":"1"}"#, r#","meta":{"tag":[{"code":"a"}]}"#, "Patient.meta");
    check(r#","gender":"male""#, r#","gender":"male","_gender":{"id":"a"}"#, "Patient.gender");
    check(r#","deceasedBoolean":true"#, r#","deceasedDateTime":"2020""#, "Patient.deceased");
    check(r#","name":[{"given":["a","b"]}]"#, r#","name":[{"given":["a","c"]}]"#, "Patient.name[0].given[1]");
    check(r#","name":[{"given":["a","b"]}]"#, r#","name":[{"given":["b","a"]}]"#, "Patient.name[0].given");
    check(r#","name":[{"given":["a"]}]"#, r#","name":[{"given":["a"]},{"text":"b"}]"#, "Patient.name");
    check(r#","x":1,"active":true"#, r#","x":[1],"active":false"#, "Patient.active Patient.x");
    assert_eq!(changed(&patient(""), r#"{"resourceType":"Flag"}"#), "Flag");
    // As deep as it goes, through contained resources and what stands beside primitives.
    check(
        r#","contained":[{"resourceType":"Flag","id":"f","status":"active"}]"#,
        r#","contained":[{"resourceType":"Flag","id":"f","status":"inactive"}]"#,
        "Patient.contained[0].status",
    );
}
