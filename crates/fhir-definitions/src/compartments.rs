//! Compartments: which resources belong to a patient, a practitioner, ..

use std::fmt;

use crate::format::{CompartmentRow, MemberRow};
use crate::search;
use crate::tables::{self, Tables, string};
use crate::types::{Definitions, TypeDef};

/// A compartment (CompartmentDefinition).
#[derive(Clone, Copy)]
pub struct CompartmentDef {
    tables: &'static Tables,
    row: CompartmentRow,
}

impl CompartmentDef {
    /// The type of the resource that it is about, such as `Patient`.
    pub fn type_def(self) -> TypeDef {
        TypeDef::new(self.tables, self.row.type_index)
    }

    /// The canonical URL of its definition.
    pub fn url(self) -> &'static str {
        string(self.row.url)
    }

    fn rows(self) -> &'static [[u8; MemberRow::WIDTH]] {
        tables::range(self.tables.members, self.row.members_start, self.row.members_count)
    }

    /// The resource types that may belong to it, sorted by name, with the search parameters by which they do: a
    /// resource belongs if one of them refers to the compartment's resource. That resource itself always belongs,
    /// listed or not. In STU3 a few names are chains, such as `target.subject` of `Provenance`.
    pub fn members(
        self,
    ) -> impl ExactSizeIterator<Item = (TypeDef, impl ExactSizeIterator<Item = &'static str>)> {
        let tables = self.tables;
        self.rows().iter().map(MemberRow::unpack).map(move |row| {
            (TypeDef::new(tables, row.type_index), search::strings(tables.list(row.parameters)))
        })
    }

    /// The search parameters by which a resource of this type belongs; none if it cannot.
    pub fn parameters(self, resource_type: TypeDef) -> impl ExactSizeIterator<Item = &'static str> {
        let of_type = |row: &MemberRow| row.type_index == resource_type.index();
        let row = self.rows().iter().map(MemberRow::unpack).find(of_type);
        search::strings(row.map(|row| self.tables.list(row.parameters)).unwrap_or_default())
    }
}

impl fmt::Debug for CompartmentDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompartmentDef({} {})", self.tables.version, self.type_def().name())
    }
}

impl Definitions {
    /// The compartments, sorted by type.
    pub fn compartments(self) -> impl ExactSizeIterator<Item = CompartmentDef> {
        let rows = self.tables.compartments.iter().map(CompartmentRow::unpack);
        rows.map(move |row| CompartmentDef { tables: self.tables, row })
    }

    /// The compartment about resources of this type.
    pub fn compartment(self, type_name: &str) -> Option<CompartmentDef> {
        self.compartments().find(|compartment| compartment.type_def().name() == type_name)
    }
}
