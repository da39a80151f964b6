//! How much of everything there is: the numbers are those of the published StructureDefinitions.

use fhir_definitions::{Definitions, ElementDef, Representation, TypeKind, resource_types};

use crate::{count_elements, per_version, published_types, visit_snapshot};

#[test]
fn types_by_kind() {
    let count = |definitions: Definitions| {
        let of_kind = |wanted: fn(TypeKind) -> bool| {
            published_types(definitions).filter(|found| wanted(found.kind())).count()
        };
        (
            of_kind(|kind| kind == TypeKind::Resource),
            of_kind(|kind| kind == TypeKind::Complex),
            of_kind(|kind| matches!(kind, TypeKind::Primitive(_))),
            published_types(definitions).filter(|found| found.is_abstract()).count(),
        )
    };
    assert_eq!(per_version(count), [(119, 35, 18, 4), (148, 41, 20, 4), (143, 43, 20, 5), (162, 48, 21, 10)]);
    let resources = |definitions: Definitions| {
        let all =
            definitions.types().filter(|found| found.kind() == TypeKind::Resource && !found.is_abstract());
        let names: Vec<&str> = all.map(fhir_definitions::TypeDef::name).collect();
        assert_eq!(names, resource_types(definitions.version()));
    };
    per_version(resources);
}

#[test]
fn snapshot_elements() {
    assert_eq!(per_version(|all| count_elements(all, |_, _| true)), [5539, 7466, 7579, 9324]);
}

/// The packages mark 3481, 4744, 4824 and 5994 elements as not inherited. `extension` of `xhtml` is stored beside
/// those, because `xhtml` forbids what it inherits; in R5 also the 17 elements that `MetadataResource` has from
/// `CanonicalResource`, which is not its base.
#[test]
fn own_elements() {
    let own = per_version(|all| count_elements(all, |published, element| element.defined_by() == published));
    assert_eq!(own, [3481 + 1, 4744 + 1, 4824 + 1, 5994 + 1 + 17]);
}

#[test]
fn choices() {
    assert_eq!(
        per_version(|all| count_elements(all, |_, element| element.is_choice())),
        [133, 186, 196, 261]
    );
    let open = |all: Definitions| {
        let value = all.type_named("Extension").and_then(|extension| extension.element("value"));
        value.map(|value| value.types().len())
    };
    assert_eq!(per_version(open), [Some(38), Some(50), Some(51), Some(54)]);
}

#[test]
fn content_references() {
    let count = per_version(|all| count_elements(all, |_, element| element.content_reference().is_some()));
    assert_eq!(count, [35, 55, 58, 78]);
}

#[test]
fn representations() {
    let count =
        |wanted| per_version(move |all| count_elements(all, |_, element| element.representation() == wanted));
    assert_eq!(count(Representation::Attribute), [406, 554, 579, 719]);
    // `Narrative.div` is published without a representation, its type has one on the value.
    assert_eq!(count(Representation::Xhtml), [2, 2, 2, 2]);
}

#[test]
fn flags_and_cardinalities() {
    let count = |is_counted: fn(ElementDef) -> bool| {
        per_version(move |all| count_elements(all, |_, element| is_counted(element)))
    };
    assert_eq!(count(ElementDef::is_summary), [2398, 3266, 3211, 4056]);
    assert_eq!(count(ElementDef::is_modifier), [716, 903, 923, 1113]);
    assert_eq!(count(|element| element.min() == 1), [581, 774, 803, 911]);
    assert_eq!(count(|element| element.max().is_none()), [2035, 2938, 3011, 3732]);
    assert_eq!(count(|element| element.max() == Some(0)), [1; 4], "extension of xhtml");
    assert_eq!(count(|element| element.min() > 1 || element.max().is_some_and(|max| max > 1)), [0; 4]);
}

#[test]
fn bindings_by_strength() {
    let count = |all: Definitions| {
        let mut counts = [0; 4];
        for published in published_types(all) {
            visit_snapshot(published.fields(), &mut |element| {
                if let Some(binding) = element.binding() {
                    counts[binding.strength() as usize] += 1;
                }
            });
        }
        counts
    };
    // required, extensible, preferred, example
    let expected = [[324, 224, 44, 359], [366, 148, 208, 433], [382, 165, 224, 543], [599, 217, 97, 707]];
    assert_eq!(per_version(count), expected);
}
