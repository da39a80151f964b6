//! `$diff`: what one version changed in another, as a patch that can be applied.

use bytes::Bytes;
use fhir_definitions::Definitions;
use fhir_model::json::{self, Value};
use fhir_patch::{fhirpath_diff, json_diff};
use rulebook::{Failure, Interaction, Success};
use storage_api::{Current, Key, StoredVersion, VersionNumber, VersionSelector};
use versioning_core::{Precondition, Refusal};

use crate::answer::{Answer, Payload};
use crate::request::DiffFormat;
use crate::service::{Service, resource, shortened, store_failure};
use crate::vread::selector;

/// The media type of a JSON Patch (RFC 6902 section 6).
const JSON_PATCH: &str = "application/json-patch+json";

impl Service {
    pub(crate) async fn diff(
        &self,
        key: &Key,
        from: Option<&str>,
        to: Option<&str>,
        format: DiffFormat,
    ) -> Result<Answer, Failure> {
        let to = match to {
            Some(version_id) => self.version(key, version_id).await?,
            None => self.current_version(key).await?,
        };
        let from = match from {
            Some(version_id) => Some(self.version(key, version_id).await?),
            None => self.version_before(&to).await?,
        };
        let after = self.shown_as(&to, from.as_ref())?;
        let payload = match (from, format) {
            (Some(from), format) => self.difference(&self.shown_as(&from, Some(&from))?, &after, format)?,
            // The first version changed nothing: there was nothing before it.
            (None, format) => self.difference(&after, &after, format)?,
        };
        Ok(Answer { status: Success::Shown.status(true), payload: Some(payload), ..Answer::default() })
    }

    fn difference(&self, before: &Value, after: &Value, format: DiffFormat) -> Result<Payload, Failure> {
        match format {
            DiffFormat::Json => {
                let bytes = Bytes::from(json_diff(before, after).to_value().to_bytes());
                Ok(Payload::Native { content_type: JSON_PATCH.to_owned(), bytes })
            }
            DiffFormat::FhirPath => {
                let definitions = Definitions::of(self.rulebook.version());
                let patch = fhirpath_diff(before, after, definitions)
                    .map_err(|error| Failure::NotRepresentable { why: error.to_string() })?;
                Ok(Payload::Json(Bytes::from(patch.to_bytes())))
            }
        }
    }

    /// A version by the id that clients know it by, its content included.
    pub(crate) async fn version(&self, key: &Key, version_id: &str) -> Result<StoredVersion, Failure> {
        let found = self.known_version(key, version_id).await?.ok_or_else(|| Failure::UnknownVersion {
            resource: resource(key),
            version_id: shortened(version_id),
        })?;
        if found.body.is_none() {
            let version_id = self.version_id(&key.kind, found.version);
            return Err(Failure::DeletedVersion { resource: resource(key), version_id });
        }
        Ok(found)
    }

    /// The same for a version that there may not be. It has one spelling: what was found prints as what was asked for.
    pub(crate) async fn known_version(
        &self,
        key: &Key,
        version_id: &str,
    ) -> Result<Option<StoredVersion>, Failure> {
        let scheme = self.rulebook.lock_policy(&key.kind).scheme;
        let Some(selector) = selector(scheme, version_id) else { return Ok(None) };
        let found = self.store.read_version(key, selector).await.map_err(store_failure)?;
        Ok(found.filter(|found| self.version_id(&key.kind, found.version).as_str() == version_id))
    }

    async fn current_version(&self, key: &Key) -> Result<StoredVersion, Failure> {
        let refusal = match self.store.read(key).await.map_err(store_failure)?.current {
            Current::Live(head) => {
                let version_id = self.version_id(&key.kind, head.version);
                return self.version(key, version_id.as_str()).await;
            }
            Current::Deleted(tombstone) => Refusal::Gone(tombstone.version),
            Current::Absent { .. } => Refusal::NotFound,
        };
        Err(self.refused(refusal, key, Interaction::Diff, &Precondition::NONE))
    }

    /// The version before, with content; none before the first one.
    async fn version_before(&self, version: &StoredVersion) -> Result<Option<StoredVersion>, Failure> {
        let number = version.version.number.get().saturating_sub(1);
        if number == 0 {
            return Ok(None);
        }
        let selector = VersionSelector::Number(VersionNumber::new(number));
        let found = self.store.read_version(&version.key, selector).await.map_err(store_failure)?;
        // What came after a deletion or a purge was made anew.
        Ok(found.filter(|found| found.body.is_some()))
    }

    /// The tree of a version, as a read of another one would give it: version meta is no difference, but a patch has to
    /// find it where it stands.
    pub(crate) fn shown_as(
        &self,
        version: &StoredVersion,
        other: Option<&StoredVersion>,
    ) -> Result<Value, Failure> {
        let body = version.body.as_ref().ok_or(Failure::Internal)?;
        let shown = other.unwrap_or(version);
        let Payload::Json(bytes) = self.represent(&version.key, shown.version, shown.at, body)? else {
            return Err(Failure::Internal);
        };
        json::parse(&bytes, &self.limits.stored()).map_err(|_| Failure::Internal)
    }
}
