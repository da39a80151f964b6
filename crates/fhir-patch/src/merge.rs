//! Two changes of one version, merged if they have nothing to do with each other.

use std::fmt;

use fhir_definitions::{Definitions, Fields, TypeKind};
use fhir_model::json::{Object, Value};
use fhirpath::Element;

use crate::edit::{extra_name, replace_item, set, set_single};
use crate::elements::{ElementRef, Row, Side, is_reordered, rows, without_version_meta};
use crate::path::{ElementPath, PathStep, Place};

/// The elements that both changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The elements, in the order of the definitions; at least one.
    pub paths: Vec<ElementPath>,
}

/// Merges two changes of one version: `theirs`, which was committed, and `mine`, which was to be.
///
/// Each element that only one of the two changed is taken from that one. Nothing is merged if an element was changed
/// by both, even to the same value: two clients that both add a dose have added two. Elements are looked at one by one
/// in resources and their backbone elements, and in `meta`; a value of any other data type is one element, because
/// its parts mean nothing alone: a quantity must not get its number from one client and its unit from the other. So
/// is an item of a list that has no id to tell that it still is the same; and a list as a whole if one of the two
/// added, removed or moved items.
///
/// The result has no version meta (`meta.versionId`, `meta.lastUpdated`), which is the server's, and new members
/// stand where the definition has them.
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::object;
/// use fhir_patch::merge;
///
/// let r4 = Definitions::of(FhirVersion::R4);
/// let base = object! { "resourceType": "Patient", "active": true, "gender": "unknown" }.into();
/// let theirs = object! { "resourceType": "Patient", "active": true, "gender": "female" }.into();
/// let mine = object! { "resourceType": "Patient", "gender": "unknown", "birthDate": "1815" }.into();
/// assert_eq!(
///     merge(&base, &theirs, &mine, r4).unwrap().to_string(),
///     r#"{"resourceType":"Patient","gender":"female","birthDate":"1815"}"#,
/// );
///
/// let mine = object! { "resourceType": "Patient", "active": true, "gender": "male" }.into();
/// let overlap = merge(&base, &theirs, &mine, r4).unwrap_err();
/// assert_eq!(overlap.to_string(), "both changed Patient.gender");
/// ```
pub fn merge(base: &Value, theirs: &Value, mine: &Value, definitions: Definitions) -> Result<Value, Overlap> {
    let [base, theirs, mine] = [base, theirs, mine].map(without_version_meta);
    let path = ElementPath::of_resource(&theirs);
    let is_one_type =
        [&base, &mine].iter().all(|other| other.get("resourceType") == theirs.get("resourceType"));
    let (Some(before), Some(committed), Some(wanted), true) =
        (base.as_object(), theirs.as_object(), mine.as_object(), is_one_type)
    else {
        return Err(Overlap { paths: vec![path] });
    };
    let mut merging = Merging { path, overlaps: Vec::new() };
    let fields = Element::resource(&theirs, definitions).fields();
    let merged = merging.object([before, committed, wanted], fields);
    if merging.overlaps.is_empty() { Ok(merged.into()) } else { Err(Overlap { paths: merging.overlaps }) }
}

struct Merging {
    path: ElementPath,
    overlaps: Vec<ElementPath>,
}

/// Who changed something.
enum Changed {
    Nobody,
    They,
    I,
    Both,
}

impl Changed {
    fn of<T>(base: &T, theirs: &T, mine: &T, is_same: impl Fn(&T, &T) -> bool) -> Self {
        match (is_same(base, theirs), is_same(base, mine)) {
            (true, true) => Self::Nobody,
            (false, true) => Self::They,
            (true, false) => Self::I,
            (false, false) => Self::Both,
        }
    }
}

impl Merging {
    /// What they have, with what I changed.
    fn object(&mut self, [base, theirs, mine]: [&Object; 3], fields: Option<Fields>) -> Object {
        let mut merged = theirs.clone();
        for row in rows([base, theirs, mine], fields) {
            let [before, committed, wanted] = &row.sides;
            let is_ambiguous = row.sides.iter().flatten().any(|side| !side.more.is_empty());
            match Changed::of(before, committed, wanted, is_same_side) {
                Changed::Nobody | Changed::They => {}
                Changed::I if is_ambiguous => self.overlap(PathStep::new(row.name, row.name, None)),
                Changed::I => take(&mut merged, fields, committed.as_ref(), wanted.as_ref(), mine),
                Changed::Both => self.both(&mut merged, &row, fields),
            }
        }
        merged
    }

