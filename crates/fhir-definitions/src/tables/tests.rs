//! The committed files hold together: every index leads somewhere, every list is a list, and an index that leads
//! nowhere would be answered with nothing.

use std::collections::BTreeSet;

use super::*;
use crate::elements::ElementDef;
use crate::fields::Fields;
use crate::format::NONE;
use crate::types::TypeDef;

/// Checks one version's rows against the sizes of the sections they refer to.
struct Checker {
    tables: &'static Tables,
    /// Offsets at which a list begins.
    lists: BTreeSet<u16>,
}

impl Checker {
    fn new(version: FhirVersion) -> Self {
        let tables = Tables::of(version);
        let (mut lists, mut at) = (BTreeSet::new(), 0);
        while at < tables.lists.len() {
            lists.insert(u16::try_from(at).unwrap());
            at += 1 + usize::from(number(tables.lists[at]));
        }
        assert_eq!(at, tables.lists.len(), "{version}: the last list ends where the section does");
        Self { tables, lists }
    }

    #[track_caller]
    fn string(&self, id: u16) {
        assert!(usize::from(id) + 1 < OFFSETS.len(), "{}: string {id}", self.tables.version);
    }

    #[track_caller]
    fn optional<T>(&self, rows: &[T], index: u16) {
        assert!(index == NONE || usize::from(index) < rows.len(), "{}: row {index}", self.tables.version);
    }

    #[track_caller]
    fn index<T>(&self, rows: &[T], index: u16) {
        assert!(usize::from(index) < rows.len(), "{}: row {index}", self.tables.version);
    }

    #[track_caller]
    fn range<T>(&self, rows: &[T], start: u16, count: u16) {
        assert!(
            usize::from(start) + usize::from(count) <= rows.len(),
            "{}: {start}+{count}",
            self.tables.version
        );
    }

    #[track_caller]
    fn indexes<T>(&self, rows: &[T], offset: u16) {
        assert!(self.lists.contains(&offset), "{}: list {offset}", self.tables.version);
        for index in self.tables.list(offset) {
            self.index(rows, number(*index));
        }
    }

    fn types(&self) {
        for row in self.tables.types.iter().map(TypeRow::unpack) {
            self.string(row.name);
            self.optional(self.tables.types, row.base);
            self.optional(self.tables.fields, row.fields);
            self.optional(OFFSETS, row.regex);
            self.indexes(self.tables.invariants, row.invariants);
            self.range(self.tables.parameter_uses, row.uses_start, row.uses_count);
        }
        assert!(self.tables.type_slots.len().is_power_of_two());
        for slot in self.tables.type_slots.iter().filter_map(|slot| number(*slot).checked_sub(1)) {
            self.index(self.tables.types, slot);
        }
        for (index, _) in (0..).zip(self.tables.types) {
            assert!(TypeDef::new(self.tables, index).lineage().take(20).count() < 10, "bases go in a circle");
        }
    }

