//! Random changes to real resources, which stay what their definitions allow.

use std::path::PathBuf;

use fhir_definitions::{Definitions, FhirVersion, JsonShape};
use fhir_model::json::{Limits as JsonLimits, Object, Value, parse};
use fhir_model::object;
use proptest::prelude::*;

use crate::suites;

/// Files above this size only make the tests slow.
const BYTES_MAX: u64 = 60_000;

/// Official examples of STU3 and R4 where they are beside the workspace, and the fixtures of the workspace.
pub(crate) struct Examples {
    files: Vec<(FhirVersion, PathBuf)>,
}

impl Examples {
    pub(crate) fn find() -> Self {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/resources");
        let mut files = Vec::new();
        let mut folder = |version, folder: PathBuf| {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.metadata().unwrap().len() <= BYTES_MAX {
                    files.push((version, entry.path()));
                }
            }
        };
        folder(FhirVersion::R4, fixtures.clone());
        folder(FhirVersion::R5, fixtures);
        for (version, name) in
            [(FhirVersion::Stu3, "examples-stu3-pairs/json"), (FhirVersion::R4, "examples-r4-pairs/json")]
        {
            if let Some(found) = suites::find(name) {
                folder(version, found);
            }
        }
        files.sort();
        Self { files }
    }

    pub(crate) fn pick(&self, dice: &mut Dice) -> (Definitions, Value) {
        loop {
            let (version, file) = &self.files[dice.below(self.files.len())];
            let definitions = Definitions::of(*version);
            let text = std::fs::read(file).unwrap();
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
            let Ok(tree) = parse(text, &JsonLimits::default()) else { continue };
            let named = tree.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            if definitions.resource_type(named).is_some() && !has_empty(&tree) {
                return (definitions, tree);
            }
        }
    }
}

/// Whether there is an array or an object with nothing in it. FHIR has neither, and a FHIRPath Patch cannot make them;
/// some fixtures of the workspace do.
fn has_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty),
        Value::Object(object) => object.is_empty() || object.iter().any(|(_, member)| has_empty(member)),
        _ => false,
    }
}

/// Numbers that proptest has drawn, so that a failure can be repeated and made smaller.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    numbers: Vec<u32>,
    at: usize,
}

impl Dice {
    pub(crate) fn strategy() -> impl Strategy<Value = Self> {
        prop::collection::vec(any::<u32>(), 40).prop_map(|numbers| Self { numbers, at: 0 })
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let number = self.numbers[self.at % self.numbers.len()] as usize;
        let round = self.at / self.numbers.len();
        self.at += 1;
        (number + round * 7) % limit.max(1)
    }
}

/// Changes something somewhere in a resource.
pub(crate) fn edit(resource: &mut Value, definitions: Definitions, dice: &mut Dice) {
    let named = resource.get("resourceType").and_then(Value::as_str).unwrap();
    let fields = definitions.resource_type(named).unwrap().fields();
    edit_object(resource.as_object_mut().unwrap(), fields, dice);
}

fn edit_object(object: &mut Object, fields: fhir_definitions::Fields, dice: &mut Dice) {
    let names: Vec<String> = object
        .names()
        .map(|name| name.trim_start_matches('_').to_owned())
        .filter(|name| fields.resolve_json_name(name).is_some())
        .collect();
    let Some(name) = names.get(dice.below(names.len())) else { return };
    let (element, type_ref) = fields.resolve_json_name(name).unwrap();
    let extra = format!("_{name}");
    let is_last = object.names().filter(|other| *other != "resourceType" && *other != extra).count() <= 1;
    let primitive = type_ref.type_def().primitive();
    match dice.below(8) {
        0 if !is_last => {
            object.remove(name);
            object.remove(&extra);
        }
        1 if primitive.is_some() && type_ref.name() != "xhtml" && !element.is_list() => {
            let note = object! { "url": "http://example.org/e", "valueString": format!("{}", dice.below(3)) };
            object.insert(extra, object! { "extension": vec![note] });
        }
        2..=4 if element.is_list() && !object.contains(&extra) => {
            edit_list(object.get_mut(name).unwrap().as_array_mut().unwrap(), dice);
        }
        _ => {
            let item = match object.get_mut(name) {
                Some(Value::Array(items)) => {
                    let len = items.len();
                    items.get_mut(dice.below(len))
                }
                other => other,
            };
            match (item, primitive) {
                (Some(Value::Object(inside)), _) => {
                    let resource = inside.get("resourceType").and_then(Value::as_str);
                    let resource =
                        resource.and_then(|name| fields.type_def().definitions().resource_type(name));
                    let fields =
                        resource.map_or(element.fields_as(type_ref), fhir_definitions::TypeDef::fields);
                    edit_object(inside, fields, dice);
                }
                (Some(value), Some(primitive)) if !value.is_null() => {
                    *value = match primitive.json_shape() {
                        JsonShape::Boolean => Value::Bool(value != &Value::Bool(true)),
                        JsonShape::Number => Value::from(dice.below(100)),
                        JsonShape::String => Value::from(format!("changed-{}", dice.below(5))),
                    };
                }
                _ => {}
            }
        }
    }
}

fn edit_list(items: &mut Vec<Value>, dice: &mut Dice) {
    let len = items.len();
    let (one, other) = (dice.below(len), dice.below(len));
    match dice.below(5) {
        0 if len > 1 => drop(items.remove(one)),
        1 => items.insert(other, items[one].clone()),
        2 => items.swap(one, other),
        3 => {
            let item = items.remove(one);
            items.insert(other, item);
        }
        _ => items.reverse(),
    }
}
