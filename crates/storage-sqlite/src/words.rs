//! Words of live resources, in SQLite's full text index (FTS5).
//!
//! The index keeps no texts: version rows do. Its words are made here, so that its tokenizer has nothing left to decide:
//! letters and digits, those of ASCII in lower case, with spaces between them.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter, types::Value as Sql};
use storage_api::{FIELDS, Phrase};

use crate::encoding::{Entry, fields};

/// A row of the index is one parameter of one resource: the number of the one above these bits, of the other in them.
const RESOURCE_BITS: u32 = 40;
const RESOURCE: i64 = (1 << RESOURCE_BITS) - 1;

/// The resource of a row of the index, as an expression.
pub(crate) const RESOURCE_SQL: &str = "(words.rowid & 1099511627775)";

/// The row of a parameter of a resource.
pub(crate) fn row_of(param: i64, res: i64) -> i64 {
    (param << RESOURCE_BITS) | (res & RESOURCE)
}

/// The resource of a row.
pub(crate) fn resource_of(row: i64) -> i64 {
    row & RESOURCE
}

/// What the index has of a resource by parameter: the fields of all its words under it.
pub(crate) fn documents(entries: &[Entry]) -> BTreeMap<i64, [String; FIELDS]> {
    let mut documents: BTreeMap<i64, [String; FIELDS]> = BTreeMap::new();
    for (param, value) in entries {
        let Some(found) = fields(value) else { continue };
        let document = documents.entry(*param).or_default();
        for (field, words) in document.iter_mut().zip(found).filter(|(_, words)| !words.is_empty()) {
            // No phrase reaches from one value into the next.
            if !field.is_empty() {
                field.push_str(" \u{b6} ");
            }
            field.push_str(words);
        }
    }
    documents
}

/// Gives a resource the words of its entries in place of those that it had.
pub(crate) fn replace(
    connection: &Connection,
    res: i64,
    old: &[Entry],
    new: &[Entry],
) -> rusqlite::Result<()> {
    let (old, new) = (documents(old), documents(new));
    for (param, _) in old.iter().filter(|(param, words)| new.get(param) != Some(words)) {
        connection.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([row_of(*param, res)])?;
    }
    for (param, words) in new.iter().filter(|(param, words)| old.get(param) != Some(words)) {
        insert(connection, *param, res, words)?;
    }
    Ok(())
}

/// Adds the words of a resource that has none under this parameter.
pub(crate) fn insert(
    connection: &Connection,
    param: i64,
    res: i64,
    [first, second]: &[String; FIELDS],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO words (rowid, first, second) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute((row_of(param, res), first, second))?;
    Ok(())
}

/// What the words of one parameter must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of each of these one.
    pub(crate) all: Vec<Vec<Phrase>>,
    /// None of these.
    pub(crate) none: Vec<Phrase>,
}

impl Wanted {
    pub(crate) fn one(phrase: Phrase) -> Self {
        Self { all: vec![vec![phrase]], none: Vec::new() }
    }

    /// Whether some of these values have it.
    pub(crate) fn is_in<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> bool {
        let documents: Vec<_> = values.filter_map(fields).collect();
        let has = |phrase: &Phrase| documents.iter().any(|fields| phrase.is_in_fields(*fields));
        self.all.iter().all(|any| any.iter().any(has)) && !self.none.iter().any(has)
    }

    /// The same as an expression of FTS5. Phrases stand in quotes and have neither quotes nor anything else but letters,
    /// digits and spaces.
    fn expression(&self) -> String {
        let any = |phrases: &[Phrase]| {
            let texts: Vec<String> = phrases.iter().map(quoted).collect();
            format!("({})", texts.join(" OR "))
        };
        let all: Vec<String> = self.all.iter().map(|phrases| any(phrases)).collect();
        let mut text = format!("({})", all.join(" AND "));
        if !self.none.is_empty() {
            let _ = write!(text, " NOT {}", any(&self.none));
        }
        text
    }

    /// A statement that gives, in their order, the resources behind `after` that have it, and beside each what an
    /// expression says; and what is bound to it, behind what the expression needs.
    pub(crate) fn select(&self, param: i64, after: i64, filter: &str) -> (String, [Sql; 3]) {
        let sql = format!(
            "SELECT {RESOURCE_SQL} AS res, {filter} FROM words WHERE words MATCH ? AND rowid > ? AND rowid < ?"
        );
        let bound = [self.expression().into(), row_of(param, after).into(), row_of(param + 1, 0).into()];
        (sql, bound)
    }

    /// How many have it, counted up to `max`.
    pub(crate) fn estimate(&self, connection: &Connection, param: i64, max: i64) -> rusqlite::Result<i64> {
        let (select, bound) = self.select(param, 0, "1");
        let sql = format!("SELECT count(*) FROM ({select} LIMIT ?)");
        let bound = bound.into_iter().chain([max.into()]);
        connection.prepare_cached(&sql)?.query_row(params_from_iter(bound), |row| row.get(0))
    }
}

/// One phrase in quotes. What no document can have, such as a field that there is not, becomes an empty phrase, which
/// nothing has.
fn quoted(phrase: &Phrase) -> String {
    let (field, words) = match phrase.field {
        None => ("", phrase.words.as_str()),
        Some(0) => ("first : ", phrase.words.as_str()),
        Some(1) => ("second : ", phrase.words.as_str()),
        Some(_) => ("", ""),
    };
    format!("{field}\"{words}\"{}", if phrase.open && !words.is_empty() { " *" } else { "" })
}
