//! Rows as values.

use bytes::Bytes;
use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension, Row};
use storage_api::{Current, Head, Method, RequestId, Timestamp, VersionNumber, VersionTag, VersionToken};

use crate::blobs::Hash;
use crate::error::nonsense;

/// What `resource.state` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Only referred to.
    Absent,
    Live,
    Deleted,
    Purged,
}

impl State {
    pub(crate) fn to_sql(self) -> i64 {
        match self {
            Self::Absent => 0,
            Self::Live => 1,
            Self::Deleted => 2,
            Self::Purged => 3,
        }
    }

    fn from_sql(column: usize, value: i64) -> rusqlite::Result<Self> {
        Ok(match value {
            0 => Self::Absent,
            1 => Self::Live,
            2 => Self::Deleted,
            3 => Self::Purged,
            _ => return Err(nonsense(column, value)),
        })
    }
}

/// A row of `resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceRow {
    pub(crate) res: i64,
    pub(crate) state: State,
    /// The highest number used.
    pub(crate) number: u64,
    /// The row of the newest version, if there is one.
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) tag: u64,
    pub(crate) previous_at: Option<i64>,
}

impl ResourceRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            res: row.get(0)?,
            state: State::from_sql(1, row.get(1)?)?,
            number: unsigned(row, 2)?,
            seq: row.get(3)?,
            at: row.get(4)?,
            tag: row.get::<_, i64>(5)?.cast_unsigned(),
            previous_at: row.get(6)?,
        })
    }

    pub(crate) fn find(connection: &Connection, kind: i64, id: &str) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT res, state, ver, seq, at, tag, prev_at FROM resource WHERE id = ?1 AND type = ?2";
        connection.prepare_cached(sql)?.query_row((id, kind), Self::read).optional()
    }

    /// The row with this number, its kind and its id.
    pub(crate) fn find_named(
        connection: &Connection,
        res: i64,
    ) -> rusqlite::Result<Option<(Self, i64, CompactString)>> {
        let sql = "SELECT res, state, ver, seq, at, tag, prev_at, type, id FROM resource WHERE res = ?1";
        let read = |row: &Row<'_>| Ok((Self::read(row)?, row.get(7)?, row.get::<_, String>(8)?.into()));
        connection.prepare_cached(sql)?.query_row([res], read).optional()
    }

    pub(crate) fn current(&self) -> Current {
        let number = VersionNumber::new(self.number);
        let head = Head {
            version: VersionToken { number, tag: VersionTag(self.tag) },
            at: Timestamp(self.at),
            previous_at: self.previous_at.map(Timestamp),
        };
        match self.state {
            State::Absent | State::Purged => Current::Absent { floor: number },
            State::Live => Current::Live(head),
            State::Deleted => Current::Deleted(head),
        }
    }

    /// The row of the newest version.
    pub(crate) fn newest(&self) -> Option<i64> {
        matches!(self.state, State::Live | State::Deleted).then_some(self.seq)
    }
}

/// What a version row says of its neighbours: enough to walk a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) res: i64,
    pub(crate) number: u64,
    pub(crate) prev: Option<i64>,
    pub(crate) at: i64,
    pub(crate) tag: u64,
}

impl Link {
    pub(crate) fn find(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT res, ver, prev, at, tag FROM version WHERE seq = ?1";
        let read = |row: &Row<'_>| {
            Ok(Self {
                res: row.get(0)?,
                number: unsigned(row, 1)?,
                prev: row.get(2)?,
                at: row.get(3)?,
                tag: row.get::<_, i64>(4)?.cast_unsigned(),
            })
        };
        connection.prepare_cached(sql)?.query_row([seq], read).optional()
    }
}

/// Where the content of a version is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A tombstone has none.
    None,
    /// In the row.
    Inline(Bytes),
    /// In the file of this name.
    File(Hash),
}

impl Content {
    /// What `version.codec` says.
    pub(crate) fn codec(&self) -> i64 {
        match self {
            Self::None => 0,
            Self::Inline(_) => 1,
            Self::File(_) => 2,
        }
    }

    /// What `version.body` holds.
    pub(crate) fn blob(&self) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::Inline(bytes) => Some(bytes),
            Self::File(hash) => Some(hash),
        }
    }

    /// From the columns `codec` and `body`, of which `codec` is the one at `column`.
    pub(crate) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        match row.get(column)? {
            0 => Ok(Self::None),
            1 => Ok(Self::Inline(Bytes::copy_from_slice(row.get_ref(column + 1)?.as_blob()?))),
            2 => Ok(Self::File(row.get(column + 1)?)),
            codec => Err(nonsense(column, codec)),
        }
    }
}

/// A row of `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionRow {
    pub(crate) seq: i64,
    pub(crate) link: Link,
    pub(crate) method: Method,
    pub(crate) request: RequestId,
    pub(crate) splice: i64,
    pub(crate) content: Content,
}

impl VersionRow {
    pub(crate) fn find(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT res, ver, prev, at, tag, method, request, splice, codec, body
                   FROM version WHERE seq = ?1";
        let read = |row: &Row<'_>| {
            Ok(Self {
                seq,
                link: Link {
                    res: row.get(0)?,
                    number: unsigned(row, 1)?,
                    prev: row.get(2)?,
                    at: row.get(3)?,
                    tag: row.get::<_, i64>(4)?.cast_unsigned(),
                },
                method: method_from_sql(5, row.get(5)?)?,
                request: RequestId(row.get(6)?),
                splice: row.get(7)?,
                content: Content::read(row, 8)?,
            })
        };
        connection.prepare_cached(sql)?.query_row([seq], read).optional()
    }
}

impl VersionRow {
    /// The row before, and where the content is.
    pub(crate) fn find_content(
        connection: &Connection,
        seq: i64,
    ) -> rusqlite::Result<Option<(Option<i64>, Content)>> {
        let sql = "SELECT prev, codec, body FROM version WHERE seq = ?1";
        let read = |row: &Row<'_>| Ok((row.get(0)?, Content::read(row, 1)?));
        connection.prepare_cached(sql)?.query_row([seq], read).optional()
    }
}

/// What `version.method` says.
pub(crate) fn method_to_sql(method: Method) -> i64 {
    match method {
        Method::Post => 1,
        Method::Put => 2,
        Method::Patch => 3,
        Method::Delete => 4,
    }
}

pub(crate) fn method_from_sql(column: usize, value: i64) -> rusqlite::Result<Method> {
    Ok(match value {
        1 => Method::Post,
        2 => Method::Put,
        3 => Method::Patch,
        4 => Method::Delete,
        _ => return Err(nonsense(column, value)),
    })
}

/// A column that is never negative.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| nonsense(column, value))
}

/// A place in the commit order as a column. No store counts beyond `i64::MAX`, so saturating
/// keeps every comparison true.
pub(crate) fn seq_to_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
