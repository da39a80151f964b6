//! The kit looked at with the store in memory.

use std::collections::HashSet;
use std::sync::Arc;

use storage_api::{Clock, Store};
use storage_conformance::{CHECKS, Flaw, Harness, Instance};
use storage_memory::MemoryStore;

struct Memory;
struct Open(Arc<MemoryStore>);

impl Harness for Memory {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        Box::new(Open(Arc::new(MemoryStore::new(clock))))
    }
}

impl Instance for Open {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

#[test]
fn the_store_in_memory_passes_and_its_broken_kin_do_not() {
    if let Err(faults) = storage_conformance::run(&Memory) {
        panic!("{faults:#?}");
    }
}

#[test]
fn every_flaw_is_noticed_by_some_check() {
    let noticed: HashSet<Flaw> = CHECKS.iter().flat_map(|check| check.notices.iter().copied()).collect();
    let missed: Vec<_> = Flaw::ALL.iter().filter(|flaw| !noticed.contains(flaw)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
