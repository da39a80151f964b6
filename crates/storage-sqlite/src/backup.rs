//! A copy of one state of a partition, taken while the store may be in use.
//!
//! Versions are only ever appended, so the state at a place in the commit order can be read page by
//! page, without a long read transaction that would keep the log from being started anew. What a
//! purge removes meanwhile stays removed: the rows of resources are read behind all versions, and
//! versions at or below the floor of their resource do not count.

use core::fmt;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use rusqlite::{Connection, Row};

use crate::OpenError;
use crate::archive::{
    ArchiveWriter, ClaimRecord, Counts, PartitionRecord, Record, ResourceRecord, SymbolRecord, VersionRecord,
};
use crate::blobs::{Blobs, Hash};
use crate::connection::open_read_only;
use crate::layout::Layout;
use crate::options::Options;
use crate::position::Position;
use crate::rows::Content;
use crate::schema;

/// A page of versions ends once it has this many bytes; at most one body more is in memory.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Rows of a page. Reading one takes milliseconds.
const PAGE_ROWS_MAX: usize = 1_000;

/// What a backup of a partition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Keys, those only referred to included.
    pub resources: u64,
    /// Versions, tombstones included.
    pub versions: u64,
    /// Contents that are kept in files.
    pub files: u64,
    /// Claims, lapsed ones included.
    pub claims: u64,
}

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackupProgress {
    /// The place in the commit order.
    pub done: u64,
    /// The last place that belongs to the backup.
    pub total: u64,
}

/// Why a backup could not be made. The file that was begun is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupError {
    /// The store cannot be opened or read.
    Store(OpenError),
    /// What is stored does not make sense.
    Corrupt(String),
    /// What resources are found by was made anew while the backup ran.
    IndexChanged,
    /// The file cannot be written.
    Io(String),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Corrupt(what) => {
                write!(f, "the store is damaged: {what}; `firelock check` says what else is")
            }
            Self::IndexChanged => {
                f.write_str("the index was made anew while the backup ran; run the backup again")
            }
            Self::Io(what) => write!(f, "the backup cannot be written: {what}"),
        }
    }
}

impl core::error::Error for BackupError {}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Writes the partition in `directory`, which is opened for reading only and may be in use, under
/// the name `name`: everything up to the newest version at the moment of the call.
pub fn backup<W: Write>(
    directory: &Path,
    name: &str,
    archive: &mut ArchiveWriter<W>,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport, BackupError> {
    let layout = Layout::of(directory);
    let connection =
        open_read_only(&layout.database, &Options::default()).map_err(|e| BackupError::Store(e.into()))?;
    schema::expect_newest(&connection).map_err(BackupError::Store)?;
    connection.execute_batch("BEGIN")?;
    let position = Position::load(&connection)?;
    let index_generation = generation(&connection)?;
    connection.execute_batch("COMMIT")?;
    let mut source = Source {
        connection: &connection,
        blobs: Blobs::new(layout.blobs),
        newest_seq: position.seq,
        archive,
        written: HashSet::new(),
        counts: Counts::default(),
    };
    source.put(&Record::Partition(PartitionRecord {
        name: name.to_owned(),
        newest_seq: position.seq,
        newest_at: position.at,
        index_generation,
    }))?;
    source.versions(progress)?;
    source.rows(RESOURCES, resource)?;
    // Behind everything that names them: symbols are only ever added.
    source.rows(SYMBOLS, symbol)?;
    source.claims()?;
    if generation(&connection)? != index_generation {
        return Err(BackupError::IndexChanged);
    }
    let counts = source.counts;
    source.put(&Record::PartitionEnd(counts))?;
    let Counts { contents, versions, resources, claims, .. } = counts;
    Ok(BackupReport { resources, versions, files: contents, claims })
}

fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(value), 0) FROM meta WHERE name = 'index_generation'";
    connection.query_row(sql, [], |row| row.get(0))
}

const RESOURCES: &str = "SELECT res, type, id, floor FROM resource WHERE res > ?1 ORDER BY res LIMIT ?2";
const SYMBOLS: &str = "SELECT sym, kind, text FROM symbol WHERE sym > ?1 ORDER BY sym LIMIT ?2";

struct Source<'a, W: Write> {
    connection: &'a Connection,
    blobs: Blobs,
    newest_seq: i64,
    archive: &'a mut ArchiveWriter<W>,
    /// Contents that are in the archive already: 32 bytes for each, which has a megabyte or so.
    written: HashSet<Hash>,
    counts: Counts,
}

