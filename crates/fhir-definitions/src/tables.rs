//! The committed tables as slices of rows. The headers are read while compiling, so there is nothing to load.

use crate::FhirVersion;
use crate::format::{
    self, BindingRow, CompartmentRow, ElementRow, EntryRow, FieldsRow, InvariantRow, MemberRow, NumberRow,
    ParameterRow, ParameterUseRow, TypeRefRow, TypeRow, ValueSetRow,
};

/// Packed numbers.
pub(crate) type Numbers = &'static [[u8; NumberRow::WIDTH]];

/// The tables of one version.
pub(crate) struct Tables {
    pub(crate) version: FhirVersion,
    pub(crate) types: &'static [[u8; TypeRow::WIDTH]],
    pub(crate) type_slots: Numbers,
    pub(crate) fields: &'static [[u8; FieldsRow::WIDTH]],
    pub(crate) field_slots: Numbers,
    pub(crate) entries: &'static [[u8; EntryRow::WIDTH]],
    pub(crate) elements: &'static [[u8; ElementRow::WIDTH]],
    pub(crate) type_refs: &'static [[u8; TypeRefRow::WIDTH]],
    pub(crate) bindings: &'static [[u8; BindingRow::WIDTH]],
    pub(crate) value_sets: &'static [[u8; ValueSetRow::WIDTH]],
    pub(crate) invariants: &'static [[u8; InvariantRow::WIDTH]],
    pub(crate) parameters: &'static [[u8; ParameterRow::WIDTH]],
    pub(crate) parameter_uses: &'static [[u8; ParameterUseRow::WIDTH]],
    pub(crate) compartments: &'static [[u8; CompartmentRow::WIDTH]],
    pub(crate) members: &'static [[u8; MemberRow::WIDTH]],
    pub(crate) lists: Numbers,
}

pub(crate) static STU3: Tables = Tables::read(FhirVersion::Stu3, include_bytes!("../tables/stu3.bin"));
pub(crate) static R4: Tables = Tables::read(FhirVersion::R4, include_bytes!("../tables/r4.bin"));
pub(crate) static R4B: Tables = Tables::read(FhirVersion::R4b, include_bytes!("../tables/r4b.bin"));
pub(crate) static R5: Tables = Tables::read(FhirVersion::R5, include_bytes!("../tables/r5.bin"));

/// Every string of every version.
static TEXT: &str = include_str!("../tables/strings.txt");
/// Where each string begins in [`TEXT`], and where the last one ends.
pub(crate) static OFFSETS: &[[u8; 4]] = include_bytes!("../tables/strings.bin").as_chunks().0;

impl Tables {
    pub(crate) const fn of(version: FhirVersion) -> &'static Self {
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
            FhirVersion::R4b => &R4B,
            FhirVersion::R5 => &R5,
        }
    }

    /// Finds the sections. Panics, while compiling, on a file of another layout.
    const fn read(version: FhirVersion, file: &'static [u8]) -> Self {
        let magic = file.split_at(format::MAGIC.len()).0;
        let mut at = 0;
        while at < magic.len() {
            assert!(
                magic[at] == format::MAGIC[at],
                "the tables are of another layout: run `cargo xtask codegen`"
            );
            at += 1;
        }
        Self {
            version,
            types: section(file, format::TYPES),
            type_slots: section(file, format::TYPE_SLOTS),
            fields: section(file, format::FIELDS),
            field_slots: section(file, format::FIELD_SLOTS),
            entries: section(file, format::ENTRIES),
            elements: section(file, format::ELEMENTS),
            type_refs: section(file, format::TYPE_REFS),
            bindings: section(file, format::BINDINGS),
            value_sets: section(file, format::VALUE_SETS),
            invariants: section(file, format::INVARIANTS),
            parameters: section(file, format::PARAMETERS),
            parameter_uses: section(file, format::PARAMETER_USES),
            compartments: section(file, format::COMPARTMENTS),
            members: section(file, format::MEMBERS),
            lists: section(file, format::LISTS),
        }
    }

    /// The numbers of the list at `offset`; none if there is no such list.
    pub(crate) fn list(&self, offset: u16) -> Numbers {
        let length = usize::from(number(*row(self.lists, offset)));
        let start = usize::from(offset) + 1;
        self.lists.get(start..start + length).unwrap_or_default()
    }
}

/// The rows of one section.
const fn section<const WIDTH: usize>(file: &'static [u8], index: usize) -> &'static [[u8; WIDTH]] {
    let at = format::MAGIC.len() + index * 8;
    let (offset, length) = (u32_at(file, at) as usize, u32_at(file, at + 4) as usize);
    let bytes = file.split_at(offset).1.split_at(length).0;
    let (rows, rest) = bytes.as_chunks();
    assert!(rest.is_empty(), "a section that is not a whole number of rows: run `cargo xtask codegen`");
    rows
}

const fn u32_at(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]])
}

/// The row at `index`. There is one for every index in the committed tables, which a test shows; for any other
/// index it is a row that refers to nothing.
#[inline]
pub(crate) fn row<const WIDTH: usize>(rows: &'static [[u8; WIDTH]], index: u16) -> &'static [u8; WIDTH] {
    rows.get(usize::from(index)).unwrap_or(&[u8::MAX; WIDTH])
}

/// The number in a row of numbers.
#[inline]
pub(crate) fn number(row: [u8; NumberRow::WIDTH]) -> u16 {
    u16::from_le_bytes(row)
}

/// `count` rows from `start`; none if they are not all there.
pub(crate) fn range<const WIDTH: usize>(
    rows: &'static [[u8; WIDTH]],
    start: u16,
    count: u16,
) -> &'static [[u8; WIDTH]] {
    let start = usize::from(start);
    rows.get(start..start + usize::from(count)).unwrap_or_default()
}

/// A string by id; empty for an id that has none.
#[inline]
pub(crate) fn string(id: u16) -> &'static str {
    let id = usize::from(id);
    let (Some(start), Some(end)) = (OFFSETS.get(id), OFFSETS.get(id + 1)) else { return "" };
    let (start, end) = (u32::from_le_bytes(*start) as usize, u32::from_le_bytes(*end) as usize);
    TEXT.get(start..end.wrapping_sub(1)).unwrap_or_default()
}

/// A string by id, or none for the id that says so.
pub(crate) fn optional_string(id: u16) -> Option<&'static str> {
    (id != format::NONE).then(|| string(id))
}

/// [`string`] while compiling, where a missing string is an error.
pub(crate) const fn const_string(id: u16) -> &'static str {
    let start = u32::from_le_bytes(OFFSETS[id as usize]) as usize;
    let end = u32::from_le_bytes(OFFSETS[id as usize + 1]) as usize;
    TEXT.split_at(end - 1).0.split_at(start).1
}

/// Looks `name` up in a hash table of `1 << log2` slots. `name_at` gives the name of a place.
#[inline]
pub(crate) fn find_slot(
    slots: Numbers,
    log2: u32,
    name: &str,
    name_at: impl Fn(u16) -> &'static str,
) -> Option<u16> {
    let mask = 1_u32.checked_shl(log2)?.wrapping_sub(1);
    let mut at = format::hash(name) & mask;
    for _ in 0..=mask {
        let slot = number(*slots.get(at as usize)?);
        let place = slot.checked_sub(1)?;
        if name_at(place) == name {
            return Some(place);
        }
        at = (at + 1) & mask;
    }
    None
}

#[cfg(test)]
mod tests;
