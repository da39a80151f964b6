//! The tables say what the four specifications say, and the reader finds it.

mod codes;
mod counts;
mod examples;
mod lookups;
mod search;
mod spots;

use fhir_definitions::{Definitions, ElementDef, FhirVersion, Fields, TypeDef};

/// One value per version, oldest first.
type PerVersion<T> = [T; 4];

/// What `measure` gives for each version.
fn per_version<T>(measure: impl FnMut(Definitions) -> T) -> PerVersion<T> {
    FhirVersion::ALL.map(Definitions::of).map(measure)
}

/// The definitions, the type and the element at a dotted path such as `Patient.contact.name`.
fn element(version: FhirVersion, path: &str) -> ElementDef {
    let (type_name, rest) = path.split_once('.').expect("a path has a dot");
    let mut fields = type_named(version, type_name).fields();
    let mut found = None;
    for step in rest.split('.') {
        let element = fields.element(step).unwrap_or_else(|| panic!("{version} {path}: no {step}"));
        let only = element.types().next().unwrap_or_else(|| panic!("{version} {path}: {step} has no type"));
        fields = element.fields_as(only);
        found = Some(element);
    }
    found.expect("a path has a step")
}

fn type_named(version: FhirVersion, name: &str) -> TypeDef {
    Definitions::of(version).type_named(name).unwrap_or_else(|| panic!("{version} has no {name}"))
}

/// The types that a snapshot is published for: all but the system types and the restrictions of `Quantity`.
fn published_types(definitions: Definitions) -> impl Iterator<Item = TypeDef> {
    definitions.types().filter(|found| found.url().is_some() && !found.is_profile())
}

/// Calls `visit` for every element of a snapshot: the type's and those of its backbone elements, at every depth. A
/// content reference is one element; what it refers to is visited where it is defined.
fn visit_snapshot(fields: Fields, visit: &mut impl FnMut(ElementDef)) {
    for element in fields.elements() {
        visit(element);
        if let Some(children) = element.children().filter(|_| element.content_reference().is_none()) {
            visit_snapshot(children, visit);
        }
    }
}

/// Counts the snapshot elements of all types for which `is_counted` holds.
fn count_elements(definitions: Definitions, is_counted: impl Fn(TypeDef, ElementDef) -> bool) -> usize {
    let mut count = 0;
    for published in published_types(definitions) {
        visit_snapshot(published.fields(), &mut |element| {
            count += usize::from(is_counted(published, element));
        });
    }
    count
}
