//! Value sets bound to elements, and the codes of those that are closed lists.

use std::fmt;

use crate::format::{self, BindingRow, ValueSetRow};
use crate::tables::{self, Numbers, Tables, number, optional_string, string};
use crate::types::Definitions;

/// How binding a value set is (code system `http://hl7.org/fhir/binding-strength`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingStrength {
    /// A code of the set.
    Required,
    /// A code of the set, unless none fits.
    Extensible,
    /// Codes of the set are encouraged.
    Preferred,
    /// The set only illustrates.
    Example,
}

/// The value set that an element's codes come from.
#[derive(Clone, Copy)]
pub struct BindingDef {
    tables: &'static Tables,
    row: BindingRow,
}

impl BindingDef {
    pub(crate) fn new(tables: &'static Tables, index: u16) -> Option<Self> {
        let row = BindingRow::unpack(tables::row(tables.bindings, index));
        (index != format::NONE).then_some(Self { tables, row })
    }

    /// How binding it is.
    pub fn strength(self) -> BindingStrength {
        match self.row.strength {
            0 => BindingStrength::Required,
            1 => BindingStrength::Extensible,
            2 => BindingStrength::Preferred,
            _ => BindingStrength::Example,
        }
    }

    /// The value set.
    pub fn value_set(self) -> ValueSetDef {
        ValueSetDef { tables: self.tables, row: tables::row(self.tables.value_sets, self.row.value_set) }
    }

    /// The only codes allowed, if the binding is required and its value set is a closed list.
    pub fn required_codes(self) -> Option<CodeList> {
        self.value_set().codes().filter(|_| self.strength() == BindingStrength::Required)
    }
}

impl fmt::Debug for BindingDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BindingDef({:?} {})", self.strength(), self.value_set().url())
    }
}

/// A value set that an element is bound to.
#[derive(Clone, Copy)]
pub struct ValueSetDef {
    tables: &'static Tables,
    row: &'static [u8; ValueSetRow::WIDTH],
}

impl ValueSetDef {
    fn row(self) -> ValueSetRow {
        ValueSetRow::unpack(self.row)
    }

    /// Its canonical URL, without version.
    pub fn url(self) -> &'static str {
        string(self.row().url)
    }

    /// The version that the binding names.
    pub fn version(self) -> Option<&'static str> {
        optional_string(self.row().version)
    }

    /// Its codes, if some required binding uses it and it is a closed list. Sets that others maintain or that a
    /// grammar defines are not: media types, currencies, countries, time zones, UCUM units, all languages.
    pub fn codes(self) -> Option<CodeList> {
        let codes = self.row().codes;
        (codes != format::NONE).then(|| CodeList { numbers: self.tables.list(codes) })
    }
}

impl fmt::Debug for ValueSetDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueSetDef({} {})", self.tables.version, self.url())
    }
}

impl Definitions {
    /// Every value set that some element is bound to, sorted by URL.
    pub fn value_sets(self) -> impl ExactSizeIterator<Item = ValueSetDef> {
        self.tables.value_sets.iter().map(move |row| ValueSetDef { tables: self.tables, row })
    }

    /// The value set with this URL (without version), if some element is bound to it.
    pub fn value_set(self, url: &str) -> Option<ValueSetDef> {
        let rows = self.tables.value_sets;
        let found = rows.binary_search_by(|row| string(ValueSetRow::unpack(row).url).cmp(url)).ok()?;
        rows.get(found).map(|row| ValueSetDef { tables: self.tables, row })
    }
}

/// The codes of a closed value set, grouped by code system.
#[derive(Clone, Copy)]
pub struct CodeList {
    numbers: Numbers,
}

impl CodeList {
    /// The code systems with their codes, both sorted. A few published expansions name no system.
    pub fn groups(self) -> impl Iterator<Item = CodeGroup> {
        let mut rest = self.numbers;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<2>()?;
            let (codes, tail) = tail.split_at_checked(usize::from(number(head[1])))?;
            rest = tail;
            Some(CodeGroup { system: optional_string(number(head[0])), codes })
        })
    }

    /// Whether some code system of the set has this code: what an element of type `code` needs, whose system is
    /// implied.
    pub fn contains(self, code: &str) -> bool {
        self.groups().any(|group| group.contains(code))
    }

    /// Whether the set has this code of this system.
    pub fn contains_coding(self, system: &str, code: &str) -> bool {
        self.groups().any(|group| group.system == Some(system) && group.contains(code))
    }

    /// Number of codes.
    pub fn len(self) -> usize {
        self.groups().map(|group| group.codes.len()).sum()
    }

    /// Whether there is no code; no published closed set is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for CodeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.groups().flat_map(CodeGroup::codes)).finish()
    }
}

/// The codes that a value set takes from one code system.
#[derive(Clone, Copy)]
pub struct CodeGroup {
    system: Option<&'static str>,
    codes: Numbers,
}

impl CodeGroup {
    /// The URL of the code system.
    pub fn system(self) -> Option<&'static str> {
        self.system
    }

    /// The codes, sorted.
    pub fn codes(self) -> impl ExactSizeIterator<Item = &'static str> {
        self.codes.iter().map(|id| string(number(*id)))
    }

    /// Whether this code is among them; upper and lower case differ.
    pub fn contains(self, code: &str) -> bool {
        self.codes.binary_search_by(|id| string(number(*id)).cmp(code)).is_ok()
    }
}