    fn fields(&self) {
        for (index, row) in (0..).zip(self.tables.fields.iter().map(FieldsRow::unpack)) {
            self.index(self.tables.types, row.type_index);
            self.optional(self.tables.elements, row.element);
            if let Some(element) = self.tables.elements.get(usize::from(row.element)) {
                assert_eq!(
                    ElementRow::unpack(element).children,
                    index,
                    "a backbone element and its fields agree"
                );
            }
            self.range(self.tables.entries, row.entries_start, row.entries_count);
            let slots = 1 << row.slots_log2;
            assert!(slots > row.entries_count, "an empty slot ends every search");
            self.range(self.tables.field_slots, row.slots_start, slots);
            let slots = range(self.tables.field_slots, row.slots_start, slots);
            let mut places: Vec<u16> = slots.iter().filter_map(|slot| number(*slot).checked_sub(1)).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..row.entries_count), "every entry has one slot");
        }
        for row in self.tables.entries.iter().map(EntryRow::unpack) {
            self.string(row.name);
            self.index(self.tables.elements, row.element);
            self.optional(self.tables.type_refs, row.type_ref);
        }
    }

    fn elements(&self) {
        for (index, row) in (0..).zip(self.tables.elements.iter().map(ElementRow::unpack)) {
            self.string(row.name);
            self.index(self.tables.fields, row.parent);
            self.range(self.tables.type_refs, row.types_start, row.types_count);
            assert!(row.types_count > 0, "every element has a type");
            self.optional(self.tables.fields, row.children);
            self.optional(self.tables.elements, row.content_reference);
            self.optional(self.tables.bindings, row.binding);
            self.indexes(self.tables.invariants, row.invariants);
            let element = ElementDef::new(self.tables, index);
            assert!(element.path().to_string().split('.').count() < 12, "parents go in a circle");
            if let Some(target) = element.content_reference() {
                assert!(target.children().is_some() && target.content_reference().is_none(), "{element:?}");
            }
        }
        for row in self.tables.type_refs.iter().map(TypeRefRow::unpack) {
            self.index(self.tables.types, row.type_index);
            self.indexes(self.tables.types, row.targets);
            self.optional(self.tables.types, row.profile);
        }
    }

    fn bindings_and_rules(&self) {
        for row in self.tables.bindings.iter().map(BindingRow::unpack) {
            self.index(self.tables.value_sets, row.value_set);
            self.index(&format::STRENGTHS, row.strength);
        }
        for row in self.tables.value_sets.iter().map(ValueSetRow::unpack) {
            self.string(row.url);
            self.optional(OFFSETS, row.version);
            if row.codes != NONE {
                self.codes(row.codes);
            }
        }
        for row in self.tables.invariants.iter().map(InvariantRow::unpack) {
            self.string(row.key);
            self.string(row.human);
            self.string(row.expression);
            assert!(!string(row.expression).is_empty());
            assert!(row.severity & !format::BEST_PRACTICE <= 1);
        }
    }

    fn codes(&self, offset: u16) {
        assert!(self.lists.contains(&offset));
        let mut rest = self.tables.list(offset);
        while let Some((head, tail)) = rest.split_first_chunk::<2>() {
            let (codes, tail) = tail.split_at(usize::from(number(head[1])));
            self.optional(OFFSETS, number(head[0]));
            for id in codes {
                self.string(number(*id));
            }
            rest = tail;
        }
        assert!(rest.is_empty());
    }

    fn search(&self) {
        for row in self.tables.parameters.iter().map(ParameterRow::unpack) {
            self.string(row.code);
            self.string(row.url);
            self.index(&format::SEARCH_TYPES, row.kind);
            assert!(row.multiple_or <= 2);
            assert!(row.comparators < 1 << format::COMPARATORS.len());
            self.indexes(self.tables.types, row.targets);
            assert!(self.lists.contains(&row.components));
            let (parts, rest) = self.tables.list(row.components).as_chunks::<3>();
            assert!(rest.is_empty());
            for [kind, parameter, expression] in parts {
                self.index(&format::SEARCH_TYPES, number(*kind));
                self.optional(self.tables.parameters, number(*parameter));
                self.string(number(*expression));
            }
        }
        for row in self.tables.parameter_uses.iter().map(ParameterUseRow::unpack) {
            self.index(self.tables.parameters, row.parameter);
            self.optional(OFFSETS, row.expression);
        }
        for row in self.tables.compartments.iter().map(CompartmentRow::unpack) {
            self.index(self.tables.types, row.type_index);
            self.string(row.url);
            self.range(self.tables.members, row.members_start, row.members_count);
        }
        for row in self.tables.members.iter().map(MemberRow::unpack) {
            self.index(self.tables.types, row.type_index);
            self.indexes(OFFSETS, row.parameters);
        }
    }
}

#[test]
fn every_index_leads_somewhere() {
    for version in FhirVersion::ALL {
        let checker = Checker::new(version);
        checker.types();
        checker.fields();
        checker.elements();
        checker.bindings_and_rules();
        checker.search();
    }
}

#[test]
fn strings_are_whole_sorted_and_distinct() {
    let offsets: Vec<usize> = OFFSETS.iter().map(|offset| u32::from_le_bytes(*offset) as usize).collect();
    assert_eq!((offsets.first(), offsets.last()), (Some(&0), Some(&TEXT.len())));
    let mut last = None;
    for (id, pair) in (0..).zip(offsets.windows(2)) {
        let text = &TEXT[pair[0]..pair[1]];
        assert_eq!(text.strip_suffix('\n'), Some(string(id)));
        assert!(last < Some(text), "{text:?}");
        assert_eq!(const_string(id), string(id));
        last = Some(text);
    }
}

#[test]
fn an_index_that_leads_nowhere_is_answered_with_nothing() {
    for version in FhirVersion::ALL {
        let tables = Tables::of(version);
        assert_eq!((string(NONE), string(NONE - 1), optional_string(NONE)), ("", "", None));
        assert!(tables.list(NONE).is_empty());
        let no_type = TypeDef::new(tables, NONE);
        assert_eq!((no_type.name(), no_type.base(), no_type.pattern()), ("", None, None));
        assert_eq!((no_type.elements().count(), no_type.invariants().count()), (0, 0));
        assert_eq!(no_type.search_parameters().len(), 0);
        assert!(no_type.resolve_json_name("id").is_none());
        let no_element = ElementDef::new(tables, NONE);
        assert_eq!((no_element.types().len(), no_element.children().is_some()), (0, false));
        assert_eq!(no_element.path().to_string(), ".[x]");
        assert!(Fields::new(tables, NONE).element("id").is_none());
    }
}

#[test]
fn a_table_of_another_layout_is_refused() {
    let mut other = include_bytes!("../../tables/stu3.bin").to_vec();
    other[7] ^= 1;
    let other: &'static [u8] = other.leak();
    let refused = std::panic::catch_unwind(|| Tables::read(FhirVersion::Stu3, other).types.len());
    assert!(refused.is_err());
}
