//! How a query is answered: the statements, and how SQLite goes about them.

use std::path::Path;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use storage_api::{Clause, Condition, Index, Key, Query, SearchRequest, StoreError};

use crate::blobs::Blobs;
use crate::connection::open_read_only;
use crate::layout::Layout;
use crate::matching::Plan;
use crate::options::Options;
use crate::reader::{ReadError, ReadResult, Reader};
use crate::search::candidates;
use crate::symbols::Symbols;
use crate::{OpenError, index, schema};

/// A store that is opened for reading only, to ask how it answers. It may be in use.
pub struct Explainer {
    connection: Connection,
    symbols: Symbols,
    blobs: Blobs,
}

/// How a query is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Statements in the order in which they are carried out. What a reference leads to is found first.
    pub statements: Vec<Statement>,
    /// The first resources that are found.
    pub found: Vec<Key>,
    /// Whether there are more.
    pub more: bool,
}

/// A statement that gives candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is for: the kind that is looked for.
    pub kind: String,
    /// Its text. Its second column tells whether a candidate passes what the index can be asked.
    pub sql: String,
    /// What is bound to it, as SQL writes it.
    pub bound: Vec<String>,
    /// How SQLite goes about it.
    pub plan: Vec<String>,
    /// Conditions for which each candidate is looked at beside.
    pub looked_at: usize,
}

impl Explainer {
    /// Of the store in `directory`.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let layout = Layout::of(directory);
        let connection = open_read_only(&layout.database, &Options::default())?;
        schema::expect_newest(&connection)?;
        Ok(Self { connection, symbols: Symbols::default(), blobs: Blobs::new(layout.blobs) })
    }

    fn ask<T>(&self, question: impl FnOnce(&Reader<'_>) -> ReadResult<T>) -> Result<T, StoreError> {
        let reader = Reader { connection: &self.connection, symbols: &self.symbols, blobs: &self.blobs };
        Ok(reader.snapshot(question)?)
    }

    /// What the terms are made by.
    pub fn index(&self) -> Result<Index, StoreError> {
        self.ask(|reader| Ok(index::load(reader.connection)?))
    }

    /// How a query is answered, and the first `limit` of what it finds, all from one snapshot.
    pub fn explain(&self, query: &Query, limit: usize) -> Result<Explanation, StoreError> {
        self.ask(|reader| {
            let mut explanation = Explanation::default();
            statements(*reader, query, &mut explanation.statements)?;
            let mut request = SearchRequest::of(query.clone(), limit.max(1));
            loop {
                let page = reader.search(&request, &Options::default())?;
                explanation.found.extend(page.found.into_iter().map(|version| version.key));
                request.after = page.next;
                if explanation.found.len() >= limit || request.after.is_none() {
                    explanation.more = request.after.is_some() || explanation.found.len() > limit;
                    explanation.found.truncate(limit);
                    return Ok(explanation);
                }
            }
        })
    }
}

fn statements(reader: Reader<'_>, query: &Query, out: &mut Vec<Statement>) -> Result<(), ReadError> {
    followed(reader, &query.conditions, out)?;
    let Some(plan) = Plan::of(query, &mut { reader })? else { return Ok(()) };
    let ways = plan.ways(reader.connection)?;
    for (sql, bound) in candidates((plan.kind, &ways), 0).0 {
        let explained = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = reader.connection.prepare(&explained)?;
        let plan = statement.query_map(params_from_iter(bound.clone()), |row| row.get::<_, String>(3))?;
        out.push(Statement {
            kind: query.kind.to_string(),
            plan: plan.collect::<rusqlite::Result<_>>()?,
            sql,
            bound: bound.iter().map(shown).collect(),
            looked_at: ways.looked_at(),
        });
    }
    Ok(())
}

/// What the references in conditions lead to.
fn followed(reader: Reader<'_>, conditions: &[Condition], out: &mut Vec<Statement>) -> Result<(), ReadError> {
    for clause in conditions.iter().flat_map(|condition| &condition.any) {
        match clause {
            Clause::Refers { query, .. } | Clause::Referred { query, .. } => statements(reader, query, out)?,
            Clause::All(conditions) | Clause::Part { conditions, .. } => followed(reader, conditions, out)?,
            Clause::Term { .. } | Clause::Id(_) | Clause::Updated(_) => {}
        }
    }
    Ok(())
}

fn shown(value: &Sql) -> String {
    match value {
        Sql::Null => "NULL".to_owned(),
        Sql::Integer(number) => number.to_string(),
        Sql::Real(number) => number.to_string(),
        Sql::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Sql::Blob(bytes) => {
            let digits: String = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex).collect();
            format!("x'{digits}'")
        }
    }
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('?')
}
