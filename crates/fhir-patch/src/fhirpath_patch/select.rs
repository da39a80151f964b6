//! From a path to the elements that it gives.

use std::fmt;

use fhir_definitions::{Definitions, TypeKind};
use fhir_model::json::{Object, Value};
use fhirpath::{
    CheckError, Element, Environment, Expression, Item, Limits as EvaluationLimits, Location, ParseError,
};

use super::error::FhirPathPatchRefusal as Refusal;
use crate::edit::extra_name;
use crate::limits::Budget;
use crate::path::{ElementPath, PathStep, Place, Target};

/// A path in a patch, parsed.
///
/// Nearly all paths are made of names and places in lists; those are walked. All others are evaluated as FHIRPath,
/// and the elements they give are looked for in the tree.
#[derive(Debug, Clone)]
pub(super) struct PatchPath {
    text: String,
    expression: Expression,
    plain: Option<PlainPath>,
}

/// A path made of names and places in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainPath {
    root: String,
    steps: Vec<PlainStep>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainStep {
    name: String,
    index: Option<usize>,
}

/// What a path gives.
#[derive(Debug, Clone)]
pub(super) enum Selected {
    Nothing,
    One(Target),
    Several(usize),
}

/// How much one evaluation may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evaluations {
    pub(super) steps_max: u64,
}

impl PatchPath {
    pub(super) fn parse(text: &str) -> Result<Self, ParseError> {
        let expression = Expression::parse(text)?;
        Ok(Self { plain: PlainPath::parse(text), text: text.to_owned(), expression })
    }

    /// The path without its last step, which is a name.
    pub(super) fn split_member(&self) -> Option<(Self, String)> {
        let (expression, name) = self.expression.split_member()?;
        let text = expression.to_string();
        Some((Self { plain: PlainPath::parse(&text), text, expression }, name.to_owned()))
    }

    /// Whether it takes an evaluation to follow it.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// The elements of a resource that it gives.
    pub(super) fn select(
        &self,
        resource: &Value,
        definitions: Definitions,
        evaluations: Evaluations,
        budget: &mut Budget,
    ) -> Result<Selected, Refusal> {
        self.check_root(resource, definitions)?;
        if let Some(plain) = &self.plain
            && let Some(selected) = plain.walk(resource, definitions, budget)?
        {
            return Ok(selected);
        }
        self.check_names(resource, definitions)?;
        let limits = EvaluationLimits { steps_max: evaluations.steps_max, ..EvaluationLimits::default() };
        let environment = Environment::new(definitions).with_limits(limits);
        let context = Item::resource(resource, definitions);
        let found = self.expression.evaluate(context, &environment).map_err(Refusal::Evaluation)?;
        match &*found {
            [] => Ok(Selected::Nothing),
            [one] => {
                let element = one.as_element().ok_or(Refusal::NotAnElement)?;
                budget.walk_document()?;
                let location = Location::of(element, &Element::resource(resource, definitions));
                let path = location.map(|found| ElementPath::of_location(resource, &found));
                let path = path.ok_or(Refusal::NotAnElement)?;
                Ok(Selected::One(Target::describe(resource, definitions, path)))
            }
            several => Ok(Selected::Several(several.len())),
        }
    }

    /// Refuses a path that begins with the name of another resource type: FHIRPath would just find nothing.
    fn check_root(&self, resource: &Value, definitions: Definitions) -> Result<(), Refusal> {
        let root: &str =
            self.text.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
        let named = definitions.type_named(root).filter(|found| found.kind() == TypeKind::Resource);
        let found = Element::resource(resource, definitions).type_def();
        match (named, found) {
            (Some(named), Some(found)) if !found.is_a(named) => {
                Err(Refusal::OtherType { path: root.to_owned(), resource: found.name().to_owned() })
            }
            _ => Ok(()),
        }
    }
}

