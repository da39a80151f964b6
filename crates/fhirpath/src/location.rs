//! Where an element stands in its resource.

use std::fmt;

use fhir_definitions::{Fields, TypeDef};
use fhir_model::json::Value;

use crate::item::Element;

/// The way from a resource to an element: names of members and places in arrays.
///
/// It prints as FHIRPath that finds the element again, and steps through JSON to change it:
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::json::{Limits, parse};
/// use fhirpath::{Element, Environment, Expression, Item, Location};
///
/// let text = br#"{"resourceType":"Patient","name":[{"given":["A","B"]}],"deceasedBoolean":true}"#;
/// let mut tree = parse(text, &Limits::default()).unwrap();
/// let definitions = Definitions::of(FhirVersion::R4);
/// let place = {
///     let environment = Environment::new(definitions);
///     let expression = Expression::parse("Patient.name.given.last()").unwrap();
///     let found = expression.evaluate(Item::resource(&tree, definitions), &environment).unwrap();
///     Location::of(found[0].as_element().unwrap(), &Element::resource(&tree, definitions)).unwrap()
/// };
/// assert_eq!(place.to_string(), "Patient.name[0].given[1]");
/// *place.find_mut(&mut tree).unwrap() = "C".into();
/// assert_eq!(tree.to_string(), r#"{"resourceType":"Patient","name":[{"given":["A","C"]}],"deceasedBoolean":true}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    root: String,
    steps: Vec<LocationStep>,
}

/// One step of a [`Location`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationStep {
    /// The name in paths: `value` for `valueQuantity`.
    pub element: String,
    /// The name of the JSON member, without the `_` of ids and extensions of primitives.
    pub member: String,
    /// The place in the array, from 0; none if the member is no array.
    pub index: Option<usize>,
}

impl Location {
    /// The place of an element inside a resource: looked for by identity, so that nothing is kept while expressions are
    /// evaluated. Costs a walk over the tree. None if the element belongs to another tree.
    pub fn of(element: &Element<'_>, root: &Element<'_>) -> Option<Self> {
        let tree = root.value()?;
        let wanted = element.value().or(element.extra())?;
        let mut way = Vec::new();
        if !std::ptr::eq(tree, wanted) && !find(tree, wanted, &mut way) {
            return None;
        }
        way.reverse();
        let mut fields = root.fields();
        let steps = way.into_iter().map(|step| {
            let known = fields.and_then(|fields| fields.resolve_json_name(step.member));
            fields = inside(known.map(|(element, type_ref)| element.fields_as(type_ref)), step.value);
            LocationStep {
                element: known.map_or(step.member, |(element, _)| element.name()).to_owned(),
                member: step.member.to_owned(),
                index: step.index,
            }
        });
        let steps = steps.collect();
        Some(Self { root: root.type_name().to_owned(), steps })
    }

    /// The steps from the resource down.
    pub fn steps(&self) -> &[LocationStep] {
        &self.steps
    }

    /// The value at this place of a tree, to be changed. None if the tree has no value there.
    pub fn find_mut<'t>(&self, tree: &'t mut Value) -> Option<&'t mut Value> {
        self.steps.iter().try_fold(tree, |value, step| {
            let member = value.as_object_mut()?.get_mut(&step.member)?;
            match step.index {
                Some(index) => member.as_array_mut()?.get_mut(index),
                None => Some(member),
            }
        })
    }
}

/// A step on the way that is being found.
struct Found<'t> {
    member: &'t str,
    index: Option<usize>,
    value: &'t Value,
}

/// Collects the way to a value by its address, the last step first.
fn find<'t>(tree: &'t Value, wanted: &Value, way: &mut Vec<Found<'t>>) -> bool {
    let Value::Object(object) = tree else { return false };
    for (name, value) in object.iter() {
        let member = name.strip_prefix('_').unwrap_or(name);
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if std::ptr::eq(item, wanted) || find(item, wanted, way) {
                        way.push(Found { member, index: Some(index), value: item });
                        return true;
                    }
                }
            }
            one => {
                if std::ptr::eq(one, wanted) || find(one, wanted, way) {
                    way.push(Found { member, index: None, value: one });
                    return true;
                }
            }
        }
    }
    false
}

/// What may stand inside a value: for a resource, what its type says.
fn inside(place: Option<Fields>, value: &Value) -> Option<Fields> {
    let place = place?;
    let named = value.get("resourceType").and_then(Value::as_str);
    let resource = named.and_then(|name| place.type_def().definitions().resource_type(name));
    Some(resource.map_or(place, TypeDef::fields))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            write!(f, ".{}", step.element)?;
            if let Some(index) = step.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}
