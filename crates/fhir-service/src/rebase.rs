//! Rebase: a stale update, merged with what was written meanwhile, where the API allows it and the client asks for it
//! (`Prefer: rebase`).
//!
//! The version that If-Match names is the base, the current one is theirs, the body is mine. Only if the two changes have
//! no element in common is the merged resource written, on exactly the version that it was merged with. If another
//! writer was faster again, it is merged again.

use fhir_definitions::Definitions;
use fhir_model::Resource;
use fhir_model::json::{self, Value};
use fhir_patch::merge;
use rulebook::{Failure, Refused};
use storage_api::{Current, StoredVersion, VersionNumber, VersionSelector};
use versioning_core::{EntityTag, Refusal, TagSet, VersionId};

use crate::content::Incoming;
use crate::service::{Context, Service, store_failure};
use crate::write::{Ended, Loaded, Write, Written};

impl Service {
    /// Whether a failure is that of a stale client that is to be merged.
    pub(crate) fn may_rebase(&self, failure: &Failure, context: &Context) -> bool {
        let is_stale =
            matches!(failure, Failure::Refused(refused) if matches!(refused.refusal, Refusal::Stale(_)));
        is_stale && context.preferences.rebase && self.rulebook.rebases()
    }

    /// Carries out a stale update as a merge; the version is the one that it was merged with. If it
    /// cannot be merged, the failure is that of the stale client.
    pub(crate) async fn rebase(
        &self,
        write: Write<'_>,
        incoming: Incoming,
        stale: Failure,
    ) -> Result<(Ended, VersionId), Failure> {
        let Some(base) = self.base(&write).await? else { return Err(stale) };
        let base = self.shown_as(&base, None)?;
        let mine = incoming.into_value();
        for _ in 0..=self.retries_max(&write.key.kind, write.context) {
            let record = self.store.read(write.key).await.map_err(store_failure)?;
            let (Current::Live(head), Some(body)) = (record.current, record.body) else { return Err(stale) };
            let onto = self.version_id(&write.key.kind, head.version);
            let theirs = json::parse(&body.bytes, &self.limits.stored()).map_err(|_| Failure::Internal)?;
            let Some(merged) = self.merged(&base, &theirs, &mine)? else { return Err(stale_at(stale, onto)) };
            let scheme = self.rulebook.lock_policy(&write.key.kind).scheme;
            let tags = TagSet::one(EntityTag::of(head.version, scheme));
            let precondition = write.context.precondition.clone().with_if_match(tags);
            let context = Context { precondition, ..write.context.clone() };
            let prepare = |_: Loaded<'_>| Ok(Incoming::from(merged.clone()));
            match self.write(Write { context: &context, ..write }, prepare).await {
                Ok(ended) => return Ok((ended, onto)),
                Err(Failure::Refused(refused)) if matches!(refused.refusal, Refusal::Stale(_)) => {
                    self.counters.retries.add(1);
                }
                // Each change was fine, and both together are not.
                Err(Failure::Invalid(_)) => return Err(stale_at(stale, onto)),
                Err(failure) => return Err(failure),
            }
        }
        Err(stale)
    }

    /// The version that an update was merged with when it was carried out first, if this is the answer to its repetition:
    /// the client that missed the first answer has to learn that what it sent is not all that is there now. The write is
    /// done, so nothing here fails.
    pub(crate) async fn merged_at_first(&self, written: &Written, context: &Context) -> Option<VersionId> {
        let is_repeatable = context.claim.is_some() && context.precondition.names_a_version();
        if !is_repeatable || !context.preferences.rebase || !self.rulebook.rebases() {
            return None;
        }
        let version = written.outcome(written.updated()).version?;
        let number = VersionNumber::new(version.number.get().saturating_sub(1));
        let key = &written.key;
        let before = self.store.read_version(key, VersionSelector::Number(number)).await.ok()??;
        let scheme = self.rulebook.lock_policy(&key.kind).scheme;
        let is_named = written.change.is_none() || context.precondition.names(before.version, scheme);
        (!is_named).then(|| self.version_id(&key.kind, before.version))
    }

    /// The one version that the client changed. Of several names, nobody knows which one was meant.
    async fn base(&self, write: &Write<'_>) -> Result<Option<StoredVersion>, Failure> {
        let is_one = write.context.precondition.if_match().is_some_and(|tags| tags.tags().count() == 1);
        if is_one { self.named_version(write.key, &write.context.precondition).await } else { Ok(None) }
    }

    /// Both changes in one resource; none if they have an element in common.
    fn merged(&self, base: &Value, theirs: &Value, mine: &Value) -> Result<Option<Resource>, Failure> {
        let definitions = Definitions::of(self.rulebook.version());
        let Ok(merged) = merge(base, theirs, mine, definitions) else { return Ok(None) };
        let resource = Resource::from_value(merged).map_err(Failure::NoResource)?;
        // The narrative belongs to the side that wrote it, whose data are now changed by the other one.
        let author = if mine.get("text") == base.get("text") { theirs } else { mine };
        match self.settle_narrative(resource, author) {
            Ok(resource) => Ok(Some(resource)),
            Err(Failure::NarrativeOutdated) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// The refusal, naming what is current now.
fn stale_at(stale: Failure, current: VersionId) -> Failure {
    match stale {
        Failure::Refused(refused) => {
            Failure::Refused(Box::new(Refused { current: Some(current), ..*refused }))
        }
        failure => failure,
    }
}
