//! What the tables will say, before it is packed: one [`Model`] per FHIR version.

use std::collections::BTreeMap;

/// Index into [`Model::fields`].
pub(super) type FieldsIndex = usize;
/// Index into [`Model::elements`].
pub(super) type ElementIndex = usize;

/// The definitions of one FHIR version.
#[derive(Default)]
pub(super) struct Model {
    /// By name.
    pub(super) types: BTreeMap<String, Type>,
    pub(super) fields: Vec<Fields>,
    pub(super) elements: Vec<Element>,
    /// Closed value sets, by URL: (system, code), sorted.
    pub(super) codes: BTreeMap<String, Vec<(Option<String>, String)>>,
    /// In the order of the files.
    pub(super) parameters: Vec<Parameter>,
    pub(super) compartments: Vec<Compartment>,
}

/// How a type is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Resource,
    Complex,
    Primitive,
    System,
}

/// A type of the version.
pub(super) struct Type {
    pub(super) kind: Kind,
    pub(super) is_abstract: bool,
    /// Only restricts its base, such as `SimpleQuantity`.
    pub(super) is_profile: bool,
    pub(super) base: Option<String>,
    /// Absent for system types.
    pub(super) fields: Option<FieldsIndex>,
    pub(super) regex: Option<String>,
    pub(super) invariants: Vec<Invariant>,
}

/// What may stand inside a type or a backbone element.
pub(super) struct Fields {
    pub(super) type_name: String,
    /// The backbone element, if these are not the type's own.
    pub(super) element: Option<ElementIndex>,
    /// In definition order, inherited ones included.
    pub(super) elements: Vec<ElementIndex>,
}

/// Where an element stands in XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    Element,
    Attribute,
    Xhtml,
}

/// An element definition.
#[derive(Clone)]
pub(super) struct Element {
    /// Without `[x]`.
    pub(super) name: String,
    /// Where it is defined; types that inherit it share it.
    pub(super) parent: FieldsIndex,
    pub(super) shape: Shape,
    pub(super) children: Option<FieldsIndex>,
    pub(super) content_reference: Option<ElementIndex>,
}

/// What an element says about itself, wherever it stands.
#[derive(Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) is_choice: bool,
    pub(super) is_summary: bool,
    pub(super) is_modifier: bool,
    pub(super) representation: Representation,
    pub(super) min: u16,
    /// None is `*`.
    pub(super) max: Option<u16>,
    pub(super) types: Vec<TypeRef>,
    pub(super) binding: Option<Binding>,
    pub(super) invariants: Vec<Invariant>,
}

/// One of the types of an element.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TypeRef {
    pub(super) name: String,
    /// Sorted; empty means any.
    pub(super) targets: Vec<String>,
    pub(super) profile: Option<String>,
}

/// A bound value set.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Binding {
    pub(super) url: String,
    pub(super) version: Option<String>,
    pub(super) strength: String,
}

/// A rule.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Invariant {
    pub(super) key: String,
    pub(super) is_error: bool,
    pub(super) is_best_practice: bool,
    pub(super) human: String,
    pub(super) expression: String,
}

/// A search parameter.
pub(super) struct Parameter {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) multiple_or: Option<bool>,
    pub(super) comparators: Vec<String>,
    /// Sorted; empty means any.
    pub(super) targets: Vec<String>,
    /// Type that it applies to, with the part of the expression that concerns that type.
    pub(super) uses: BTreeMap<String, Option<String>>,
    pub(super) components: Vec<Component>,
}

/// A component of a composite parameter.
pub(super) struct Component {
    pub(super) kind: String,
    /// Index into [`Model::parameters`].
    pub(super) parameter: Option<usize>,
    pub(super) expression: String,
}

/// A compartment.
pub(super) struct Compartment {
    pub(super) type_name: String,
    pub(super) url: String,
    /// Parameters by resource type.
    pub(super) members: BTreeMap<String, Vec<String>>,
}

impl Model {
    /// The element that stands under `name` in `fields`, if any.
    pub(super) fn element(&self, fields: FieldsIndex, name: &str) -> Option<ElementIndex> {
        self.fields[fields].elements.iter().copied().find(|&index| self.elements[index].name == name)
    }

    /// Dotted path of an element, as in the definitions, without `[x]`.
    pub(super) fn path(&self, element: ElementIndex) -> String {
        let element = &self.elements[element];
        let parent = &self.fields[element.parent];
        let prefix = match parent.element {
            Some(owner) => self.path(owner),
            None => parent.type_name.clone(),
        };
        format!("{prefix}.{}", element.name)
    }
}
