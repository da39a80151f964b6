//! How long a question may take: while SQLite is at it, it asks now and then whether the time is over.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::reader::ReadResult;

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: std::ffi::c_int = 1_000;

thread_local! {
    /// When what this thread asks must have been answered.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets a connection end questions whose time is over. What is asked outside of [`within`] has as long as it takes.
pub(crate) fn watch(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS, Some(is_over))
}

fn is_over() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline)
}

/// Asks something that may take so long, on a connection that is watched; `OutOfTime` if it takes longer.
/// What is done beside SQLite is not looked at until the next statement.
pub(crate) fn within<T>(time: Duration, question: impl FnOnce() -> ReadResult<T>) -> ReadResult<T> {
    let _before = Before(DEADLINE.replace(Instant::now().checked_add(time)));
    question()
}

/// Sets back what held before.
struct Before(Option<Instant>);

impl Drop for Before {
    fn drop(&mut self) {
        DEADLINE.set(self.0);
    }
}
