//! A moment of the store that stays.

use std::future::ready;
use std::sync::Arc;

use storage_api::{
    Answer, Commit, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Record, SearchPage,
    SearchRequest, Store, StoreError, StoredVersion, VersionSelector, WriteSet,
};

use crate::state::State;

/// What the store held. The next commit goes to a copy.
pub(crate) struct Snapshot(pub(crate) Arc<State>);

impl Store for Snapshot {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(ready(Ok(self.0.read(key))))
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(ready(Ok(self.0.read_version(key, version))))
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        Box::pin(ready(Ok(self.0.history(request))))
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        Box::pin(ready(Ok(self.0.search(request))))
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(ready(Ok(Arc::new(Self(Arc::clone(&self.0))) as Arc<dyn Store>)))
    }

    fn commit(&self, _set: WriteSet) -> Answer<'static, Commit> {
        Box::pin(ready(Err(StoreError::Unavailable("a snapshot takes no commits".to_owned()))))
    }

    fn index_generation(&self) -> IndexGeneration {
        self.0.index().generation
    }

    fn index(&self) -> Answer<'_, Index> {
        Box::pin(ready(Ok(self.0.index().clone())))
    }

    fn close(&self) -> Answer<'static, ()> {
        Box::pin(ready(Ok(())))
    }
}
