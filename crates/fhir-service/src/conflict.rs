//! What a stale client is told if it asks for it (`Prefer: return=OperationOutcome`): what has changed since the
//! version that it named, and whether its own change touches that.

use fhir_definitions::Definitions;
use fhir_model::Id;
use fhir_model::json::Value;
use fhir_patch::{changed_elements, merge};
use rulebook::{
    ChangedElement, ChangesSince, ClientId, Conflict, ExplanationCode, Failure, OwnChange, Refused, Return,
};
use storage_api::{Key, StoredVersion};
use versioning_core::{Precondition, Refusal, TagSet, VersionId};

use crate::request::{Content, Patch};
use crate::service::{Context, Service};

/// A list of changed elements is cut to this length.
const ELEMENTS_MAX: usize = 100;

/// If-Match may name many versions; so many are looked up.
const TAGS_MAX: usize = 16;

/// What a stale client wanted to write.
pub(crate) enum Wanted<'a> {
    /// This resource.
    Content(&'a Content),
    /// This change.
    Patch(&'a Patch),
}

impl Service {
    /// A failure, explained if it is a stale version and the client asked what happened.
    pub(crate) async fn explained(
        &self,
        failure: Failure,
        key: &Key,
        wanted: Wanted<'_>,
        context: &Context,
    ) -> Failure {
        let asks = context.preferences.returning == Some(Return::OperationOutcome)
            && self.rulebook.explanation(ExplanationCode::ChangesSince).is_some();
        match failure {
            Failure::Refused(refused) if asks && matches!(refused.refusal, Refusal::Stale(_)) => {
                match self.since(&refused, key, &wanted, context).await {
                    Ok(since) => Failure::Conflict(Box::new(Conflict { refused: *refused, since })),
                    // The refusal is true whatever stopped its explanation.
                    Err(_) => Failure::Refused(refused),
                }
            }
            failure => failure,
        }
    }

    async fn since(
        &self,
        refused: &Refused,
        key: &Key,
        wanted: &Wanted<'_>,
        context: &Context,
    ) -> Result<Option<ChangesSince>, Failure> {
        let current = refused.current.ok_or(Failure::Internal)?;
        let Some(base) = self.named_version(key, &context.precondition).await? else { return Ok(None) };
        let theirs = self.version(key, current.as_str()).await?;
        let theirs = self.shown_as(&theirs, None)?;
        let before = self.shown_as(&base, None)?;
        let mine = self.wanted(wanted, key, &before);
        let base = self.version_id(&key.kind, base.version);
        Ok(Some(self.changes_since(base, [&before, &theirs], mine.as_ref())))
    }

    /// The newest of the versions that If-Match names, if there is one.
    pub(crate) async fn named_version(
        &self,
        key: &Key,
        precondition: &Precondition,
    ) -> Result<Option<StoredVersion>, Failure> {
        let mut newest: Option<StoredVersion> = None;
        for tag in precondition.if_match().into_iter().flat_map(TagSet::tags).take(TAGS_MAX) {
            let Ok(version_id) = str::from_utf8(tag.opaque()) else { continue };
            let Some(found) = self.known_version(key, version_id).await? else { continue };
            let is_newer = newest.as_ref().is_none_or(|newest| found.version.number > newest.version.number);
            if is_newer && found.body.is_some() {
                newest = Some(found);
            }
        }
        Ok(newest)
    }

    /// What the client would have made of the version that it named; none if that makes no sense.
    fn wanted(&self, wanted: &Wanted<'_>, key: &Key, before: &Value) -> Option<Value> {
        match wanted {
            Wanted::Content(body) => {
                let mut incoming = self.incoming(body, &key.kind, Some(&key.id)).ok()?;
                if incoming.resource().id().is_none() {
                    // By criteria, the id may be left out.
                    incoming.set_new_id(&Id::parse(&key.id).ok()?, ClientId::Ignored).ok()?;
                }
                Some(incoming.into_value())
            }
            Wanted::Patch(patch) => {
                let parsed = self.parse_patch(patch).ok()?;
                self.apply(&parsed, before).ok()
            }
        }
    }

    fn changes_since(
        &self,
        base: VersionId,
        [before, theirs]: [&Value; 2],
        mine: Option<&Value>,
    ) -> ChangesSince {
        let definitions = Definitions::of(self.rulebook.version());
        let (own, both) = match mine {
            None => (OwnChange::Unknown, Vec::new()),
            Some(mine) if changed_elements(theirs, mine, definitions).is_empty() => {
                (OwnChange::Same, Vec::new())
            }
            Some(mine) => match merge(before, theirs, mine, definitions) {
                Ok(_) => (OwnChange::Apart, Vec::new()),
                Err(overlap) => (OwnChange::Overlaps, overlap.paths),
            },
        };
        let changed = changed_elements(before, theirs, definitions);
        let more = changed.len().saturating_sub(ELEMENTS_MAX);
        let elements = changed.iter().take(ELEMENTS_MAX).map(|path| ChangedElement {
            expression: path.to_string(),
            by_both: both.iter().any(|other| other.overlaps(path)),
        });
        ChangesSince { base, elements: elements.collect(), more, own }
    }
}
