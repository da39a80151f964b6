//! Changes to the elements of an object, as JSON spells them: a primitive is a value and, beside it under the same
//! name with a leading `_`, the object with its id and extensions; in a list both are arrays of one length, with
//! `null` where an item has only the other part (FHIR, "JSON Representation of Resources").

use fhir_definitions::Fields;
use fhir_model::json::{Object, Value};

use crate::path::{ElementPath, PathStep};

/// One element: a value, and the id and extensions of a primitive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ElementBuf {
    pub(crate) value: Option<Value>,
    pub(crate) extra: Option<Value>,
}

impl From<Value> for ElementBuf {
    fn from(value: Value) -> Self {
        Self { value: Some(value), extra: None }
    }
}

/// The name under which JSON keeps id and extensions of a primitive.
pub(crate) fn extra_name(member: &str) -> String {
    format!("_{member}")
}

/// The object at the end of a path: the element itself, or the id and extensions of a primitive.
pub(crate) fn object_at<'t>(resource: &'t mut Value, steps: &[PathStep]) -> Option<&'t mut Object> {
    let mut object = resource.as_object_mut()?;
    for step in steps {
        object = step_into(object, step)?;
    }
    Some(object)
}

fn step_into<'t>(object: &'t mut Object, step: &PathStep) -> Option<&'t mut Object> {
    let is_in_value = matches!(item(object.get(&step.member), step.index), Some(Value::Object(_)));
    let name = if is_in_value { step.member.clone() } else { extra_name(&step.member) };
    let member = object.get_mut(&name)?;
    match (member, step.index) {
        (Value::Array(items), Some(index)) => items.get_mut(index)?.as_object_mut(),
        (one, None | Some(0)) => one.as_object_mut(),
        _ => None,
    }
}

fn item(member: Option<&Value>, index: Option<usize>) -> Option<&Value> {
    match (member?, index) {
        (Value::Array(items), Some(index)) => items.get(index),
        (Value::Array(_), None) => None,
        (one, None | Some(0)) => Some(one),
        _ => None,
    }
}

/// The same for an element that is to get something inside: a primitive without id and extensions gets room for them.
pub(crate) fn object_to_fill<'t>(resource: &'t mut Value, path: &ElementPath) -> Option<&'t mut Object> {
    let Some((last, above)) = path.steps().split_last() else { return resource.as_object_mut() };
    let object = object_at(resource, above)?;
    let is_object = matches!(item(object.get(&last.member), last.index), Some(Value::Object(_)));
    if !is_object {
        let extra = extra_name(&last.member);
        if item(object.get(&extra), last.index).is_none_or(Value::is_null) {
            let behind = object.position(&last.member).map_or(usize::MAX, |position| position + 1);
            put_extra(object, &extra, behind, last.index);
        }
    }
    step_into(object, last)
}

fn put_extra(object: &mut Object, extra: &str, behind: usize, index: Option<usize>) {
    let room = Value::Object(Object::new());
    let Some(index) = index else {
        object.insert_at(behind, extra, room);
        return;
    };
    if !matches!(object.get(extra), Some(Value::Array(_))) {
        object.insert_at(behind, extra, Value::Array(Vec::new()));
    }
    if let Some(Value::Array(extras)) = object.get_mut(extra) {
        pad(extras, index + 1);
        if let Some(place) = extras.get_mut(index) {
            *place = room;
        }
    }
}

fn pad(items: &mut Vec<Value>, len: usize) {
    if items.len() < len {
        items.resize(len, Value::Null);
    }
}

/// The number of items under a name. What should be a list and is none counts as one item.
pub(crate) fn len(object: &Object, member: &str) -> usize {
    let count = |value: Option<&Value>| match value {
        None => 0,
        Some(Value::Array(items)) => items.len(),
        Some(_) => 1,
    };
    count(object.get(member)).max(count(object.get(&extra_name(member))))
}

/// Where a new member belongs: behind the last of those that the definition puts before it.
fn slot(object: &Object, fields: Fields, member: &str) -> usize {
    let key = |name: &str| match name.strip_prefix('_') {
        Some(plain) => fields.position(plain).map(|position| (position, 1)),
        None => fields.position(name).map(|position| (position, 0)),
    };
    let Some(wanted) = key(member) else { return object.len() };
    let before =
        object.names().rposition(|name| name == "resourceType" || key(name).is_some_and(|key| key < wanted));
    before.map_or(0, |position| position + 1)
}

/// Sets or removes a member; a new one goes where it belongs.
pub(crate) fn set(object: &mut Object, fields: Fields, member: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            let slot = slot(object, fields, member);
            object.insert_at(slot, member, value);
        }
        None => drop(object.remove(member)),
    }
}

/// Sets an element that does not repeat.
pub(crate) fn set_single(object: &mut Object, fields: Fields, member: &str, element: ElementBuf) {
    set(object, fields, member, element.value);
    set(object, fields, &extra_name(member), element.extra);
}

/// The two arrays of a list while it is changed: values, and ids and extensions of primitives.
struct Lists {
    values: Vec<Value>,
    extras: Vec<Value>,
}

