//! What resources are found by, as long as this program runs: the search parameters in force, and which of them have
//! older resources that were not indexed by them yet.

mod backfill;
mod manifest;
mod query;
mod reindex;
mod stored;
mod wake;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_search::{CustomParameter, Extractor, Outgoing, outgoing, outgoing_terms};
use rulebook::{Failure, Rulebook};
use storage_api::{IndexGeneration, StoreError, Term};

pub use self::backfill::Slice;
pub(crate) use self::manifest::Extent;
use self::manifest::{Incomplete, Manifest, Progress};
pub use self::stored::StoredIndex;
use self::wake::Wake;
use crate::service::{Service, store_failure};

/// What write sets of one generation are made with.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) generation: IndexGeneration,
    pub(crate) extractor: Arc<Extractor>,
    manifest: Manifest,
    /// How far older resources were indexed; `None` when all were.
    progress: Option<Progress>,
}

impl InForce {
    fn of(
        generation: IndexGeneration,
        version: FhirVersion,
        manifest: Manifest,
        progress: Option<Progress>,
    ) -> Self {
        let extractor = Extractor::with_custom(version, manifest.customs.clone());
        let extractor = Arc::new(extractor.with_full_text(manifest.extent.full_text));
        Self { generation, extractor, manifest, progress }
    }

    /// What a resource is found by and refers to.
    pub(crate) fn indexed(
        &self,
        resource: &Value,
        bases: &[&str],
    ) -> Result<(Vec<Term>, Vec<Outgoing>), Failure> {
        let failed = |error: fhir_search::ExtractError| Failure::NotFindable { why: error.to_string() };
        let mut terms = self.extractor.terms(resource, bases).map_err(failed)?;
        let mut references = Vec::new();
        if self.manifest.extent.references {
            references = outgoing(resource, self.extractor.definitions(), bases);
            terms.extend(outgoing_terms(&references));
            terms.sort_unstable();
        }
        Ok((terms, references))
    }

    /// What criteria must not use, and searches may miss resources by.
    pub(crate) fn incomplete(&self) -> &Incomplete {
        &self.manifest.incomplete
    }
}

/// The index of one service, shared by its clones.
#[derive(Debug)]
pub(crate) struct Index {
    current: RwLock<Arc<InForce>>,
    /// What is in force from the commit on that is on its way.
    next: Mutex<Option<Arc<InForce>>>,
    wake: Wake,
    /// The public base URL of the API, where it is fixed.
    base: Mutex<Option<String>>,
    /// Resources that were indexed anew since the start.
    pub(crate) reindexed: AtomicU64,
}

impl Index {
    /// The parameters of the API, as long as nothing else was read from the store.
    pub(crate) fn new(generation: IndexGeneration, rulebook: &dyn Rulebook, extent: Extent) -> Self {
        let version = rulebook.version();
        let manifest = Manifest::fresh(version, extent, own_parameters(rulebook), Vec::new());
        Self {
            current: RwLock::new(Arc::new(InForce::of(generation, version, manifest, None))),
            next: Mutex::default(),
            wake: Wake::default(),
            base: Mutex::default(),
            reindexed: AtomicU64::new(0),
        }
    }

    fn current(&self) -> Arc<InForce> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_current(&self, now: Arc<InForce>) {
        let begins = now.progress.is_some();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = now;
        if begins {
            self.wake.wake();
        }
    }

    fn set_base(&self, base: Option<&str>) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base.map(str::to_owned);
    }

    fn base(&self) -> Option<String> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_next(&self, next: Option<Arc<InForce>>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn next_of(&self, generation: IndexGeneration) -> Option<Arc<InForce>> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.as_ref().filter(|next| next.generation == generation).cloned()
    }
}

/// The parameters that an API has beside the published ones.
fn own_parameters(rulebook: &dyn Rulebook) -> Vec<CustomParameter> {
    rulebook.extractor().customs().cloned().collect()
}

/// How far the index of a service is, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexProgress {
    /// The generation.
    pub generation: u32,
    /// Whether every resource is found by every parameter.
    pub is_complete: bool,
    /// Resources that were indexed anew since the start of the program.
    pub reindexed: u64,
}

impl Service {
    /// What write sets are made with now.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.index.current()
    }

    /// How far the index is.
    pub fn index_progress(&self) -> IndexProgress {
        let now = self.in_force();
        IndexProgress {
            generation: now.generation.0,
            is_complete: now.progress.is_none(),
            reindexed: self.index.reindexed.load(Ordering::Relaxed),
        }
    }

    /// After a write set was refused as stale: what the store wants now.
    pub(crate) async fn follow_generation(&self) -> Result<(), Failure> {
        let generation = self.store.index_generation();
        if self.in_force().generation == generation {
            return Ok(());
        }
        let next = match self.index.next_of(generation) {
            Some(next) => next,
            None => Arc::new(self.stored_index().await.map_err(store_failure)?),
        };
        self.index.set_current(next);
        Ok(())
    }

    /// What the store says its terms are made by, as far as this program can tell.
    async fn stored_index(&self) -> Result<InForce, StoreError> {
        let stored = self.store.index().await?;
        Ok(StoredIndex::read(&stored, self.rulebook.version()).0)
    }
}
