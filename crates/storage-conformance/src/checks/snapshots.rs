//! Moments of a store that stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pollster::block_on;
use storage_api::{
    Clause, Coding, CodingTest, Condition, HistoryScope, Key, Query, Record, SearchRequest, Store,
    StoreError, StoredVersion, SystemTest, Term, Test, Value, VersionNumber, VersionSelector, VersionWrite,
    Write,
};

use crate::bench::{Bench, all_pages, exactly, key, newest_first, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// Everything that can be asked.
#[derive(Debug, PartialEq)]
struct Told {
    records: Vec<Record>,
    firsts: Vec<Option<StoredVersion>>,
    histories: Vec<Vec<StoredVersion>>,
    found: Vec<Key>,
}

fn color(code: &str) -> Vec<Term> {
    vec![Term::new("color", Value::Token(Coding { system: None, code: code.into() }))]
}

fn red() -> Query {
    let test = Test::Token(CodingTest { system: SystemTest::Any, code: Some("red".into()) });
    let clause = Clause::Term { param: "color".into(), test };
    Query { kind: "Flag".into(), conditions: vec![Condition::any(vec![clause])] }
}

fn found(store: &dyn Store) -> Result<Vec<StoredVersion>, Fault> {
    let mut request = SearchRequest::of(red(), 100);
    let mut found = Vec::new();
    loop {
        let page = block_on(store.search(&request))?;
        found.extend(page.found);
        request.after = page.next;
        if request.after.is_none() {
            return Ok(found);
        }
    }
}

fn tell(store: &dyn Store, keys: &[Key]) -> Result<Told, Fault> {
    let first = VersionSelector::Number(VersionNumber::new(1));
    let mut told = Told { records: Vec::new(), firsts: Vec::new(), histories: Vec::new(), found: Vec::new() };
    for key in keys {
        told.records.push(block_on(store.read(key))?);
        told.firsts.push(block_on(store.read_version(key, first))?);
        told.histories.push(all_pages(store, newest_first(HistoryScope::Key(key.clone())))?);
    }
    for scope in [HistoryScope::Kind("Flag".into()), HistoryScope::All] {
        told.histories.push(all_pages(store, newest_first(scope))?);
    }
    told.found = found(store)?.into_iter().map(|version| version.key).collect();
    Ok(told)
}

/// Whatever is written afterwards, purges included.
pub(super) fn stay_as_they_were(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let keys: Vec<Key> = ["changed", "deleted", "recolored", "made", "purged"].map(key).to_vec();
    let [changed, deleted, recolored, made, purged] = &keys[..] else {
        return Err(Fault("five keys".to_owned()));
    };
    bench.put_found_by(changed, "{\"a\":1}", color("red"))?;
    bench.put_found_by(deleted, "{\"b\":1}", color("red"))?;
    bench.put_found_by(recolored, "{\"c\":1}", color("blue"))?;
    bench.put_found_by(purged, "{\"e\":1}", color("red"))?;
    let before = tell(&*bench.store, &keys)?;
    let snapshot = block_on(bench.store.snapshot())?;
    ensure_eq!(tell(&*snapshot, &keys)?, before, "what a snapshot has at first");
    bench.put_found_by(changed, "{\"a\":2}", color("blue"))?;
    bench.delete(deleted)?;
    bench.put_found_by(recolored, "{\"c\":2}", color("red"))?;
    bench.put_found_by(made, "{\"d\":1}", color("red"))?;
    bench.purge(purged)?;
    ensure_eq!(tell(&*snapshot, &keys)?, before, "what a snapshot has after writes");
    let again = block_on(snapshot.snapshot())?;
    ensure_eq!(tell(&*again, &keys)?, before, "what a snapshot of a snapshot has");
    let set = bench.set(vec![exactly(changed, 2)], vec![Write::Version(put(changed, 2, "{}"))]);
    let refused = block_on(snapshot.commit(set));
    ensure!(matches!(refused, Err(StoreError::Unavailable(_))), "a commit to a snapshot ends as {refused:?}");
    let now = tell(&*bench.store, &keys)?;
    ensure!(now != before, "the store goes on");
    // One that is taken now has everything, also while the older one lasts.
    let later = block_on(bench.store.snapshot())?;
    ensure_eq!(tell(&*later, &keys)?, now, "what a later snapshot has");
    drop((snapshot, again, later));
    bench.put(changed, "{}").map(drop)
}

/// Two keys that every write set changes together, looked at while others write.
pub(super) fn have_all_or_nothing(harness: &dyn Harness) -> Verdict {
    const ROUNDS: u64 = 200;
    let bench = Bench::new(harness);
    let (a, b) = (key("a"), key("b"));
    bench.put(&a, "{}")?;
    bench.put(&b, "{}")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let written = (1..=ROUNDS).try_for_each(|round| {
                let next = |key: &Key| VersionWrite { terms: color("red").into(), ..put(key, round, "{}") };
                let writes = vec![Write::Version(next(&a)), Write::Version(next(&b))];
                bench.must(vec![exactly(&a, round), exactly(&b, round)], writes).map(drop)
            });
            done.store(true, Ordering::SeqCst);
            written
        });
        while !done.load(Ordering::SeqCst) {
            let snapshot = block_on(bench.store.snapshot())?;
            let number = |key| Ok::<_, Fault>(block_on(snapshot.read(key))?.current.number());
            let (first, second) = (number(&a)?, number(&b)?);
            ensure_eq!(first, second, "the numbers of two keys that change together");
            let numbers: Vec<_> = found(&*snapshot)?.iter().map(|version| version.version.number).collect();
            let expected = if first.get() == 1 { Vec::new() } else { vec![first, first] };
            ensure_eq!(numbers, expected, "what a search finds in the same moment");
        }
        writer.join().map_err(|_| Fault("the writer panicked".to_owned()))?
    })
}
