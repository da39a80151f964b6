//! A moment of the file that stays: a read transaction on a connection of its own.
//!
//! As long as it lasts, the log cannot begin anew, so it is for seconds only.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use storage_api::{
    Answer, Commit, Current, HistoryPage, HistoryRequest, Index, IndexGeneration, Key, Record, SearchPage,
    SearchRequest, Store, StoreError, StoredVersion, VersionSelector, WriteSet,
};

use crate::deadline::within;
use crate::history::PageLimits;
use crate::index;
use crate::pool::{Loan, lock};
use crate::reader::{ReadError, ReadResult, Reader};
use crate::search::search;
use crate::shared::{Question, Shared};

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
        self.look(question).map_err(failure)
    }

    fn look<T>(&self, question: impl FnOnce(&Reader<'_>) -> ReadResult<T>) -> ReadResult<T> {
        let connection = lock(&self.loan);
        let connection = connection.as_ref().ok_or(ReadError::Closed)?;
        let Shared { symbols, blobs, .. } = &*self.shared;
        question(&Reader { connection, symbols, blobs })
    }

    /// Asks what may take so long.
    fn look_within<Q, T>(&self, time: Duration, about: &Q, question: Question<Q, T>) -> ReadResult<T> {
        self.look(|reader| within(time, || question(reader, about, &self.shared.options)))
    }
}

fn failure(error: ReadError) -> StoreError {
    match error {
        // Files do not wait for snapshots.
        ReadError::FileMissing(path) => StoreError::Unavailable(format!("{} was purged", path.display())),
        ReadError::Closed => StoreError::Unavailable("the snapshot has ended".to_owned()),
        error => error.into(),
    }
}

impl Snapshot {
    /// Asks what may take long: for a moment here, and if that is not enough, on a thread for long reads.
    async fn ask_long<Q, T>(&self, about: &Q, question: Question<Q, T>) -> Result<T, StoreError>
    where
        Q: Clone + Send + Sync + 'static,
        T: Send + 'static,
    {
        let Shared { options, counters, long_reads, .. } = &*self.0.shared;
        match self.0.look_within(options.read_time_here, about, question) {
            Err(ReadError::OutOfTime) => {}
            answer => return answer.map_err(failure),
        }
        counters.long_reads.add(1);
        let (held, about, time) = (Arc::clone(&self.0), about.clone(), options.read_time_max);
        long_reads.ask(move || held.look_within(time, &about, question).map_err(failure)).await
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
        Box::pin(async move {
            let about = (key.clone(), version);
            self.ask_long(&about, |reader, (key, version), _| reader.read_version(key, *version)).await
        })
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        Box::pin(
            self.ask_long(request, |reader, request, options| {
                reader.history(request, PageLimits::of(options))
            }),
        )
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        Box::pin(self.ask_long(request, search))
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
