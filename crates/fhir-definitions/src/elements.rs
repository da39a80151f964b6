//! Element definitions and the types that an element may have.

use std::fmt;

use crate::bindings::BindingDef;
use crate::fields::Fields;
use crate::format::{self, ElementRow, TypeRefRow};
use crate::invariants::InvariantDef;
use crate::tables::{self, Tables, string};
use crate::types::TypeDef;

/// Where an element stands in XML (`ElementDefinition.representation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Representation {
    /// A child element.
    Element,
    /// An attribute: `id`, `Extension.url` and the `value` of primitives.
    Attribute,
    /// A child element in the XHTML name space: `Narrative.div`.
    Xhtml,
}

/// An element definition. Types that inherit an element share its definition.
#[derive(Clone, Copy)]
pub struct ElementDef {
    tables: &'static Tables,
    row: &'static [u8; ElementRow::WIDTH],
    index: u16,
}

impl ElementDef {
    #[inline]
    pub(crate) fn new(tables: &'static Tables, index: u16) -> Self {
        Self { tables, row: tables::row(tables.elements, index), index }
    }

    #[inline]
    fn row(self) -> ElementRow {
        ElementRow::unpack(self.row)
    }

    fn has(self, flag: u16) -> bool {
        self.row().flags & flag != 0
    }

    /// Its name: the last step of its path; a choice has neither `[x]` nor a type.
    #[inline]
    pub fn name(self) -> &'static str {
        string(self.row().name)
    }

    /// Its path in the definition that introduces it: `Patient.contact.name`, `Resource.meta` (for every resource),
    /// `Observation.value[x]`.
    pub fn path(self) -> ElementPath {
        ElementPath(self)
    }

    /// The type whose definition introduces it.
    pub fn defined_by(self) -> TypeDef {
        Fields::new(self.tables, self.row().parent).type_def()
    }

    /// Least number of occurrences: 0 or 1 in all published definitions.
    pub fn min(self) -> u16 {
        self.row().min
    }

    /// Greatest number of occurrences; none is `*`. It is 0 where a type forbids what its base allows.
    pub fn max(self) -> Option<u16> {
        let max = self.row().max;
        (max != format::NONE).then_some(max)
    }

    /// Whether it repeats, so that JSON writes an array whatever the number of items.
    #[inline]
    pub fn is_list(self) -> bool {
        self.row().max > 1
    }

    /// Whether it is a choice of types, `[x]`.
    #[inline]
    pub fn is_choice(self) -> bool {
        self.has(format::ELEMENT_CHOICE)
    }

    /// Whether a summary includes it (`_summary=true`).
    pub fn is_summary(self) -> bool {
        self.has(format::ELEMENT_SUMMARY)
    }

    /// Whether it may change the meaning of what contains it.
    pub fn is_modifier(self) -> bool {
        self.has(format::ELEMENT_MODIFIER)
    }

    /// Where it stands in XML.
    pub fn representation(self) -> Representation {
        if self.has(format::ELEMENT_XML_ATTRIBUTE) {
            Representation::Attribute
        } else if self.has(format::ELEMENT_XHTML) {
            Representation::Xhtml
        } else {
            Representation::Element
        }
    }

    /// The types it may have; several only if it is a choice.
    pub fn types(self) -> impl ExactSizeIterator<Item = TypeRef> {
        let row = self.row();
        let rows = tables::range(self.tables.type_refs, row.types_start, row.types_count);
        rows.iter().map(move |row| TypeRef { tables: self.tables, row })
    }

    /// The elements inside a backbone element, or, for an element defined by a `contentReference`, the elements of
    /// the one it refers to. None if the elements inside are those of the type.
    #[inline]
    pub fn children(self) -> Option<Fields> {
        let children = self.row().children;
        (children != format::NONE).then(|| Fields::new(self.tables, children))
    }

    /// What may stand inside this element when it has this one of its types: [`Self::children`], else
    /// [`TypeRef::fields`].
    #[inline]
    pub fn fields_as(self, type_ref: TypeRef) -> Fields {
        self.children().unwrap_or_else(|| type_ref.fields())
    }

    /// The element whose content this one repeats (`contentReference`).
    pub fn content_reference(self) -> Option<Self> {
        let target = self.row().content_reference;
        (target != format::NONE).then(|| Self::new(self.tables, target))
    }

    /// The value set that its codes come from.
    pub fn binding(self) -> Option<BindingDef> {
        BindingDef::new(self.tables, self.row().binding)
    }

    /// The rules that the definition of this element adds to those of its type.
    pub fn invariants(self) -> impl ExactSizeIterator<Item = InvariantDef> {
        InvariantDef::list(self.tables, self.row().invariants)
    }
}

impl PartialEq for ElementDef {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.tables.version == other.tables.version
    }
}

impl Eq for ElementDef {}

impl fmt::Debug for ElementDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementDef({} {})", self.tables.version, self.path())
    }
}

/// The path of an element, for printing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ElementPath(ElementDef);

impl fmt::Display for ElementPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(element) = *self;
        let parent = Fields::new(element.tables, element.row().parent);
        match parent.backbone() {
            Some(backbone) => write!(f, "{}", backbone.path())?,
            None => f.write_str(parent.type_def().name())?,
        }
        write!(f, ".{}{}", element.name(), if element.is_choice() { "[x]" } else { "" })
    }
}

impl fmt::Debug for ElementPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the types that an element may have, with what the element says about it.
#[derive(Clone, Copy)]
pub struct TypeRef {
    tables: &'static Tables,
    row: &'static [u8; TypeRefRow::WIDTH],
}

impl TypeRef {
    #[inline]
    pub(crate) fn new(tables: &'static Tables, index: u16) -> Self {
        Self { tables, row: tables::row(tables.type_refs, index) }
    }

    #[inline]
    fn row(self) -> TypeRefRow {
        TypeRefRow::unpack(self.row)
    }

    /// The type.
    #[inline]
    pub fn type_def(self) -> TypeDef {
        TypeDef::new(self.tables, self.row().type_index)
    }

    /// The name of the type.
    #[inline]
    pub fn name(self) -> &'static str {
        self.type_def().name()
    }

    /// [`TypeDef::fields`] of the type.
    #[inline]
    pub fn fields(self) -> Fields {
        self.type_def().fields()
    }

    /// The restriction of the type that the element asks for, such as `SimpleQuantity`.
    pub fn profile(self) -> Option<TypeDef> {
        let profile = self.row().profile;
        (profile != format::NONE).then(|| TypeDef::new(self.tables, profile))
    }

    /// The types that a `Reference`, `canonical` or `CodeableReference` may point to, sorted by name; none means any.
    pub fn targets(self) -> impl ExactSizeIterator<Item = TypeDef> {
        TypeDef::list(self.tables, self.tables.list(self.row().targets))
    }

    /// Whether it may point to a resource of this type.
    pub fn accepts_target(self, target: TypeDef) -> bool {
        let mut targets = self.targets();
        targets.len() == 0 || targets.any(|allowed| target.is_a(allowed))
    }
}

impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<&str> = self.targets().map(TypeDef::name).collect();
        write!(f, "{}({})", self.name(), targets.join(" | "))
    }
}