    fn overlap(&mut self, step: PathStep) {
        self.overlaps.push(self.path.child(step));
    }

    /// An element that both changed: perhaps in different places.
    fn both(&mut self, merged: &mut Object, row: &Row<'_, 3>, fields: Option<Fields>) {
        let named = row.sides.iter().flatten().next().map_or(row.name, |side| side.member);
        let whole = PathStep::new(row.name, named, None);
        let ([Some(base), Some(theirs), Some(mine)], Some(fields)) = (&row.sides, fields) else {
            return self.overlap(whole);
        };
        let is_one_name =
            [base, theirs, mine].iter().all(|side| side.member == base.member && side.more.is_empty());
        let Some(place) = Place::of(Some(fields), row.element, theirs.type_ref).filter(|_| is_one_name)
        else {
            return self.overlap(whole);
        };
        let in_place =
            |side: &Side<'_>| side.items.len() == base.items.len() && !is_reordered(&base.items, &side.items);
        if [theirs, mine].into_iter().any(|side| side.is_array != base.is_array || !in_place(side)) {
            return self.overlap(whole);
        }
        for (index, base_item) in base.items.iter().enumerate() {
            let (Some(committed), Some(wanted)) = (theirs.items.get(index), mine.items.get(index)) else {
                continue;
            };
            let step = PathStep::new(row.name, base.member, base.is_array.then_some(index));
            let element = match Changed::of(base_item, committed, wanted, PartialEq::eq) {
                Changed::Nobody | Changed::They => continue,
                Changed::I => wanted.to_buf(),
                Changed::Both => match self.inside([*base_item, *committed, *wanted], step, place) {
                    Some(value) => value.into(),
                    None => continue,
                },
            };
            if base.is_array {
                replace_item(merged, fields, base.member, index, element);
            } else {
                set_single(merged, fields, base.member, element);
            }
        }
    }

    /// An item that both changed. None, and an overlap, if it is one thing.
    fn inside(&mut self, items: [ElementRef<'_>; 3], step: PathStep, place: Place) -> Option<Value> {
        let fields = place.inside(items.first().and_then(|item| item.value));
        let [Some(base), Some(theirs), Some(mine)] = items.map(ElementRef::object) else {
            self.overlap(step);
            return None;
        };
        let [id, ..] = items.map(ElementRef::id);
        let is_one = items.iter().all(|item| item.id() == id) && (id.is_some() || step.index.is_none());
        let is_one_type =
            [theirs, mine].iter().all(|item| item.get("resourceType") == base.get("resourceType"));
        let Some(fields) = fields.filter(|_| is_one && is_one_type && has_parts_of_their_own(place)) else {
            self.overlap(step);
            return None;
        };
        self.path.push(step);
        let count = self.overlaps.len();
        let merged = self.object([base, theirs, mine], Some(fields));
        let step = self.path.pop()?;
        if self.overlaps.len() > count {
            return None;
        }
        if merged.names().all(|name| matches!(name, "resourceType" | "id")) {
            // Each removed what the other one kept: nobody wanted an empty element.
            self.overlap(step);
            return None;
        }
        Some(merged.into())
    }
}

fn is_same_side(one: &Option<Side<'_>>, other: &Option<Side<'_>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        _ => false,
    }
}

/// Whether the elements inside mean something without each other: those of backbone elements, resources and `meta`.
fn has_parts_of_their_own(place: Place) -> bool {
    let type_def = place.type_ref.type_def();
    place.element.children().is_some()
        || type_def.kind() == TypeKind::Resource
        || matches!(type_def.name(), "Meta" | "BackboneElement")
}

/// Takes an element as I have it.
fn take(
    merged: &mut Object,
    fields: Option<Fields>,
    theirs: Option<&Side<'_>>,
    mine: Option<&Side<'_>>,
    object: &Object,
) {
    let names = |side: Option<&Side<'_>>| {
        side.map(|side| [side.member.to_owned(), extra_name(side.member)]).into_iter().flatten()
    };
    for name in names(theirs) {
        if !names(mine).any(|other| other == name && object.contains(&name)) {
            merged.remove(&name);
        }
    }
    for name in names(mine) {
        let Some(value) = object.get(&name) else { continue };
        match fields {
            Some(fields) => set(merged, fields, &name, Some(value.clone())),
            None => drop(merged.insert(name, value.clone())),
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("both changed ")?;
        for (index, path) in self.paths.iter().enumerate() {
            write!(f, "{}{path}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Overlap {}
