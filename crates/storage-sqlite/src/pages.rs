//! All versions of a partition in commit order, read page by page while the store may be in use.

use std::path::Path;

use rusqlite::Connection;
use storage_api::{HistoryPage, HistoryRequest, HistoryScope, Key, Order, Seq, StoreError, StoredVersion};

use crate::OpenError;
use crate::blobs::Blobs;
use crate::connection::open_read_only;
use crate::error::store_error;
use crate::history::PageLimits;
use crate::layout::Layout;
use crate::options::Options;
use crate::position::Position;
use crate::reader::{ReadError, Reader};
use crate::rows::{seq_to_sql, unsigned};
use crate::schema;
use crate::symbols::Symbols;

/// Rows of a page; it ends earlier once its contents have [`PAGE_BYTES_MAX`].
const PAGE_ROWS: usize = 1_000;
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The versions that a store had at one moment, less those that are purged while they are read.
///
/// Each page is a read transaction of its own.
pub struct VersionPages {
    connection: Connection,
    symbols: Symbols,
    blobs: Blobs,
    newest: u64,
    after: Option<Seq>,
    ended: bool,
}

impl VersionPages {
    /// Of the store in `directory`, which is opened for reading only and may be in use.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let layout = Layout::of(directory);
        let connection = open_read_only(&layout.database, &Options::default())?;
        schema::expect_newest(&connection)?;
        let newest = Position::load(&connection)?.seq.unsigned_abs();
        let (symbols, blobs) = (Symbols::default(), Blobs::new(layout.blobs));
        Ok(Self { connection, symbols, blobs, newest, after: None, ended: false })
    }

    /// The place of the newest version that belongs to it.
    pub fn newest(&self) -> Seq {
        Seq(self.newest)
    }

    /// The next versions, oldest first; `None` behind the last.
    pub fn next_page(&mut self) -> Result<Option<Vec<StoredVersion>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let HistoryPage { mut versions, next } = match self.read() {
            // A file went with its version: the second look does not find the version either.
            Err(ReadError::FileMissing(_)) => self.read()?,
            page => page?,
        };
        versions.retain(|version| version.seq.0 <= self.newest);
        self.after = next;
        self.ended = next.is_none_or(|next| next.0 >= self.newest);
        Ok(Some(versions))
    }

    fn read(&self) -> Result<HistoryPage, ReadError> {
        let request = HistoryRequest {
            scope: HistoryScope::All,
            order: Order::Oldest,
            after: self.after,
            since: None,
            at: None,
            limit: PAGE_ROWS,
        };
        let limits = PageLimits { bytes_max: PAGE_BYTES_MAX, rows_max: PAGE_ROWS };
        let reader = Reader { connection: &self.connection, symbols: &self.symbols, blobs: &self.blobs };
        reader.snapshot(|reader| reader.history(&request, limits))
    }

    /// The keys that were purged, each with the highest number that it had then: versions up to
    /// there do not count, even if an earlier page had them. Read this behind the last page.
    pub fn floors<E: From<StoreError>>(
        &self,
        each: &mut dyn FnMut(Key, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = 0;
        loop {
            let page = self.floor_page(after).map_err(|error| store_error(&error))?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, key, floor) in page {
                each(key, floor)?;
            }
        }
    }

    fn floor_page(&self, after: i64) -> rusqlite::Result<Vec<(i64, Key, u64)>> {
        let sql = "SELECT r.res, s.text, r.id, r.floor FROM resource r JOIN symbol s ON s.sym = r.type
                   WHERE r.res > ?1 AND r.floor > 0 ORDER BY r.res LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map((after, seq_to_sql(PAGE_ROWS as u64)), |row| {
            let key = Key::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
            Ok((row.get(0)?, key, unsigned(row, 3)?))
        })?;
        rows.collect()
    }
}
