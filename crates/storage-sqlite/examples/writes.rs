//! How fast the store writes and reads, each figure beside its limit in the same run.
//!
//! `cargo run --release --example writes -p storage-sqlite [seconds per figure]`
//!
//! Closed-loop clients update random resources, each naming the version it saw. The limit of
//! writing is a loop that appends the same rows, with nothing around it, at the group size that
//! the clients reached. The limit of reading is one that looks the same rows up by statement.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pollster::block_on;
use rusqlite::Connection;
use storage_api::*;
use storage_sqlite::{Metrics, Options, SqliteStore};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const RESOURCES: u64 = 10_000;
const BODY_BYTES: usize = 1_024;

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A little chance: xorshift64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

fn key(number: u64) -> Key {
    Key::new("Flag", format!("resource-{number:08}"))
}

fn body(number: u64) -> Vec<u8> {
    let mut bytes = number.to_string().into_bytes();
    bytes.resize(BODY_BYTES, b'x');
    bytes
}

fn version(key: Key, before: u64, request: u64) -> (Guard, Write) {
    let guard = match before {
        0 => HeadGuard::Absent { floor: VersionNumber::NONE },
        number => HeadGuard::Exactly(VersionNumber::new(number)),
    };
    let next = VersionToken { number: VersionNumber::new(before + 1), tag: VersionTag(request) };
    let content = Some(Body { bytes: body(request).into(), splice: 0 });
    let write = VersionWrite { key: key.clone(), next, method: Method::Put, body: content, terms: vec![] };
    (Guard::Head(key, guard), Write::Version(write))
}

