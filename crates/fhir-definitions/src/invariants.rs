//! The rules that the base definitions state in FHIRPath.

use std::fmt;

use crate::format::{BEST_PRACTICE, InvariantRow};
use crate::tables::{self, Tables, number, string};

/// How bad it is to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The resource is invalid.
    Error,
    /// The resource is valid, but someone should look.
    Warning,
}

/// A rule on a type or an element (`ElementDefinition.constraint`).
#[derive(Clone, Copy)]
pub struct InvariantDef {
    row: InvariantRow,
}

impl InvariantDef {
    /// The rules in the packed list at `offset`.
    pub(crate) fn list(tables: &'static Tables, offset: u16) -> impl ExactSizeIterator<Item = Self> {
        let rows = tables.list(offset).iter().map(|index| tables::row(tables.invariants, number(*index)));
        rows.map(|row| Self { row: InvariantRow::unpack(row) })
    }

    /// Its key, such as `dom-2`. A few keys are used for different rules in different places.
    pub fn key(self) -> &'static str {
        string(self.row.key)
    }

    /// How bad it is to break it.
    pub fn severity(self) -> Severity {
        if self.row.severity & !BEST_PRACTICE == 0 { Severity::Error } else { Severity::Warning }
    }

    /// Whether it is advice on good practice rather than a sign of a fault.
    pub fn is_best_practice(self) -> bool {
        self.row.severity & BEST_PRACTICE != 0
    }

    /// The rule in words.
    pub fn human(self) -> &'static str {
        string(self.row.human)
    }

    /// The rule in FHIRPath, to be evaluated on each value of the element; it must not be false.
    pub fn expression(self) -> &'static str {
        string(self.row.expression)
    }
}

impl fmt::Debug for InvariantDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvariantDef({}: {})", self.key(), self.expression())
    }
}
