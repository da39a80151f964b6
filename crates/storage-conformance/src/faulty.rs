//! A store whose replies get lost.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage_api::{
    Answer, Commit, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Record, SearchPage,
    SearchRequest, Store, StoredVersion, VersionSelector, WriteSet,
};

/// What happens to one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Nothing.
    None,
    /// It is committed, and the reply is lost.
    Reply,
    /// It is lost before it is committed.
    Request,
}

/// Passes everything on to another store, except that the outcome of some commits is
/// [`Commit::Unknown`].
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Vec<Loss>,
    commits: AtomicUsize,
}

impl FaultyStore {
    /// The n-th commit suffers the n-th loss of the plan, those beyond it none.
    pub fn new(inner: Arc<dyn Store>, plan: Vec<Loss>) -> Self {
        Self { inner, plan, commits: AtomicUsize::new(0) }
    }
}

impl Store for FaultyStore {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        self.inner.read(key)
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        self.inner.read_version(key, version)
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        self.inner.history(request)
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        self.inner.search(request)
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        self.inner.snapshot()
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst);
        match self.plan.get(number).copied().unwrap_or(Loss::None) {
            Loss::None => self.inner.commit(set),
            Loss::Request => Box::pin(ready(Ok(Commit::Unknown))),
            Loss::Reply => {
                let committed = self.inner.commit(set);
                Box::pin(async move { committed.await.map(|_| Commit::Unknown) })
            }
        }
    }

    fn index_generation(&self) -> IndexGeneration {
        self.inner.index_generation()
    }

    fn index(&self) -> Answer<'_, Index> {
        self.inner.index()
    }

    fn close(&self) -> Answer<'static, ()> {
        self.inner.close()
    }
}
