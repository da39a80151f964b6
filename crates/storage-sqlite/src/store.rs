//! The port over a writer thread and a pool of readers.

use std::fs;
use std::future::ready;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use storage_api::{
    Answer, Clock, Commit, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Metric, Record,
    SearchPage, SearchRequest, Store, StoreError, StoredVersion, VersionSelector, WriteSet,
};

use crate::blobs::Blobs;
use crate::connection::{open_read_only, open_writer};
use crate::error::store_error;
use crate::history::PageLimits;
use crate::layout::Layout;
use crate::lock::StoreLock;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::pool::Pool;
use crate::position::Position;
use crate::queue::Job;
use crate::reader::{ReadError, ReadResult, Reader};
use crate::rows::State;
use crate::shared::{Shared, weight};
use crate::snapshot::Snapshot;
use crate::writer::{Ended, Writer, watch_log};
use crate::{OpenError, checkpoint, folder, index, recovery, schema};

/// A durable store in a directory of its own.
///
/// Reads run on the thread that asks: one from memory takes well under a microsecond, one from the
/// tables a few. Contents above [`Options::body_inline_max`] are written to their files on the
/// thread that commits. Dropping the store closes it as [`Store::close`] does.
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    closed: AtomicBool,
    /// What ends with the store; `None` once it is closed.
    running: Mutex<Option<Running>>,
}

struct Running {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
    _lock: StoreLock,
}

impl SqliteStore {
    /// Opens the store in `directory`, creating both if they do not exist, and brings older
    /// schemas forward. Versions are stamped by `clock`.
    pub fn open(directory: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let layout = Layout::of(directory);
        if !layout.database.exists() {
            folder::create(directory)?;
        }
        let lock = StoreLock::take(directory)?;
        // Before anything is written to a file that may not be ours. One that was left while it was
        // being made cannot be read before its journal is taken back.
        if layout.database.try_exists()? && !layout.journal.try_exists()? {
            schema::expect_ours(&open_read_only(&layout.database, &options)?)?;
        }
        recovery::renew(&layout.log)?;
        fs::create_dir_all(&layout.blobs)?;
        let mut connection = open_writer(&layout.database, &options)?;
        schema::migrate(&mut connection)?;
        folder::sync(directory)?;
        give_generation(&connection, options.index_generation)?;
        let position = Position::load(&connection)?;
        let blobs = Blobs::new(layout.blobs);
        blobs.remove_leftovers(&connection)?;
        let pool = Pool::open(&layout.database, &options)?;
        let shared = Arc::new(Shared::new(layout.database, blobs, pool, options, clock, position.generation));
        watch_log(&mut connection, &shared)?;
        let checkpointer = start_checkpointer(&shared)?;
        let writer = start_writer(&shared, connection, position).inspect_err(|_| shared.log.end())?;
        let running = Running { writer, checkpointer, _lock: lock };
        let (closed, running) = (AtomicBool::new(false), Mutex::new(Some(running)));
        Ok(Self { inner: Arc::new(Inner { shared, closed, running }) })
    }

    /// What the store has done since it was opened.
    pub fn metrics(&self) -> Metrics {
        let (queue_sets, queue_bytes) = self.inner.shared.queue.size();
        Metrics { queue_sets, queue_bytes, ..self.inner.shared.counters.read() }
    }
}

fn start_writer(
    shared: &Arc<Shared>,
    connection: Connection,
    position: Position,
) -> std::io::Result<JoinHandle<()>> {
    let writer = Writer::new(Arc::clone(shared), connection, position);
    let ended = Ended(Arc::clone(shared));
    thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
        let _ended = ended;
        writer.run();
    })
}

fn start_checkpointer(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let name = "store-checkpoint".to_owned();
    thread::Builder::new().name(name).spawn(move || checkpoint::help(&shared))
}

/// A new file gets a generation; another one keeps its own.
fn give_generation(connection: &Connection, fresh: IndexGeneration) -> Result<(), OpenError> {
    let sql = "INSERT OR IGNORE INTO meta (name, value) VALUES ('index_generation', ?1)";
    connection.execute(sql, [fresh.0])?;
    Ok(())
}

