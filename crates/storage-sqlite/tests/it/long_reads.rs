//! What takes long is answered beside the requests, and what takes too long is given up.

use std::time::Duration;

use pollster::block_on;
use storage_api::{
    Clause, Condition, Current, Query, SearchRequest, SortBy, SortKey, Store, StoreError, Term, Test, Value,
    VersionNumber, VersionSelector,
};
use storage_sqlite::{Durability, Options, SqliteStore};

use crate::{all, committed, key, next, open, put, set};

const RESOURCES: usize = 600;

/// Resources that nothing narrow finds.
fn fill(store: &SqliteStore) {
    let mut all = set(vec![], vec![]);
    for n in 0..RESOURCES {
        let text = Value::Text { normal: format!("text {n}").into(), original: format!("Text {n}").into() };
        let one =
            next(&key(&format!("{n}")), &Current::NEVER, Some(vec![b'x']), vec![Term::new("text", text)]);
        all.guards.extend(one.guards);
        all.writes.extend(one.writes);
    }
    committed(block_on(store.commit(all)));
}

fn wide() -> Query {
    let any = vec![Clause::term("text", Test::TextContains("599".into()))];
    Query { kind: "Flag".into(), conditions: vec![Condition::any(any)] }
}

/// Questions that look at everything.
fn questions() -> [SearchRequest; 4] {
    let kind = |conditions| Query { kind: "Flag".into(), conditions };
    let refers = Clause::Refers { param: "text".into(), query: Box::new(wide()), named: None };
    let order = vec![SortKey { by: SortBy::Params(vec!["text".into()]), descending: true }];
    [
        SearchRequest::of(wide(), 10),
        SearchRequest { total: true, ..SearchRequest::of(kind(vec![]), 1) },
        SearchRequest { order, ..SearchRequest::of(kind(vec![]), 10) },
        SearchRequest::of(kind(vec![Condition::none(vec![refers])]), RESOURCES + 1),
    ]
}

fn options(here: Duration, max: Duration) -> Options {
    Options { read_time_here: here, read_time_max: max, ..Options::default() }
}

const ENOUGH: Duration = Duration::from_hours(1);

#[test]
fn what_takes_long_gets_the_same_answer_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options(ENOUGH, ENOUGH));
    fill(&store);
    let here = questions().map(|question| block_on(store.search(&question)).unwrap());
    assert_eq!(store.metrics().long_reads, 0);
    drop(store);
    let store = open(directory.path(), options(Duration::ZERO, ENOUGH));
    let elsewhere = questions().map(|question| block_on(store.search(&question)).unwrap());
    assert!(here == elsewhere);
    assert_eq!(here[0].found.len(), 1);
    assert_eq!(here[1].total, Some(RESOURCES as u64));
    assert_eq!(store.metrics().long_reads, 4);
    // A moment that is kept is asked where it is kept, by the same threads.
    let snapshot = block_on(store.snapshot()).unwrap();
    put(&store, &key("later"), vec![]);
    let kept = questions().map(|question| block_on(snapshot.search(&question)).unwrap());
    assert!(kept == here);
    assert_eq!(store.metrics().long_reads, 8);
}

#[test]
fn what_takes_too_long_is_given_up_and_all_else_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options { durability: Durability::Normal, ..Options::default() });
    fill(&store);
    // A resource with so many versions that the way to the first is long.
    let hot = key("hot");
    for _ in 0..600 {
        put(&store, &hot, vec![]);
    }
    drop(store);
    let store = open(directory.path(), options(Duration::ZERO, Duration::ZERO));
    let snapshot = block_on(store.snapshot()).unwrap();
    for question in questions() {
        assert_eq!(block_on(store.search(&question)), Err(StoreError::TooCostly), "{question:?}");
        assert_eq!(block_on(snapshot.search(&question)), Err(StoreError::TooCostly), "{question:?}");
    }
    let first = VersionSelector::Number(VersionNumber::new(1));
    assert_eq!(block_on(store.read_version(&hot, first)), Err(StoreError::TooCostly));
    assert_eq!(block_on(store.history(&all())), Err(StoreError::TooCostly));
    // The connections are as they were.
    assert!(block_on(store.read(&key("7"))).unwrap().body.is_some());
    assert!(block_on(snapshot.read(&key("7"))).unwrap().body.is_some());
    put(&store, &key("7"), b"more".to_vec());
    drop(snapshot);
    drop(store);
    let store = open(directory.path(), Options::default());
    assert_eq!(block_on(store.search(&questions()[0])).unwrap().found.len(), 1);
}
