//! Reads on one connection.

use rusqlite::Connection;
use storage_api::{
    Body, Current, Key, Record, Seq, StoreError, StoredVersion, Timestamp, VersionNumber, VersionSelector,
    VersionTag, VersionToken,
};

use crate::error::store_error;
use crate::rows::{Content, Link, ResourceRow, State, VersionRow};
use crate::symbols::{SymbolKind, Symbols};

/// The low 48 bits of a tag.
const TAG48: u64 = (1 << 48) - 1;

/// What a question is answered with.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) symbols: &'a Symbols,
}

/// Why a read failed: SQLite, or rows that contradict each other.
pub(crate) enum ReadError {
    Sqlite(rusqlite::Error),
    Corrupt(String),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sqlite(error) => store_error(&error),
            ReadError::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

pub(crate) type ReadResult<T> = Result<T, ReadError>;

impl Reader<'_> {
    /// Answers several statements from one snapshot.
    pub(crate) fn snapshot<T>(&self, question: impl FnOnce(&Self) -> ReadResult<T>) -> ReadResult<T> {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let answer = question(self);
        // Nothing was written, so ending the transaction either way is the same.
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        answer
    }

    pub(crate) fn read(&self, key: &Key) -> ReadResult<Record> {
        let Some(row) = self.resource(key)? else {
            return Ok(Record { current: Current::NEVER, body: None });
        };
        let body = match row.state {
            State::Live => self.version_row(row.seq)?.body(),
            _ => None,
        };
        Ok(Record { current: row.current(), body })
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
            body: row.body(),
        })
    }
}

impl VersionRow {
    fn body(self) -> Option<Body> {
        match self.content {
            Content::None => None,
            Content::Inline(bytes) => Some(Body { bytes, splice: self.splice }),
        }
    }
}

fn missing(seq: i64) -> ReadError {
    ReadError::Corrupt(format!("version row {seq} is missing"))
}
