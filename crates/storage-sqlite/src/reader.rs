//! Reads on one connection.

use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode};
use storage_api::{
    Body, Key, Seq, StoreError, StoredVersion, Timestamp, VersionNumber, VersionSelector, VersionTag,
    VersionToken,
};

use crate::blobs::Blobs;
use crate::error::store_error;
use crate::rows::{Content, Link, ResourceRow, VersionRow};
use crate::symbols::{SymbolKind, Symbols};

/// The low 48 bits of a tag.
const TAG48: u64 = (1 << 48) - 1;

/// What a question is answered with.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) symbols: &'a Symbols,
    pub(crate) blobs: &'a Blobs,
}

/// Why a read failed.
#[derive(Debug)]
pub(crate) enum ReadError {
    Sqlite(rusqlite::Error),
    /// A chain finds more than one search may follow.
    TooCostly,
    /// It takes longer than it was given.
    OutOfTime,
    /// The store is closed.
    Closed,
    /// Rows contradict each other.
    Corrupt(String),
    /// A content's file is not there: it went with its version just now, or it is lost.
    FileMissing(PathBuf),
    /// A content's file cannot be read.
    File(std::io::Error),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::OutOfTime,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sqlite(error) => store_error(&error),
            ReadError::TooCostly | ReadError::OutOfTime => Self::TooCostly,
            ReadError::Closed => Self::Unavailable("closed".to_owned()),
            ReadError::Corrupt(what) => Self::Corrupt(what),
            ReadError::FileMissing(path) => Self::Corrupt(format!("{} is missing", path.display())),
            ReadError::File(error) => Self::Io(error.to_string()),
        }
    }
}

pub(crate) type ReadResult<T> = Result<T, ReadError>;

impl Reader<'_> {
    /// Answers several statements from one snapshot.
    pub(crate) fn snapshot<T>(&self, question: impl FnOnce(&Self) -> ReadResult<T>) -> ReadResult<T> {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let answer = question(self);
        // Nothing was written, so ending the transaction either way is the same; but it must end,
        // or the connection could never begin another.
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if ended.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        answer
    }

    /// The newest state of a key and its content, from one statement and so from one snapshot.
    pub(crate) fn head_and_body(&self, key: &Key) -> ReadResult<Option<(ResourceRow, Option<Body>)>> {
        let Some(kind) = self.symbols.number(self.connection, SymbolKind::Kind, &key.kind)? else {
            return Ok(None);
        };
        let sql = "SELECT r.res, r.state, r.ver, r.seq, r.at, r.tag, r.prev_at, v.splice, v.codec, v.body
                   FROM resource r LEFT JOIN version v ON v.seq = r.seq WHERE r.id = ?1 AND r.type = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((key.id.as_str(), kind))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let resource = ResourceRow::read(row)?;
        if resource.newest().is_none() {
            return Ok(Some((resource, None)));
        }
        let splice: Option<i64> = row.get(7)?;
        let splice = splice.ok_or_else(|| missing(resource.seq))?;
        let body = self.body_of(Content::read(row, 8)?, splice)?;
        Ok(Some((resource, body)))
    }

    /// The content of a row, if it is still there.
    pub(crate) fn body(&self, seq: i64) -> ReadResult<Option<Body>> {
        let mut statement =
            self.connection.prepare_cached("SELECT splice, codec, body FROM version WHERE seq = ?1")?;
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        self.body_of(Content::read(row, 1)?, row.get(0)?)
    }

    fn body_of(&self, content: Content, splice: i64) -> ReadResult<Option<Body>> {
        let bytes = match content {
            Content::None => return Ok(None),
            Content::Inline(bytes) => bytes,
            Content::File(hash) => {
                let found = self.blobs.load(&hash).map_err(ReadError::File)?;
                found.ok_or_else(|| ReadError::FileMissing(self.blobs.path(&hash)))?
            }
        };
        Ok(Some(Body { bytes, splice }))
    }

    pub(crate) fn read_version(
        &self,
        key: &Key,
        selector: VersionSelector,
    ) -> ReadResult<Option<StoredVersion>> {
        let mut next = self.resource(key)?.and_then(|row| row.newest());
        while let Some(seq) = next {
            let link = self.link(seq)?;
            let (found, beyond) = match selector {
                VersionSelector::Number(number) => (link.number == number.get(), link.number < number.get()),
                VersionSelector::Tag48(tag) => (link.tag & TAG48 == tag, false),
            };
            if found {
                return self.stored_version(key.clone(), seq).map(Some);
            }
            next = link.prev.filter(|_| !beyond);
        }
        Ok(None)
    }

    pub(crate) fn resource(&self, key: &Key) -> ReadResult<Option<ResourceRow>> {
        match self.symbols.number(self.connection, SymbolKind::Kind, &key.kind)? {
            Some(kind) => Ok(ResourceRow::find(self.connection, kind, &key.id)?),
            None => Ok(None),
        }
    }

    /// The key of a resource row.
    pub(crate) fn key(&self, res: i64) -> ReadResult<Key> {
        let sql = "SELECT type, id FROM resource WHERE res = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (kind, id): (i64, String) = statement.query_row([res], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let kind = self
            .symbols
            .text(self.connection, SymbolKind::Kind, kind)?
            .ok_or_else(|| ReadError::Corrupt(format!("resource row {res} has the unknown kind {kind}")))?;
        Ok(Key { kind, id: id.into() })
    }

    pub(crate) fn link(&self, seq: i64) -> ReadResult<Link> {
        Link::find(self.connection, seq)?.ok_or_else(|| missing(seq))
    }

    pub(crate) fn version_row(&self, seq: i64) -> ReadResult<VersionRow> {
        VersionRow::find(self.connection, seq)?.ok_or_else(|| missing(seq))
    }

    pub(crate) fn stored_version(&self, key: Key, seq: i64) -> ReadResult<StoredVersion> {
        let row = self.version_row(seq)?;
        let previous = row.link.prev.map(|prev| self.link(prev)).transpose()?;
        let number = VersionNumber::new(row.link.number);
        Ok(StoredVersion {
            key,
            version: VersionToken { number, tag: VersionTag(row.link.tag) },
            seq: Seq(seq.unsigned_abs()),
            at: Timestamp(row.link.at),
            previous_at: previous.map(|link| Timestamp(link.at)),
            method: row.method,
            request: row.request,
            body: self.body_of(row.content, row.splice)?,
        })
    }
}

fn missing(seq: i64) -> ReadError {
    ReadError::Corrupt(format!("version row {seq} is missing"))
}
