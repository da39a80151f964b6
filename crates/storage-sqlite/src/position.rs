//! Where the commit order has got to.

use rusqlite::{Connection, OptionalExtension};
use storage_api::IndexGeneration;

use crate::index;

/// What the writer counts on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The newest row that was ever written.
    pub(crate) seq: i64,
    /// The newest stamp.
    pub(crate) at: i64,
    /// Whether there may be terms: while there never was one, none is looked for.
    pub(crate) indexed: bool,
    /// What terms are made with.
    pub(crate) generation: IndexGeneration,
}

impl Position {
    /// Reads it from the rows, or from what the last purge left.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let newest = "SELECT seq, at FROM version ORDER BY seq DESC LIMIT 1";
        let row = connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (seq, at): (i64, i64) = row.unwrap_or_default();
        let kept = |name| {
            let sql = "SELECT value FROM meta WHERE name = ?1";
            connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).optional()
        };
        let indexed = "SELECT EXISTS (SELECT 1 FROM term)";
        Ok(Self {
            generation: index::generation(connection)?,
            indexed: connection.query_row(indexed, [], |row| row.get(0))?,
            seq: seq.max(kept("newest_seq")?.unwrap_or_default()),
            at: at.max(kept("newest_at")?.unwrap_or_default()),
        })
    }

    /// Keeps it where a purge cannot remove it.
    pub(crate) fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(("newest_seq", self.seq))?;
        statement.execute(("newest_at", self.at))?;
        Ok(())
    }
}
