//! The port over a writer thread and a pool of readers.

use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OptionalExtension};
use storage_api::{
    Answer, Clock, Commit, Guard, HistoryPage, HistoryRequest, IndexGeneration, Key, Record, Store,
    StoreError, StoredVersion, VersionSelector, Write, WriteSet,
};

use crate::OpenError;
use crate::connection::open_writer;
use crate::folder;
use crate::group::Position;
use crate::lock::StoreLock;
use crate::options::Options;
use crate::pool::Pool;
use crate::queue::{Job, Queue};
use crate::reader::{ReadResult, Reader};
use crate::recovery;
use crate::schema;
use crate::symbols::Symbols;
use crate::writer::{Ended, Writer};

/// A durable store in a directory of its own.
///
/// Reads run on the calling thread. Dropping the store closes it as [`Store::close`] does.
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    generation: IndexGeneration,
    queue: Arc<Queue>,
    symbols: Arc<Symbols>,
    pool: Pool,
    /// What ends with the store; `None` once it is closed.
    running: Mutex<Option<Running>>,
}

struct Running {
    writer: JoinHandle<()>,
    _lock: StoreLock,
}

impl SqliteStore {
    /// Opens the store in `directory`, creating both if they do not exist, and brings older
    /// schemas forward. Versions are stamped by `clock`.
    pub fn open(directory: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = directory.join("store.db");
        if !path.exists() {
            folder::create(directory)?;
        }
        let lock = StoreLock::take(directory)?;
        recovery::renew(&directory.join("store.db-wal"))?;
        let mut connection = open_writer(&path, &options)?;
        schema::migrate(&mut connection)?;
        folder::sync(directory)?;
        let generation = load_generation(&connection, options.index_generation)?;
        let position = Position::load(&connection)?;
        let queue = Arc::new(Queue::new(&options));
        let symbols = Arc::new(Symbols::default());
        let pool = Pool::open(&path, &options)?;
        let writer = Writer {
            path,
            options: options.clone(),
            clock,
            queue: Arc::clone(&queue),
            symbols: Arc::clone(&symbols),
            connection: Some(connection),
            position,
        };
        let ended = Ended(Arc::clone(&queue));
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let _ended = ended;
            writer.run();
        })?;
        let running = Mutex::new(Some(Running { writer, _lock: lock }));
        Ok(Self { shared: Arc::new(Shared { options, generation, queue, symbols, pool, running }) })
    }
}

/// The generation that the file has, or the one that a new file gets.
fn load_generation(connection: &Connection, fresh: IndexGeneration) -> Result<IndexGeneration, OpenError> {
    connection
        .execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('index_generation', ?1)", [fresh.0])?;
    let sql = "SELECT value FROM meta WHERE name = 'index_generation'";
    let stored: Option<u32> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(IndexGeneration(stored.unwrap_or(fresh.0)))
}

impl Shared {
    fn read<T>(&self, question: impl FnOnce(&Reader<'_>) -> ReadResult<T>) -> Result<T, StoreError> {
        let connection = self.pool.get();
        let connection = connection.as_ref().ok_or_else(closed)?;
        Ok(question(&Reader { connection, symbols: &self.symbols })?)
    }

    fn close(&self) {
        self.queue.close("closed");
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.pool.close();
        if let Some(running) = running {
            // A writer that panicked has answered nobody wrongly; there is nothing to add.
            let _ = running.writer.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("closed".to_owned())
}

/// What a write set weighs in the queue: its content, and a little for every entry.
fn weight(set: &WriteSet) -> usize {
    const ENTRY_BYTES: usize = 128;
    let entries = (set.guards.len() + set.writes.len()).saturating_mul(ENTRY_BYTES);
    let content = set.writes.iter().map(|write| match write {
        Write::Version(version) => {
            let body = version.body.as_ref().map_or(0, |body| body.bytes.len());
            body.saturating_add(version.terms.len().saturating_mul(ENTRY_BYTES))
        }
        Write::Terms { terms, .. } => terms.len().saturating_mul(ENTRY_BYTES),
        Write::Claim { value, .. } => value.len(),
        Write::Purge(_) => 0,
    });
    content.fold(entries, usize::saturating_add)
}

/// Whether the set needs the index of terms, which this version does not keep.
fn uses_terms(set: &WriteSet) -> bool {
    let queries = set.guards.iter().any(|guard| matches!(guard, Guard::Matches(..)));
    queries
        || set.writes.iter().any(|write| match write {
            Write::Version(version) => !version.terms.is_empty(),
            Write::Terms { .. } => true,
            Write::Purge(_) | Write::Claim { .. } => false,
        })
}

impl Store for SqliteStore {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move { self.shared.read(|reader| reader.snapshot(|reader| reader.read(key))) })
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(async move {
            self.shared.read(|reader| reader.snapshot(|reader| reader.read_version(key, version)))
        })
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        let bytes_max = self.shared.options.page_bytes_max;
        Box::pin(async move {
            self.shared.read(|reader| reader.snapshot(|reader| reader.history(request, bytes_max)))
        })
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        let bytes = weight(&set);
        if let Err(error) = set.check() {
            return Box::pin(ready(Err(error)));
        }
        if uses_terms(&set) {
            return Box::pin(ready(Err(StoreError::Unavailable("terms are not indexed yet".to_owned()))));
        }
        if bytes > self.shared.options.set_bytes_max {
            return Box::pin(ready(Err(StoreError::TooLarge)));
        }
        if set.index != self.shared.generation {
            return Box::pin(ready(Ok(Commit::StaleIndex(self.shared.generation))));
        }
        let (reply, outcome) = oneshot::channel();
        if let Err(error) = self.shared.queue.push(Job { set, bytes, reply }) {
            return Box::pin(ready(Err(error)));
        }
        // A writer that ends without an answer may have committed.
        Box::pin(async move { outcome.await.unwrap_or(Ok(Commit::Unknown)) })
    }

    fn index_generation(&self) -> IndexGeneration {
        self.shared.generation
    }

    fn close(&self) -> Answer<'static, ()> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            shared.close();
            Ok(())
        })
    }
}
