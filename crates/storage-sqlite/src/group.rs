//! One commit's worth of write sets, judged inside the writer's transaction.

use std::collections::HashMap;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension};
use storage_api::{
    Body, Commit, Committed, Current, Guard, Key, Lost, Now, Scope, Seq, StoreError, Timestamp, WriteSet,
};

use crate::blobs::{Hash, Pin};
use crate::caches::{EntryCache, HeadCache};
use crate::index::Rewritten;
use crate::position::Position;
use crate::rows::ResourceRow;
use crate::symbols::{self, SymbolKind, Symbols};

/// The outcome of one write set. An error here is its own: the group goes on.
pub(crate) type Outcome = Result<Commit, StoreError>;

/// Why a write set could not be judged or written.
#[derive(Debug)]
pub(crate) enum GroupError {
    /// Its own fault, found before anything was written.
    Refused(StoreError),
    /// SQLite failed: the transaction cannot go on.
    Sqlite(rusqlite::Error),
    /// What is stored makes no sense, and something may have been written.
    Corrupt(String),
}

impl From<rusqlite::Error> for GroupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A write set whose large contents are already on the disk.
pub(crate) struct Prepared {
    pub(crate) set: WriteSet,
    /// By the index of the write: its content, if that is in a file.
    pub(crate) files: HashMap<usize, Pin>,
}

/// What every group of a store is judged with.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) symbols: &'a Symbols,
    pub(crate) heads: &'a HeadCache,
    pub(crate) entries: &'a EntryCache,
    pub(crate) match_steps_max: usize,
}

/// What the write sets of one commit have done so far.
pub(crate) struct Group<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) tables: Tables<'a>,
    pub(crate) effects: Effects,
    /// What guards on queries of the write set at hand may still do.
    steps_left: usize,
}

/// What becomes true with the commit.
pub(crate) struct Effects {
    pub(crate) position: Position,
    /// Keys as they are afterwards.
    pub(crate) heads: HashMap<Key, Option<ResourceRow>>,
    /// New contents by their row.
    pub(crate) bodies: Vec<(i64, Body)>,
    /// What the newest versions are found by, packed, by their row.
    pub(crate) entries: HashMap<i64, Box<[u8]>>,
    /// Rows that are the newest of their key no more.
    pub(crate) replaced: Vec<i64>,
    /// Rows that are gone.
    pub(crate) purged: Vec<i64>,
    /// Contents in files that no version has any more.
    pub(crate) released: Vec<Hash>,
    /// New symbols.
    pub(crate) symbols: HashMap<(SymbolKind, CompactString), i64>,
    /// The claim behind which the next lapsed ones are looked for.
    pub(crate) sweep: (u16, Vec<u8>),
}

impl Effects {
    pub(crate) fn new(position: Position, sweep: (u16, Vec<u8>)) -> Self {
        Self {
            position,
            heads: HashMap::new(),
            bodies: Vec::new(),
            entries: HashMap::new(),
            replaced: Vec::new(),
            purged: Vec::new(),
            released: Vec::new(),
            symbols: HashMap::new(),
            sweep,
        }
    }
}

/// What a guard may do beyond what all of its set may: enough for the resources that it expects.
fn own_steps(guard: &Guard) -> usize {
    const FOR_EACH: usize = 16;
    match guard {
        Guard::Matches(_, expected) => expected.len().saturating_add(1).saturating_mul(FOR_EACH),
        _ => 0,
    }
}

impl<'a> Group<'a> {
    pub(crate) fn new(tables: Tables<'a>, effects: Effects) -> Self {
        Self { connection: tables.connection, tables, effects, steps_left: 0 }
    }