fn commit(store: &SqliteStore, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Commit, StoreError> {
    let request = RequestId([1; 16]);
    block_on(store.commit(WriteSet { request, index: store.index_generation(), guards, writes }))
}

fn fill(store: &SqliteStore) -> Result<(), Failure> {
    for start in (0..RESOURCES).step_by(1_000) {
        let (guards, writes) = (start..start + 1_000).map(|number| version(key(number), 0, number)).unzip();
        commit(store, guards, writes)?;
    }
    Ok(())
}

/// Updates by closed-loop clients: how many a second, and how many shared a commit.
fn updates(store: &Arc<SqliteStore>, clients: u64, time: Duration) -> Result<(f64, f64), Failure> {
    let before = store.metrics();
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let client = |number: u64| -> Result<(), Failure> {
        let mut chance = Chance(number * 7919 + 1);
        while !stop.load(Ordering::Relaxed) {
            let key = key(chance.below(RESOURCES));
            let current = block_on(store.read(&key))?.current;
            let (guard, write) = version(key, current.number().get(), chance.0);
            if let Commit::Committed(_) = commit(store, vec![guard], vec![write])? {
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    let client = &client;
    thread::scope(|scope| -> Result<(), Failure> {
        let running: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
    })?;
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    let groups = |metrics: &Metrics| (metrics.group_sets.sum, metrics.group_sets.count());
    let ((sets, count), (sets_before, count_before)) = (groups(&store.metrics()), groups(&before));
    Ok((rate, (sets - sets_before) as f64 / (count - count_before).max(1) as f64))
}

/// The same rows appended with nothing around it.
fn raw_updates(path: &Path, group: u64, time: Duration) -> Result<f64, Failure> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS version (seq INTEGER PRIMARY KEY, res INTEGER NOT NULL,
             ver INTEGER NOT NULL, prev INTEGER, at INTEGER NOT NULL, tag INTEGER NOT NULL,
             method INTEGER NOT NULL, request BLOB NOT NULL, codec INTEGER NOT NULL,
             splice INTEGER NOT NULL, terms BLOB, body BLOB) STRICT;
         CREATE TABLE IF NOT EXISTS version_by_type (type INTEGER NOT NULL, seq INTEGER NOT NULL,
             PRIMARY KEY (type, seq)) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS resource (res INTEGER PRIMARY KEY, ver INTEGER NOT NULL,
             seq INTEGER NOT NULL, at INTEGER NOT NULL, tag INTEGER NOT NULL, prev_at INTEGER) STRICT;",
    )?;
    let filled: i64 = connection.query_row("SELECT count(*) FROM resource", [], |row| row.get(0))?;
    if filled == 0 {
        connection.execute_batch("BEGIN")?;
        for res in 0..RESOURCES {
            connection.execute("INSERT INTO resource VALUES (?1, 0, 0, 0, 0, NULL)", [res.cast_signed()])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let mut seq: i64 =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM version", [], |row| row.get(0))?;
    let mut append =
        connection.prepare("INSERT INTO version VALUES (?1, ?2, 2, 1, ?3, ?4, 1, ?5, 1, 0, NULL, ?6)")?;
    let mut list = connection.prepare("INSERT INTO version_by_type VALUES (1, ?1)")?;
    let mut update =
        connection.prepare("UPDATE resource SET ver = 2, seq = ?2, at = ?3, tag = ?4 WHERE res = ?1")?;
    let mut chance = Chance(4711);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            seq += 1;
            let res = chance.below(RESOURCES).cast_signed();
            let content = body(chance.0);
            append.execute((seq, res, seq, chance.0.cast_signed(), [1_u8; 16], content))?;
            list.execute([seq])?;
            update.execute((res, seq, seq, chance.0.cast_signed()))?;
        }
        connection.execute_batch("COMMIT")?;
        done += group;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// Reads on one thread.
fn reads(store: &SqliteStore, time: Duration) -> Result<f64, Failure> {
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let record = block_on(store.read(&key(chance.below(RESOURCES))))?;
            done += u64::from(record.body.is_some());
        }
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// The same look-ups by statements alone.
fn raw_reads(path: &Path, time: Duration) -> Result<f64, Failure> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    let kind: i64 =
        connection
            .query_row("SELECT sym FROM symbol WHERE kind = 1 AND text = 'Flag'", [], |row| row.get(0))?;
    let mut find = connection.prepare(
        "SELECT v.body FROM resource r JOIN version v ON v.seq = r.seq WHERE r.id = ?1 AND r.type = ?2",
    )?;
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let body: Vec<u8> =
                find.query_row((key(chance.below(RESOURCES)).id.as_str(), kind), |row| row.get(0))?;
            done += u64::from(!body.is_empty());
        }
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(2.0), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let directory = tempfile::tempdir_in(".")?;
    let place = directory.path().join("store");
    println!("{RESOURCES} resources, contents of {BODY_BYTES} bytes, {seconds} s per figure");
    println!("{:<28}{:>12}{:>10}{:>12}{:>8}", "durable updates", "per second", "group", "raw loop", "ratio");
    let store = Arc::new(SqliteStore::open(&place, Options::default(), Arc::new(System))?);
    fill(&store)?;
    for clients in [1, 8, 32] {
        let (rate, group) = updates(&store, clients, time)?;
        let raw = raw_updates(&directory.path().join("raw.db"), (group.round() as u64).max(1), time)?;
        let name = format!("{clients} clients");
        println!("{name:<28}{rate:>12.0}{group:>10.1}{raw:>12.0}{:>8.2}", rate / raw);
    }
    let cached = reads(&store, time)?;
    println!("{:?}", store.metrics());
    drop(store);
    println!("{:<28}{:>12}{:>22}{:>8}", "reads, one thread", "per second", "statement", "ratio");
    let raw = raw_reads(&place.join("store.db"), time)?;
    println!("{:<28}{cached:>12.0}{raw:>22.0}{:>8.2}", "from memory", cached / raw);
    let bare = Options { head_cache_entries: 0, body_cache_bytes: 0, ..Options::default() };
    let store = SqliteStore::open(&place, bare, Arc::new(System))?;
    let uncached = reads(&store, time)?;
    println!("{:<28}{uncached:>12.0}{raw:>22.0}{:>8.2}", "from the tables", uncached / raw);
    Ok(())
}
