//! What differs between two versions of a resource, for explaining a conflict.

use fhir_definitions::{Definitions, Fields};
use fhir_model::json::{Object, Value};
use fhirpath::Element;

use crate::elements::{ElementRef, Row, Side, is_reordered, rows, without_version_meta};
use crate::path::{ElementPath, PathStep, Place};

/// The elements in which two versions of a resource differ, as deep as they can be told: an element that came, went
/// or has another value; a list as a whole if items came, went or changed places. Version meta (`meta.versionId`,
/// `meta.lastUpdated`) is not content and does not count.
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::{array, object};
/// use fhir_patch::changed_elements;
///
/// let name = |family: &str| array![object! { "family": family, "given": array!["Ada"] }];
/// let old = object! { "resourceType": "Patient", "name": name("L") };
/// let new = object! { "resourceType": "Patient", "name": name("K"), "deceasedBoolean": true };
/// let changed = changed_elements(&old.into(), &new.into(), Definitions::of(FhirVersion::R4));
/// let changed: Vec<String> = changed.iter().map(|path| path.to_string()).collect();
/// assert_eq!(changed, ["Patient.name[0].family", "Patient.deceased"]);
/// ```
pub fn changed_elements(old: &Value, new: &Value, definitions: Definitions) -> Vec<ElementPath> {
    let (old, new) = (without_version_meta(old), without_version_meta(new));
    let mut changes = Changes { path: ElementPath::of_resource(&new), found: Vec::new() };
    match (old.as_object(), new.as_object()) {
        (Some(before), Some(after)) if before.get("resourceType") == after.get("resourceType") => {
            changes.object(before, after, Element::resource(&new, definitions).fields());
        }
        _ if old == new => {}
        _ => changes.found.push(changes.path.clone()),
    }
    changes.found
}

struct Changes {
    path: ElementPath,
    found: Vec<ElementPath>,
}

impl Changes {
    fn object(&mut self, old: &Object, new: &Object, fields: Option<Fields>) {
        for row in rows([old, new], fields) {
            match &row.sides {
                [Some(old), Some(new)] if old.is_same(new) => {}
                [Some(old), Some(new)] if old.member == new.member => self.element(&row, old, new, fields),
                [Some(one), _] | [_, Some(one)] => self.report(PathStep::new(row.name, one.member, None)),
                [None, None] => {}
            }
        }
    }

    fn report(&mut self, step: PathStep) {
        self.found.push(self.path.child(step));
    }

    /// An element that both have, and not the same.
    fn element(&mut self, row: &Row<'_, 2>, old: &Side<'_>, new: &Side<'_>, fields: Option<Fields>) {
        let place = Place::of(fields, row.element, new.type_ref);
        let is_one = old.is_array == new.is_array && old.more.is_empty() && new.more.is_empty();
        let is_in_place =
            is_one && old.items.len() == new.items.len() && !is_reordered(&old.items, &new.items);
        if !is_in_place {
            return self.report(PathStep::new(row.name, new.member, None));
        }
        for (index, (before, after)) in old.items.iter().zip(&new.items).enumerate() {
            if before != after {
                let index = new.is_array.then_some(index);
                self.item(*before, *after, PathStep::new(row.name, new.member, index), place);
            }
        }
    }

    fn item(&mut self, old: ElementRef<'_>, new: ElementRef<'_>, step: PathStep, place: Option<Place>) {
        let inside = place.and_then(|place| place.inside(new.value));
        match (old.object(), new.object(), inside) {
            (Some(before), Some(after), Some(inside))
                if before.get("resourceType") == after.get("resourceType") =>
            {
                let count = self.found.len();
                self.path.push(step);
                self.object(before, after, Some(inside));
                let step = self.path.pop();
                // They differ, but not in any element: in `resourceType`, or in shapes that JSON should not have.
                if let Some(step) = step.filter(|_| self.found.len() == count) {
                    self.report(step);
                }
            }
            _ => self.report(step),
        }
    }
}
