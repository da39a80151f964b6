//! Lists against a deliberately dumb model: a vector of pairs.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, parse};
use proptest::prelude::*;

use super::*;

type Model = Vec<(Option<char>, Option<char>)>;

fn fields() -> Fields {
    Definitions::of(FhirVersion::R4).type_named("HumanName").unwrap().fields()
}

fn element((value, extra): (Option<char>, Option<char>)) -> ElementBuf {
    let extra = extra.map(|id| Object::from_iter([("id", id.to_string())]).into());
    ElementBuf { value: value.map(|value| value.to_string().into()), extra }
}

/// The list as JSON spells it: both arrays of one length, none that says nothing.
fn spelled(model: &Model) -> Object {
    let mut object = Object::new();
    let values: Vec<Value> = model.iter().map(|item| element(*item).value.unwrap_or_default()).collect();
    let extras: Vec<Value> = model.iter().map(|item| element(*item).extra.unwrap_or_default()).collect();
    for (name, items) in [("given", values), ("_given", extras)] {
        if !items.iter().all(Value::is_null) {
            object.insert(name, items);
        }
    }
    object
}

fn item() -> impl Strategy<Value = (Option<char>, Option<char>)> {
    let value = prop::sample::select(vec!['a', 'b']);
    let id = prop::sample::select(vec!['x', 'y']);
    prop_oneof![
        value.clone().prop_map(|value| (Some(value), None)),
        id.clone().prop_map(|id| (None, Some(id))),
        (value, id).prop_map(|(value, id)| (Some(value), Some(id))),
    ]
}

proptest! {
    #[test]
    fn lists_do_what_the_model_does(
        start in prop::collection::vec(item(), 0..4),
        steps in prop::collection::vec((0..4_usize, 0..6_usize, 0..6_usize, item()), 1..12),
    ) {
        let mut model: Model = start;
        let mut object = spelled(&model);
        for (kind, one, other, new) in steps {
            let len = model.len();
            prop_assert_eq!(super::len(&object, "given"), len);
            match kind {
                0 => {
                    let at = one % (len + 1);
                    model.insert(at, new);
                    insert_item(&mut object, fields(), "given", at, element(new));
                }
                1 if len > 0 => {
                    model[one % len] = new;
                    replace_item(&mut object, fields(), "given", one % len, element(new));
                }
                2 if len > 0 => {
                    model.remove(one % len);
                    remove_item(&mut object, "given", one % len);
                }
                3 if len > 0 => {
                    let item = model.remove(one % len);
                    model.insert(other % len, item);
                    move_item(&mut object, "given", one % len, other % len);
                }
                _ => {}
            }
            prop_assert_eq!(&object, &spelled(&model));
        }
    }
}

#[test]
fn members_go_where_the_definition_has_them() {
    let set = |object: &str, member: &str| {
        let mut object = match parse(object.as_bytes(), &Limits::default()) {
            Ok(Value::Object(object)) => object,
            other => panic!("{other:?}"),
        };
        super::set(&mut object, fields(), member, Some(Value::from(0)));
        object.to_string()
    };
    for (object, member, expected) in [
        ("{}", "text", r#"{"text":0}"#),
        (r#"{"use":1,"given":1}"#, "text", r#"{"use":1,"text":0,"given":1}"#),
        (r#"{"use":1,"_use":1,"given":1}"#, "text", r#"{"use":1,"_use":1,"text":0,"given":1}"#),
        (r#"{"text":1,"given":1}"#, "_text", r#"{"text":1,"_text":0,"given":1}"#),
        (r#"{"_text":1,"given":1}"#, "text", r#"{"text":0,"_text":1,"given":1}"#),
        (r#"{"given":1,"use":1}"#, "text", r#"{"given":1,"use":1,"text":0}"#),
        (r#"{"given":1,"x":1}"#, "use", r#"{"use":0,"given":1,"x":1}"#),
        (r#"{"given":1}"#, "y", r#"{"given":1,"y":0}"#),
        (r#"{"given":1,"text":1}"#, "given", r#"{"given":0,"text":1}"#),
    ] {
        assert_eq!(set(object, member), expected, "{member} into {object}");
    }
}
