//! Where an element stands in its resource.

use std::fmt;

use fhir_definitions::{Definitions, ElementDef, Fields, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};
use fhirpath::{Element, Location};

/// The way from a resource to an element. It prints as the FHIRPath expression that finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementPath {
    root: String,
    steps: Vec<PathStep>,
}

/// One step of an [`ElementPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathStep {
    /// The name in paths: `value` for `valueQuantity`.
    pub name: String,
    /// The name of the JSON member, without the `_` of ids and extensions of primitives.
    pub member: String,
    /// The place in the list, from 0; none if the element does not repeat, or the whole list is meant.
    pub index: Option<usize>,
}

impl ElementPath {
    /// The resource itself.
    pub(crate) fn of_resource(resource: &Value) -> Self {
        let root = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
        Self { root: root.to_owned(), steps: Vec::new() }
    }

    /// The same way, as FHIRPath tells it.
    pub(crate) fn of_location(resource: &Value, location: &Location) -> Self {
        let steps = location.steps().iter();
        let steps = steps.map(|step| PathStep::new(&step.element, &step.member, step.index));
        Self { steps: steps.collect(), ..Self::of_resource(resource) }
    }

    /// The steps from the resource down.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// Whether one of the two contains the other, or both are the same: a change of one touches the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        let touches = |(one, other): (&PathStep, &PathStep)| {
            one.name == other.name
                && (one.index.is_none() || other.index.is_none() || one.index == other.index)
        };
        self.root == other.root && self.steps.iter().zip(&other.steps).all(touches)
    }

    pub(crate) fn push(&mut self, step: PathStep) {
        self.steps.push(step);
    }

    pub(crate) fn pop(&mut self) -> Option<PathStep> {
        self.steps.pop()
    }

    /// The same way, one step further.
    pub(crate) fn child(&self, step: PathStep) -> Self {
        let mut path = self.clone();
        path.push(step);
        path
    }

    /// Objects and arrays around the element, in JSON.
    pub(crate) fn levels(&self) -> usize {
        self.steps.iter().map(|step| 1 + usize::from(step.index.is_some())).sum()
    }
}

impl PathStep {
    pub(crate) fn new(name: &str, member: &str, index: Option<usize>) -> Self {
        Self { name: name.to_owned(), member: member.to_owned(), index }
    }
}

impl fmt::Display for ElementPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            let is_plain = step.name.starts_with(|first: char| first.is_ascii_alphabetic())
                && step.name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            if is_plain {
                write!(f, ".{}", step.name)?;
            } else {
                write!(f, ".`{}`", step.name.replace('\\', "\\\\").replace('`', "\\`"))?;
            }
            if let Some(index) = step.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

/// An element that was found, with what the definitions say of it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: ElementPath,
    /// What it is in the place where it stands; none for the resource itself, and for what is not known.
    pub(crate) place: Option<Place>,
    /// What may stand inside.
    pub(crate) fields: Option<Fields>,
}

/// What the definitions say of a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// What else may stand beside it.
    pub(crate) beside: Fields,
    pub(crate) element: ElementDef,
    pub(crate) type_ref: TypeRef,
}

impl Target {
    /// What the definitions say of the element at the end of a path.
    pub(crate) fn describe(resource: &Value, definitions: Definitions, path: ElementPath) -> Self {
        let mut fields = Element::resource(resource, definitions).fields();
        let (mut place, mut here) = (None, Some(resource));
        for step in path.steps() {
            let known = fields.and_then(|beside| {
                let (element, type_ref) = beside.resolve_json_name(&step.member)?;
                Some(Place { beside, element, type_ref })
            });
            here = here.and_then(Value::as_object).and_then(|object| step_value(object, step));
            fields = known.and_then(|place| place.inside(here));
            place = known;
        }
        Self { path, place, fields }
    }
}

impl Place {
    pub(crate) fn of(
        beside: Option<Fields>,
        element: Option<ElementDef>,
        type_ref: Option<TypeRef>,
    ) -> Option<Self> {
        Some(Self { beside: beside?, element: element?, type_ref: type_ref? })
    }

    /// What may stand inside a value in this place.
    pub(crate) fn inside(self, value: Option<&Value>) -> Option<Fields> {
        let inside = self.element.fields_as(self.type_ref);
        if !is_open_resource(self.type_ref.type_def(), inside) {
            return Some(inside);
        }
        let named = value?.get("resourceType")?.as_str()?;
        self.type_ref.type_def().definitions().resource_type(named).map(TypeDef::fields)
    }
}

/// Whether any resource may stand there.
pub(crate) fn is_open_resource(type_def: TypeDef, inside: Fields) -> bool {
    inside.backbone().is_none() && type_def.kind() == TypeKind::Resource && type_def.is_abstract()
}

/// The value, or else the id and extensions, that a step leads to.
fn step_value<'t>(object: &'t Object, step: &PathStep) -> Option<&'t Value> {
    let pick = |value: &'t Value| match (value, step.index) {
        (Value::Array(items), Some(index)) => items.get(index),
        (Value::Array(_), None) => None,
        (one, None | Some(0)) => Some(one),
        (_, Some(_)) => None,
    };
    let value = object.get(&step.member).and_then(pick);
    match value {
        Some(Value::Object(_)) => value,
        _ => {
            object.get(&format!("_{}", step.member)).and_then(pick).filter(|extra| !extra.is_null()).or(value)
        }
    }
}
