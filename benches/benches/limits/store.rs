//! The store alone: clients are threads that call it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use pollster::block_on;
use rusqlite::Connection;
use storage_api::{
    Body, Clock, Commit, Guard, HeadGuard, Histogram, Key, Method, RequestId, Store, StoreError, Timestamp,
    VersionNumber, VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};

use crate::raw::{RawLoop, content, id};
use crate::{Chance, Rate, SLICES, resources};

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

fn key(number: u64) -> Key {
    Key::new("Flag", id(number))
}

fn version(key: Key, before: u64, chance: u64) -> (Guard, Write) {
    let guard = match before {
        0 => HeadGuard::Absent { floor: VersionNumber::NONE },
        number => HeadGuard::Exactly(VersionNumber::new(number)),
    };
    let next = VersionToken { number: VersionNumber::new(before + 1), tag: VersionTag(chance) };
    let content = Some(Body { bytes: content(chance).into(), splice: 0 });
    let write = VersionWrite { key: key.clone(), next, method: Method::Put, body: content, terms: [].into() };
    (Guard::Head(key, guard), Write::Version(write))
}

fn commit(store: &SqliteStore, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Commit, StoreError> {
    let request = RequestId([1; 16]);
    block_on(store.commit(WriteSet { request, index: store.index_generation(), guards, writes }))
}

fn fill(store: &SqliteStore) -> Result<()> {
    for start in (0..resources()).step_by(1_000) {
        let (guards, writes) = (start..start + 1_000).map(|number| version(key(number), 0, number)).unzip();
        commit(store, guards, writes)?;
    }
    Ok(())
}

/// Updates by closed-loop clients.
fn updates(store: &SqliteStore, clients: u64, time: Duration, rate: &mut Rate) -> Result<()> {
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let client = |number: u64| -> Result<()> {
        let mut chance = Chance(number * 7919 + 1);
        while !stop.load(Ordering::Relaxed) {
            let key = key(chance.below(resources()));
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
    thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
    })?;
    rate.add(done.load(Ordering::Relaxed), began);
    Ok(())
}

/// Reads on one thread.
fn reads(store: &SqliteStore, time: Duration, rate: &mut Rate) -> Result<()> {
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let record = block_on(store.read(&key(chance.below(resources()))))?;
            done += u64::from(record.body.is_some());
        }
    }
    rate.add(done, began);
    Ok(())
}

/// The same look-ups by a statement alone.
fn raw_reads(connection: &Connection, time: Duration, rate: &mut Rate) -> Result<()> {
    let mut find = connection.prepare_cached(
        "SELECT v.body FROM resource r JOIN version v ON v.seq = r.seq WHERE r.id = ?1
         AND r.type = (SELECT sym FROM symbol WHERE kind = 1 AND text = 'Flag')",
    )?;
    let mut chance = Chance(99);
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for _ in 0..100 {
            let id = key(chance.below(resources())).id;
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

fn compare_updates(directory: &Path, store: &SqliteStore, slice: Duration) -> Result<()> {
    println!(
        "{:<28}{:>12}{:>10}{:>12}{:>8}",
        "store: durable updates", "per second", "group", "raw loop", "ratio"
    );
    let mut raw_loop = RawLoop::new(&directory.join("raw.db"), false)?;
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

fn compare_reads(place: &Path, slice: Duration) -> Result<()> {
    println!("{:<28}{:>12}{:>22}{:>8}", "store: reads, one thread", "per second", "statement", "ratio");
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

/// Prints what the store reaches beside bare statements.
pub(crate) fn compare(directory: &Path, slice: Duration) -> Result<()> {
    let place = directory.join("store");
    let store = SqliteStore::open(&place, Options::default(), Arc::new(System))?;
    fill(&store)?;
    compare_updates(directory, &store, slice)?;
    drop(store);
    compare_reads(&place, slice)
}
