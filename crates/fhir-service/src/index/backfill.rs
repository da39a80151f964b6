//! Older resources are indexed anew in slices, each a write set beside others.
//!
//! A slice says for each of its resources which version its terms are of. One that was written meanwhile has terms of
//! the new generation already, so it is left out and the rest is tried again. How far it got is part of the same write
//! set: after a kill it goes on there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fhir_model::json;
use rulebook::Failure;
use storage_api::{
    Commit, Guard, HeadGuard, Index, Mark, Query, SearchRequest, StoredVersion, Term, Write, WriteSet,
};

use super::manifest::Progress;
use super::{InForce, manifest::Manifest, own_parameters};
use crate::service::{Service, store_failure};

/// Resources of one slice: a few milliseconds of work, and little to do in the writer.
const SLICE_RESOURCES: usize = 32;

/// How the index is after a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// There is more to do.
    More,
    /// Everything is found by everything.
    Complete,
}

/// How a write set of a slice ended.
enum Written {
    All,
    /// These were written by others, by their place in the slice.
    Without(Vec<usize>),
    /// Another generation began.
    Stale,
}

impl Service {
    /// Makes the index of a store known and fit: after this the service knows which parameters are in force. Where the
    /// store says that its terms are made otherwise, or says nothing, a new generation begins, which
    /// [`keep_index`](Self::keep_index) completes. References below `base` are to this server.
    ///
    /// For a service on a store that may hold anything, before its first request.
    /// Where the store cannot be written now, the service begins with an index of which nothing is complete, and
    /// `keep_index` tries again.
    pub async fn open_index(&self, base: Option<&str>) -> Result<(), Failure> {
        self.index.set_base(base);
        let stored = self.stored_index().await.map_err(store_failure)?;
        let own = own_parameters(&*self.rulebook);
        if stored.manifest.is_of_this_program(self.rulebook.version(), self.extent(), &own) {
            self.index.set_current(Arc::new(stored));
            return Ok(());
        }
        if let Err(failure) = self.begin_for_this_program(stored).await {
            tracing::warn!(%failure, "the index is of another make, and cannot be made anew yet");
        }
        Ok(())
    }

    /// Begins the generation of this program on what the store has.
    async fn begin_for_this_program(&self, stored: InForce) -> Result<(), Failure> {
        let (version, extent) = (self.rulebook.version(), self.extent());
        let (manifest, unfinished) = (stored.manifest.clone(), stored.progress.is_some());
        let doubted = stored.manifest.doubted(extent);
        let progress = Some(Progress::default());
        self.index.set_current(Arc::new(InForce::of(stored.generation, version, doubted, progress)));
        // Parameters stay in force. Of a store that does not say, all are taken that it holds.
        let says_nothing = manifest == Manifest::unknown(version);
        let customs = if says_nothing { self.defined().await?.customs } else { manifest.defined() };
        let next =
            manifest.followed_by(own_parameters(&*self.rulebook), customs, version, extent, unfinished);
        let next = next.with_base(self.index.base().as_deref());
        let has_resources = self.has_resources().await?;
        if has_resources {
            tracing::info!(fhir = %version, "the index is of another make and is made anew");
        }
        self.begin(next).await?;
        while !has_resources && self.index_slice().await? == Slice::More {}
        Ok(())
    }

