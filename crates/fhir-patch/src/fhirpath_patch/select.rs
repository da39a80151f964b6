//! From a path to the elements that it gives.

use std::fmt;

use fhir_definitions::{Definitions, ElementDef, Fields, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};
use fhirpath::{
    CheckError, Element, Environment, Expression, Item, Limits as EvaluationLimits, Location, ParseError,
};

use super::error::FhirPathPatchRefusal as Refusal;
use crate::edit::{extra_name, len};
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
        let mut here = Some(Here { value: Some(resource), extra: None });
        let mut target =
            Target { path: ElementPath::of_resource(resource), place: None, fields: start.fields() };
        for (place, step) in self.steps.iter().enumerate() {
            let Some(fields) = target.fields else {
                // Behind what is missing and could be of any type, every name is as good.
                return Ok(here.is_none().then_some(Selected::Nothing));
            };
            if fields.type_def().primitive().is_some() && step.name == "value" {
                return Ok(None);
            }
            let known = Known::of(fields, &step.name)?;
            let found = match here.and_then(|here| here.object()) {
                Some(object) => known.items(object, budget)?,
                None => Vec::new(),
            };
            let chosen = match (step.index, found.as_slice()) {
                (Some(index), found) => found.get(index),
                (None, [one]) => Some(one),
                (None, []) => None,
                (None, several) => {
                    let is_last = place + 1 == self.steps.len();
                    return Ok(is_last.then_some(Selected::Several(several.len())));
                }
            };
            let Some(found) = chosen else {
                (here, target.fields) = (None, known.only_fields());
                continue;
            };
            let place = Place { beside: fields, element: known.element, type_ref: found.type_ref };
            target.path.push(PathStep::new(known.element.name(), found.member, found.index));
            target.fields = place.inside(found.item.value);
            target.place = Some(place);
            here = Some(found.item);
        }
        Ok(Some(if here.is_some() { Selected::One(target) } else { Selected::Nothing }))
    }
}

/// What a name means in some place.
struct Known {
    fields: Fields,
    element: ElementDef,
    /// The member, if the name is that of one type of a choice.
    only: Option<&'static str>,
}

/// An item found under a name.
struct FoundItem<'t> {
    member: &'static str,
    type_ref: TypeRef,
    index: Option<usize>,
    item: Here<'t>,
}

impl Known {
    fn of(fields: Fields, name: &str) -> Result<Self, Refusal> {
        if let Some(element) = fields.element(name) {
            return Ok(Self { fields, element, only: None });
        }
        let found = fields.json_names().find(|(member, ..)| *member == name);
        let unknown = || Refusal::UnknownElement { name: name.to_owned(), inside: inside(fields) };
        let (member, element, _) = found.ok_or_else(unknown)?;
        Ok(Self { fields, element, only: Some(member) })
    }

    fn members(&self) -> impl Iterator<Item = (&'static str, TypeRef)> {
        let names = self.fields.json_names().filter(|(_, element, _)| *element == self.element);
        names
            .filter(|(member, ..)| self.only.is_none_or(|only| only == *member))
            .map(|(member, _, type_ref)| (member, type_ref))
    }

    /// What may stand inside, if that does not depend on what is there.
    fn only_fields(&self) -> Option<Fields> {
        let mut members = self.members();
        let (first, second) = (members.next(), members.next());
        let (_, type_ref) = first.filter(|_| second.is_none())?;
        Place { beside: self.fields, element: self.element, type_ref }.inside(None)
    }

    fn items<'t>(&self, object: &'t Object, budget: &mut Budget) -> Result<Vec<FoundItem<'t>>, Refusal> {
        budget.walk(object.len())?;
        let mut found = Vec::new();
        for (member, type_ref) in self.members() {
            let is_array = [member, &extra_name(member)]
                .into_iter()
                .any(|name| matches!(object.get(name), Some(Value::Array(_))));
            budget.walk(len(object, member))?;
            for (index, item) in items(object, member).enumerate() {
                if item.is_there() {
                    found.push(FoundItem { member, type_ref, index: is_array.then_some(index), item });
                }
            }
        }
        Ok(found)
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
pub(super) fn inside(fields: Fields) -> String {
    match fields.backbone() {
        Some(element) => element.path().to_string(),
        None => fields.type_def().name().to_owned(),
    }
}
