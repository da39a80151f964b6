//! One commit's worth of write sets, judged and written inside the writer's transaction.

use std::collections::HashMap;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension};
use storage_api::{
    Body, Commit, Committed, Current, Guard, Key, Lost, Now, RequestId, Scope, Seq, StoreError, Timestamp,
    VersionWrite, Write, WriteSet,
};

use crate::rows::{Content, Link, ResourceRow, State, method_to_sql, seq_to_sql};
use crate::symbols::{self, SymbolKind, Symbols};

/// Where the commit order has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The newest row that was ever written.
    pub(crate) seq: i64,
    /// The newest stamp.
    pub(crate) at: i64,
    /// Whether there may be terms: while there never was one, none is looked for.
    pub(crate) indexed: bool,
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
            indexed: connection.query_row(indexed, [], |row| row.get(0))?,
            seq: seq.max(kept("newest_seq")?.unwrap_or_default()),
            at: at.max(kept("newest_at")?.unwrap_or_default()),
        })
    }

    /// Keeps it where a purge cannot remove it.
    fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(("newest_seq", self.seq))?;
        statement.execute(("newest_at", self.at))?;
        Ok(())
    }
}

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

/// What the write sets of one commit have done so far.
pub(crate) struct Group<'a> {
    pub(crate) connection: &'a Connection,
    symbols: &'a Symbols,
    pub(crate) position: Position,
    pub(crate) match_steps_max: usize,
    /// Keys as they will be after the commit.
    pub(crate) heads: HashMap<Key, Option<ResourceRow>>,
    /// Symbols that this commit creates.
    pub(crate) new_symbols: HashMap<(SymbolKind, CompactString), i64>,
}

