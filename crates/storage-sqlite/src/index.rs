//! What terms are made by, as the file keeps it; and who refers to a resource.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use storage_api::{Index, IndexGeneration, Key, Now, REFERRING_MAX};

use crate::encoding::local;
use crate::group::{Group, GroupError};
use crate::rows::ResourceRow;
use crate::symbols::SymbolKind;

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

    /// Who refers to a key. What is found is live, because nothing else has entries.
    pub(crate) fn judge_unreferred(&mut self, key: &Key, param: &str) -> Result<Option<Now>, GroupError> {
        let param = self.known_symbol(SymbolKind::Param, &param.into())?;
        let (Some(param), Some(row)) = (param, self.head(key)?) else { return Ok(None) };
        let sql = "SELECT res FROM term WHERE param = ?1 AND value = ?2 AND res <> ?3 LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let max = i64::try_from(REFERRING_MAX).unwrap_or(i64::MAX);
        let found = statement.query_map((param, local(row.res), row.res, max), |row| row.get(0))?;
        let mut referring = Vec::new();
        for res in found.collect::<rusqlite::Result<Vec<i64>>>()? {
            let Some((_, kind, id)) = ResourceRow::find_named(self.connection, res)? else { continue };
            let kind = self.symbol_text(SymbolKind::Kind, kind)?;
            referring.push(Key { kind, id });
        }
        referring.sort();
        Ok((!referring.is_empty()).then_some(Now::Referred(referring)))
    }
}
