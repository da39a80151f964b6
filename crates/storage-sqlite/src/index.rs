//! What terms are made by, as the file keeps it; and who refers to a resource.

use std::collections::HashSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use storage_api::{Index, IndexGeneration, Key, Now, REFERRING_MAX, Referrals, WriteSet};

use crate::encoding::local;
use crate::group::{Group, GroupError};
use crate::rows::ResourceRow;
use crate::symbols::SymbolKind;

/// What a write set does to who refers, with the rows of what it writes.
pub(crate) struct Rewritten<'a> {
    referrals: Referrals<'a>,
    rows: HashSet<i64>,
}

const MAKER: &str = "index_maker";
const BACKFILL: &str = "index_backfill";

/// The generation that the file has.
pub(crate) fn generation(connection: &Connection) -> rusqlite::Result<IndexGeneration> {
    let sql = "SELECT value FROM meta WHERE name = 'index_generation'";
    let found = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(IndexGeneration(found.unwrap_or_default()))
}

/// Wants a snapshot: what belongs together is in several rows.
pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Index> {
    let note = |name| {
        let sql = "SELECT value FROM note WHERE name = ?1";
        let found = connection.prepare_cached(sql)?.query_row([name], |row| row.get::<_, Vec<u8>>(0));
        found.optional()
    };
    Ok(Index {
        generation: generation(connection)?,
        maker: note(MAKER)?.map(Bytes::from).unwrap_or_default(),
        backfill: note(BACKFILL)?.map(Bytes::from),
    })
}

impl Group<'_> {
    /// From the next write set on the generation is this one.
    pub(crate) fn write_index(&mut self, index: &Index) -> rusqlite::Result<()> {
        let sql = "INSERT INTO meta (name, value) VALUES ('index_generation', ?1)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.prepare_cached(sql)?.execute([index.generation.0])?;
        // What makes the terms stays while they are made, and may be long.
        self.note(MAKER, Some(&index.maker))?;
        self.note(BACKFILL, index.backfill.as_deref())?;
        self.effects.position.generation = index.generation;
        Ok(())
    }

    fn note(&self, name: &str, value: Option<&[u8]>) -> rusqlite::Result<()> {
        match value {
            Some(value) => {
                let sql = "INSERT INTO note (name, value) VALUES (?1, ?2)
                           ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
                self.connection.prepare_cached(sql)?.execute((name, value))?;
            }
            None => {
                self.connection.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([name])?;
            }
        }
        Ok(())
    }

    /// What guards on who refers are judged by, beside what is stored.
    pub(crate) fn rewritten<'s>(&mut self, set: &'s WriteSet) -> rusqlite::Result<Rewritten<'s>> {
        let mut rewritten = Rewritten { referrals: set.referrals(), rows: HashSet::new() };
        for key in rewritten.referrals.written() {
            rewritten.rows.extend(self.head(key)?.map(|row| row.res));
        }
        Ok(rewritten)
    }

    /// Who refers to a key after a write set. What is found is live, because nothing else has entries.
    pub(crate) fn judge_unreferred(
        &mut self,
        key: &Key,
        param: &str,
        rewritten: &Rewritten<'_>,
    ) -> Result<Option<Now>, GroupError> {
        let stored = self.referring(key, param, &rewritten.rows)?;
        let referring = rewritten.referrals.after(key, param, stored);
        Ok((!referring.is_empty()).then_some(Now::Referred(referring)))
    }

    /// Who refers to a key, without itself and some others; only as many as are told of.
    fn referring(&mut self, key: &Key, param: &str, others: &HashSet<i64>) -> Result<Vec<Key>, GroupError> {
        let param = self.known_symbol(SymbolKind::Param, &param.into())?;
        let (Some(param), Some(row)) = (param, self.head(key)?) else { return Ok(Vec::new()) };
        let sql = "SELECT res FROM term WHERE param = ?1 AND value = ?2 AND res <> ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut found = statement.query((param, local(row.res), row.res))?;
        let mut referring = Vec::new();
        while referring.len() < REFERRING_MAX
            && let Some(row) = found.next()?
        {
            let res = row.get(0)?;
            if others.contains(&res) {
                continue;
            }
            let Some((_, kind, id)) = ResourceRow::find_named(self.connection, res)? else { continue };
            let kind = self.symbol_text(SymbolKind::Kind, kind)?;
            referring.push(Key { kind, id });
        }
        Ok(referring)
    }
}
