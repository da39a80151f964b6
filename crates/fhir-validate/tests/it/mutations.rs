//! Valid resources with one thing changed: what must be found is found, and nothing makes the walk panic.

use std::fs;
use std::path::Path;

use fhir_definitions::{Definitions, FhirVersion, Fields, TypeDef, TypeKind};
use fhir_model::json::{Limits, Object, Value, parse};
use fhir_validate::{Finding, Rule, Settings, check_validate, validate};
use proptest::prelude::*;

use crate::examples::for_each_example;

/// The resources of `valid/`, which have no fault in any version.
fn valid_resources() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/valid");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it is readable").path();
        let bytes = fs::read(&path).expect("the file is readable");
        let tree =
            parse(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), tree));
    }
    assert!(found.len() >= 5);
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

fn findings(tree: &Value, version: FhirVersion) -> Vec<Finding> {
    validate(tree, Definitions::of(version), &Settings::default())
}

/// A way into a tree: the number of the member or item at each level.
type Way = Vec<usize>;

/// Calls `visit` with the way to each value of a tree, the outermost included.
fn ways(value: &Value, way: &mut Way, visit: &mut impl FnMut(&Way, &Value)) {
    visit(way, value);
    let children: Vec<&Value> = match value {
        Value::Object(object) => object.iter().map(|(_, child)| child).collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return,
    };
    for (number, child) in children.into_iter().enumerate() {
        way.push(number);
        ways(child, way, visit);
        way.pop();
    }
}

fn all_ways(tree: &Value) -> Vec<Way> {
    let mut found = Vec::new();
    ways(tree, &mut Vec::new(), &mut |way, _| found.push(way.clone()));
    found
}

/// The value at the end of a way.
fn at<'a>(tree: &'a mut Value, way: &[usize]) -> &'a mut Value {
    way.iter().fold(tree, |value, &number| match value {
        Value::Object(object) => object.iter_mut().nth(number).expect("the way exists").1,
        Value::Array(items) => &mut items[number],
        _ => panic!("the way leads into a leaf"),
    })
}

#[test]
fn valid_resources_have_no_findings() {
    for (name, tree) in valid_resources() {
        for version in FhirVersion::ALL {
            assert_eq!(findings(&tree, version), [], "{name} in {version}");
        }
    }
}

/// Every mandatory element of every object, removed in turn.
#[test]
fn a_removed_mandatory_element_is_missed() {
    let mut removed = 0;
    for (name, tree) in valid_resources() {
        for version in FhirVersion::ALL {
            let all = Definitions::of(version);
            let mut mandatory = Vec::new();
            let root = all.type_named(tree.get("resourceType").and_then(Value::as_str).unwrap()).unwrap();
            mandatory_members(all, &tree, root.fields(), &mut Vec::new(), &mut mandatory);
            for (way, member) in mandatory {
                let mut changed = tree.clone();
                at(&mut changed, &way).as_object_mut().unwrap().remove(&member);
                let found = findings(&changed, version);
                let is_missed = |finding: &Finding| {
                    finding.rule == Rule::ElementMissing && finding.message.contains(&member)
                };
                assert!(found.iter().any(is_missed), "{name} in {version} without {member}: {found:?}");
                removed += 1;
            }
        }
    }
    assert!(removed > 100, "{removed}");
}

/// The ways to objects that have a mandatory member, with its name. A dumb restatement of the walk.
fn mandatory_members(
    all: Definitions,
    value: &Value,
    fields: Fields,
    way: &mut Way,
    found: &mut Vec<(Way, String)>,
) {
    let Some(object) = value.as_object() else { return };
    for (number, (key, child)) in object.iter().enumerate() {
        let Some((element, type_ref)) = fields.resolve_json_name(key) else { continue };
        let has_twin = object.contains(&format!("_{key}"));
        if element.min() > 0 && !element.is_choice() && !has_twin {
            found.push((way.clone(), key.to_owned()));
        }
        way.push(number);
        let items = child.as_array().unwrap_or(std::slice::from_ref(child));
        for (index, item) in items.iter().enumerate() {
            if child.as_array().is_some() {
                way.push(index);
            }
            let inner = match (type_ref.type_def().kind(), item.get("resourceType").and_then(Value::as_str)) {
                (TypeKind::Resource, Some(name)) => all.type_named(name).map(TypeDef::fields),
                (TypeKind::Complex, _) => Some(element.fields_as(type_ref)),
                _ => None,
            };
            if let Some(inner) = inner {
                mandatory_members(all, item, inner, way, found);
            }
            if child.as_array().is_some() {
                way.pop();
            }
        }
        way.pop();
    }
}

/// Every value, replaced by one of each other kind.
#[test]
fn another_kind_of_value_is_always_an_error() {
    let others = ["null", "true", "7", "\"x\"", "[\"x\"]", "{\"x\": 1}"]
        .map(|text| parse(text.as_bytes(), &Limits::default()).unwrap());
    for (name, tree) in valid_resources() {
        for way in all_ways(&tree) {
            for other in &others {
                let mut changed = tree.clone();
                let place = at(&mut changed, &way);
                // Opposite an extension, null and a value are equally right.
                if place.kind() == other.kind() || place.is_null() {
                    continue;
                }
                *place = other.clone();
                for version in FhirVersion::ALL {
                    let found = findings(&changed, version);
                    assert!(found.iter().any(Finding::is_error), "{name} in {version}: {other} at {way:?}");
                }
            }
        }
    }
}

