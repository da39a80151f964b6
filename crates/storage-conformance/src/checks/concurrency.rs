//! Clients that write at the same time.

use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};

use storage_api::{Commit, Guard, HeadGuard, HistoryScope, Key, Now, Record, StoreError, Write};

use crate::bench::{Bench, delete, key, pin, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Recorder, Verdict, check_linearizable};

const CLIENTS: usize = 8;

/// Runs clients at the same time and collects what they say.
fn together<T: Send>(client: impl Fn(usize) -> T + Sync) -> Result<Vec<T>, Fault> {
    let start = Barrier::new(CLIENTS);
    let run = |number| {
        start.wait();
        client(number)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || run(number))).collect();
        let joined: Result<Vec<T>, _> = clients.into_iter().map(ScopedJoinHandle::join).collect();
        joined.map_err(|_| Fault("a client panicked".to_owned()))
    })
}

/// Whoever replaces the same version, one does, and the others are told by which version.
pub(super) fn one_winner(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    for round in 0..30 {
        // Some rounds race for a key that never was, was deleted, or was purged.
        match round % 10 {
            3 => drop(bench.delete(&a)?),
            7 => drop(bench.purge(&a)?),
            _ => {}
        }
        let current = bench.current(&a)?;
        let before = current.number().get();
        let outcomes = together(|client| {
            let write = Write::Version(put(&a, before, &format!("client {client}")));
            bench.commit(vec![pin(&a, &current)], vec![write])
        })?;
        let winners = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::Committed(_)))).count();
        ensure_eq!(winners, 1, "winners of round {round}: {outcomes:?}");
        let record = bench.read(&a)?;
        ensure_eq!(record.current.number().get(), before + 1, "number after round {round}");
        for outcome in outcomes {
            match outcome? {
                Commit::Committed(committed) => {
                    ensure_eq!(record.current.head().map(|head| head.at), Some(committed.at), "stamp");
                }
                Commit::Lost(lost) => {
                    let met: Vec<&Now> = lost.iter().map(|lost| &lost.now).collect();
                    ensure_eq!(met, [&Now::Head(record.current)], "what a loser of round {round} was told");
                }
                other => return Err(Fault(format!("a racer ended as {other:?}"))),
            }
        }
    }
    Ok(())
}

/// Eight clients count one resource up, each trying again until it has. A lost update would be a
/// step that is missing in the end.
pub(super) fn counters(harness: &dyn Harness) -> Verdict {
    const STEPS: usize = 25;
    let bench = Bench::new(harness);
    let a = key("a");
    bench.put(&a, "0")?;
    let count_up = |_| -> Verdict {
        for _ in 0..STEPS {
            while !count_up_once(&bench, &a)? {}
        }
        Ok(())
    };
    together(count_up)?.into_iter().collect::<Result<Vec<()>, _>>()?;
    ensure_eq!(count(&bench.read(&a)?)?, CLIENTS * STEPS, "count after all increments");
    let versions = bench.versions(HistoryScope::Key(a))?;
    ensure_eq!(versions.len(), CLIENTS * STEPS + 1, "versions of the counter");
    Ok(())
}

fn count(record: &Record) -> Result<usize, Fault> {
    let text = record.body.as_ref().and_then(|body| std::str::from_utf8(&body.bytes).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Fault(format!("the counter is {record:?}")))
}

/// Whether this attempt was the one that counted.
fn count_up_once(bench: &Bench, key: &Key) -> Result<bool, Fault> {
    let record = bench.read(key)?;
    let next = (count(&record)? + 1).to_string();
    let write = Write::Version(put(key, record.current.number().get(), &next));
    match bench.commit(vec![pin(key, &record.current)], vec![write])? {
        Commit::Committed(_) => Ok(true),
        Commit::Lost(_) => Ok(false),
        other => Err(Fault(format!("an increment ended as {other:?}"))),
    }
}

/// A little deterministic chance, one stream per client.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64: any seed but zero will do.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}

/// Clients read, update, delete and write pairs on a few keys; what they were told must fit one
/// order of events.
pub(super) fn linearizable(harness: &dyn Harness) -> Verdict {
    const STEPS: usize = 60;
    for seed in 1..=3 {
        let bench = Bench::new(harness);
        let keys = [key("a"), key("b"), Key::new("Patient", "a")];
        let recorder = Recorder::new(bench.store.clone());
        let clients = together(|client| -> Verdict {
            let mut chance = Chance(seed * 1000 + client as u64 + 1);
            for _ in 0..STEPS {
                step(&bench, &recorder, &keys, &mut chance)?;
            }
            Ok(())
        })?;
        clients.into_iter().collect::<Result<Vec<()>, _>>()?;
        let recording = recorder.finish()?;
        ensure!(recording.events.len() >= CLIENTS * STEPS, "events were not recorded");
        check_linearizable(&recording)?;
    }
    Ok(())
}

fn step(bench: &Bench, recorder: &Recorder, keys: &[Key], chance: &mut Chance) -> Result<(), StoreError> {
    let first = &keys[chance.below(keys.len())];
    let second = &keys[chance.below(keys.len())];
    let current = recorder.read(first)?.current;
    let before = current.number().get();
    let body = format!("{:x}", chance.0);
    let mut guards = vec![pin(first, &current)];
    let mut writes = Vec::new();
    match chance.below(10) {
        0 => guards.push(Guard::Head(second.clone(), HeadGuard::Live)),
        1 | 2 => return recorder.read(second).map(drop),
        3 => writes.push(Write::Version(delete(first, before))),
        4 | 5 if first != second => {
            let other = recorder.read(second)?.current;
            guards.push(pin(second, &other));
            writes.push(Write::Version(put(first, before, &body)));
            writes.push(Write::Version(put(second, other.number().get(), &body)));
        }
        _ => writes.push(Write::Version(put(first, before, &body))),
    }
    recorder.commit(bench.set(guards, writes)).map(drop)
}
