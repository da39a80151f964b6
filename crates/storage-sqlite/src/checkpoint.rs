//! Moving the write-ahead log into the file.
//!
//! Left to the writer this makes the slowest commits; left to a helper alone the log never ends,
//! because there is always something new at its end. So a helper moves most of it while writes go
//! on, and now and then the writer stops to start the log anew.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ffi};

use crate::connection::{BUSY_MS_MAX, PAGE_BYTES, open_checkpointer};
use crate::shared::Shared;

/// How long the writer waits for readers of the old log when it starts it anew.
const RESTART_MS_MAX: u64 = 250;

/// The state of the log.
#[derive(Default)]
pub(crate) struct Log {
    pages: AtomicU64,
    wish: Mutex<Wish>,
    wished: Condvar,
    /// Held while a checkpoint runs: SQLite refuses a second one instead of waiting. Has the
    /// helper's connection.
    helper: Mutex<Option<Connection>>,
    /// See [`Log::is_suspect`].
    suspect: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    None,
    Checkpoint,
    End,
}

/// What the writer does about the log after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Help,
    Restart,
}

impl Log {
    /// To be called by SQLite after every commit.
    pub(crate) fn grew_to(&self, pages: u64) {
        self.pages.store(pages, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.pages.load(Ordering::Relaxed).saturating_mul(PAGE_BYTES)
    }

    /// Ends the helper.
    pub(crate) fn end(&self) {
        *self.wish() = Wish::End;
        self.wished.notify_all();
    }

    /// Whether pages of the log may be missing from the file although SQLite counts them as moved.
    ///
    /// While commits go on, a checkpoint counts what it moved before the file is synced. When a
    /// sync then fails, the system takes those pages for written, and no later sync and no later
    /// checkpoint writes them again. So nothing more is moved, and the log is kept, until SQLite
    /// has read it anew and counts from the start.
    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::SeqCst)
    }

    fn note(&self, error: &rusqlite::Error) {
        let code = error.sqlite_error().map(|error| error.extended_code);
        if code == Some(ffi::SQLITE_IOERR_FSYNC) {
            self.suspect.store(true, Ordering::SeqCst);
        }
    }

    /// Does something while no checkpoint runs and the helper has no connection.
    pub(crate) fn without_helper<T>(&self, step: impl FnOnce() -> T) -> T {
        let mut helper = self.helper();
        *helper = None;
        step()
    }

    /// Says how much of the log SQLite counts as moved now that it has read it anew.
    pub(crate) fn read_anew(&self, moved: i64) {
        self.suspect.store(moved != 0, Ordering::SeqCst);
    }

    fn helper(&self) -> MutexGuard<'_, Option<Connection>> {
        self.helper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self) {
        let mut wish = self.wish();
        if *wish == Wish::None {
            *wish = Wish::Checkpoint;
            self.wished.notify_all();
        }
    }

    /// Waits for something to do; `false` at the end.
    fn wait(&self) -> bool {
        let mut wish = self.wish();
        while *wish == Wish::None {
            wish = self.wished.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        if *wish == Wish::End {
            return false;
        }
        *wish = Wish::None;
        true
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's side.
#[derive(Default)]
pub(crate) struct Policy {
    /// The size of the log when something was last done about it.
    handled: u64,
}

impl Policy {
    /// Looks after the log once everybody has been answered.
    pub(crate) fn after_commit(&mut self, shared: &Shared, connection: &Connection) {
        let bytes = shared.log.bytes();
        if shared.log.is_suspect() {
            return;
        }
        match self.due(bytes, shared.options.checkpoint_bytes, shared.options.log_bytes_max) {
            Due::Nothing => {}
            Due::Help => shared.log.ask(),
            Due::Restart => {
                let _idle = shared.log.helper();
                // A checkpoint that fails is tried again when the log has grown some more; what
                // was committed is safe in the log all the while.
                match restart(connection) {
                    Ok(true) => {
                        shared.counters.log_restarts.add(1);
                        self.handled = 0;
                    }
                    Ok(false) => {}
                    Err(error) => shared.log.note(&error),
                }
            }
        }
    }

    fn due(&mut self, bytes: u64, checkpoint_bytes: u64, log_bytes_max: u64) -> Due {
        if bytes < self.handled {
            // The log began anew.
            self.handled = 0;
        }
        if bytes < self.handled.saturating_add(checkpoint_bytes) {
            return Due::Nothing;
        }
        self.handled = bytes;
        if bytes >= log_bytes_max { Due::Restart } else { Due::Help }
    }
}

/// Moves all of the log and lets the next write begin at its start; `false` if readers held on.
fn restart(connection: &Connection) -> rusqlite::Result<bool> {
    let wait = |ms| connection.busy_timeout(std::time::Duration::from_millis(ms));
    wait(RESTART_MS_MAX)?;
    let busy: rusqlite::Result<i64> =
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
    wait(BUSY_MS_MAX)?;
    Ok(busy? == 0)
}

/// How many pages of the log SQLite counts as moved.
pub(crate) fn moved(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(2))
}

/// The helper thread: moves what it can without being in anybody's way.
pub(crate) fn help(shared: &Shared) {
    while shared.log.wait() {
        let mut connection = shared.log.helper();
        if shared.log.is_suspect() {
            continue;
        }
        if connection.is_none() {
            *connection = open_checkpointer(&shared.path, &shared.options).ok();
        }
        let passive =
            |connection: &Connection| connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match connection.as_ref().map(passive) {
            Some(Ok(())) => shared.counters.checkpoints.add(1),
            // The next wish is tried with another connection; the writer's restarts do not
            // depend on this one.
            Some(Err(error)) => {
                shared.log.note(&error);
                *connection = None;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_asked_for_every_so_often_and_the_end_forces_a_restart() {
        let mut policy = Policy::default();
        let mut due = |bytes| policy.due(bytes, 48, 192);
        assert_eq!(
            [10, 47, 48, 49, 95, 96].map(&mut due),
            [Due::Nothing, Due::Nothing, Due::Help, Due::Nothing, Due::Nothing, Due::Help]
        );
        assert_eq!([150, 192, 193].map(&mut due), [Due::Help, Due::Nothing, Due::Nothing]);
        assert_eq!([198, 240, 246].map(&mut due), [Due::Restart, Due::Nothing, Due::Restart]);
        // Begun anew.
        assert_eq!([1, 47, 48].map(&mut due), [Due::Nothing, Due::Nothing, Due::Help]);
    }
}
