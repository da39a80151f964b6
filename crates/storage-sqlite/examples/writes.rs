//! How fast the store writes and reads, each figure beside its limit in the same run.
//!
//! `cargo run --release --example writes -p storage-sqlite [seconds per figure]`
//!
//! Closed-loop clients update random resources, each naming the version it saw. The limit of
//! writing is a loop that appends the same rows, with nothing around it, at the group size that
//! the clients reach. The limit of reading is the look-up as a bare statement. Both sides take
//! turns in short slices, so that a disk or a neighbour that changes its mind meets both.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are rounded anyway"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pollster::block_on;
use rusqlite::Connection;
use storage_api::{
    Body, Clock, Commit, Guard, HeadGuard, Histogram, Key, Method, RequestId, Store, StoreError, Timestamp,
    VersionNumber, VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const RESOURCES: u64 = 10_000;
const BODY_BYTES: usize = 1_024;
const SLICES: u32 = 8;

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

/// Something done so often in so much time.
#[derive(Clone, Copy, Default)]
struct Rate {
    done: u64,
    time: Duration,
}

impl Rate {
    fn add(&mut self, done: u64, began: Instant) {
        self.done += done;
        self.time += began.elapsed();
    }

    fn per_second(self) -> f64 {
        self.done as f64 / self.time.as_secs_f64()
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

fn version(key: Key, before: u64, chance: u64) -> (Guard, Write) {
    let guard = match before {
        0 => HeadGuard::Absent { floor: VersionNumber::NONE },
        number => HeadGuard::Exactly(VersionNumber::new(number)),
    };
    let next = VersionToken { number: VersionNumber::new(before + 1), tag: VersionTag(chance) };
    let content = Some(Body { bytes: body(chance).into(), splice: 0 });
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

/// Updates by closed-loop clients.
fn updates(store: &SqliteStore, clients: u64, time: Duration, rate: &mut Rate) -> Result<(), Failure> {
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
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
    let began = Instant::now();
    thread::scope(|scope| -> Result<(), Failure> {
        let running: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
    })?;
    rate.add(done.load(Ordering::Relaxed), began);
    Ok(())
}

/// The same rows appended with nothing around it.
struct RawLoop {
    connection: Connection,
    seq: i64,
    chance: Chance,
}

impl RawLoop {
    fn new(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", 4096)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        // As seldom as the store makes one.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", (48 << 20) / 4096, |_| Ok(()))?;
        connection.execute_batch(
            "CREATE TABLE version (seq INTEGER PRIMARY KEY, res INTEGER NOT NULL, ver INTEGER NOT NULL,
                 prev INTEGER, at INTEGER NOT NULL, tag INTEGER NOT NULL, method INTEGER NOT NULL,
                 request BLOB NOT NULL, codec INTEGER NOT NULL, splice INTEGER NOT NULL, terms BLOB,
                 body BLOB) STRICT;
             CREATE TABLE version_by_type (type INTEGER NOT NULL, seq INTEGER NOT NULL,
                 PRIMARY KEY (type, seq)) STRICT, WITHOUT ROWID;
             CREATE TABLE resource (res INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL,
                 state INTEGER NOT NULL, ver INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
                 tag INTEGER NOT NULL, prev_at INTEGER, floor INTEGER NOT NULL) STRICT;
             BEGIN",
        )?;
        for res in 0..RESOURCES {
            let row = (res.cast_signed(), key(res).id.as_str().to_owned());
            connection.execute("INSERT INTO resource VALUES (?1, 1, ?2, 1, 1, 0, 0, 0, NULL, 0)", row)?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(Self { connection, seq: 0, chance: Chance(4711) })
    }

    fn updates(&mut self, group: u64, time: Duration, rate: &mut Rate) -> Result<(), Failure> {
        let insert = "INSERT INTO version VALUES (?1, ?2, 2, 1, ?3, ?4, 1, ?5, 1, 0, NULL, ?6)";
        let mut append = self.connection.prepare_cached(insert)?;
        let mut list = self.connection.prepare_cached("INSERT INTO version_by_type VALUES (1, ?1)")?;
        let update = "UPDATE resource SET state = 1, ver = 2, seq = ?2, at = ?3, tag = ?4, prev_at = ?3
                      WHERE res = ?1";
        let mut update = self.connection.prepare_cached(update)?;
        let began = Instant::now();
        let mut done = 0;
        while began.elapsed() < time {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            for _ in 0..group {
                self.seq += 1;
                let seq = self.seq;
                let res = self.chance.below(RESOURCES).cast_signed();
                let tag = self.chance.0.cast_signed();
                append.execute((seq, res, seq, tag, [1_u8; 16], body(self.chance.0)))?;
                list.execute([seq])?;
                update.execute((res, seq, seq, tag))?;
            }
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            done += group;
        }
        rate.add(done, began);
        Ok(())
    }
}

/// Reads on one thread.
fn reads(store: &SqliteStore, time: Duration, rate: &mut Rate) -> Result<(), Failure> {
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let record = block_on(store.read(&key(chance.below(RESOURCES))))?;
            done += u64::from(record.body.is_some());
        }
    }
    rate.add(done, began);
    Ok(())
}

/// The same look-ups by a statement alone.
fn raw_reads(connection: &Connection, time: Duration, rate: &mut Rate) -> Result<(), Failure> {
    let mut find = connection.prepare_cached(
        "SELECT v.body FROM resource r JOIN version v ON v.seq = r.seq WHERE r.id = ?1
         AND r.type = (SELECT sym FROM symbol WHERE kind = 1 AND text = 'Flag')",
    )?;
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let id = key(chance.below(RESOURCES)).id;
            let body: Vec<u8> = find.query_row([id.as_str()], |row| row.get(0))?;
            done += u64::from(!body.is_empty());
        }
    }
    rate.add(done, began);
    Ok(())
}