impl Lists {
    /// Takes the arrays out and leaves their members in place.
    fn take(object: &mut Object, member: &str) -> Self {
        let mut take = |name: &str| match object.get_mut(name).map(std::mem::take) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![one],
        };
        let mut lists = Self { values: take(member), extras: take(&extra_name(member)) };
        let len = lists.len();
        pad(&mut lists.values, len);
        lists
    }

    fn len(&self) -> usize {
        self.values.len().max(self.extras.len())
    }

    /// Puts the arrays back; one that says nothing disappears.
    fn put(mut self, object: &mut Object, fields: Option<Fields>, member: &str) {
        let len = self.len();
        let mut put = |name: &str, items: Vec<Value>| {
            if items.iter().all(Value::is_null) {
                object.remove(name);
            } else if let Some(fields) = fields {
                set(object, fields, name, Some(Value::Array(items)));
            } else {
                object.insert(name, Value::Array(items));
            }
        };
        if !self.extras.is_empty() {
            pad(&mut self.extras, len);
        }
        put(member, self.values);
        put(&extra_name(member), self.extras);
    }
}

/// Inserts an item into a list, which comes to be if there is none. An index beyond the end counts as the end.
pub(crate) fn insert_item(
    object: &mut Object,
    fields: Fields,
    member: &str,
    index: usize,
    element: ElementBuf,
) {
    let mut lists = Lists::take(object, member);
    let len = lists.len();
    let index = index.min(len);
    if element.extra.is_some() || !lists.extras.is_empty() {
        pad(&mut lists.extras, len);
        lists.extras.insert(index, element.extra.unwrap_or_default());
    }
    lists.values.insert(index, element.value.unwrap_or_default());
    lists.put(object, Some(fields), member);
}

/// Puts another item in the place of one.
pub(crate) fn replace_item(
    object: &mut Object,
    fields: Fields,
    member: &str,
    index: usize,
    element: ElementBuf,
) {
    let mut lists = Lists::take(object, member);
    if element.extra.is_some() {
        let len = lists.len();
        pad(&mut lists.extras, len);
    }
    if let Some(place) = lists.values.get_mut(index) {
        *place = element.value.unwrap_or_default();
    }
    if let Some(place) = lists.extras.get_mut(index) {
        *place = element.extra.unwrap_or_default();
    }
    lists.put(object, Some(fields), member);
}

/// Removes an item, and with the last one the list.
pub(crate) fn remove_item(object: &mut Object, member: &str, index: usize) {
    let mut lists = Lists::take(object, member);
    for items in [&mut lists.values, &mut lists.extras] {
        if index < items.len() {
            items.remove(index);
        }
    }
    lists.put(object, None, member);
}

/// Moves an item to the place that it has once it was taken out. Both indexes are below the length.
pub(crate) fn move_item(object: &mut Object, member: &str, source: usize, destination: usize) {
    let mut lists = Lists::take(object, member);
    let len = lists.len();
    if !lists.extras.is_empty() {
        pad(&mut lists.extras, len);
    }
    for items in [&mut lists.values, &mut lists.extras] {
        if source < items.len() && destination < items.len() {
            let item = items.remove(source);
            items.insert(destination, item);
        }
    }
    lists.put(object, None, member);
}

/// Removes an element at a path, and then every element around it that is left empty, but not the resource.
pub(crate) fn remove_at(resource: &mut Value, path: &ElementPath) {
    let mut steps = path.steps();
    while let Some((last, above)) = steps.split_last() {
        let Some(object) = object_at(resource, above) else { return };
        if steps.len() == path.steps().len() || is_empty_at(object, last) {
            remove_step(object, last);
        } else if is_empty_item(object.get(&extra_name(&last.member)), last.index) {
            clear_extra(object, last);
        }
        if !object.is_empty() {
            return;
        }
        steps = above;
    }
}

fn remove_step(object: &mut Object, step: &PathStep) {
    match step.index {
        Some(index) => remove_item(object, &step.member, index),
        None => {
            object.remove(&step.member);
            object.remove(&extra_name(&step.member));
        }
    }
}

fn is_empty_item(member: Option<&Value>, index: Option<usize>) -> bool {
    matches!(item(member, index), Some(Value::Object(object)) if object.is_empty())
}

/// Whether nothing is left of an element: an object without members, or an empty extra without a value.
fn is_empty_at(object: &Object, step: &PathStep) -> bool {
    let value = item(object.get(&step.member), step.index).filter(|value| !value.is_null());
    match value {
        Some(Value::Object(inside)) => inside.is_empty(),
        Some(_) => false,
        None => is_empty_item(object.get(&extra_name(&step.member)), step.index),
    }
}

/// Drops the empty object that is left of the id and extensions of a primitive which has a value.
fn clear_extra(object: &mut Object, step: &PathStep) {
    let Some(index) = step.index else {
        object.remove(&extra_name(&step.member));
        return;
    };
    let mut lists = Lists::take(object, &step.member);
    if let Some(place) = lists.extras.get_mut(index) {
        *place = Value::Null;
    }
    lists.put(object, None, &step.member);
}

#[cfg(test)]
mod tests;
