//! A store made from rows that are known already, in large transactions. What follows from the
//! rows (newest states, lists, index, counts of files) is derived at the end.
//!
//! Nothing is durable before [`Bulk::finish`]; what is left when it does not come to that is of no
//! use.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use storage_api::{Method, Timestamp, VersionTag};

use crate::OpenError;
use crate::archive::{ClaimRecord, PartitionRecord, ResourceRecord, SymbolRecord, VersionRecord};
use crate::blobs::{Blobs, Hash};
use crate::connection::open_writer;
use crate::encoding::{is_words, unpack};
use crate::layout::Layout;
use crate::lock::StoreLock;
use crate::options::{Durability, Options};
use crate::position::Position;
use crate::rows::{State, method_to_sql};
use crate::{folder, schema, words};

/// A transaction ends once it has this many bytes.
const TRANSACTION_BYTES_MAX: usize = 16 << 20;

/// What a row weighs besides its content.
const ROW_BYTES: usize = 100;

/// The request id of versions that no request wrote but a restore, to raise a number. Only at these
/// may a history pass over numbers.
pub(crate) const RESTORE_REQUEST: [u8; 16] = *b"firelock-restore";

/// How far numbers are raised, and what is written with them.
pub(crate) struct Raise<'a> {
    pub(crate) margin: i64,
    pub(crate) now: Timestamp,
    pub(crate) tag: &'a mut dyn FnMut() -> VersionTag,
}

pub(crate) struct Bulk {
    connection: Connection,
    blobs: Arc<Blobs>,
    directory: std::path::PathBuf,
    bytes: usize,
    _lock: StoreLock,
}

impl Bulk {
    /// A new store in `directory`, which is made.
    pub(crate) fn create(directory: &Path) -> Result<Self, OpenError> {
        folder::create(directory)?;
        let lock = StoreLock::take(directory)?;
        let layout = Layout::of(directory);
        std::fs::create_dir_all(&layout.blobs)?;
        let options = Options { durability: Durability::Normal, ..Options::default() };
        let mut connection = open_writer(&layout.database, &options)?;
        schema::migrate(&mut connection)?;
        // Nobody else waits, so the log may be moved by whoever commits.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 8_000, |_| Ok(()))?;
        connection.execute_batch("CREATE TEMP TABLE head (res INTEGER PRIMARY KEY, seq INTEGER NOT NULL)")?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let blobs = Arc::new(Blobs::new(layout.blobs));
        Ok(Self { connection, blobs, directory: directory.to_path_buf(), bytes: 0, _lock: lock })
    }

    /// For tables of one's own.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Says whether the content is what its hash says; only then is it kept.
    pub(crate) fn content(&mut self, hash: &Hash, bytes: &[u8]) -> Result<bool, OpenError> {
        Ok(self.blobs.store(bytes)?.hash == *hash)
    }

    /// Versions come in commit order.
    pub(crate) fn version(&mut self, row: &VersionRecord) -> Result<(), OpenError> {
        let sql = "INSERT INTO version
                   (seq, res, ver, prev, at, tag, method, request, codec, splice, terms, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.connection.prepare_cached(sql)?.execute((
            row.seq,
            row.res,
            row.ver,
            row.prev,
            row.at,
            row.tag,
            row.method,
            &row.request,
            row.codec,
            row.splice,
            &row.terms,
            &row.body,
        ))?;
        let sql = "INSERT INTO head (res, seq) VALUES (?1, ?2)
                   ON CONFLICT (res) DO UPDATE SET seq = excluded.seq";
        self.connection.prepare_cached(sql)?.execute((row.res, row.seq))?;
        let bytes = row.body.as_ref().map_or(0, Vec::len) + row.terms.as_ref().map_or(0, Vec::len);
        self.wrote(bytes)
    }

    pub(crate) fn resource(&mut self, row: &ResourceRecord) -> Result<(), OpenError> {
        // As one without versions; those that have some get their state at the end.
        let state = if row.floor > 0 { State::Purged } else { State::Absent };
        let sql = "INSERT INTO resource (res, type, id, state, ver, seq, at, tag, prev_at, floor)
                   VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, NULL, ?5)";
        let row = (row.res, row.kind, &row.id, state.to_sql(), row.floor);
        self.connection.prepare_cached(sql)?.execute(row)?;
        self.wrote(0)
    }

    pub(crate) fn symbol(&mut self, row: &SymbolRecord) -> Result<(), OpenError> {
        let sql = "INSERT INTO symbol (sym, kind, text) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((row.sym, row.kind, &row.text))?;
        self.wrote(0)
    }

    pub(crate) fn claim(&mut self, row: &ClaimRecord) -> Result<(), OpenError> {
        let sql = "INSERT INTO claim (scope, value, seq, count, expires) VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = (row.scope, &row.value, row.seq, row.count, row.expires);
        self.connection.prepare_cached(sql)?.execute(row)?;
        self.wrote(0)
    }

