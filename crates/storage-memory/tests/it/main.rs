//! The store as the port wants it.

use std::sync::Arc;

use storage_api::{Clock, Store};
use storage_conformance::{Harness, Instance};
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
fn the_store_conforms() {
    if let Err(faults) = storage_conformance::run(&Memory) {
        panic!("{faults:#?}");
    }
}
