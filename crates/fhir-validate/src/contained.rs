//! The contained resources of a resource, and which of them are referred to (FHIR, references, section
//! "Contained Resources", rules `dom-1` to `dom-5`).

use std::cell::Cell;

use fhir_definitions::FhirVersion;
use fhir_model::json::{Object, Value};

use crate::finding::Rule;
use crate::place::Place;
use crate::report::{Quoted, Report};

/// The contained resources of one resource, by id.
pub(crate) struct Contained<'a> {
    /// Sorted by id: a hostile resource has as many as it likes.
    by_id: Vec<Entry<'a>>,
    /// Per contained resource, in the order of the array, whether it refers to the resource that contains it.
    refers_out: Vec<Cell<bool>>,
}

struct Entry<'a> {
    id: &'a str,
    resource_type: &'a str,
    index: usize,
    is_used: Cell<bool>,
}

impl<'a> Contained<'a> {
    /// The contained resources of `resource`, or none if it has none: then nothing is allocated.
    pub(crate) fn of(resource: &'a Object) -> Option<Self> {
        let items = resource.get("contained")?.as_array().filter(|items| !items.is_empty())?;
        let mut by_id: Vec<Entry<'a>> = items.iter().enumerate().filter_map(Entry::new).collect();
        by_id.sort_by_key(|entry| (entry.id, entry.index));
        Some(Self { by_id, refers_out: vec![Cell::new(false); items.len()] })
    }

    /// The type of the contained resource with this id; it counts as referred to from now on.
    pub(crate) fn refer_to(&self, id: &str) -> Option<&'a str> {
        let start = self.by_id.partition_point(|entry| entry.id < id);
        let entry = self.by_id.get(start).filter(|entry| entry.id == id)?;
        entry.is_used.set(true);
        Some(entry.resource_type)
    }

    /// The contained resource at `index` refers to the one that contains it.
    pub(crate) fn refer_out(&self, index: usize) {
        if let Some(refers) = self.refers_out.get(index) {
            refers.set(true);
        }
    }

    /// Reports ids that stand twice, and resources that nobody refers to. To be called after all references were
    /// seen.
    pub(crate) fn report(&self, place: &Place<'_>, report: &mut Report<'_>) {
        let list = place.child("contained");
        for (number, entry) in self.by_id.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| self.by_id.get(before));
            if before.is_some_and(|before| before.id == entry.id) {
                report.add(
                    Rule::ContainedRepeated,
                    &list.item(entry.index),
                    format_args!(
                        "another contained resource has the id {}, too: give each its own",
                        Quoted(entry.id)
                    ),
                );
            } else if !entry.is_used.get() && !self.refers_out.get(entry.index).is_some_and(Cell::get) {
                report.add(
                    Rule::ContainedUnreferenced,
                    &list.item(entry.index),
                    format_args!(
                        "nothing refers to the contained resource: refer to {} or remove it",
                        Quoted(&format!("#{}", entry.id))
                    ),
                );
            }
        }
    }
}

impl<'a> Entry<'a> {
    fn new((index, resource): (usize, &'a Value)) -> Option<Self> {
        let id = resource.get("id")?.as_str()?;
        let resource_type = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        Some(Self { id, resource_type, index, is_used: Cell::new(false) })
    }
}

/// Reports what a contained resource itself must have and must not have; `place` is where it stands.
pub(crate) fn report_own(
    resource: &Object,
    place: &Place<'_>,
    version: FhirVersion,
    report: &mut Report<'_>,
) {
    if !resource.contains("id") {
        report.add(
            Rule::ContainedWithoutId,
            place,
            "a contained resource is found by its id: add the element id, and refer to it with # in front",
        );
    }
    if resource.contains("contained") {
        let message = "a contained resource must not contain others: move them to the outermost resource";
        report.add(Rule::ContainedNested, &place.child("contained"), message);
    }
    if version == FhirVersion::Stu3 && resource.contains("text") {
        let message = "a contained resource has no narrative: remove the element text";
        report.add(Rule::ContainedNarrative, &place.child("text"), message);
    }
    let Some(meta) = resource.get("meta").and_then(Value::as_object) else { return };
    let meta_place = place.child("meta");
    for name in ["versionId", "lastUpdated", "security"] {
        // STU3 allows labels.
        let applies = name != "security" || version > FhirVersion::Stu3;
        if applies && meta.contains(name) {
            report.add(
                Rule::ContainedMeta,
                &meta_place.child(name),
                format_args!(
                    "a contained resource lives and dies with the one around it: remove meta.{name}"
                ),
            );
        }
    }
}