    /// Judges every guard of the set, then appends all of its writes or none. An error means
    /// that the transaction cannot go on.
    pub(crate) fn apply(&mut self, prepared: &Prepared, now: Timestamp) -> Result<Outcome, GroupError> {
        let set = &prepared.set;
        if set.index != self.effects.position.generation {
            return Ok(Ok(Commit::StaleIndex(self.effects.position.generation)));
        }
        let allowed = set.guards.iter().map(own_steps);
        self.steps_left = allowed.fold(self.tables.match_steps_max, usize::saturating_add);
        let at = now.0.max(self.effects.position.at);
        let rewritten = self.rewritten(set)?;
        let mut lost = Vec::new();
        for (guard, what) in set.guards.iter().enumerate() {
            match self.judge(what, &rewritten, at) {
                Ok(None) => {}
                Ok(Some(now)) => lost.push(Lost { guard, now }),
                Err(GroupError::Refused(error)) => return Ok(Err(error)),
                Err(error) => return Err(error),
            }
        }
        if !lost.is_empty() {
            return Ok(Ok(Commit::Lost(lost)));
        }
        self.effects.position.at = at;
        self.write(prepared)?;
        let seq = Seq(self.effects.position.seq.unsigned_abs());
        Ok(Ok(Commit::Committed(Committed { seq, at: Timestamp(at) })))
    }

    /// Takes steps from what guards on queries may do while others wait.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), GroupError> {
        let left = self.steps_left.checked_sub(steps);
        self.steps_left = left.ok_or(GroupError::Refused(StoreError::TooCostly))?;
        Ok(())
    }

    /// What a guard met, if it does not hold.
    fn judge(
        &mut self,
        guard: &Guard,
        rewritten: &Rewritten<'_>,
        at: i64,
    ) -> Result<Option<Now>, GroupError> {
        match guard {
            Guard::Head(key, wanted) => {
                let current = self.head(key)?.map_or(Current::NEVER, |row| row.current());
                Ok((!wanted.holds(&current)).then_some(Now::Head(current)))
            }
            Guard::Matches(query, expected) => self.judge_matches(query, expected),
            Guard::Unclaimed(scope, value) => Ok(self.claimed(*scope, value, at)?),
            Guard::Unreferred { key, param } => self.judge_unreferred(key, param, rewritten),
        }
    }

    fn claimed(&self, scope: Scope, value: &[u8], at: i64) -> rusqlite::Result<Option<Now>> {
        let sql = "SELECT seq FROM claim
                   WHERE scope = ?1 AND value = ?2 AND (expires IS NULL OR expires > ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let seq = statement.query_row((scope.0, value, at), |row| row.get::<_, i64>(0)).optional()?;
        Ok(seq.map(|seq| Now::Claimed(Seq(seq.unsigned_abs()))))
    }

    /// The row of a key as this group leaves it.
    pub(crate) fn head(&mut self, key: &Key) -> rusqlite::Result<Option<ResourceRow>> {
        if let Some(row) = self.effects.heads.get(key) {
            return Ok(*row);
        }
        let row = match self.tables.heads.get(key) {
            Some(row) => Some(row),
            None => match self.known_symbol(SymbolKind::Kind, &key.kind)? {
                Some(kind) => ResourceRow::find(self.connection, kind, &key.id)?,
                None => None,
            },
        };
        self.effects.heads.insert(key.clone(), row);
        Ok(row)
    }

    pub(crate) fn known_symbol(
        &self,
        kind: SymbolKind,
        text: &CompactString,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(number) = self.effects.symbols.get(&(kind, text.clone())) {
            return Ok(Some(*number));
        }
        self.tables.symbols.number(self.connection, kind, text)
    }

    /// The text of a number that a row has.
    pub(crate) fn symbol_text(&self, kind: SymbolKind, number: i64) -> Result<CompactString, GroupError> {
        let mut new = self.effects.symbols.iter();
        if let Some(((_, text), _)) = new.find(|((of, _), known)| *of == kind && **known == number) {
            return Ok(text.clone());
        }
        let known = self.tables.symbols.text(self.connection, kind, number)?;
        known.ok_or_else(|| GroupError::Corrupt(format!("the symbol {number} is missing")))
    }

    pub(crate) fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<i64> {
        if let Some(number) = self.known_symbol(kind, text)? {
            return Ok(number);
        }
        let number = symbols::insert(self.connection, kind, text)?;
        self.effects.symbols.insert((kind, text.clone()), number);
        Ok(number)
    }
}
