//! Connections that reads share.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::open_reader;
use crate::options::Options;

/// A few connections, each behind a lock.
pub(crate) struct Pool {
    path: PathBuf,
    options: Options,
    /// `None` where one has to be opened again.
    connections: Vec<Mutex<Option<Connection>>>,
    closed: AtomicBool,
}

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
        Ok(Self { path, options, connections, closed: AtomicBool::new(false) })
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

    /// Does something while no connection is open. Reads wait meanwhile.
    pub(crate) fn without_connections<T>(&self, step: impl FnOnce() -> T) -> T {
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

fn lock(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    // A read whose holder panicked left no transaction that matters: it wrote nothing.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