impl PatchPath {
    /// Refuses names that the definitions do not know: a misspelt path would just find nothing.
    fn check_names(&self, resource: &Value, definitions: Definitions) -> Result<(), Refusal> {
        let Some(type_def) = Element::resource(resource, definitions).type_def() else { return Ok(()) };
        match self.expression.check(type_def) {
            Err(CheckError::UnknownElement { name, inside }) => Err(Refusal::UnknownElement { name, inside }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PlainPath {
    fn parse(text: &str) -> Option<Self> {
        let mut steps = text.split('.').map(PlainStep::parse);
        let root = steps.next()??;
        let steps = steps.collect::<Option<Vec<_>>>()?;
        root.index.is_none().then_some(Self { root: root.name, steps })
    }

    /// Follows the path; none if on the way it gives several elements, which only FHIRPath tells how to go on with,
    /// or if it does not begin with the type of the resource.
    fn walk(
        &self,
        resource: &Value,
        definitions: Definitions,
        budget: &mut Budget,
    ) -> Result<Option<Selected>, Refusal> {
        let start = Element::resource(resource, definitions);
        let Some(root_type) = start.type_def() else { return Ok(None) };
        if !root_type.lineage().any(|base| base.name() == self.root) {
            return Ok(None);
        }
        let mut here = Here { value: Some(resource), extra: None };
        let mut target =
            Target { path: ElementPath::of_resource(resource), place: None, fields: start.fields() };
        for step in &self.steps {
            let Some(fields) = target.fields else { return Ok(None) };
            if fields.type_def().primitive().is_some() && step.name == "value" {
                return Ok(None);
            }
            let object = here.object();
            budget.walk(object.map_or(0, Object::len))?;
            let known = fields.element(&step.name);
            let named = fields.resolve_json_name(&step.name).map(|(element, _)| element);
            let element = known
                .or(named)
                .ok_or_else(|| Refusal::UnknownElement { name: step.name.clone(), inside: inside(fields) })?;
            let Some(object) = object else { return Ok(Some(Selected::Nothing)) };
            // A choice has one name for each type; the name of one type finds only that.
            let members = fields
                .json_names()
                .filter(|(name, other, _)| *other == element && (known.is_some() || *name == step.name));
            let mut found = Vec::new();
            for (member, _, type_ref) in members {
                for (index, item) in items(object, member).enumerate() {
                    budget.walk(1)?;
                    if item.is_there() {
                        found.push((member, type_ref, index, item));
                    }
                }
            }
            let chosen = match (step.index, found.as_slice()) {
                (Some(index), found) => found.get(index),
                (None, [one]) => Some(one),
                (None, []) => None,
                (None, several) => {
                    let is_last = std::ptr::eq(step, self.steps.last().unwrap_or(step));
                    return Ok(is_last.then_some(Selected::Several(several.len())));
                }
            };
            let Some((member, type_ref, index, item)) = chosen else { return Ok(Some(Selected::Nothing)) };
            let place = Place { beside: fields, element, type_ref: *type_ref };
            let index = matches!(
                object.get(member).or_else(|| object.get(&extra_name(member))),
                Some(Value::Array(_))
            )
            .then_some(*index);
            target.path.push(PathStep::new(element.name(), member, index));
            target.fields = place.inside(item.value);
            target.place = Some(place);
            here = *item;
        }
        Ok(Some(Selected::One(target)))
    }
}

impl PlainStep {
    /// `name` or `name[7]`.
    fn parse(text: &str) -> Option<Self> {
        let (name, index) = match text.strip_suffix(']') {
            Some(text) => {
                let (name, index) = text.split_once('[')?;
                let is_plain = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
                (name, Some(index.parse().ok().filter(|_| is_plain)?))
            }
            None => (text, None),
        };
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name.then(|| Self { name: name.to_owned(), index })
    }
}

/// An element on the way.
#[derive(Clone, Copy)]
struct Here<'t> {
    value: Option<&'t Value>,
    extra: Option<&'t Value>,
}

impl<'t> Here<'t> {
    fn is_there(&self) -> bool {
        self.value.is_some() || self.extra.is_some()
    }

    /// Where the elements inside it are.
    fn object(&self) -> Option<&'t Object> {
        match self.value {
            Some(Value::Object(object)) => Some(object),
            _ => self.extra.and_then(Value::as_object),
        }
    }
}

/// The items under a name, empty places included.
fn items<'t>(object: &'t Object, member: &str) -> impl Iterator<Item = Here<'t>> + use<'t> {
    let slice = |value: Option<&'t Value>| match value {
        None => &[],
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let values = slice(object.get(member));
    let extras = slice(object.get(&extra_name(member)));
    (0..values.len().max(extras.len())).map(|index| Here {
        value: values.get(index).filter(|value| !value.is_null()),
        extra: extras.get(index).filter(|extra| !extra.is_null()),
    })
}

/// The name of what has these fields.
pub(super) fn inside(fields: fhir_definitions::Fields) -> String {
    match fields.backbone() {
        Some(element) => element.path().to_string(),
        None => fields.type_def().name().to_owned(),
    }
}
