//! Texts that repeat, as short numbers: kinds, parameters, systems.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension};

/// The table in memory is dropped and filled again when it has this many entries: clients choose
/// systems, so their number has no bound.
const SYMBOLS_MAX: usize = 1 << 16;

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SymbolKind {
    /// A kind of resource.
    Kind,
    /// A parameter that terms have.
    Param,
    /// A system of codes.
    System,
}

impl SymbolKind {
    pub(crate) fn to_sql(self) -> i64 {
        match self {
            Self::Kind => 1,
            Self::Param => 2,
            Self::System => 3,
        }
    }
}

/// Committed symbols, remembered from the table.
#[derive(Default)]
pub(crate) struct Symbols {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    numbers: HashMap<(SymbolKind, CompactString), i64>,
    texts: HashMap<i64, CompactString>,
}

impl Symbols {
    /// The number of a text, if it has one.
    pub(crate) fn number(
        &self,
        connection: &Connection,
        kind: SymbolKind,
        text: &CompactString,
    ) -> rusqlite::Result<Option<i64>> {
        // Texts this short are copied, not allocated, for the look-up.
        let wanted = (kind, text.clone());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(&wanted) {
            return Ok(Some(*number));
        }
        drop(known);
        let sql = "SELECT sym FROM symbol WHERE kind = ?1 AND text = ?2";
        let row = (kind.to_sql(), text.as_str());
        let found = connection.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
        if let Some(number) = found {
            self.learn(kind, text, number);
        }
        Ok(found)
    }

    /// The text of a number; `None` if the table does not have it.
    pub(crate) fn text(
        &self,
        connection: &Connection,
        kind: SymbolKind,
        number: i64,
    ) -> rusqlite::Result<Option<CompactString>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.texts.get(&number) {
            return Ok(Some(text.clone()));
        }
        drop(known);
        let sql = "SELECT text FROM symbol WHERE sym = ?1 AND kind = ?2";
        let found: Option<String> = connection
            .prepare_cached(sql)?
            .query_row((number, kind.to_sql()), |row| row.get(0))
            .optional()?;
        Ok(found.map(|text| {
            let text = CompactString::from(text);
            self.learn(kind, &text, number);
            text
        }))
    }

    /// Remembers a symbol that is committed.
    pub(crate) fn learn(&self, kind: SymbolKind, text: &CompactString, number: i64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.numbers.len() >= SYMBOLS_MAX {
            *known = Known::default();
        }
        known.numbers.insert((kind, text.clone()), number);
        known.texts.insert(number, text.clone());
    }
}

/// Gives a text its number, inside the writer's transaction. The number counts only once that
/// is committed, so it is not remembered here.
pub(crate) fn insert(connection: &Connection, kind: SymbolKind, text: &str) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO symbol (kind, text) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute((kind.to_sql(), text))?;
    Ok(connection.last_insert_rowid())
}
