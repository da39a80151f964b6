//! The store as the port wants it.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use storage_api::{Clock, Store};
use storage_conformance::{Harness, Instance};
use storage_sqlite::{Options, SqliteStore};
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

#[test]
fn the_store_conforms() {
    if let Err(faults) = storage_conformance::run(&Sqlite(Options::default())) {
        panic!("{faults:#?}");
    }
}
