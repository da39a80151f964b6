//! From an element to the elements inside it.

use std::collections::BTreeMap;

use fhir_definitions::{ElementDef, Fields, TypeDef, TypeKind};
use fhir_model::json::{Object, Value};

use crate::item::{Element, Item};
use crate::system::System;

impl<'a> Element<'a> {
    /// Whether a path may begin with this name to mean this element: `Patient`, or a base such as `Resource`.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        match self.type_def() {
            Some(found) => found.lineage().any(|base| base.name() == name),
            None => {
                self.value().and_then(|value| value.get("resourceType")).and_then(Value::as_str) == Some(name)
            }
        }
    }

    /// Appends the elements of that name inside this one. A choice is named without its type (`value`); the name as
    /// written in JSON (`valueQuantity`) is understood too.
    pub(crate) fn members(&self, name: &str, out: &mut Vec<Item<'a>>) {
        match (self.value(), self.fields()) {
            (Some(Value::Object(object)), Some(fields)) => typed_members(object, fields, name, out),
            (Some(Value::Object(object)), None) if name != "resourceType" => {
                let (value, extra) = find(object, name);
                append(value, extra, None, out);
            }
            (Some(Value::Object(_)), None) => {}
            (value, fields) => {
                if let Some(Value::Object(extra)) = self.extra() {
                    match fields {
                        Some(fields) => typed_members(extra, fields, name, out),
                        None => append(extra.get(name), None, None, out),
                    }
                }
                if name == "value" && value.is_some() {
                    out.extend(self.system().map(Item::Value));
                }
            }
        }
    }

    /// Appends every element inside this one, in the order of the document; primitives without value come last.
    pub(crate) fn children(&self, out: &mut Vec<Item<'a>>) {
        let ((Some(Value::Object(object)), _) | (_, Some(Value::Object(object)))) =
            (self.value(), self.extra())
        else {
            return;
        };
        // Most objects have no member with a `_`; those that have many must not make this quadratic.
        let beside = |(name, value): (&'a str, &'a Value)| Some((name.strip_prefix('_')?, value));
        let mut extras: BTreeMap<&str, &Value> = object.iter().filter_map(beside).collect();
        for (name, value) in
            object.iter().filter(|(name, _)| !name.starts_with('_') && *name != "resourceType")
        {
            append(Some(value), extras.remove(name), self.fields_of(name), out);
        }
        // What is left has extensions and no value.
        for (name, _) in object.iter().filter_map(beside) {
            if let Some(extra) = extras.remove(name) {
                append(None, Some(extra), self.fields_of(name), out);
            }
        }
    }

    /// What may stand inside the member of this name.
    fn fields_of(&self, name: &str) -> Option<Fields> {
        let (element, type_ref) = self.fields()?.resolve_json_name(name)?;
        Some(element.fields_as(type_ref))
    }

    /// How many members a step has to look through.
    pub(crate) fn width(&self) -> usize {
        let object = self.value().and_then(Value::as_object).or_else(|| self.extra()?.as_object());
        object.map_or(0, Object::len)
    }
}

fn typed_members<'a>(object: &'a Object, fields: Fields, name: &str, out: &mut Vec<Item<'a>>) {
    match fields.element(name) {
        Some(element) if element.is_choice() => choice_members(object, fields, element, name, out),
        Some(element) => {
            let inside = element.types().next().map(|type_ref| element.fields_as(type_ref));
            let (value, extra) = find(object, name);
            append(value, extra, inside, out);
        }
        // The name as written in JSON, of a choice or of something that the definitions do not know.
        None if name != "resourceType" => {
            let known = fields.resolve_json_name(name);
            let (value, extra) = find(object, name);
            append(value, extra, known.map(|(element, type_ref)| element.fields_as(type_ref)), out);
        }
        None => {}
    }
}

/// The members that spell the choice `name` with one of its types.
fn choice_members<'a>(
    object: &'a Object,
    fields: Fields,
    choice: ElementDef,
    name: &str,
    out: &mut Vec<Item<'a>>,
) {
    for (member, value) in object.iter() {
        let plain = member.strip_prefix('_').unwrap_or(member);
        if plain.len() <= name.len() || !plain.starts_with(name) {
            continue;
        }
        let Some((element, type_ref)) = fields.resolve_json_name(plain) else { continue };
        if element != choice {
            continue;
        }
        let inside = Some(element.fields_as(type_ref));
        if plain == member {
            append(Some(value), extra_of(object, plain, inside), inside, out);
        } else if !object.contains(plain) {
            append(None, Some(value), inside, out);
        }
    }
}

/// The member of that name, and the one with a leading `_`.
fn find<'a>(object: &'a Object, name: &str) -> (Option<&'a Value>, Option<&'a Value>) {
    let (mut found, mut extra) = (None, None);
    for (member, value) in object.iter() {
        if member == name {
            found = Some(value);
        } else if member.strip_prefix('_') == Some(name) {
            extra = Some(value);
        }
    }
    (found, extra)
}

/// The member with a leading `_`, where one may stand.
fn extra_of<'a>(object: &'a Object, name: &str, fields: Option<Fields>) -> Option<&'a Value> {
    let may_have = fields.is_none_or(|fields| matches!(fields.type_def().kind(), TypeKind::Primitive(_)));
    let mut members = object.iter().filter(|_| may_have);
    members.find(|(member, _)| member.strip_prefix('_') == Some(name)).map(|(_, value)| value)
}

/// Appends the elements that a member holds: one, or one for each place of an array. `null` holds the place of a
/// primitive that has only extensions.
fn append<'a>(
    value: Option<&'a Value>,
    extra: Option<&'a Value>,
    fields: Option<Fields>,
    out: &mut Vec<Item<'a>>,
) {
    let extras = match extra {
        Some(Value::Array(extras)) => extras.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let values = match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for place in 0..values.len().max(extras.len()) {
        let value = values.get(place).filter(|value| !value.is_null());
        let extra = extras.get(place).filter(|extra| !extra.is_null());
        out.extend(element(value, extra, fields).map(Item::Element));
    }
}

fn element<'a>(
    value: Option<&'a Value>,
    extra: Option<&'a Value>,
    fields: Option<Fields>,
) -> Option<Element<'a>> {
    if value.is_none() && extra.is_none() {
        return None;
    }
    Some(match (value, fields) {
        // A place for any resource: the resource says which type it is.
        (Some(value), Some(place)) if is_open_resource(place) => {
            Element::resource(value, place.type_def().definitions())
        }
        (_, Some(place)) => Element::new(value, extra, place),
        (_, None) => Element::untyped(value, extra),
    })
}

fn is_open_resource(place: Fields) -> bool {
    let found: TypeDef = place.type_def();
    place.backbone().is_none() && found.kind() == TypeKind::Resource && found.is_abstract()
}

impl Item<'_> {
    /// Appends what a member step gives.
    pub(crate) fn members(&self, name: &str, out: &mut Vec<Self>) {
        match self {
            Self::Element(element) => element.members(name, out),
            Self::Type(info) if name == "name" => out.push(Self::Value(System::String(info.name.into()))),
            Self::Type(info) if name == "namespace" => {
                out.push(Self::Value(System::String(info.namespace.into())));
            }
            Self::Type(_) | Self::Value(_) => {}
        }
    }
}
