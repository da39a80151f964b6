//! What the threads of one store share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use storage_api::{Clock, IndexGeneration, StoreError, Write, WriteSet};

use crate::blobs::Blobs;
use crate::caches::{BodyCache, HeadCache};
use crate::checkpoint::Log;
use crate::deadline::within;
use crate::group::Prepared;
use crate::long_reads::LongReads;
use crate::metrics::Counters;
use crate::options::Options;
use crate::pool::{Pool, lock};
use crate::queue::Queue;
use crate::reader::{ReadError, ReadResult, Reader};
use crate::symbols::Symbols;

/// How long a long read waits for a thread before it is refused: a client has stopped waiting soon after.
const WAITING_TIME_MAX: Duration = Duration::from_secs(10);

/// What may take long, with what it is about.
pub(crate) type Question<Q, T> = fn(&Reader<'_>, &Q, &Options) -> ReadResult<T>;

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Queue,
    pub(crate) symbols: Symbols,
    pub(crate) heads: HeadCache,
    pub(crate) bodies: BodyCache,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) log: Log,
    pub(crate) pool: Pool,
    pub(crate) long_reads: LongReads,
    pub(crate) counters: Counters,
    generation: AtomicU32,
}

impl Shared {
    pub(crate) fn new(
        path: PathBuf,
        blobs: Blobs,
        pool: Pool,
        options: Options,
        clock: Arc<dyn Clock>,
        generation: IndexGeneration,
    ) -> Self {
        Self {
            path,
            clock,
            queue: Queue::new(&options),
            symbols: Symbols::default(),
            heads: HeadCache::new(options.head_cache_entries),
            bodies: BodyCache::new(options.body_cache_bytes),
            blobs: Arc::new(blobs),
            log: Log::default(),
            pool,
            long_reads: LongReads::new(options.long_reads_waiting_max, WAITING_TIME_MAX),
            counters: Counters::default(),
            generation: AtomicU32::new(generation.0),
            options,
        }
    }

    /// What write sets must be made with. Not before the commit that said so is durable.
    pub(crate) fn generation(&self) -> IndexGeneration {
        IndexGeneration(self.generation.load(Ordering::Acquire))
    }

    pub(crate) fn set_generation(&self, generation: IndexGeneration) {
        self.generation.store(generation.0, Ordering::Release);
    }

    /// Asks the tables. A file may go while it is asked for, with the version that had it: then
    /// the second look says so.
    pub(crate) fn ask<T>(
        &self,
        connection: &Connection,
        question: impl Fn(&Reader<'_>) -> ReadResult<T>,
    ) -> ReadResult<T> {
        let reader = Reader { connection, symbols: &self.symbols, blobs: &self.blobs };
        match question(&reader) {
            Err(ReadError::FileMissing(_)) => question(&reader),
            answer => answer,
        }
    }

    /// Asks what takes long, from one moment, on a connection that nobody else waits for.
    pub(crate) fn ask_at_length<Q, T>(&self, about: &Q, question: Question<Q, T>) -> Result<T, StoreError> {
        let loan = self.pool.lend()?;
        let asked = |reader: &Reader<'_>| {
            let answered = |reader: &Reader<'_>| {
                within(self.options.read_time_max, || question(reader, about, &self.options))
            };
            reader.snapshot(answered)
        };
        let answer = match lock(&loan).as_ref() {
            Some(connection) => self.ask(connection, asked),
            None => Err(ReadError::Closed),
        };
        self.pool.take_back(&loan);
        Ok(answer?)
    }

    /// Puts the large contents of a write set on the disk.
    pub(crate) fn prepare(&self, mut set: WriteSet) -> Result<Prepared, StoreError> {
        let mut files = HashMap::new();
        for (index, write) in set.writes.iter_mut().enumerate() {
            let Write::Version(version) = write else { continue };
            let Some(body) = &mut version.body else { continue };
            if body.bytes.len() > self.options.body_inline_max {
                let pin = self.blobs.store(&body.bytes).map_err(|error| blob_error(&error))?;
                files.insert(index, pin);
                // The file has it now, so it need not wait in memory too.
                body.bytes.clear();
            }
        }
        Ok(Prepared { set, files })
    }
}

fn blob_error(error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io(error.to_string()),
    }
}

/// What a write set weighs in the queue: its content, and a little for every entry.
pub(crate) fn weight(set: &WriteSet) -> usize {
    const ENTRY_BYTES: usize = 128;
    let entries = (set.guards.len() + set.writes.len()).saturating_mul(ENTRY_BYTES);
    let content = set.writes.iter().map(|write| match write {
        Write::Version(version) => {
            let body = version.body.as_ref().map_or(0, |body| body.bytes.len());
            body.saturating_add(version.terms.len().saturating_mul(ENTRY_BYTES))
        }
        Write::Terms { terms, .. } => terms.len().saturating_mul(ENTRY_BYTES),
        Write::Claim { value, .. } => value.len(),
        Write::Index(index) => index.maker.len() + index.backfill.as_ref().map_or(0, bytes::Bytes::len),
        Write::Purge(_) => 0,
    });
    content.fold(entries, usize::saturating_add)
}
