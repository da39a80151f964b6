//! The port over a state behind a mutex.

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_api::{
    Answer, Clock, Commit, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Record, SearchPage,
    SearchRequest, Store, StoreError, StoredVersion, VersionSelector, WriteSet,
};

use crate::snapshot::Snapshot;
use crate::state::State;

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    /// `None` once the store is closed. Snapshots share it until the next commit.
    state: Mutex<Option<Arc<State>>>,
}

impl MemoryStore {
    /// An empty store that stamps with `clock` and takes terms of generation 0.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_generation(clock, IndexGeneration::default())
    }

    /// An empty store that takes terms of `generation`.
    pub fn with_generation(clock: Arc<dyn Clock>, generation: IndexGeneration) -> Self {
        Self { clock, state: Mutex::new(Some(Arc::new(State::of_generation(generation)))) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<State>>> {
        // A commit judges everything before it changes anything, so a state whose holder
        // panicked is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send + 'static>(&self, question: impl FnOnce(&mut Arc<State>) -> T) -> Answer<'static, T> {
        let answer = self.lock().as_mut().map(question);
        Box::pin(ready(answer.ok_or_else(|| StoreError::Unavailable("closed".to_owned()))))
    }
}

impl Store for MemoryStore {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move { self.answer(|state| state.read(key)).await })
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(async move { self.answer(|state| state.read_version(key, version)).await })
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        Box::pin(async move { self.answer(|state| state.history(request)).await })
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        Box::pin(async move { self.answer(|state| state.search(request)).await })
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        self.answer(|state| {
            let snapshot: Arc<dyn Store> = Arc::new(Snapshot(Arc::clone(state)));
            snapshot
        })
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        if let Err(error) = set.check() {
            return Box::pin(ready(Err(error)));
        }
        self.answer(|state| Arc::make_mut(state).commit(set, self.clock.now()))
    }

    /// A closed store takes nothing of any generation.
    fn index_generation(&self) -> IndexGeneration {
        self.lock().as_ref().map_or_else(IndexGeneration::default, |state| state.index().generation)
    }

    fn index(&self) -> Answer<'_, Index> {
        self.answer(|state| state.index().clone())
    }

    fn close(&self) -> Answer<'static, ()> {
        *self.lock() = None;
        Box::pin(ready(Ok(())))
    }
}