/// A time that most values did not exceed, in milliseconds.
fn quantile(histogram: &Histogram, share: f64) -> String {
    let wanted = (histogram.count() as f64 * share).ceil() as u64;
    let mut count = 0;
    for (n, bucket) in histogram.buckets.iter().enumerate() {
        count += bucket;
        if count >= wanted {
            return Histogram::bound(n).map_or("over".into(), |micros| format!("{:.1}", micros as f64 / 1e3));
        }
    }
    "none".to_owned()
}

fn compare_updates(directory: &Path, store: &SqliteStore, slice: Duration) -> Result<(), Failure> {
    println!("{:<28}{:>12}{:>10}{:>12}{:>8}", "durable updates", "per second", "group", "raw loop", "ratio");
    let mut raw_loop = RawLoop::new(&directory.join("raw.db"))?;
    for clients in [1, 8, 32] {
        let (mut ours, mut raw) = (Rate::default(), Rate::default());
        let before = store.metrics().group_sets;
        let mut group = 1.0_f64;
        for _ in 0..SLICES {
            updates(store, clients, slice, &mut ours)?;
            let now = store.metrics().group_sets;
            group = (now.sum - before.sum) as f64 / (now.count() - before.count()).max(1) as f64;
            raw_loop.updates((group.round() as u64).max(1), slice, &mut raw)?;
        }
        let (name, ours, raw) = (format!("{clients} clients"), ours.per_second(), raw.per_second());
        println!("{name:<28}{ours:>12.0}{group:>10.1}{raw:>12.0}{:>8.2}", ours / raw);
    }
    let metrics = store.metrics();
    let [half, most] = [0.5, 0.99].map(|share| quantile(&metrics.commit_micros, share));
    println!(
        "commits: at most {half} ms in half, {most} ms in 99 % of all; {} checkpoints",
        metrics.checkpoints
    );
    Ok(())
}

fn compare_reads(place: &Path, slice: Duration) -> Result<(), Failure> {
    println!("{:<28}{:>12}{:>22}{:>8}", "reads, one thread", "per second", "statement", "ratio");
    let no_caches = Options { head_cache_entries: 0, body_cache_bytes: 0, ..Options::default() };
    let no_bodies = Options { body_cache_bytes: 0, ..Options::default() };
    let kinds = [
        ("from memory", Options::default()),
        ("contents from the tables", no_bodies),
        ("all from the tables", no_caches),
    ];
    for (name, options) in kinds {
        let store = SqliteStore::open(place, options, Arc::new(System))?;
        let connection = Connection::open(place.join("store.db"))?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        reads(&store, slice, &mut Rate::default())?;
        let (mut ours, mut raw) = (Rate::default(), Rate::default());
        for _ in 0..SLICES {
            reads(&store, slice, &mut ours)?;
            raw_reads(&connection, slice, &mut raw)?;
        }
        let (ours, raw) = (ours.per_second(), raw.per_second());
        println!("{name:<28}{ours:>12.0}{raw:>22.0}{:>8.2}", ours / raw);
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(2.0), |text| text.parse())?;
    let slice = Duration::from_secs_f64(seconds) / SLICES;
    let directory = tempfile::tempdir_in(".")?;
    let place = directory.path().join("store");
    println!("{RESOURCES} resources, contents of {BODY_BYTES} bytes, {seconds} s per figure");
    let store = SqliteStore::open(&place, Options::default(), Arc::new(System))?;
    fill(&store)?;
    compare_updates(directory.path(), &store, slice)?;
    drop(store);
    compare_reads(&place, slice)
}