impl<'a> Group<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        symbols: &'a Symbols,
        position: Position,
        match_steps_max: usize,
    ) -> Self {
        Self {
            connection,
            symbols,
            position,
            match_steps_max,
            heads: HashMap::new(),
            new_symbols: HashMap::new(),
        }
    }

    /// Judges every guard of the set, then appends all of its writes or none. An error means
    /// that the transaction cannot go on.
    pub(crate) fn apply(&mut self, set: &WriteSet, now: Timestamp) -> Result<Outcome, GroupError> {
        let at = now.0.max(self.position.at);
        let mut lost = Vec::new();
        for (guard, what) in set.guards.iter().enumerate() {
            match self.judge(what, at) {
                Ok(None) => {}
                Ok(Some(now)) => lost.push(Lost { guard, now }),
                Err(GroupError::Refused(error)) => return Ok(Err(error)),
                Err(error) => return Err(error),
            }
        }
        if !lost.is_empty() {
            return Ok(Ok(Commit::Lost(lost)));
        }
        self.position.at = at;
        let before = self.position.seq;
        for write in &set.writes {
            match write {
                Write::Version(version) => self.append(version, set.request)?,
                Write::Terms { key, terms } => self.replace_terms(key, terms)?,
                Write::Purge(key) => self.purge(key)?,
                Write::Claim { .. } => {}
            }
        }
        // A claim is known by the place of the commit that made it, the last one of its set.
        for write in &set.writes {
            if let Write::Claim { scope, value, expires } = write {
                self.claim(*scope, value, self.position.seq - before, *expires)?;
            }
        }
        let seq = Seq(self.position.seq.unsigned_abs());
        Ok(Ok(Commit::Committed(Committed { seq, at: Timestamp(at) })))
    }

    /// What a guard met, if it does not hold.
    fn judge(&mut self, guard: &Guard, at: i64) -> Result<Option<Now>, GroupError> {
        match guard {
            Guard::Head(key, wanted) => {
                let current = self.head(key)?.map_or(Current::NEVER, |row| row.current());
                Ok((!wanted.holds(&current)).then_some(Now::Head(current)))
            }
            Guard::Matches(query, expected) => self.judge_matches(query, expected),
            Guard::Unclaimed(scope, value) => Ok(self.claimed(*scope, value, at)?),
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
        if let Some(row) = self.heads.get(key) {
            return Ok(*row);
        }
        let row = match self.known_symbol(SymbolKind::Kind, &key.kind)? {
            Some(kind) => ResourceRow::find(self.connection, kind, &key.id)?,
            None => None,
        };
        self.heads.insert(key.clone(), row);
        Ok(row)
    }

    pub(crate) fn known_symbol(
        &self,
        kind: SymbolKind,
        text: &CompactString,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(number) = self.new_symbols.get(&(kind, text.clone())) {
            return Ok(Some(*number));
        }
        self.symbols.number(self.connection, kind, text)
    }

    pub(crate) fn symbol(&mut self, kind: SymbolKind, text: &CompactString) -> rusqlite::Result<i64> {
        if let Some(number) = self.known_symbol(kind, text)? {
            return Ok(number);
        }
        let number = symbols::insert(self.connection, kind, text)?;
        self.new_symbols.insert((kind, text.clone()), number);
        Ok(number)
    }

    fn append(&mut self, write: &VersionWrite, request: RequestId) -> Result<(), GroupError> {
        let kind = self.symbol(SymbolKind::Kind, &write.key.kind)?;
        let before = self.head(&write.key)?;
        let newest = before.and_then(|row| row.newest());
        self.position.seq += 1;
        let state = if write.body.is_some() { State::Live } else { State::Deleted };
        let mut row = ResourceRow {
            res: before.map_or(0, |row| row.res),
            state,
            number: write.next.number.get(),
            seq: self.position.seq,
            at: self.position.at,
            tag: write.next.tag.0,
            previous_at: before.filter(|_| newest.is_some()).map(|row| row.at),
        };
        if before.is_some() {
            self.update_resource(&row)?;
        } else {
            row.res = self.insert_resource(kind, &write.key.id, &row)?;
        }
        self.heads.insert(write.key.clone(), Some(row));
        let terms = self.replace_entries(row.res, before, &write.terms)?;
        self.insert_version(newest, &row, write, request, terms.as_deref())?;
        let sql = "INSERT INTO version_by_type (type, seq) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute((kind, row.seq))?;
        Ok(())
    }

    /// The row of a resource that is referred to, created if it has none yet.
    pub(crate) fn placeholder(&mut self, key: &Key) -> rusqlite::Result<i64> {
        if let Some(row) = self.head(key)? {
            return Ok(row.res);
        }
        let kind = self.symbol(SymbolKind::Kind, &key.kind)?;
        let mut row =
            ResourceRow { res: 0, state: State::Absent, number: 0, seq: 0, at: 0, tag: 0, previous_at: None };
        row.res = self.insert_resource(kind, &key.id, &row)?;
        self.heads.insert(key.clone(), Some(row));
        Ok(row.res)
    }

    fn insert_resource(&self, kind: i64, id: &str, row: &ResourceRow) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO resource (type, id, state, ver, seq, at, tag, prev_at, floor)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)";
        self.connection.prepare_cached(sql)?.execute((
            kind,
            id,
            row.state.to_sql(),
            seq_to_sql(row.number),
            row.seq,
            row.at,
            row.tag.cast_signed(),
            row.previous_at,
        ))?;
        Ok(self.connection.last_insert_rowid())
    }

    fn update_resource(&self, row: &ResourceRow) -> rusqlite::Result<()> {
        let sql = "UPDATE resource SET state = ?2, ver = ?3, seq = ?4, at = ?5, tag = ?6, prev_at = ?7
                   WHERE res = ?1";
        self.connection.prepare_cached(sql)?.execute((
            row.res,
            row.state.to_sql(),
            seq_to_sql(row.number),
            row.seq,
            row.at,
            row.tag.cast_signed(),
            row.previous_at,
        ))?;
        Ok(())
    }

    fn insert_version(
        &self,
        prev: Option<i64>,
        row: &ResourceRow,
        write: &VersionWrite,
        request: RequestId,
        terms: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        let (content, splice) = match &write.body {
            Some(Body { bytes, splice }) => (Content::Inline(bytes.clone()), *splice),
            None => (Content::None, 0),
        };
        let sql = "INSERT INTO version
                   (seq, res, ver, prev, at, tag, method, request, codec, splice, terms, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.connection.prepare_cached(sql)?.execute((
            row.seq,
            row.res,
            seq_to_sql(row.number),
            prev,
            row.at,
            row.tag.cast_signed(),
            method_to_sql(write.method),
            request.0,
            content.codec(),
            splice,
            terms,
            content.blob(),
        ))?;
        Ok(())
    }

    /// Removes a key's versions. The row stays and keeps the highest number used.
    fn purge(&mut self, key: &Key) -> Result<(), GroupError> {
        let (Some(row), Some(kind)) = (self.head(key)?, self.known_symbol(SymbolKind::Kind, &key.kind)?)
        else {
            return Ok(());
        };
        self.replace_entries(row.res, Some(row), &[])?;
        let mut next = row.newest();
        while let Some(seq) = next {
            next = Link::find(self.connection, seq)?.and_then(|link| link.prev);
            self.connection.prepare_cached("DELETE FROM version WHERE seq = ?1")?.execute([seq])?;
            let sql = "DELETE FROM version_by_type WHERE type = ?1 AND seq = ?2";
            self.connection.prepare_cached(sql)?.execute((kind, seq))?;
        }
        let purged = ResourceRow { state: State::Purged, seq: 0, at: 0, tag: 0, previous_at: None, ..row };
        self.update_resource(&purged)?;
        let sql = "UPDATE resource SET floor = ver WHERE res = ?1";
        self.connection.prepare_cached(sql)?.execute([row.res])?;
        self.heads.insert(key.clone(), Some(purged));
        Ok(self.position.save(self.connection)?)
    }

    fn claim(
        &self,
        scope: Scope,
        value: &[u8],
        count: i64,
        expires: Option<Timestamp>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO claim (scope, value, seq, count, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (scope, value) DO UPDATE
                   SET seq = excluded.seq, count = excluded.count, expires = excluded.expires";
        let row = (scope.0, value, self.position.seq, count, expires.map(|expires| expires.0));
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }
}
