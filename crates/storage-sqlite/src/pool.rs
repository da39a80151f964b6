//! Connections that reads share.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::open_reader;
use crate::options::Options;

/// A few connections, each behind a lock.
pub(crate) struct Pool {
    connections: Vec<Mutex<Option<Connection>>>,
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
        Ok(Self { connections })
    }

    /// The thread's own connection, or another that is free, or its own when it becomes free;
    /// `None` inside once the pool is closed.
    pub(crate) fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        let own = FAVOURITE.get() % self.connections.len();
        let (behind, ahead) = self.connections.split_at(own);
        let mut in_turn = ahead.iter().chain(behind);
        if let Some(free) = in_turn.find_map(|connection| connection.try_lock().ok()) {
            return free;
        }
        // A read whose holder panicked left no transaction that matters: it wrote nothing.
        self.connections[own].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        for connection in &self.connections {
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
