//! The entry point, [`Definitions`], and the types of a version.

use std::fmt;

use crate::FhirVersion;
use crate::elements::{ElementDef, TypeRef};
use crate::fields::Fields;
use crate::format::{self, TypeRow};
use crate::invariants::InvariantDef;
use crate::primitive::Primitive;
use crate::resource_types::is_concrete;
use crate::tables::{self, Numbers, Tables, number, optional_string, string};

/// The definitions of one FHIR version. A handle: copying it costs nothing, making it costs nothing.
#[derive(Clone, Copy)]
pub struct Definitions {
    pub(crate) tables: &'static Tables,
}

impl Definitions {
    /// The definitions of `version`.
    pub const fn of(version: FhirVersion) -> Self {
        Self { tables: Tables::of(version) }
    }

    /// The version that these are the definitions of.
    pub const fn version(self) -> FhirVersion {
        self.tables.version
    }

    /// Every type, sorted by name: resources, data types, primitives, the FHIRPath system types, and the two
    /// restrictions of `Quantity` that element definitions name.
    pub fn types(self) -> impl Iterator<Item = TypeDef> {
        self.tables.types.iter().zip(0..).map(move |(row, index)| TypeDef { tables: self.tables, row, index })
    }

    /// The type with this name; upper and lower case differ.
    #[inline]
    pub fn type_named(self, name: &str) -> Option<TypeDef> {
        let tables = self.tables;
        let name_at = |index| string(TypeRow::unpack(tables::row(tables.types, index)).name);
        let slots = tables.type_slots;
        tables::find_slot(slots, slots.len().trailing_zeros(), name, name_at)
            .map(|index| TypeDef::new(tables, index))
    }

    /// The resource type with this name, if it can have instances.
    pub fn resource_type(self, name: &str) -> Option<TypeDef> {
        self.type_named(name).filter(|found| is_concrete(&found.row()))
    }
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definitions({})", self.version())
    }
}

/// What sort of type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// A resource type, concrete or abstract.
    Resource,
    /// A data type with elements of its own, backbone types included.
    Complex,
    /// A primitive: a value that may have an id and extensions.
    Primitive(Primitive),
    /// A FHIRPath system type such as `System.String`: the bare value inside a primitive. It has no fields.
    System,
}

/// A type of one FHIR version.
#[derive(Clone, Copy)]
pub struct TypeDef {
    pub(crate) tables: &'static Tables,
    row: &'static [u8; TypeRow::WIDTH],
    index: u16,
}

impl TypeDef {
    #[inline]
    pub(crate) fn new(tables: &'static Tables, index: u16) -> Self {
        Self { tables, row: tables::row(tables.types, index), index }
    }

    /// The types in a packed list.
    pub(crate) fn list(tables: &'static Tables, list: Numbers) -> impl ExactSizeIterator<Item = Self> {
        list.iter().map(move |index| Self::new(tables, number(*index)))
    }

    #[inline]
    pub(crate) fn row(self) -> TypeRow {
        TypeRow::unpack(self.row)
    }

    pub(crate) fn index(self) -> u16 {
        self.index
    }

    /// The definitions that this type belongs to.
    pub const fn definitions(self) -> Definitions {
        Definitions { tables: self.tables }
    }

    /// Its name, such as `Patient`, `HumanName`, `dateTime` or `System.String`.
    #[inline]
    pub fn name(self) -> &'static str {
        string(self.row().name)
    }

    /// The canonical URL of its StructureDefinition. System types have none.
    pub fn url(self) -> Option<String> {
        (self.kind() != TypeKind::System)
            .then(|| format!("http://hl7.org/fhir/StructureDefinition/{}", self.name()))
    }

    /// What sort of type it is.
    #[inline]
    pub fn kind(self) -> TypeKind {
        match self.row().kind & format::KIND_MASK {
            format::KIND_RESOURCE => TypeKind::Resource,
            format::KIND_SYSTEM => TypeKind::System,
            kind => kind
                .checked_sub(format::KIND_PRIMITIVE)
                .and_then(|place| Primitive::ALL.get(usize::from(place)))
                .map_or(TypeKind::Complex, |primitive| TypeKind::Primitive(*primitive)),
        }
    }

    /// The primitive that it is, if it is one.
    pub fn primitive(self) -> Option<Primitive> {
        match self.kind() {
            TypeKind::Primitive(primitive) => Some(primitive),
            _ => None,
        }
    }

    /// Whether no instance has exactly this type: `Resource`, `DomainResource`, `Element`, ..
    pub fn is_abstract(self) -> bool {
        self.row().kind & format::TYPE_ABSTRACT != 0
    }

    /// Whether it only restricts its base and never appears in a choice's name: `SimpleQuantity`, `MoneyQuantity`.
    pub fn is_profile(self) -> bool {
        self.row().kind & format::TYPE_PROFILE != 0
    }

    /// The type that it specialises.
    pub fn base(self) -> Option<Self> {
        let base = self.row().base;
        (base != format::NONE).then(|| Self::new(self.tables, base))
    }

    /// This type, then its base, and so on.
    pub fn lineage(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |here| here.base())
    }

    /// Whether it is `ancestor` or specialises it, at whatever distance.
    pub fn is_a(self, ancestor: Self) -> bool {
        self.lineage().any(|here| here == ancestor)
    }

    /// What may stand inside a value of this type, inherited elements first.
    #[inline]
    pub fn fields(self) -> Fields {
        Fields::new(self.tables, self.row().fields)
    }

    /// [`Fields::elements`] of [`Self::fields`].
    pub fn elements(self) -> impl Iterator<Item = ElementDef> {
        self.fields().elements()
    }

    /// [`Fields::element`] of [`Self::fields`].
    #[inline]
    pub fn element(self, name: &str) -> Option<ElementDef> {
        self.fields().element(name)
    }

    /// [`Fields::resolve_json_name`] of [`Self::fields`].
    #[inline]
    pub fn resolve_json_name(self, name: &str) -> Option<(ElementDef, TypeRef)> {
        self.fields().resolve_json_name(name)
    }

    /// The published regular expression for the text of a primitive, unanchored, as written. Not every primitive has
    /// one, and some published patterns are flawed: the lexical class is [`Self::primitive`].
    pub fn pattern(self) -> Option<&'static str> {
        optional_string(self.row().regex)
    }

    /// The rules for every value of this type: its own, then those of its bases.
    pub fn invariants(self) -> impl Iterator<Item = InvariantDef> {
        self.lineage().flat_map(|here| InvariantDef::list(here.tables, here.row().invariants))
    }
}

impl PartialEq for TypeDef {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.tables.version == other.tables.version
    }
}

impl Eq for TypeDef {}

impl fmt::Debug for TypeDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeDef({} {})", self.tables.version, self.name())
    }
}