impl Inner {
    /// Asks the tables. A file may go while it is asked for, with the version that had it: then
    /// the second look says so.
    fn ask<T>(&self, question: impl Fn(&Reader<'_>) -> ReadResult<T>) -> Result<T, StoreError> {
        let connection = self.shared.pool.get().map_err(|error| store_error(&error))?;
        let connection = connection.as_ref().ok_or_else(closed)?;
        let Shared { symbols, blobs, .. } = &*self.shared;
        let reader = Reader { connection, symbols, blobs };
        match question(&reader) {
            Err(ReadError::FileMissing(_)) => Ok(question(&reader)?),
            answer => Ok(answer?),
        }
    }

    fn read(&self, key: &Key) -> Result<Record, StoreError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let Shared { heads, bodies, counters, .. } = &*self.shared;
        if let Some(row) = heads.get(key) {
            counters.head_hits.add(1);
            if row.state != State::Live {
                return Ok(Record { current: row.current(), body: None });
            }
            if let Some(body) = bodies.get(row.seq) {
                counters.body_hits.add(1);
                return Ok(Record { current: row.current(), body: Some(body) });
            }
            counters.body_misses.add(1);
            // The row is gone if the key was purged since.
            if let Some(body) = self.ask(|reader| reader.body(row.seq))? {
                bodies.insert(row.seq, &body);
                return Ok(Record { current: row.current(), body: Some(body) });
            }
        } else {
            counters.head_misses.add(1);
        }
        let settled = heads.settled();
        let Some((row, body)) = self.ask(|reader| reader.head_and_body(key))? else {
            return Ok(Record { current: storage_api::Current::NEVER, body: None });
        };
        heads.fill(key, row, settled);
        if let Some(body) = &body {
            bodies.insert(row.seq, body);
        }
        Ok(Record { current: row.current(), body })
    }

    fn commit(&self, set: WriteSet) -> Result<oneshot::Receiver<Result<Commit, StoreError>>, StoreError> {
        let bytes = weight(&set);
        set.check()?;
        if bytes > self.shared.options.set_bytes_max {
            return Err(StoreError::TooLarge);
        }
        let (reply, outcome) = oneshot::channel();
        // What is queued may change it: the writer looks again.
        let generation = self.shared.generation();
        if set.index != generation && !self.closed.load(Ordering::Relaxed) {
            // Nobody waits for anything, so it does not matter if nobody listens.
            let _ = reply.send(Ok(Commit::StaleIndex(generation)));
            return Ok(outcome);
        }
        let prepared = self.shared.prepare(set)?;
        match self.shared.queue.push(Job { prepared, bytes, reply }) {
            Ok(()) => Ok(outcome),
            Err(error) => {
                self.shared.counters.failed.add(1);
                Err(error)
            }
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.shared.queue.close("closed");
        // Whoever comes second waits here until the first is done.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.pool.close();
        if let Some(running) = running.take() {
            // A thread that panicked has answered nobody wrongly; there is nothing to add.
            let _ = running.writer.join();
            self.shared.log.end();
            let _ = running.checkpointer.join();
            self.shared.log.without_helper(|| {});
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("closed".to_owned())
}

impl Store for SqliteStore {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move { self.inner.read(key) })
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(async move {
            self.inner.ask(|reader| reader.snapshot(|reader| reader.read_version(key, version)))
        })
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        let limits = PageLimits::of(&self.inner.shared.options);
        Box::pin(
            async move { self.inner.ask(|reader| reader.snapshot(|reader| reader.history(request, limits))) },
        )
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        let options = &self.inner.shared.options;
        Box::pin(
            async move { self.inner.ask(|reader| reader.snapshot(|reader| reader.search(request, options))) },
        )
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async move {
            let snapshot: Arc<dyn Store> = Arc::new(Snapshot::begin(&self.inner.shared)?);
            Ok(snapshot)
        })
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        match self.inner.commit(set) {
            // A writer that ends without an answer may have committed.
            Ok(outcome) => Box::pin(async move { outcome.await.unwrap_or(Ok(Commit::Unknown)) }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn is_full(&self) -> bool {
        self.inner.shared.queue.is_full()
    }

    fn measure(&self) -> Vec<Metric> {
        self.metrics().to_list()
    }

    fn index_generation(&self) -> IndexGeneration {
        self.inner.shared.generation()
    }

    fn index(&self) -> Answer<'_, Index> {
        Box::pin(async move {
            self.inner.ask(|reader| reader.snapshot(|reader| Ok(index::load(reader.connection)?)))
        })
    }

    fn close(&self) -> Answer<'static, ()> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            inner.close();
            Ok(())
        })
    }
}
