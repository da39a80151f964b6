//! The rows of an update, appended with nothing around it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::Connection;

use crate::{Chance, Rate, resources};

const BODY_BYTES: usize = 1_024;

/// Terms of a resource, of which an update that is told so changes two.
const TERMS: i64 = 10;

/// The tables of the store that an update touches, as it lays them out.
const TABLES: &str = "
CREATE TABLE version (seq INTEGER PRIMARY KEY, res INTEGER NOT NULL, ver INTEGER NOT NULL,
    prev INTEGER, at INTEGER NOT NULL, tag INTEGER NOT NULL, method INTEGER NOT NULL,
    request BLOB NOT NULL, codec INTEGER NOT NULL, splice INTEGER NOT NULL, terms BLOB,
    body BLOB) STRICT;
CREATE TABLE version_by_type (type INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (type, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE resource (res INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL,
    state INTEGER NOT NULL, ver INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    tag INTEGER NOT NULL, prev_at INTEGER, floor INTEGER NOT NULL) STRICT;
CREATE TABLE term (param INTEGER NOT NULL, value BLOB NOT NULL, res INTEGER NOT NULL,
    PRIMARY KEY (param, value, res)) STRICT, WITHOUT ROWID;
";

pub(crate) fn id(number: u64) -> String {
    format!("resource-{number:08}")
}

pub(crate) fn content(number: u64) -> Vec<u8> {
    let mut bytes = number.to_string().into_bytes();
    bytes.resize(BODY_BYTES, b'x');
    bytes
}

/// Updates of random resources.
pub(crate) struct RawLoop {
    connection: Connection,
    seq: i64,
    chance: Chance,
    /// By resource, the update that its terms are from; empty if there are no terms.
    indexed: Vec<i64>,
}

impl RawLoop {
    pub(crate) fn new(path: &Path, with_terms: bool) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", 4096)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        // As seldom as the store makes one.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", (48 << 20) / 4096, |_| Ok(()))?;
        connection.execute_batch(TABLES)?;
        connection.execute_batch("BEGIN")?;
        for res in 0..resources() {
            let row = (res.cast_signed(), id(res));
            connection.execute("INSERT INTO resource VALUES (?1, 1, ?2, 1, 1, 0, 0, 0, NULL, 0)", row)?;
        }
        let indexed = if with_terms { vec![0; usize::try_from(resources())?] } else { Vec::new() };
        let raw = Self { connection, seq: 0, chance: Chance(4711), indexed };
        for res in (0..resources().cast_signed()).filter(|_| with_terms) {
            (0..TERMS).try_for_each(|param| raw.put_term(param, 0, res))?;
        }
        raw.connection.execute_batch("COMMIT")?;
        Ok(raw)
    }

    /// Commits groups of updates.
    pub(crate) fn updates(&mut self, group: u64, time: Duration, rate: &mut Rate) -> Result<()> {
        self.groups(group, time, rate, Self::update)
    }

    /// Commits groups of new resources.
    pub(crate) fn creates(&mut self, group: u64, time: Duration, rate: &mut Rate) -> Result<()> {
        self.groups(group, time, rate, Self::create)
    }

    fn groups(
        &mut self,
        group: u64,
        time: Duration,
        rate: &mut Rate,
        write: impl Fn(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let began = Instant::now();
        let mut done = 0;
        while began.elapsed() < time {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            (0..group).try_for_each(|_| write(self))?;
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            done += group;
        }
        rate.add(done, began);
        Ok(())
    }

    fn update(&mut self) -> Result<()> {
        let res = self.chance.below(resources()).cast_signed();
        let (seq, tag) = self.append(res)?;
        let update = "UPDATE resource SET state = 1, ver = 2, seq = ?2, at = ?3, tag = ?4, prev_at = ?3
                      WHERE res = ?1";
        self.connection.prepare_cached(update)?.execute((res, seq, seq, tag))?;
        let Some(before) = self.indexed.get_mut(usize::try_from(res)?) else { return Ok(()) };
        let before = std::mem::replace(before, seq);
        let delete = "DELETE FROM term WHERE param = ?1 AND value = ?2 AND res = ?3";
        for param in 0..2 {
            self.connection.prepare_cached(delete)?.execute((param, value(before), res))?;
            self.put_term(param, seq, res)?;
        }
        Ok(())
    }

    /// Of the terms of a new resource two are its own, as those of its subject are.
    fn create(&mut self) -> Result<()> {
        let res = self.seq + resources().cast_signed();
        let (seq, tag) = self.append(res)?;
        let insert = "INSERT INTO resource VALUES (?1, 1, ?2, 1, 1, ?3, ?3, ?4, NULL, 0)";
        self.connection.prepare_cached(insert)?.execute((res, id(res.cast_unsigned()), seq, tag))?;
        (0..TERMS).try_for_each(|param| self.put_term(param, if param < 2 { seq * 5_000 } else { 0 }, res))
    }

    /// Appends a version.
    fn append(&mut self, res: i64) -> Result<(i64, i64)> {
        self.seq += 1;
        let seq = self.seq;
        let tag = self.chance.0.cast_signed();
        let packed = (!self.indexed.is_empty()).then_some([2_u8; 220]);
        let insert = "INSERT INTO version VALUES (?1, ?2, 2, 1, ?3, ?4, 1, ?5, 1, 0, ?6, ?7)";
        self.connection.prepare_cached(insert)?.execute((
            seq,
            res,
            seq,
            tag,
            [1_u8; 16],
            packed,
            content(self.chance.0),
        ))?;
        self.connection.prepare_cached("INSERT INTO version_by_type VALUES (1, ?1)")?.execute([seq])?;
        Ok((seq, tag))
    }

    fn put_term(&self, param: i64, number: i64, res: i64) -> Result<()> {
        let insert = "INSERT INTO term VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(insert)?.execute((param, value(number), res))?;
        Ok(())
    }
}

/// A value as long as that of a quantity with its unit, the same for a few updates.
fn value(number: i64) -> Vec<u8> {
    let mut bytes = (number / 5_000).to_be_bytes().to_vec();
    bytes.extend_from_slice(b"unit and system");
    bytes
}