/// Every value in an array of its own, and every array taken away around its first item.
#[test]
fn an_array_too_many_or_too_few_is_always_an_error() {
    for (name, tree) in valid_resources() {
        for way in all_ways(&tree) {
            let mut wrapped = tree.clone();
            let place = at(&mut wrapped, &way);
            *place = Value::Array(vec![place.clone()]);
            let mut changes = vec![wrapped];
            let mut unwrapped = tree.clone();
            let place = at(&mut unwrapped, &way);
            if let Some(first) = place.as_array().and_then(<[Value]>::first).cloned() {
                *place = first;
                changes.push(unwrapped);
            }
            for (changed, version) in
                changes.iter().flat_map(|one| FhirVersion::ALL.map(|version| (one, version)))
            {
                let found = findings(changed, version);
                assert!(found.iter().any(Finding::is_error), "{name} in {version} at {way:?}");
            }
        }
    }
}

/// An unknown member in every object gives one finding, in that place.
#[test]
fn an_unknown_member_is_found_where_it_stands() {
    for (name, tree) in valid_resources() {
        for way in all_ways(&tree) {
            let mut changed = tree.clone();
            let Some(object) = at(&mut changed, &way).as_object_mut() else { continue };
            object.insert("qqq", "x");
            for version in FhirVersion::ALL {
                let found = findings(&changed, version);
                assert_eq!(found.len(), 1, "{name} in {version}: {found:?}");
                assert_eq!(found[0].rule, Rule::UnknownElement);
                let last = found[0].expression.rsplit('.').next();
                assert_eq!(last, Some("qqq"), "{}", found[0].expression);
            }
        }
    }
}

/// A change to a tree, with numbers that say where and what.
pub(crate) fn change(tree: &mut Value, place: usize, what: usize, with: &Value) {
    let ways = all_ways(tree);
    let way = &ways[place % ways.len()];
    let value = at(tree, way);
    match (value, what % 6) {
        (value, 0) => *value = with.clone(),
        (Value::Object(object), 1) => {
            let name = object.names().nth(place % object.len().max(1)).map(str::to_owned);
            object.remove(&name.unwrap_or_default());
        }
        (Value::Object(object), 2) => drop(object.insert(format!("_{}", first_name(object)), with.clone())),
        (Value::Object(object), 3) => drop(
            object.insert(["id", "extension", "value", "resourceType", "reference"][place % 5], with.clone()),
        ),
        (Value::Array(items), 1) => items.clear(),
        (Value::Array(items), _) => items.push(with.clone()),
        (value, _) => *value = Value::Array(vec![value.clone(), with.clone()]),
    }
}

fn first_name(object: &Object) -> String {
    object.names().next().unwrap_or_default().to_owned()
}

pub(crate) fn small_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-1.5e300",
        "\"\"",
        "\" \"",
        "\"#\"",
        "\"#org\"",
        "\"Patient/1\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "{\"id\":\"a\"}",
        "{\"resourceType\":\"Patient\"}",
        "{\"url\":\"x\"}",
        "{\"reference\":\"#\"}",
        "{\"extension\":[{}]}",
        "[{\"resourceType\":\"Bundle\",\"contained\":[{}]}]",
        "{\"coding\":[{}]}",
        "\"<div/>\"",
        "{\"_value\":null}",
    ])
    .prop_map(|text| parse(text.as_bytes(), &Limits::default()).expect("it is JSON"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_makes_the_walk_panic(
        resource in 0..5_usize,
        changes in prop::collection::vec((any::<usize>(), 0..6_usize, small_value()), 1..6),
    ) {
        let (_, mut tree) = valid_resources().swap_remove(resource);
        for (place, what, with) in &changes {
            change(&mut tree, *place, *what, with);
        }
        let checked = check_validate(&tree.to_bytes());
        prop_assert!(checked.is_ok(), "{checked:?}");
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(check_validate(&bytes).is_ok());
    }
}

/// Official examples with changes, where they are present.
#[test]
fn no_change_to_an_official_example_makes_the_walk_panic() {
    for version in FhirVersion::ALL {
        let mut number = 0_usize;
        for_each_example(version, |file, tree| {
            number += 1;
            // A few hundred of them; the largest would take all the time.
            if !number.is_multiple_of(20)
                || file.starts_with("Bundle")
                || file.contains("ImplementationGuide")
            {
                return;
            }
            let mut changed = tree.clone();
            for step in 1..4_usize {
                let place = number.wrapping_mul(2_654_435_761).wrapping_mul(step) >> 7;
                change(&mut changed, place, number / 20 + step, &Value::from("#x"));
            }
            if let Err(fault) = check_validate(&changed.to_bytes()) {
                panic!("{version} {file}: {fault:?}");
            }
        });
    }
}