    /// Begins a generation. Says whether it did: another one may begin first.
    pub(super) async fn begin(&self, manifest: Manifest) -> Result<bool, Failure> {
        let now = self.in_force();
        let progress = (!manifest.types.is_empty()).then(Progress::default);
        let generation = now.generation.next();
        let next = InForce::of(generation, self.rulebook.version(), manifest, progress);
        let next = Arc::new(next);
        self.index.set_next(Some(Arc::clone(&next)));
        let set = self.index_set(&now, vec![], vec![Write::Index(written(&next, next.progress.as_ref()))]);
        let committed = self.store.commit(set).await.map_err(store_failure)?;
        match committed {
            Commit::Committed(_) => self.index.set_current(next),
            // If it was written after all the store says so.
            Commit::Lost(_) | Commit::StaleIndex(_) | Commit::Unknown => {
                self.index.set_next(None);
                self.follow_generation().await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn has_resources(&self) -> Result<bool, Failure> {
        let request = storage_api::HistoryRequest {
            scope: storage_api::HistoryScope::All,
            order: storage_api::Order::Oldest,
            after: None,
            since: None,
            at: None,
            limit: 1,
        };
        Ok(!self.store.history(&request).await.map_err(store_failure)?.versions.is_empty())
    }

    fn index_set(&self, now: &InForce, guards: Vec<Guard>, writes: Vec<Write>) -> WriteSet {
        WriteSet { request: self.ids.request_id(), index: now.generation, guards, writes }
    }

    /// Completes the index whenever a generation begins, until [`end_index`](Self::end_index). One future of this runs for
    /// each store; what it has done is kept, so that it may also be dropped at any time. `pause` waits a while after a
    /// failure.
    pub async fn keep_index<P: Future<Output = ()>>(&self, pause: impl Fn() -> P) {
        while !self.index.wake.has_ended() {
            match self.index_slice().await {
                Ok(Slice::More) => {}
                Ok(Slice::Complete) => self.index.wake.wait().await,
                Err(failure) => {
                    tracing::warn!(%failure, "a slice of the index failed and is tried again");
                    pause().await;
                }
            }
        }
    }

    /// Lets [`keep_index`](Self::keep_index) end after the slice that it is at.
    pub fn end_index(&self) {
        self.index.wake.end();
    }

    /// Indexes the next few older resources anew.
    pub async fn index_slice(&self) -> Result<Slice, Failure> {
        self.follow_generation().await?;
        let now = self.in_force();
        if now.manifest.is_doubted() {
            let stored = self.stored_index().await.map_err(store_failure)?;
            Box::pin(self.begin_for_this_program(stored)).await?;
            return Ok(Slice::More);
        }
        let Some(mut next) = now.progress.clone() else { return Ok(Slice::Complete) };
        let found = loop {
            let Some(kind) = now.manifest.types.get(next.types_done) else {
                return self.complete(&now, &next).await;
            };
            let query = Query { kind: kind.as_str().into(), conditions: Vec::new() };
            let after = next.after.map(|place| Mark { place, ..Mark::default() });
            let request = SearchRequest { after, ..SearchRequest::of(query, SLICE_RESOURCES) };
            let page = self.store.search(&request).await.map_err(store_failure)?;
            next.types_done += usize::from(page.next.is_none());
            next.after = page.next.map(|mark| mark.place);
            if !page.found.is_empty() {
                break page.found;
            }
        };
        next.resources += found.len() as u64;
        let mut slice: Vec<(StoredVersion, Vec<Term>)> =
            found.into_iter().filter_map(|version| self.terms_of(&now, version)).collect();
        let count = slice.len() as u64;
        loop {
            match self.write_slice(&now, &slice, &next).await? {
                Written::All => break,
                Written::Stale => return Ok(Slice::More),
                Written::Without(lost) => {
                    let mut place = 0;
                    slice.retain(|_| {
                        place += 1;
                        !lost.contains(&(place - 1))
                    });
                }
            }
        }
        self.index.reindexed.fetch_add(count, Ordering::Relaxed);
        tracing::debug!(resources = next.resources, "indexed anew");
        self.went_on(&now, now.manifest.clone(), Some(next));
        Ok(Slice::More)
    }

    /// A step of the same generation, unless another one began meanwhile.
    fn went_on(&self, before: &InForce, manifest: Manifest, progress: Option<Progress>) {
        let (generation, extractor) = (before.generation, Arc::clone(&before.extractor));
        let after = InForce { generation, extractor, manifest, progress };
        let mut current = self.index.current.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if current.generation == before.generation {
            *current = Arc::new(after);
        }
    }

    /// What a resource is found by. One that cannot be read keeps what it has, and the log says so.
    fn terms_of(&self, now: &InForce, version: StoredVersion) -> Option<(StoredVersion, Vec<Term>)> {
        let bases: Vec<&str> = now.manifest.bases.iter().map(String::as_str).collect();
        let body = version.body.as_ref()?;
        let read = json::parse(&body.bytes, &self.limits.stored()).map_err(|error| error.to_string());
        let terms = read.and_then(|tree| {
            now.indexed(&tree, &bases).map(|(terms, _)| terms).map_err(|failure| failure.to_string())
        });
        match terms {
            Ok(terms) => Some((version, terms)),
            Err(why) => {
                tracing::error!(key = %version.key, %why, "a resource cannot be indexed anew");
                None
            }
        }
    }

    async fn write_slice(
        &self,
        now: &InForce,
        slice: &[(StoredVersion, Vec<Term>)],
        next: &Progress,
    ) -> Result<Written, Failure> {
        let guard = |version: &StoredVersion| {
            Guard::Head(version.key.clone(), HeadGuard::Exactly(version.version.number))
        };
        let guards = slice.iter().map(|(version, _)| guard(version)).collect();
        let mut writes: Vec<Write> = slice
            .iter()
            .map(|(version, terms)| Write::Terms { key: version.key.clone(), terms: terms.clone() })
            .collect();
        writes.push(Write::Index(written(now, Some(next))));
        match self.store.commit(self.index_set(now, guards, writes)).await.map_err(store_failure)? {
            Commit::Committed(_) => Ok(Written::All),
            Commit::Lost(lost) => Ok(Written::Without(lost.into_iter().map(|lost| lost.guard).collect())),
            Commit::StaleIndex(_) => Ok(Written::Stale),
            // The same terms once more do no harm.
            Commit::Unknown => Err(Failure::Unavailable),
        }
    }

    async fn complete(&self, now: &InForce, progress: &Progress) -> Result<Slice, Failure> {
        let manifest = now.manifest.completed();
        let index = Index { generation: now.generation, maker: manifest.write(), backfill: None };
        match self.store.commit(self.index_set(now, vec![], vec![Write::Index(index)])).await {
            Ok(Commit::Committed(_)) => {
                self.went_on(now, manifest, None);
                tracing::info!(resources = progress.resources, "the index is complete");
                Ok(Slice::Complete)
            }
            Ok(Commit::StaleIndex(_)) => Ok(Slice::More),
            Ok(Commit::Lost(_) | Commit::Unknown) => Err(Failure::Unavailable),
            Err(error) => Err(store_failure(error)),
        }
    }
}

fn written(now: &InForce, progress: Option<&Progress>) -> Index {
    Index { generation: now.generation, maker: now.manifest.write(), backfill: progress.map(Progress::write) }
}