impl<W: Write> Source<'_, W> {
    fn put(&mut self, record: &Record) -> Result<(), BackupError> {
        self.counts.count(record);
        Ok(self.archive.write(record)?)
    }

    fn versions(&mut self, progress: &mut dyn FnMut(BackupProgress)) -> Result<(), BackupError> {
        let mut after = 0;
        loop {
            let (page, last) = self.page(after)?;
            let place = if last { self.newest_seq } else { page.last().map_or(after, |row| row.seq) };
            for row in page {
                if self.put_content(&row)? {
                    self.put(&Record::Version(row))?;
                }
            }
            progress(BackupProgress { done: place.unsigned_abs(), total: self.newest_seq.unsigned_abs() });
            if last {
                return Ok(());
            }
            after = place;
        }
    }

    /// One read transaction; says whether it came to the end.
    fn page(&self, after: i64) -> Result<(Vec<VersionRecord>, bool), BackupError> {
        let sql = "SELECT seq, res, ver, prev, at, tag, method, request, codec, body, splice, terms
                   FROM version WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((after, self.newest_seq))?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < PAGE_ROWS_MAX && bytes < PAGE_BYTES_MAX {
            let Some(row) = rows.next()? else { return Ok((page, true)) };
            // For what it refuses: a backup of nonsense helps nobody.
            Content::read(row, 8)?;
            let row = version(row)?;
            bytes += row.body.as_ref().map_or(0, Vec::len) + row.terms.as_ref().map_or(0, Vec::len);
            page.push(row);
        }
        Ok((page, false))
    }

    /// Puts the content before the version that has it, if it is in a file; says whether the
    /// version is still there.
    fn put_content(&mut self, row: &VersionRecord) -> Result<bool, BackupError> {
        const IN_A_FILE: i64 = 2;
        if row.codec != IN_A_FILE {
            return Ok(true);
        }
        let hash = row.body.as_deref().and_then(|hash| Hash::try_from(hash).ok());
        let hash =
            hash.ok_or_else(|| BackupError::Corrupt(format!("version row {} has no hash", row.seq)))?;
        if self.written.contains(&hash) {
            return Ok(true);
        }
        let Some(bytes) = self.blobs.load(&hash)? else {
            let sql = "SELECT count(*) FROM version WHERE seq = ?1";
            let rows: i64 = self.connection.prepare_cached(sql)?.query_row([row.seq], |row| row.get(0))?;
            // Purged since the page was read, or lost.
            return match rows {
                0 => Ok(false),
                _ => Err(BackupError::Corrupt(format!("{} is missing", self.blobs.path(&hash).display()))),
            };
        };
        self.put(&Record::Content { hash, bytes: bytes.to_vec() })?;
        self.written.insert(hash);
        Ok(true)
    }

    /// All rows of a table whose first column is its key, a number.
    fn rows(
        &mut self,
        sql: &str,
        read: fn(&Row<'_>) -> rusqlite::Result<(i64, Record)>,
    ) -> Result<(), BackupError> {
        let mut after = i64::MIN;
        loop {
            let mut statement = self.connection.prepare_cached(sql)?;
            let page = statement
                .query_map((after, PAGE_ROWS_MAX.cast_signed()), read)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, record) in &page {
                self.put(record)?;
            }
        }
    }

    /// Claims that were made until then. One that was made again since had lapsed.
    fn claims(&mut self) -> Result<(), BackupError> {
        let sql = "SELECT scope, value, seq, count, expires FROM claim
                   WHERE (scope, value) > (?1, ?2) ORDER BY scope, value LIMIT ?3";
        let mut after = (i64::MIN, Vec::new());
        loop {
            let mut statement = self.connection.prepare_cached(sql)?;
            let page = statement
                .query_map((after.0, &after.1, PAGE_ROWS_MAX.cast_signed()), claim)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.scope, last.value.clone());
            let newest_seq = self.newest_seq;
            for claim in page.into_iter().filter(|claim| claim.seq <= newest_seq) {
                self.put(&Record::Claim(claim))?;
            }
        }
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<VersionRecord> {
    Ok(VersionRecord {
        seq: row.get(0)?,
        res: row.get(1)?,
        ver: row.get(2)?,
        prev: row.get(3)?,
        at: row.get(4)?,
        tag: row.get(5)?,
        method: row.get(6)?,
        request: row.get(7)?,
        codec: row.get(8)?,
        body: row.get(9)?,
        splice: row.get(10)?,
        terms: row.get(11)?,
    })
}

fn resource(row: &Row<'_>) -> rusqlite::Result<(i64, Record)> {
    let res = row.get(0)?;
    let resource = ResourceRecord { res, kind: row.get(1)?, id: row.get(2)?, floor: row.get(3)? };
    Ok((res, Record::Resource(resource)))
}

fn symbol(row: &Row<'_>) -> rusqlite::Result<(i64, Record)> {
    let sym = row.get(0)?;
    Ok((sym, Record::Symbol(SymbolRecord { sym, kind: row.get(1)?, text: row.get(2)? })))
}

fn claim(row: &Row<'_>) -> rusqlite::Result<ClaimRecord> {
    Ok(ClaimRecord {
        scope: row.get(0)?,
        value: row.get(1)?,
        seq: row.get(2)?,
        count: row.get(3)?,
        expires: row.get(4)?,
    })
}
