//! Connections that reads share.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::Connection;
use storage_api::StoreError;

use crate::connection::open_reader;
use crate::error::store_error;
use crate::options::Options;

/// A few connections, each behind a lock.
pub(crate) struct Pool {
    path: PathBuf,
    options: Options,
    /// `None` where one has to be opened again.
    connections: Vec<Mutex<Option<Connection>>>,
    closed: AtomicBool,
    loans: Mutex<Loans>,
}

/// A connection that somebody keeps for more than one question; `None` once it had to be closed.
pub(crate) type Loan = Mutex<Option<Connection>>;

/// Connections beside those that reads share.
#[derive(Default)]
struct Loans {
    given: Vec<Weak<Loan>>,
    /// Given back.
    spare: Vec<Connection>,
}

/// Connections that are kept at a time, by long reads and snapshots: each holds a moment of the file, and some of its
/// pages. A snapshot is kept within one turn of one thread, unless it waits for a long read, of which only so many wait.
const LOANS_MAX: usize = 128;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Each thread keeps to a connection of its own while that is free: the pages it reads are
    /// the ones it finds in that connection's cache.
    static FAVOURITE: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

impl Pool {
    pub(crate) fn open(path: &Path, options: &Options) -> rusqlite::Result<Self> {
        let open = |_| open_reader(path, options).map(|connection| Mutex::new(Some(connection)));
        let connections = (0..options.readers.max(1)).map(open).collect::<Result<_, _>>()?;
        let (path, options) = (path.to_path_buf(), options.clone());
        Ok(Self { path, options, connections, closed: AtomicBool::new(false), loans: Mutex::default() })
    }

    /// The thread's own connection, or another that is free, or its own when it becomes free;
    /// `None` inside once the pool is closed.
    pub(crate) fn get(&self) -> rusqlite::Result<MutexGuard<'_, Option<Connection>>> {
        let own = FAVOURITE.get() % self.connections.len();
        let (behind, ahead) = self.connections.split_at(own);
        let mut in_turn = ahead.iter().chain(behind);
        let free = in_turn.find_map(|connection| connection.try_lock().ok());
        let mut connection = free.unwrap_or_else(|| lock(&self.connections[own]));
        if connection.is_none() && !self.closed.load(Ordering::SeqCst) {
            *connection = Some(open_reader(&self.path, &self.options)?);
        }
        Ok(connection)
    }

    /// A connection to keep for a while. It is given back by [`take_back`](Self::take_back).
    pub(crate) fn lend(&self) -> Result<Arc<Loan>, StoreError> {
        let mut loans = self.loans();
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("closed".to_owned()));
        }
        loans.given.retain(|loan| loan.strong_count() > 0);
        if loans.given.len() >= LOANS_MAX {
            return Err(StoreError::Unavailable("too many connections are kept".to_owned()));
        }
        let connection = match loans.spare.pop() {
            Some(connection) => connection,
            None => open_reader(&self.path, &self.options).map_err(|error| store_error(&error))?,
        };
        let loan = Arc::new(Mutex::new(Some(connection)));
        loans.given.push(Arc::downgrade(&loan));
        Ok(loan)
    }

    /// Ends what a loan holds on to, and keeps its connection for the next one.
    pub(crate) fn take_back(&self, loan: &Loan) {
        // In this order, so that there is no moment at which nobody knows of the connection.
        let mut loans = self.loans();
        let Some(connection) = lock(loan).take() else { return };
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        if loans.spare.len() < self.connections.len() {
            loans.spare.push(connection);
        }
    }

    fn loans(&self) -> MutexGuard<'_, Loans> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something while no connection is open. Reads wait meanwhile, and loans end.
    pub(crate) fn without_connections<T>(&self, step: impl FnOnce() -> T) -> T {
        let mut loans = self.loans();
        loans.spare.clear();
        for loan in loans.given.drain(..).filter_map(|loan| loan.upgrade()) {
            *lock(&loan) = None;
        }
        let mut connections: Vec<_> = self.connections.iter().map(lock).collect();
        for connection in &mut connections {
            **connection = None;
        }
        step()
    }

    /// Closes every connection for good.
    pub(crate) fn close(&self) {
        // Before the locks: who gets one afterwards sees it.
        self.closed.store(true, Ordering::SeqCst);
        self.without_connections(|| {});
    }
}

pub(crate) fn lock(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    // A read whose holder panicked left no transaction that matters: it wrote nothing.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
