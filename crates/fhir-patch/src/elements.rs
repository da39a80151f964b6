//! The elements inside an object, as the definitions see the members of JSON: `valueString` and `_valueString` are
//! the element `value`, an array is several items of one element.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use fhir_definitions::{ElementDef, Fields, TypeRef};
use fhir_model::json::{Object, Value};

use crate::edit::ElementBuf;

/// One item of an element: a value, and the id and extensions of a primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ElementRef<'t> {
    pub(crate) value: Option<&'t Value>,
    pub(crate) extra: Option<&'t Value>,
}

/// An element of one object with all its items.
#[derive(Debug, Clone)]
pub(crate) struct Side<'t> {
    /// The JSON member without `_`.
    pub(crate) member: &'t str,
    /// Of which type; none if it is not known.
    pub(crate) type_ref: Option<TypeRef>,
    /// Whether JSON writes an array.
    pub(crate) is_array: bool,
    pub(crate) items: Vec<ElementRef<'t>>,
    /// Other names that it stands under as well, as a choice must not; their items follow those of the first.
    pub(crate) more: Vec<&'t str>,
}

/// What to call an element of two or three objects, and what it is in each of them.
#[derive(Debug, Clone)]
pub(crate) struct Row<'t, const SIDES: usize> {
    /// The name in paths.
    pub(crate) name: &'t str,
    /// What it is; none if it is not known.
    pub(crate) element: Option<ElementDef>,
    pub(crate) sides: [Option<Side<'t>>; SIDES],
}

impl<'t> ElementRef<'t> {
    pub(crate) fn to_buf(self) -> ElementBuf {
        ElementBuf { value: self.value.cloned(), extra: self.extra.cloned() }
    }

    /// The object that the value is.
    pub(crate) fn object(self) -> Option<&'t Object> {
        self.value.and_then(Value::as_object)
    }

    /// The id that somebody gave it (`Element.id`, `Resource.id`).
    pub(crate) fn id(self) -> Option<&'t str> {
        self.value.and_then(Value::as_object).or(self.extra.and_then(Value::as_object))?.get("id")?.as_str()
    }

    /// A number that is the same for equal items, and nearly always differs for others.
    pub(crate) fn fingerprint(self) -> u64 {
        hashed(&(self.value.map(fingerprint), self.extra.map(fingerprint)))
    }
}

impl Side<'_> {
    /// Whether both are the same, apart from `null`s that say nothing.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.member == other.member
            && self.is_array == other.is_array
            && self.items == other.items
            && self.more == other.more
    }
}

/// The elements of some objects side by side, in the order of the definition; unknown ones last.
pub(crate) fn rows<'t, const SIDES: usize>(
    objects: [&'t Object; SIDES],
    fields: Option<Fields>,
) -> Vec<Row<'t, SIDES>> {
    let mut rows: BTreeMap<(u16, &'t str), Row<'t, SIDES>> = BTreeMap::new();
    for (index, object) in objects.into_iter().enumerate() {
        for side in sides(object, fields) {
            let known = fields.and_then(|fields| {
                let (element, _) = fields.resolve_json_name(side.member)?;
                Some((fields.position(element.name())?, element))
            });
            let (key, name, element) = match known {
                Some((position, element)) => ((position, ""), element.name(), Some(element)),
                None => ((u16::MAX, side.member), side.member, None),
            };
            let row = rows.entry(key).or_insert_with(|| Row {
                name,
                element,
                sides: std::array::from_fn(|_| None),
            });
            if let Some(place) = row.sides.get_mut(index) {
                match place {
                    Some(first) => {
                        first.more.push(side.member);
                        first.items.extend(side.items);
                    }
                    None => *place = Some(side),
                }
            }
        }
    }
    rows.into_values().collect()
}

/// The elements of one object, by name.
fn sides(object: &Object, fields: Option<Fields>) -> Vec<Side<'_>> {
    let mut members: Vec<(&str, bool, &Value)> = object
        .iter()
        .filter(|(name, _)| *name != "resourceType")
        .map(|(name, value)| match name.strip_prefix('_') {
            Some(plain) => (plain, true, value),
            None => (name, false, value),
        })
        .collect();
    // Values come before what stands beside them.
    members.sort_by_key(|(name, is_extra, _)| (*name, *is_extra));
    let mut sides: Vec<Side<'_>> = Vec::with_capacity(members.len());
    let mut rest = members.as_slice();
    while let [(member, is_extra, first), others @ ..] = rest {
        let both = matches!(others, [(other, true, _), ..] if other == member && !is_extra);
        let second = others.first().filter(|_| both).map(|(_, _, value)| *value);
        let (value, extra) = if *is_extra { (None, Some(*first)) } else { (Some(*first), second) };
        sides.push(Side {
            member,
            type_ref: fields
                .and_then(|fields| fields.resolve_json_name(member))
                .map(|(_, type_ref)| type_ref),
            is_array: [value, extra].into_iter().flatten().any(|value| value.as_array().is_some()),
            items: items(value, extra),
            more: Vec::new(),
        });
        rest = others.get(usize::from(both)..).unwrap_or_default();
    }
    sides
}

fn items<'t>(value: Option<&'t Value>, extra: Option<&'t Value>) -> Vec<ElementRef<'t>> {
    let slice = |value: Option<&'t Value>| match value {
        None => &[],
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let (values, extras) = (slice(value), slice(extra));
    let place = |items: &'t [Value], index| items.get(index).filter(|item: &&Value| !item.is_null());
    (0..values.len().max(extras.len()))
        .map(|index| ElementRef { value: place(values, index), extra: place(extras, index) })
        .collect()
}

/// Whether items of one of two lists of the same length stand elsewhere in the other, so that a place does not tell
/// which item is which.
pub(crate) fn is_reordered(old: &[ElementRef<'_>], new: &[ElementRef<'_>]) -> bool {
    if old.len() == 1 {
        return false;
    }
    let changed = || old.iter().zip(new).filter(|(old, new)| old != new);
    if changed().next().is_none() {
        return false;
    }
    let known: BTreeSet<u64> = old.iter().map(|item| item.fingerprint()).collect();
    let ids: BTreeSet<&str> = old.iter().filter_map(|item| item.id()).collect();
    changed().any(|(old, new)| {
        known.contains(&new.fingerprint())
            || (old.id() != new.id() && new.id().is_some_and(|id| ids.contains(id)))
    })
}

fn hashed(value: &impl Hash) -> u64 {
    // This hasher has fixed keys: the same input gives the same number in every run.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The same for equal values, whatever the order of members.
pub(crate) fn fingerprint(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(value) => hashed(&(1, value)),
        Value::Number(number) => hashed(&(2, number)),
        Value::String(text) => hashed(&(3, text.as_str())),
        Value::Array(items) => hashed(&(4, items.iter().map(fingerprint).collect::<Vec<_>>())),
        Value::Object(object) => {
            let members = object.iter().map(|(name, value)| hashed(&(name, fingerprint(value))));
            hashed(&(5, object.len(), members.fold(0, u64::wrapping_add)))
        }
    }
}

/// A copy without what the server writes into every version (`meta.versionId`, `meta.lastUpdated`).
pub(crate) fn without_version_meta(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(object) = resource.as_object_mut()
        && let Some(Value::Object(meta)) = object.get_mut("meta")
    {
        meta.retain(|name, _| !matches!(name, "versionId" | "lastUpdated"));
        if meta.is_empty() {
            object.remove("meta");
        }
    }
    resource
}