    fn wrote(&mut self, bytes: usize) -> Result<(), OpenError> {
        self.bytes += bytes + ROW_BYTES;
        if self.bytes >= TRANSACTION_BYTES_MAX {
            self.bytes = 0;
            self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Derives the rest, raises numbers if that is asked for, and returns when everything is on the
    /// disk. Says how many keys were raised.
    pub(crate) fn finish(
        mut self,
        partition: &PartitionRecord,
        raise: Option<Raise<'_>>,
    ) -> Result<u64, OpenError> {
        // What was purged while the rows were read.
        self.connection.execute_batch(
            "DELETE FROM version WHERE ver <= (SELECT floor FROM resource r WHERE r.res = version.res);
             DELETE FROM head WHERE seq NOT IN (SELECT seq FROM version);",
        )?;
        self.derive_states()?;
        let position = Position { seq: partition.newest_seq, at: partition.newest_at, ..Position::default() };
        position.save(&self.connection)?;
        let raised = raise.map_or(Ok(0), |raise| self.raise(position, raise))?;
        self.connection.execute_batch(
            "INSERT INTO version_by_type (type, seq)
                 SELECT r.type, v.seq FROM version v JOIN resource r ON r.res = v.res ORDER BY 1, 2;
             INSERT INTO blob (hash, refs) SELECT body, count(*) FROM version WHERE codec = 2 GROUP BY body;",
        )?;
        self.index()?;
        let sql = "INSERT INTO meta (name, value) VALUES ('index_generation', ?1)";
        self.connection.execute(sql, [partition.index_generation])?;
        self.connection.execute_batch("COMMIT")?;
        self.blobs.remove_leftovers(&self.connection)?;
        // Closing moves the log into the file and syncs it.
        let Self { connection, directory, .. } = self;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(folder::sync(&directory).map(|()| raised)?)
    }

    fn derive_states(&mut self) -> Result<(), OpenError> {
        let sql = "UPDATE resource
             SET state = iif(v.method = ?1, ?2, ?3), ver = v.ver, seq = v.seq, at = v.at, tag = v.tag,
                 prev_at = (SELECT p.at FROM version p WHERE p.seq = v.prev)
             FROM head h JOIN version v ON v.seq = h.seq WHERE resource.res = h.res";
        let states = (method_to_sql(Method::Delete), State::Deleted.to_sql(), State::Live.to_sql());
        self.connection.execute(sql, states)?;
        Ok(())
    }

    /// Gives every key a number that is higher by the margin: those with versions by a version like
    /// their newest, those without by their floor.
    fn raise(&mut self, position: Position, raise: Raise<'_>) -> Result<u64, OpenError> {
        let Raise { margin, now, tag } = raise;
        let at = now.0.max(position.at);
        let sql = "UPDATE resource SET ver = ver + ?1, floor = floor + ?1 WHERE state = ?2";
        let mut raised = self.connection.execute(sql, (margin, State::Purged.to_sql()))? as u64;
        let copy = "INSERT INTO version
             SELECT ?2, res, ver + ?3, seq, ?4, ?5, iif(method = ?6, ?6, ?7), ?8, codec, splice, terms, body
             FROM version WHERE seq = ?1";
        let update = "UPDATE resource SET ver = ver + ?2, seq = ?3, prev_at = at, at = ?4, tag = ?5
                      WHERE res = ?1";
        let (delete, put) = (method_to_sql(Method::Delete), method_to_sql(Method::Put));
        let mut seq = position.seq;
        // Oldest first, so that what was appended together is copied together.
        let mut heads = self.connection.prepare("SELECT res, seq FROM head ORDER BY seq")?;
        let mut rows = heads.query([])?;
        while let Some(row) = rows.next()? {
            let (res, before): (i64, i64) = (row.get(0)?, row.get(1)?);
            let tag = tag().0.cast_signed();
            seq += 1;
            raised += 1;
            let values = (before, seq, margin, at, tag, delete, put, RESTORE_REQUEST);
            self.connection.prepare_cached(copy)?.execute(values)?;
            self.connection.prepare_cached(update)?.execute((res, margin, seq, at, tag))?;
        }
        Ok(raised)
    }

    /// What live resources are found by, from what their newest versions keep.
    fn index(&mut self) -> Result<(), OpenError> {
        let sql = "SELECT r.res, v.terms, v.seq FROM resource r JOIN version v ON v.seq = r.seq
                   WHERE r.state = ?1 AND v.terms IS NOT NULL";
        let mut heads = self.connection.prepare(sql)?;
        let mut rows = heads.query([State::Live.to_sql()])?;
        while let Some(row) = rows.next()? {
            let (res, terms): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            // Damaged terms are found by the check that follows.
            let entries = unpack(&terms).unwrap_or_default();
            words::replace(&self.connection, res, &[], &entries)?;
            for (param, value) in entries.iter().filter(|(_, value)| !is_words(value)) {
                let sql = "INSERT OR IGNORE INTO term (param, value, res) VALUES (?1, ?2, ?3)";
                self.connection.prepare_cached(sql)?.execute((param, value, res))?;
            }
        }
        Ok(())
    }
}
