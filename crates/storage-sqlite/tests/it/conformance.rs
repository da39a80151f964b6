//! The store as the port wants it.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use storage_api::{Clock, Store};
use storage_conformance::{Harness, Instance};
use storage_memory::MemoryStore;
use storage_sqlite::{Durability, Options, SqliteStore};
use tempfile::TempDir;

struct Sqlite(Options);

struct Open {
    directory: TempDir,
    options: Options,
    clock: Arc<dyn Clock>,
    store: Arc<SqliteStore>,
}

fn open(directory: &Path, options: &Options, clock: &Arc<dyn Clock>) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(directory, options.clone(), Arc::clone(clock)).unwrap())
}

impl Harness for Sqlite {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), &self.0, &clock);
        Box::new(Open { directory, options: self.0.clone(), clock, store })
    }
}

impl Instance for Open {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn reopen(&mut self) -> bool {
        block_on(self.store.close()).unwrap();
        self.store = open(self.directory.path(), &self.options, &self.clock);
        true
    }
}

#[track_caller]
fn check(options: Options) {
    if let Err(faults) = storage_conformance::run(&Sqlite(options)) {
        panic!("{faults:#?}");
    }
}

#[test]
fn the_store_conforms() {
    check(Options::default());
}

/// Every bound so tight that it is met all the time.
#[test]
fn the_store_conforms_with_no_room_to_move() {
    check(Options {
        group_sets_max: 2,
        readers: 1,
        head_cache_entries: 0,
        body_cache_bytes: 0,
        entry_cache_bytes: 0,
        body_inline_max: 60_000,
        page_bytes_max: 1,
        page_rows_max: 2,
        page_cache_bytes: 0,
        checkpoint_bytes: 64 << 10,
        log_bytes_max: 256 << 10,
        ..Options::default()
    });
}

/// The store in memory, which is the model.
struct Memory;

struct OpenMemory(Arc<MemoryStore>);

impl Harness for Memory {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        Box::new(OpenMemory(Arc::new(MemoryStore::new(clock))))
    }
}

impl Instance for OpenMemory {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

#[test]
fn random_runs_end_as_they_do_in_memory() {
    let options = Options { page_rows_max: 3, durability: Durability::Normal, ..Options::default() };
    if let Err(fault) = storage_conformance::compare(&Sqlite(options), &Memory, 60) {
        panic!("{fault}");
    }
}
