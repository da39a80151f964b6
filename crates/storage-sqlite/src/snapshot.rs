//! A moment of the file that stays: a read transaction on a connection of its own.
//!
//! As long as it lasts, the log cannot begin anew, so it is for seconds only.

use std::future::ready;
use std::sync::Arc;

use storage_api::{
    Answer, Commit, Current, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Record, SearchPage,
    SearchRequest, Store, StoreError, StoredVersion, VersionSelector, WriteSet,
};

use crate::history::PageLimits;
use crate::index;
use crate::pool::{Loan, lock};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::shared::Shared;

/// What the file held when it was begun. Cloning gives another handle to the same moment.
#[derive(Clone)]
pub(crate) struct Snapshot(Arc<Held>);

struct Held {
    shared: Arc<Shared>,
    loan: Arc<Loan>,
    generation: IndexGeneration,
}

impl Snapshot {
    pub(crate) fn begin(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let loan = shared.pool.lend()?;
        let mut held = Held { shared: Arc::clone(shared), loan, generation: IndexGeneration::default() };
        // The moment is that of the first statement that reads.
        held.generation = held.ask(|reader| {
            reader.connection.prepare_cached("BEGIN")?.execute([])?;
            Ok(index::generation(reader.connection)?)
        })?;
        Ok(Self(Arc::new(held)))
    }
}

impl Held {
    fn ask<T>(&self, question: impl FnOnce(&Reader<'_>) -> ReadResult<T>) -> Result<T, StoreError> {
        let connection = lock(&self.loan);
        let ended = || StoreError::Unavailable("the snapshot has ended".to_owned());
        let connection = connection.as_ref().ok_or_else(ended)?;
        let Shared { symbols, blobs, .. } = &*self.shared;
        let answer = question(&Reader { connection, symbols, blobs });
        answer.map_err(|error| match error {
            // Files do not wait for snapshots.
            ReadError::FileMissing(path) => StoreError::Unavailable(format!("{} was purged", path.display())),
            error => error.into(),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.pool.take_back(&self.loan);
    }
}

impl Store for Snapshot {
    /// From the tables: what is in memory is newer.
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move {
            let found = self.0.ask(|reader| reader.head_and_body(key))?;
            Ok(match found {
                Some((row, body)) => Record { current: row.current(), body },
                None => Record { current: Current::NEVER, body: None },
            })
        })
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(async move { self.0.ask(|reader| reader.read_version(key, version)) })
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        let limits = PageLimits::of(&self.0.shared.options);
        Box::pin(async move { self.0.ask(|reader| reader.history(request, limits)) })
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        Box::pin(async move { self.0.ask(|reader| reader.search(request, &self.0.shared.options)) })
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        let same: Arc<dyn Store> = Arc::new(self.clone());
        Box::pin(ready(Ok(same)))
    }

    fn commit(&self, _set: WriteSet) -> Answer<'static, Commit> {
        Box::pin(ready(Err(StoreError::Unavailable("a snapshot takes no commits".to_owned()))))
    }

    fn index_generation(&self) -> IndexGeneration {
        self.0.generation
    }

    fn index(&self) -> Answer<'_, Index> {
        Box::pin(async move { self.0.ask(|reader| Ok(index::load(reader.connection)?)) })
    }

    fn close(&self) -> Answer<'static, ()> {
        Box::pin(ready(Ok(())))
    }
}
