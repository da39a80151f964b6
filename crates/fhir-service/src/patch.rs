//! patch: a change told as a change, applied to exactly the version that the client named, or to
//! the newest one, again if another writer was faster.

use fhir_definitions::Definitions;
use fhir_model::json::{self, Value};
use fhir_model::{Instant, Resource, Splice, splice, xml};
use fhir_patch::{FhirPathPatch, JsonPatch, MergePatch, XmlPatch};
use rulebook::{Failure, Interaction, Success};
use storage_api::{Body, Head, Key, Method};
use versioning_core::{Change, WriteOperation};

use crate::answer::Answer;
use crate::conflict::Wanted;
use crate::content::Incoming;
use crate::present::Format;
use crate::request::{Patch, PatchFormat};
use crate::service::{Context, Service, damaged};
use crate::write::{Ended, Loaded, Matched, Write, Written};

/// A patch that was read once and may be applied to several versions.
pub(crate) enum Parsed {
    Json(JsonPatch),
    Merge(MergePatch),
    FhirPath(FhirPathPatch),
    Xml(XmlPatch),
}

impl Service {
    pub(crate) async fn patch(&self, key: &Key, patch: &Patch, context: &Context) -> Result<Answer, Failure> {
        match self.patch_one(key, patch, (Interaction::Patch, None), context).await? {
            Ended::Written(written) => self.answer_patch(&written, context),
            // Without criteria nothing can be matched again.
            Ended::Rematch => Err(Failure::Internal),
        }
    }

    pub(crate) fn answer_patch(&self, written: &Written, context: &Context) -> Result<Answer, Failure> {
        let success = match written.change {
            Some(Change::Created | Change::Updated | Change::Restored | Change::Deleted) => Success::Updated,
            None => Success::Unchanged,
        };
        self.written(&written.outcome(success), context)
    }

    /// Patches one resource, perhaps one that criteria found.
    pub(crate) async fn patch_one(
        &self,
        key: &Key,
        patch: &Patch,
        (interaction, matched): (Interaction, Option<&Matched>),
        context: &Context,
    ) -> Result<Ended, Failure> {
        let write = Write {
            operation: WriteOperation::Patch,
            interaction,
            method: Method::Patch,
            key,
            context,
            matched,
        };
        // Read on the first attempt only, and not at all for a client that is stale.
        let parsed = std::sync::OnceLock::new();
        let prepare = |loaded: Loaded<'_>| {
            let (Some(head), Some(body)) = (loaded.head, loaded.body) else { return Err(Failure::Internal) };
            if parsed.get().is_none() {
                let _ = parsed.set(self.parse_patch(patch)?);
            }
            let Some(parsed) = parsed.get() else { return Err(Failure::Internal) };
            self.patched(key, head, body, parsed)
        };
        match self.write(write, prepare).await {
            Ok(ended) => Ok(ended),
            Err(failure) => Err(self.explained(failure, key, Wanted::Patch(patch), context).await),
        }
    }

    pub(crate) fn parse_patch(&self, patch: &Patch) -> Result<Parsed, Failure> {
        if patch.bytes.trim_ascii().is_empty() {
            return Err(Failure::EmptyBody);
        }
        let definitions = Definitions::of(self.rulebook.version());
        let limits = &self.limits.patch;
        let json = || json::parse(&patch.bytes, &self.limits.json).map_err(Failure::Json);
        let fhirpath = |parameters: Value| {
            let parameters = self.rulebook.read_patch(parameters)?;
            FhirPathPatch::parse(&parameters, definitions, limits).map(Parsed::FhirPath).map_err(malformed)
        };
        match patch.format {
            PatchFormat::Json => JsonPatch::parse(&json()?, limits).map(Parsed::Json).map_err(malformed),
            PatchFormat::Merge => MergePatch::parse(json()?).map(Parsed::Merge).map_err(malformed),
            PatchFormat::Xml => XmlPatch::parse(&patch.bytes, limits).map(Parsed::Xml).map_err(malformed),
            PatchFormat::FhirPath(Format::Json) => fhirpath(json()?),
            PatchFormat::FhirPath(Format::Xml) => {
                let parameters = xml::parse(&patch.bytes, definitions, &self.limits.json);
                fhirpath(parameters.map_err(|error| Failure::Xml(Box::new(error)))?)
            }
        }
    }

    /// The content of the next version. The patch meets the representation that a read gives,
    /// version meta included, so a test on `/meta/versionId` works as a lock; afterwards version
    /// meta is the server's again.
    fn patched(&self, key: &Key, head: Head, body: &Body, patch: &Parsed) -> Result<Incoming, Failure> {
        let version_id = self.version_id(&key.kind, head.version);
        let shown = Splice::from_i64(body.splice)
            .and_then(|place| {
                splice(&body.bytes, place, version_id.as_str(), Instant::from_micros(head.at.0))
            })
            .map_err(|error| damaged(key, &error))?;
        let before = json::parse(&shown, &self.limits.stored()).map_err(|_| Failure::Internal)?;
        let after = self.apply(patch, &before)?;
        let resource = Resource::from_value(after).map_err(Failure::NoResource)?;
        if resource.resource_type().as_str() != key.kind || resource.id() != Some(key.id.as_str()) {
            return Err(Failure::PatchedIdentity);
        }
        Ok(Incoming::from(self.settle_narrative(resource, &before)?))
    }

    pub(crate) fn apply(&self, patch: &Parsed, before: &Value) -> Result<Value, Failure> {
        let limits = &self.limits.patch;
        match patch {
            Parsed::Json(patch) => patch.apply(before, limits).map_err(not_applicable),
            Parsed::Merge(patch) => Ok(patch.apply(before)),
            Parsed::FhirPath(patch) => patch.apply(before, limits).map_err(not_applicable),
            Parsed::Xml(patch) => {
                let definitions = Definitions::of(self.rulebook.version());
                let Value::Object(resource) = before else { return Err(Failure::Internal) };
                let mut text = Vec::new();
                xml::write(resource, definitions, &mut text)
                    .map_err(|error| Failure::NotRepresentable { why: error.to_string() })?;
                let after = patch.apply(&text, limits).map_err(not_applicable)?;
                xml::parse(after.as_bytes(), definitions, &self.limits.json).map_err(|error| {
                    Failure::PatchNotApplicable { why: format!("the result is no resource: {error}") }
                })
            }
        }
    }
}

fn malformed(error: impl std::fmt::Display) -> Failure {
    Failure::PatchMalformed { why: error.to_string() }
}

fn not_applicable(error: impl std::fmt::Display) -> Failure {
    Failure::PatchNotApplicable { why: error.to_string() }
}
