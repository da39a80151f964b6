//! The one thread that writes: it takes what is queued, never waiting for more, and commits it
//! as one group. Nobody hears of an outcome before the commit returned, losers included.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use storage_api::{Commit, StoreError};

use crate::blobs::Hash;
use crate::caches::EntryCache;
use crate::checkpoint::{Policy, moved};
use crate::connection::{keep_log, open_writer};
use crate::error::store_error;
use crate::group::{Effects, Group, GroupError, Outcome, Prepared, Tables};
use crate::position::Position;
use crate::queue::{Job, Reply};
use crate::shared::Shared;

/// Everything the thread owns or shares.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// `None` after a commit whose end is unknown, until it is open again.
    connection: Option<Connection>,
    position: Position,
    entries: EntryCache,
    sweep: (u16, Vec<u8>),
    policy: Policy,
    /// Files that may have lost their last version.
    released: Vec<Hash>,
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
    pub(crate) fn new(shared: Arc<Shared>, connection: Connection, position: Position) -> Self {
        let entries = EntryCache::new(shared.options.entry_cache_bytes);
        Self {
            shared,
            connection: Some(connection),
            position,
            entries,
            sweep: Default::default(),
            policy: Policy::default(),
            released: Vec::new(),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let limits = (shared.options.group_sets_max, shared.options.group_bytes_max);
        while let Some(jobs) = shared.queue.take(limits.0, limits.1) {
            let began = Instant::now();
            let (sets, replies): (Vec<Prepared>, Vec<Reply>) =
                jobs.into_iter().map(|job: Job| (job.prepared, job.reply)).unzip();
            let outcomes = self.write(&sets);
            self.count(&outcomes);
            self.note_unused_files(sets, &outcomes);
            answer(replies, outcomes);
            shared.counters.group_micros.time(began.elapsed());
            self.tidy();
        }
        self.end();
    }

    /// Moves the log into the file. What is not moved now the next start finds in the log.
    fn end(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let log = &self.shared.log;
        if !log.is_suspect() {
            // The stamp of a commit without a version would else be forgotten.
            let _ = self.save_stamp(&connection);
        }
        let truncate = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).is_ok();
        if log.is_suspect() || !log.without_helper(truncate) {
            // Closing it would try once more. Nothing else can be done where this fails.
            let _ = keep_log(&connection);
        }
    }

    /// Lets SQLite read the log anew, see [`Log::is_suspect`](crate::checkpoint::Log::is_suspect).
    /// It does so when nobody has the file open.
    fn read_log_anew(&mut self) -> Result<(), StoreError> {
        // A commit that failed must be settled first: it would be read too.
        let connection = self.reopen()?;
        keep_log(&connection).map_err(|error| store_error(&error))?;
        let shared = Arc::clone(&self.shared);
        shared.log.without_helper(|| {
            shared.pool.without_connections(|| {
                drop(connection);
                let connection = self.reopen()?;
                let moved = moved(&connection).map_err(|error| store_error(&error))?;
                shared.log.read_anew(moved);
                self.connection = Some(connection);
                Ok(())
            })
        })
    }

    /// The outcome of each set, final when this returns.
    fn write(&mut self, sets: &[Prepared]) -> Vec<Outcome> {
        let ending = match self.reopen() {
            Ok(connection) => self.commit(connection, sets),
            Err(why) => Ending::Failed(why),
        };
        match ending {
            Ending::Durable(outcomes) => outcomes,
            // Only one of them met the damage: the others must not suffer for it.
            Ending::Failed(StoreError::Corrupt(_)) if sets.len() > 1 => {
                sets.chunks(1).flat_map(|set| self.write(set)).collect()
            }
            Ending::Failed(error) => vec![Err(error); sets.len()],
            Ending::Unknown => vec![Ok(Commit::Unknown); sets.len()],
        }
    }

    /// The connection, opened anew if it was given up.
    fn reopen(&mut self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let reopened = open_writer(&self.shared.path, &self.shared.options).and_then(|mut connection| {
            watch_log(&mut connection, &self.shared)?;
            settle(&connection)?;
            self.position = Position::load(&connection)?;
            self.shared.set_generation(self.position.generation);
            Ok(connection)
        });
        // Whatever the end of that commit was, it is now what the tables say.
        self.shared.heads.clear();
        self.entries.clear();
        self.shared.counters.reopenings.add(1);
        reopened.map_err(|error| StoreError::Unavailable(format!("reopening: {error}")))
    }

    /// Judges and writes a group in one transaction.
    fn commit(&mut self, connection: Connection, sets: &[Prepared]) -> Ending {
        if let Err(error) = begin(&connection) {
            return self.roll_back(connection, store_error(&error));
        }
        let tables = Tables {
            connection: &connection,
            symbols: &self.shared.symbols,
            heads: &self.shared.heads,
            entries: &self.entries,
            match_steps_max: self.shared.options.match_steps_max,
        };
        let mut group = Group::new(tables, Effects::new(self.position, self.sweep.clone()));
        let now = || self.shared.clock.now();
        let applied: Result<Vec<Outcome>, GroupError> =
            sets.iter().map(|set| group.apply(set, now())).collect();
        let effects = group.effects;
        let outcomes = match applied {
            Ok(outcomes) => outcomes,
            Err(GroupError::Sqlite(error)) => return self.roll_back(connection, store_error(&error)),
            Err(GroupError::Refused(error)) => return self.roll_back(connection, error),
            Err(GroupError::Corrupt(what)) => return self.roll_back(connection, StoreError::Corrupt(what)),
        };
        let group = self.shared.heads.withdraw(effects.heads.keys());
        match self.sync(&connection) {
            Ok(()) => {
                self.publish(&effects);
                let rows = effects.heads.iter().filter_map(|(key, row)| row.map(|row| (key, row)));
                self.shared.heads.publish(rows, group);
                self.position = effects.position;
                self.shared.set_generation(self.position.generation);
                self.keep(effects.entries, &effects.replaced);
                self.sweep = effects.sweep;
                self.released.extend(effects.released);
                self.connection = Some(connection);
                Ending::Durable(outcomes)
            }
            Err(error) => {
                self.shared.heads.settle(group);
                match store_error(&error) {
                    // The commit did not begin, or did not fit: certainly nothing was written.
                    failure @ (StoreError::Full | StoreError::Busy) => self.roll_back(connection, failure),
                    _ => Ending::Unknown,
                }
            }
        }
    }

    /// Keeps the newest stamp if it is that of no version.
    fn save_stamp(&self, connection: &Connection) -> rusqlite::Result<()> {
        if Position::load(connection)?.at < self.position.at {
            self.position.save(connection)?;
        }
        Ok(())
    }

    fn sync(&self, connection: &Connection) -> rusqlite::Result<()> {
        let began = Instant::now();
        let committed = connection.prepare_cached("COMMIT")?.execute([]).map(drop);
        self.shared.counters.commit_micros.time(began.elapsed());
        committed
    }

    /// Tells readers of everything but the heads.
    fn publish(&self, effects: &Effects) {
        for ((kind, text), number) in &effects.symbols {
            self.shared.symbols.learn(*kind, text, *number);
        }
        for (seq, body) in &effects.bodies {
            self.shared.bodies.insert(*seq, body);
        }
        // Nearly all reads are of newest versions: older ones would only push those out.
        for seq in effects.purged.iter().chain(&effects.replaced) {
            self.shared.bodies.remove(*seq);
        }
    }

    /// Keeps what the newest versions are found by for the write that replaces them.
    fn keep(&mut self, entries: HashMap<i64, Box<[u8]>>, replaced: &[i64]) {
        for (seq, packed) in entries {
            self.entries.insert(seq, packed);
        }
        for seq in replaced {
            self.entries.remove(*seq);
        }
    }

    /// Ends a transaction that failed before its commit. A connection that cannot even do that
    /// is given up.
    fn roll_back(&mut self, connection: Connection, failure: StoreError) -> Ending {
        // SQLite may have rolled back by itself, and then there is nothing to end.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.connection = Some(connection);
        }
        Ending::Failed(failure)
    }

    fn count(&self, outcomes: &[Outcome]) {
        let counters = &self.shared.counters;
        counters.group_sets.count(outcomes.len() as u64);
        for outcome in outcomes {
            match outcome {
                Ok(Commit::Committed(_)) => counters.committed.add(1),
                Ok(Commit::Unknown) => counters.unknown.add(1),
                Ok(Commit::Lost(_) | Commit::StaleIndex(_)) => counters.lost.add(1),
                Err(_) => counters.failed.add(1),
            }
        }
        counters.log_bytes.set(self.shared.log.bytes());
    }

    /// Files of sets that were not written may belong to nobody. Of those whose end is unknown
    /// the next start takes care.
    fn note_unused_files(&mut self, sets: Vec<Prepared>, outcomes: &[Outcome]) {
        for (set, outcome) in sets.into_iter().zip(outcomes) {
            if matches!(outcome, Ok(Commit::Lost(_)) | Err(_)) {
                self.released.extend(set.files.values().map(|pin| pin.hash));
            }
        }
    }

    /// What can wait until everybody was answered.
    fn tidy(&mut self) {
        if self.shared.log.is_suspect() {
            // Tried again after the next group. Until then nothing is moved and nothing is lost.
            let _ = self.read_log_anew();
        }
        let Some(connection) = &self.connection else { return };
        for hash in std::mem::take(&mut self.released) {
            // What fails now is made up for at the next start.
            let _ = self.shared.blobs.remove_unused(connection, &hash);
        }
        self.policy.after_commit(&self.shared, connection);
    }
}

/// Keeps count of the pages in the log.
pub(crate) fn watch_log(connection: &mut Connection, shared: &Arc<Shared>) -> rusqlite::Result<()> {
    let shared = Arc::clone(shared);
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
        shared.log.grew_to(pages.unsigned_abs().into());
        Ok(())
    }))
}

/// Settles a commit that failed. It lies behind the end of the log as readers know it, and comes
/// back if the process ends now; what is written in its place makes it gone for good.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ('reopened', 1)
               ON CONFLICT (name) DO UPDATE SET value = value + 1";
    connection.execute(sql, []).map(drop)
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
pub(crate) struct Ended(pub(crate) Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.queue.close("the writer has stopped");
        self.0.queue.refuse_rest();
    }
}

#[cfg(test)]
mod tests;
