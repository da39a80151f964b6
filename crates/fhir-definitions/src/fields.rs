//! [`Fields`]: the names that may stand in one place, and what each means there.

use std::fmt;

use crate::elements::{ElementDef, TypeRef};
use crate::format::{self, EntryRow, FieldsRow};
use crate::tables::{self, Tables, string};
use crate::types::TypeDef;

/// What may stand inside a type or inside a backbone element: its elements in definition order, inherited ones
/// first, which is also their order in XML.
#[derive(Clone, Copy)]
pub struct Fields {
    tables: &'static Tables,
    row: &'static [u8; FieldsRow::WIDTH],
}

impl Fields {
    #[inline]
    pub(crate) fn new(tables: &'static Tables, index: u16) -> Self {
        Self { tables, row: tables::row(tables.fields, index) }
    }

    #[inline]
    fn row(self) -> FieldsRow {
        FieldsRow::unpack(self.row)
    }

    /// The type whose definition this is part of.
    pub fn type_def(self) -> TypeDef {
        TypeDef::new(self.tables, self.row().type_index)
    }

    /// The backbone element whose content this is, or none if these are the fields of a whole type.
    pub fn backbone(self) -> Option<ElementDef> {
        let element = self.row().element;
        (element != format::NONE).then(|| ElementDef::new(self.tables, element))
    }

    fn entries(self) -> &'static [[u8; EntryRow::WIDTH]] {
        let row = self.row();
        tables::range(self.tables.entries, row.entries_start, row.entries_count)
    }

    /// The elements in definition order.
    pub fn elements(self) -> impl Iterator<Item = ElementDef> {
        let entries = self.entries().iter().map(EntryRow::unpack);
        entries.filter_map(move |entry| {
            let element = ElementDef::new(self.tables, entry.element);
            (entry.type_ref == format::NONE || !element.is_choice()).then_some(element)
        })
    }

    /// Every member name that JSON allows here, in definition order: a choice gives one name per type. Primitive
    /// members may stand under their name with a leading `_` as well.
    pub fn json_names(self) -> impl Iterator<Item = (&'static str, ElementDef, TypeRef)> {
        let entries = self.entries().iter().map(EntryRow::unpack);
        entries.filter(|entry| entry.type_ref != format::NONE).map(move |entry| {
            let type_ref = TypeRef::new(self.tables, entry.type_ref);
            (string(entry.name), ElementDef::new(self.tables, entry.element), type_ref)
        })
    }

    /// Where a member of this name stands in definition order, for sorting: XML wants its elements in this order. A
    /// choice's bare name comes before its typed names.
    #[inline]
    pub fn position(self, name: &str) -> Option<u16> {
        let row = self.row();
        let slots = self.tables.field_slots.get(usize::from(row.slots_start)..)?;
        tables::find_slot(slots, u32::from(row.slots_log2), name, |place| string(self.entry_at(place).name))
    }

    #[inline]
    fn entry_at(self, place: u16) -> EntryRow {
        let start = self.row().entries_start;
        EntryRow::unpack(tables::row(self.tables.entries, start.saturating_add(place)))
    }

    /// The entry under `name`, and its place.
    #[inline]
    fn entry(self, name: &str) -> Option<(u16, EntryRow)> {
        self.position(name).map(|place| (place, self.entry_at(place)))
    }

    /// The element with this name, as in a path: a choice is named without `[x]` and without a type.
    #[inline]
    pub fn element(self, name: &str) -> Option<ElementDef> {
        let (_, entry) = self.entry(name)?;
        let element = ElementDef::new(self.tables, entry.element);
        (entry.type_ref == format::NONE || !element.is_choice()).then_some(element)
    }

    /// What a JSON member or XML element of this name is, and of which type: `valueQuantity` is the element `value`
    /// as a `Quantity`, while `value` alone is no legal name of a choice. The caller takes a leading `_` off first.
    #[inline]
    pub fn resolve_json_name(self, name: &str) -> Option<(ElementDef, TypeRef)> {
        self.locate_json_name(name).map(|(_, element, type_ref)| (element, type_ref))
    }

    /// [`Self::resolve_json_name`] with the place of the name: names with larger places follow in XML. Places are
    /// not contiguous.
    #[inline]
    pub fn locate_json_name(self, name: &str) -> Option<(u16, ElementDef, TypeRef)> {
        let (place, entry) = self.entry(name).filter(|(_, entry)| entry.type_ref != format::NONE)?;
        let element = ElementDef::new(self.tables, entry.element);
        Some((place, element, TypeRef::new(self.tables, entry.type_ref)))
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.backbone() {
            Some(element) => write!(f, "Fields({} {})", self.tables.version, element.path()),
            None => write!(f, "Fields({} {})", self.tables.version, self.type_def().name()),
        }
    }
}
