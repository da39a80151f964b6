//! What happens at the bounds.

use std::sync::Arc;
use std::thread;

use pollster::block_on;
use rusqlite::Connection;
use storage_api::{
    Clause, Coding, CodingTest, Commit, Condition, Current, Guard, Query, Scope, Store, StoreError,
    SystemTest, Term, Test, Timestamp, Value, Write,
};
use storage_sqlite::{CheckDepth, Options, SqliteStore, check};

use crate::{Steps, committed, key, next, open, purge, put, set, try_put};

#[test]
fn clients_that_wait_together_share_commits() {
    const CLIENTS: usize = 32;
    const WRITES: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let store = &store;
            scope.spawn(move || {
                for n in 0..WRITES {
                    put(store, &key(&format!("client {client}")), format!("{n}"));
                }
            });
        }
    });
    let metrics = store.metrics();
    assert_eq!(metrics.committed, (CLIENTS * WRITES) as u64);
    assert_eq!(metrics.group_sets.sum, (CLIENTS * WRITES) as u64);
    let groups = metrics.group_sets.count();
    assert!(groups < metrics.committed / 2, "{} write sets in {groups} groups", metrics.committed);
    assert_eq!(metrics.commit_micros.count(), groups);
    assert_eq!((metrics.queue_sets, metrics.queue_bytes), (0, 0));
}

#[test]
fn a_full_file_refuses_clearly_and_writes_resume() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options { file_bytes_max: Some(400 << 10), ..Options::default() });
    let content = || vec![b'x'; 10_000];
    let mut written = 0;
    let refused = loop {
        match try_put(&store, &key(&format!("{written}")), content()) {
            Ok(Commit::Committed(_)) => written += 1,
            other => break other,
        }
        assert!(written < 100, "the bound has no effect");
    };
    assert_eq!(refused, Err(StoreError::Full));
    assert!(written > 5, "{written}");
    // Reads go on, and so do write sets that need no room.
    assert!(block_on(store.read(&key("0"))).unwrap().body.is_some());
    assert_eq!(block_on(store.read(&key(&format!("{written}")))).unwrap().current, Current::NEVER);
    committed(block_on(store.commit(set(vec![], vec![]))));
    for n in 0..3 {
        purge(&store, &key(&format!("{n}")));
    }
    put(&store, &key("again"), content());
    assert_eq!(
        try_put(&store, &key("0"), content()).map(|outcome| matches!(outcome, Commit::Committed(_))),
        Ok(true)
    );
    drop(store);

    let report = check(directory.path(), CheckDepth::Pages, &mut |_| ()).unwrap();
    assert_eq!(report.faults, []);
    let store = open(directory.path(), Options::default());
    put(&store, &key("more"), vec![b'x'; 500_000]);
}

#[test]
fn a_set_above_the_bound_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options { set_bytes_max: 10_000, ..Options::default() });
    assert_eq!(try_put(&store, &key("a"), vec![0; 20_000]), Err(StoreError::TooLarge));
    put(&store, &key("a"), vec![0; 5_000]);
}

fn tag(code: &str) -> Vec<Term> {
    vec![Term::new("tag", Value::Token(Coding { code: code.into(), system: None }))]
}

fn tagged(code: &str) -> Query {
    let test = Test::Token(CodingTest { code: Some(code.into()), system: SystemTest::Any });
    let any = vec![Clause::term("tag", test)];
    Query { kind: "Flag".into(), conditions: vec![Condition::any(any)] }
}

#[test]
fn a_query_over_the_budget_is_refused_and_its_group_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options { match_steps_max: 50, ..Options::default() });
    let mut keys = Vec::new();
    for n in 0..42 {
        let key = key(&format!("{n:02}"));
        let terms = tag(if n < 40 { "many" } else { "two" });
        committed(block_on(store.commit(next(&key, &Current::NEVER, Some(vec![]), terms))));
        keys.push(key);
    }
    let guard = |query: Query, keys: &[_]| set(vec![Guard::Matches(query, keys.to_vec())], vec![]);
    // What is expected may be looked at, however much it is.
    committed(block_on(store.commit(guard(tagged("many"), &keys[..40]))));
    // Nothing is expected, and forty are looked at.
    let mut narrowed = tagged("many");
    let other = Test::Token(CodingTest { code: Some("many".into()), system: SystemTest::Any });
    narrowed.conditions.push(Condition::none(vec![Clause::term("tag", other.clone())]));
    let too_many = store.commit(guard(narrowed, &[]));
    let beside = store.commit(guard(tagged("two"), &keys[40..]));
    assert_eq!(block_on(too_many), Err(StoreError::TooCostly));
    committed(block_on(beside));
    // So many alternatives that they are not even planned.
    let mut wide = tagged("two");
    wide.conditions[0].any.extend((0..100).map(|_| Clause::term("other", other.clone())));
    assert_eq!(block_on(store.commit(guard(wide, &keys[40..]))), Err(StoreError::TooCostly));
    // The search stops at one more than was expected, so a wrong guess costs little.
    assert!(matches!(block_on(store.commit(guard(tagged("many"), &keys[..1]))), Ok(Commit::Lost(_))));
}

#[test]
fn damage_concerns_only_those_who_touch_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    let (sound, damaged) = (key("sound"), key("damaged"));
    for key in [&sound, &damaged] {
        committed(block_on(store.commit(next(key, &Current::NEVER, Some(vec![]), tag("x")))));
    }
    drop(store);
    let file = Connection::open(directory.path().join("store.db")).unwrap();
    file.execute("UPDATE version SET terms = x'ffff' WHERE seq = 2", []).unwrap();
    drop(file);

    let store = Arc::new(open(directory.path(), Options::default()));
    let outcomes: Vec<_> = (0..20)
        .map(|n| {
            let key = if n % 5 == 4 { damaged.clone() } else { key(&format!("{n}")) };
            let current = block_on(store.read(&key)).unwrap().current;
            (key.clone(), store.commit(next(&key, &current, Some(vec![]), tag("y"))))
        })
        .collect();
    for (key, outcome) in outcomes {
        match block_on(outcome) {
            Err(StoreError::Corrupt(_)) if key == damaged => {}
            Ok(Commit::Committed(_)) if key != damaged => {}
            other => panic!("{key}: {other:?}"),
        }
    }
    put(&store, &sound, "still writable");
}

#[test]
fn lapsed_claims_do_not_pile_up() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Steps::new();
    let store = SqliteStore::open(directory.path(), Options::default(), clock.clone()).unwrap();
    let claim = |name: String, expires| {
        let value: bytes::Bytes = name.into();
        let guard = Guard::Unclaimed(Scope(1), value.clone());
        committed(block_on(
            store.commit(set(vec![guard], vec![Write::Claim { scope: Scope(1), value, expires }])),
        ));
    };
    let soon = Timestamp(1_527_264_590_000_000 + 60_000_000);
    for n in 0..50 {
        claim(format!("lapses {n}"), Some(soon));
    }
    clock.advance(60_000_000);
    for n in 0..50 {
        claim(format!("stays {n}"), None);
    }
    drop(store);
    let file = Connection::open(directory.path().join("store.db")).unwrap();
    let count = |name: &str| -> i64 {
        let sql = "SELECT count(*) FROM claim WHERE value BETWEEN ?1 AND ?2";
        let row = (name.as_bytes(), [name.as_bytes(), &[0xff]].concat());
        file.query_row(sql, row, |row| row.get(0)).unwrap()
    };
    assert_eq!((count("lapses"), count("stays")), (0, 50));
}
