//! Values made to fit the element that they are for.

use fhir_definitions::{ElementDef, Fields, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Kind, Object, Value};

use super::coerce::{convert, is_accepted, is_close};
use super::error::FhirPathPatchRefusal as Refusal;
use super::select::inside;
use super::value::{PatchValue, TypedValue};
use crate::edit::{ElementBuf, insert_item, len, set_single};
use crate::path::is_open_resource;

/// A value that fits an element, and the JSON member that it goes into.
pub(super) struct Fitted {
    pub(super) member: &'static str,
    pub(super) element: ElementBuf,
}

/// The element of that name: `value`, `valueQuantity`, or `value[x]` as definitions write it. The second is the
/// member, where the name tells the type of a choice.
pub(super) fn named(fields: Fields, name: &str) -> Result<(ElementDef, Option<&'static str>), Refusal> {
    let name = name.strip_suffix("[x]").unwrap_or(name);
    let unknown = || Refusal::UnknownElement { name: name.to_owned(), inside: inside(fields) };
    if fields.type_def().primitive().is_some() && name == "value" {
        // The value of a primitive is the primitive itself.
        return Err(unknown());
    }
    if let Some(element) = fields.element(name) {
        return Ok((element, None));
    }
    let found = fields.json_names().find(|(member, ..)| *member == name);
    let (member, element, _) =
        found.ok_or_else(|| Refusal::UnknownElement { name: name.to_owned(), inside: inside(fields) })?;
    Ok((element, Some(member)))
}

/// The names under which JSON may hold an element.
pub(super) fn members(fields: Fields, element: ElementDef) -> impl Iterator<Item = (&'static str, TypeRef)> {
    fields
        .json_names()
        .filter(move |(_, other, _)| *other == element)
        .map(|(member, _, type_ref)| (member, type_ref))
}

/// Makes a value fit an element; `only` is the member if its name was given with a type.
pub(super) fn fit(
    value: &PatchValue,
    fields: Fields,
    element: ElementDef,
    only: Option<&str>,
) -> Result<Fitted, Refusal> {
    let allowed: Vec<(&'static str, TypeRef)> =
        members(fields, element).filter(|(member, _)| only.is_none_or(|only| only == *member)).collect();
    let wrong = || Refusal::WrongType { expected: types_text(&allowed), found: value.type_name() };
    let (member, type_ref) = choose(value, element, &allowed).ok_or_else(wrong)?;
    let type_def = type_ref.type_def();
    let element = match value {
        PatchValue::Typed(typed) => fit_typed(typed, type_def)?,
        PatchValue::Resource(resource, _) => resource.clone().into(),
        PatchValue::Parts(parts) => build(parts, element.fields_as(type_ref))?.into(),
    };
    Ok(Fitted { member, element })
}

fn types_text(allowed: &[(&str, TypeRef)]) -> String {
    let names: Vec<&str> = allowed.iter().take(8).map(|(_, type_ref)| type_ref.name()).collect();
    names.join(" or ") + if allowed.len() > 8 { " or .." } else { "" }
}

/// The one among the types of an element that a value is for.
fn choose(
    value: &PatchValue,
    element: ElementDef,
    allowed: &[(&'static str, TypeRef)],
) -> Option<(&'static str, TypeRef)> {
    let one = |accepts: &dyn Fn(TypeRef) -> bool| {
        let mut found = allowed.iter().filter(|(_, type_ref)| accepts(*type_ref));
        match (found.next(), found.next()) {
            (Some(one), None) => Some(*one),
            _ => None,
        }
    };
    match value {
        PatchValue::Typed(typed) => {
            let given = typed.type_def;
            let exact = allowed.iter().find(|(_, type_ref)| type_ref.type_def() == given).copied();
            // What a choice leaves open, a value of another type cannot decide, unless only one is close.
            exact
                .or_else(|| one(&|type_ref| is_close(given, type_ref.type_def())))
                .or_else(|| one(&|_| true).filter(|(_, type_ref)| is_accepted(given, type_ref.type_def())))
        }
        PatchValue::Resource(_, given) => one(&|type_ref| {
            let wanted = type_ref.type_def();
            wanted.kind() == TypeKind::Resource && given.is_a(wanted)
        }),
        PatchValue::Parts(_) => one(&|type_ref| {
            let wanted = type_ref.type_def();
            let is_open = is_open_resource(wanted, element.fields_as(type_ref));
            wanted.kind() == TypeKind::Complex && !is_open
        }),
    }
}

fn fit_typed(typed: &TypedValue, wanted: TypeDef) -> Result<ElementBuf, Refusal> {
    let bad = |found: &Value| Refusal::BadValue { expected: wanted.name(), found: shown(found) };
    if wanted.kind() == TypeKind::Complex {
        return match (&typed.value, &typed.extra) {
            (Some(value @ Value::Object(_)), None) => Ok(value.clone().into()),
            (Some(other), _) | (None, Some(other)) => Err(bad(other)),
            (None, None) => Err(bad(&Value::Null)),
        };
    }
    let value = match &typed.value {
        None | Some(Value::Null) => None,
        Some(value) => Some(convert(value, typed.type_def, wanted).ok_or_else(|| bad(value))?),
    };
    let extra = match &typed.extra {
        None | Some(Value::Null) => None,
        // A bare text has neither id nor extensions.
        Some(extra) if extra.kind() != Kind::Object || wanted.kind() == TypeKind::System => {
            return Err(bad(extra));
        }
        Some(extra) => Some(extra.clone()),
    };
    if value.is_none() && extra.is_none() {
        return Err(bad(&Value::Null));
    }
    Ok(ElementBuf { value, extra })
}

/// A value as a sentence shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(64).collect(),
        Value::Array(_) | Value::Object(_) => value.kind().to_string(),
        other => other.to_string().chars().take(64).collect(),
    }
}

/// A value put together from its parts.
fn build(parts: &[(String, PatchValue)], fields: Fields) -> Result<Value, Refusal> {
    let mut object = Object::new();
    for (name, value) in parts {
        let (element, only) = named(fields, name)?;
        let fitted = fit(value, fields, element, only)?;
        if element.is_list() {
            let end = len(&object, fitted.member);
            insert_item(&mut object, fields, fitted.member, end, fitted.element);
        } else if members(fields, element).any(|(member, _)| len(&object, member) > 0) {
            return Err(Refusal::Repeated { name: name.clone() });
        } else {
            set_single(&mut object, fields, fitted.member, fitted.element);
        }
    }
    Ok(Value::Object(object))
}
