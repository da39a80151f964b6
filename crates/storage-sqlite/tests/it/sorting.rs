//! Orders of more than can be sorted at once.

use std::sync::Arc;

use pollster::block_on;
use storage_api::{Body, Clock, Method};
use storage_api::{
    Guard, HeadGuard, Key, Query, RequestId, SearchRequest, SortBy, SortKey, Store, StoreError,
    StoredVersion, Timestamp, VersionNumber, VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_memory::MemoryStore;
use storage_sqlite::{Options, SqliteStore};

struct Still;

fn options(rows_max: usize) -> Options {
    Options { sorted_rows_max: rows_max, counted_rows_max: rows_max, ..Options::default() }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(5)
    }
}

fn write(store: &dyn Store, ids: impl Iterator<Item = usize>, number: u64) {
    let key = |id: usize| Key::new(["Flag", "Group"][id % 2], format!("{id}"));
    let body = || Some(Body { bytes: "{}".into(), splice: 0 });
    let guard = match number {
        1 => HeadGuard::Absent { floor: VersionNumber::NONE },
        _ => HeadGuard::Exactly(VersionNumber::new(number - 1)),
    };
    let version = |id: usize| {
        let next = VersionToken { number: VersionNumber::new(number), tag: VersionTag(7) };
        Write::Version(VersionWrite {
            key: key(id),
            next,
            method: Method::Put,
            body: body(),
            terms: [].into(),
        })
    };
    let ids: Vec<usize> = ids.collect();
    let set = WriteSet {
        request: RequestId([1; 16]),
        index: store.index_generation(),
        guards: ids.iter().map(|id| Guard::Head(key(*id), guard)).collect(),
        writes: ids.iter().map(|id| version(*id)).collect(),
    };
    block_on(store.commit(set)).unwrap();
}

fn walk(store: &dyn Store, mut request: SearchRequest, between: impl Fn(&dyn Store)) -> Vec<StoredVersion> {
    let mut found = Vec::new();
    loop {
        let page = block_on(store.search(&request)).unwrap();
        found.extend(page.found);
        between(store);
        request.after = page.next;
        if request.after.is_none() {
            return found;
        }
    }
}

/// Where there are too many, the commits themselves are walked in the order of time; what is written meanwhile changes nothing.
#[test]
fn many_in_the_order_of_time() {
    let queries = |kinds: &[&str]| -> Vec<Query> {
        kinds.iter().map(|kind| Query { kind: (*kind).into(), conditions: vec![] }).collect()
    };
    for (kinds, descending) in [(&["Flag"][..], true), (&["Flag"], false), (&["Flag", "Group"], true)] {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(directory.path(), options(100), Arc::new(Still)).unwrap();
        let memory = MemoryStore::new(Arc::new(Still));
        let found = [&sqlite as &dyn Store, &memory].map(|store| {
            write(store, 0..450, 1);
            write(store, (0..450).filter(|id| id % 7 == 0), 2);
            let key = |by| SortKey { by, descending };
            let order = vec![key(SortBy::Updated), key(SortBy::Id)];
            let request = SearchRequest { queries: queries(kinds), order, limit: 80, ..Default::default() };
            let round = std::cell::Cell::new(2);
            walk(store, request, |store| {
                round.set(round.get() + 1);
                write(store, (0..450).filter(|id| id % 70 == 0), round.get());
            })
        });
        let keys = found.map(|found| found.into_iter().map(|version| version.key).collect::<Vec<_>>());
        assert_eq!(keys[0].len(), 225 * kinds.len());
        assert!(keys[0] == keys[1], "{kinds:?} {descending}");
        block_on(sqlite.close()).unwrap();
    }
}

#[test]
fn more_than_can_be_sorted_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path(), options(50), Arc::new(Still)).unwrap();
    write(&store, 0..200, 1);
    let query = Query { kind: "Flag".into(), conditions: vec![] };
    let order = vec![SortKey { by: SortBy::Id, descending: false }];
    let request = SearchRequest { order, total: true, ..SearchRequest::of(query, 10) };
    assert_eq!(block_on(store.search(&request)), Err(StoreError::TooCostly));
    let plain = SearchRequest { order: vec![], ..request };
    let page = block_on(store.search(&plain)).unwrap();
    assert_eq!((page.found.len(), page.total), (10, None), "too many to count");
    block_on(store.close()).unwrap();
}
