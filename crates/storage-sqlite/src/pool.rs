//! Connections that reads share.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection::open_reader;
use crate::options::Options;

/// A few connections, each behind a lock.
pub(crate) struct Pool {
    connections: Vec<Mutex<Option<Connection>>>,
    turn: AtomicUsize,
}

impl Pool {
    pub(crate) fn open(path: &Path, options: &Options) -> rusqlite::Result<Self> {
        let open = |_| open_reader(path, options).map(|connection| Mutex::new(Some(connection)));
        let connections = (0..options.readers.max(1)).map(open).collect::<Result<_, _>>()?;
        Ok(Self { connections, turn: AtomicUsize::new(0) })
    }

    /// A free connection, or the next one in turn when it becomes free; `None` inside once the
    /// pool is closed.
    pub(crate) fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let (behind, ahead) = self.connections.split_at(turn);
        let in_turn = || ahead.iter().chain(behind);
        if let Some(free) = in_turn().find_map(|connection| connection.try_lock().ok()) {
            return free;
        }
        // A read whose holder panicked left no transaction that matters: it wrote nothing.
        in_turn().next().unwrap_or(&self.connections[0]).lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        for connection in &self.connections {
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
