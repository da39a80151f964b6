//! Where elements stand, as paths that find them again.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhirpath::{Element, Environment, Expression, Item, Location};

const BUNDLE: &str = r#"{"resourceType":"Bundle","entry":[{"fullUrl":"urn:a"},{"resource":{"resourceType":"Patient",
    "name":[{"given":["A",null,"C"],"_given":[null,{"id":"g"}]},{"family":"F"}],"_birthDate":{"extension":[
    {"url":"u","valueQuantity":{"value":1}}]},"deceasedBoolean":true,"contained":[{"resourceType":"Observation",
    "component":[{"valueString":"x"}]}],"odd":[1]}}]}"#;

fn bundle() -> Value {
    parse(BUNDLE.as_bytes(), &Limits::default()).unwrap()
}

#[track_caller]
fn check(expression: &str, wanted: &[&str]) {
    let tree = bundle();
    let definitions = Definitions::of(FhirVersion::R4);
    let environment = Environment::new(definitions);
    let root = Element::resource(&tree, definitions);
    let places = |text: &str| -> Vec<Option<String>> {
        let expression = Expression::parse(text).unwrap();
        let found = expression.evaluate(Item::resource(&tree, definitions), &environment).unwrap();
        let place = |item: &Item<'_>| Some(Location::of(item.as_element()?, &root)?.to_string());
        found.iter().map(place).collect()
    };
    let wanted: Vec<Option<String>> = wanted.iter().map(|&place| Some(place.to_owned())).collect();
    assert_eq!(places(expression), wanted, "{expression}");
    for place in wanted.iter().flatten() {
        assert_eq!(places(place), [Some(place.clone())], "the place finds itself again");
    }
}

#[test]
fn every_element_has_its_place() {
    check("Bundle", &["Bundle"]);
    check("entry", &["Bundle.entry[0]", "Bundle.entry[1]"]);
    check("entry.fullUrl", &["Bundle.entry[0].fullUrl"]);
    check("entry.resource.name.family", &["Bundle.entry[1].resource.name[1].family"]);
    check(
        "entry.resource.name.given",
        &[
            "Bundle.entry[1].resource.name[0].given[0]",
            "Bundle.entry[1].resource.name[0].given[1]",
            "Bundle.entry[1].resource.name[0].given[2]",
        ],
    );
    check("entry.resource.birthDate", &["Bundle.entry[1].resource.birthDate"]);
    check("entry.resource.deceased", &["Bundle.entry[1].resource.deceased"]);
    let quantity = "Bundle.entry[1].resource.birthDate.extension[0].value.value";
    check("entry.resource.birthDate.extension.value.value", &[quantity]);
    check(
        "entry.resource.contained.component.value",
        &["Bundle.entry[1].resource.contained[0].component[0].value"],
    );
    check("entry.resource.odd", &["Bundle.entry[1].resource.odd[0]"]);
    check("descendants().where($this is id)", &[]);
}

#[test]
fn steps_name_the_members_of_json() {
    let mut tree = bundle();
    let definitions = Definitions::of(FhirVersion::R4);
    let place = {
        let environment = Environment::new(definitions);
        let expression = Expression::parse("entry[1].resource.deceased").unwrap();
        let found = expression.evaluate(Item::resource(&tree, definitions), &environment).unwrap();
        Location::of(found[0].as_element().unwrap(), &Element::resource(&tree, definitions)).unwrap()
    };
    let members: Vec<_> = place.steps().iter().map(|step| (step.member.as_str(), step.index)).collect();
    assert_eq!(members, [("entry", Some(1)), ("resource", None), ("deceasedBoolean", None)]);
    *place.find_mut(&mut tree).unwrap() = Value::Bool(false);
    assert_eq!(
        tree.get("entry").unwrap().at(1).unwrap().get("resource").unwrap().get("deceasedBoolean"),
        Some(&Value::Bool(false))
    );
    // In a tree of another shape there is no such place.
    assert_eq!(place.find_mut(&mut Value::Null), None);
}

#[test]
fn an_element_of_another_tree_has_no_place() {
    let (tree, other) = (bundle(), bundle());
    let definitions = Definitions::of(FhirVersion::R4);
    let element = Element::resource(&other, definitions);
    assert_eq!(Location::of(&element, &Element::resource(&tree, definitions)), None);
    assert_eq!(Location::of(&element, &element).unwrap().to_string(), "Bundle");
}

#[test]
fn the_last_step_of_a_path_can_be_taken_off() {
    for (path, wanted) in [
        ("Patient.name[0].given", Some(("Patient.name[0]", "given"))),
        ("Patient.name", Some(("Patient", "name"))),
        ("birthDate", Some(("$this", "birthDate"))),
        ("$this.birthDate", Some(("$this", "birthDate"))),
        ("(a | b).c", Some(("a | b", "c"))),
        ("Patient.name.where(use = 'usual').given", Some(("Patient.name.where(use = 'usual')", "given"))),
        ("Patient.name[0]", None),
        ("name.first()", None),
        ("1 + 1", None),
    ] {
        let expression = Expression::parse(path).unwrap();
        let split = expression.split_member();
        let split = split.as_ref().map(|(parent, name)| (parent.to_string(), *name));
        assert_eq!(split.as_ref().map(|(parent, name)| (parent.as_str(), *name)), wanted, "{path}");
    }
}

#[test]
fn expressions_are_shared_between_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Expression>();
}
