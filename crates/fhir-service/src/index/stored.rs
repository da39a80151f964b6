//! What a store says of its index, read without serving it.

use fhir_definitions::FhirVersion;
use fhir_search::Extractor;
use storage_api::{Index, Query};

use super::InForce;
use super::manifest::{Manifest, Progress};

/// The index that a store has.
#[derive(Debug)]
pub struct StoredIndex(pub(super) InForce);

impl StoredIndex {
    /// Reads what the store says. Where it says nothing, everything counts as incomplete.
    pub fn read(index: &Index, version: FhirVersion) -> Self {
        let manifest = Manifest::read(&index.maker, version).unwrap_or_else(|| Manifest::unknown(version));
        let progress = index.backfill.as_deref().map(Progress::read);
        Self(InForce::of(index.generation, version, manifest, progress))
    }

    /// The parameters in force.
    pub fn extractor(&self) -> &Extractor {
        &self.0.extractor
    }

    /// The base URLs of the API, as far as the store knows them.
    pub fn bases(&self) -> Vec<&str> {
        self.0.manifest.bases.iter().map(String::as_str).collect()
    }

    /// The first parameter of a query that older resources may not be found by yet.
    pub fn incomplete<'a>(&self, query: &'a Query) -> Option<&'a str> {
        self.0.incomplete().within(query)
    }
}
