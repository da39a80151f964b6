//! The one thread that writes: it takes what is queued, never waiting for more, and commits it
//! as one group. Nobody hears of an outcome before the commit returned, losers included.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use storage_api::{Clock, Commit, StoreError};

use crate::connection::open_writer;
use crate::error::store_error;
use crate::group::{Group, Outcome, Position};
use crate::options::Options;
use crate::queue::{Job, Queue, Reply};
use crate::symbols::Symbols;

/// Everything the thread owns or shares.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) symbols: Arc<Symbols>,
    /// `None` after a commit whose end is unknown, until it is open again.
    pub(crate) connection: Option<Connection>,
    pub(crate) position: Position,
}

/// How a group ended.
enum Ending {
    /// Every set has its own outcome, and what was written is durable.
    Durable(Vec<Outcome>),
    /// Nothing was written.
    Failed(StoreError),
    /// Nobody knows.
    Unknown,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while let Some(jobs) = self.queue.take(self.options.group_sets_max, self.options.group_bytes_max) {
            let (sets, replies): (Vec<_>, Vec<_>) =
                jobs.into_iter().map(|job: Job| (job.set, job.reply)).unzip();
            let count = replies.len();
            let ending = match self.reopen() {
                Ok(connection) => self.commit(connection, sets),
                Err(why) => Ending::Failed(why),
            };
            let outcomes = match ending {
                Ending::Durable(outcomes) => outcomes,
                Ending::Failed(error) => vec![Err(error); count],
                Ending::Unknown => vec![Ok(Commit::Unknown); count],
            };
            answer(replies, outcomes);
        }
        if let Some(connection) = self.connection.take() {
            // What is not moved now stays in the log, which the next start reads.
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// The connection, opened anew if it was given up.
    fn reopen(&mut self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let unavailable = |error: &rusqlite::Error| StoreError::Unavailable(format!("reopening: {error}"));
        let connection = open_writer(&self.path, &self.options).map_err(|error| unavailable(&error))?;
        // A commit that failed lies behind the end of the log as readers know it. Writing there
        // settles its fate: from here on it is gone for good.
        let settle = "INSERT INTO meta (name, value) VALUES ('reopened', 1)
                      ON CONFLICT (name) DO UPDATE SET value = value + 1";
        connection.execute(settle, []).map_err(|error| unavailable(&error))?;
        self.position = Position::load(&connection).map_err(|error| unavailable(&error))?;
        Ok(connection)
    }

    /// Judges and writes a group in one transaction.
    fn commit(&mut self, connection: Connection, sets: Vec<storage_api::WriteSet>) -> Ending {
        let mut group = Group::new(&connection, &self.symbols, self.position);
        let applied = begin(&connection).and_then(|()| {
            sets.into_iter().map(|set| group.apply(set, self.clock.now())).collect::<Result<Vec<_>, _>>()
        });
        let Group { position, new_symbols, .. } = group;
        let outcomes = match applied {
            Ok(outcomes) => outcomes,
            Err(error) => return self.roll_back(connection, &error),
        };
        match connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])) {
            Ok(_) => {}
            Err(error) => {
                return match store_error(&error) {
                    // The commit did not begin, or did not fit: certainly nothing was written.
                    StoreError::Full | StoreError::Busy => self.roll_back(connection, &error),
                    _ => Ending::Unknown,
                };
            }
        }
        self.position = position;
        for ((kind, text), number) in new_symbols {
            self.symbols.learn(kind, &text, number);
        }
        self.connection = Some(connection);
        Ending::Durable(outcomes)
    }

    /// Ends a transaction that failed before its commit. A connection that cannot even do that
    /// is given up.
    fn roll_back(&mut self, connection: Connection, error: &rusqlite::Error) -> Ending {
        let failure = store_error(error);
        // SQLite may have rolled back by itself, and then there is nothing to end.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.connection = Some(connection);
        }
        Ending::Failed(failure)
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

fn answer(replies: Vec<Reply>, outcomes: Vec<Outcome>) {
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        // Whoever asked may have gone; the outcome stands all the same.
        let _ = reply.send(outcome);
    }
}

/// Closes the queue when the thread ends for whatever reason, so that nobody waits for ever.
pub(crate) struct Ended(pub(crate) Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.close("the writer has stopped");
    }
}
