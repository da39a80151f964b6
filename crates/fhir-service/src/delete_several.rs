//! Conditional delete of everything that matches, in one commit.

use std::sync::Arc;

use fhir_search::REFERS;
use rulebook::{Failure, Success};
use storage_api::{
    Commit, Current, Guard, HeadGuard, Key, Lost, Method, Now, RequestId, SearchRequest, StoredVersion,
    VersionSelector, VersionToken, VersionWrite, Write, WriteSet,
};
use versioning_core::{Decision, Intent, Refusal, decide};

use crate::answer::Answer;
use crate::conditional::{Asked, head_of};
use crate::idempotency::{Claim, FirstResult, Kept};
use crate::service::{Context, Service, resource, shortened, store_failure};

impl Service {
    /// Deletes what criteria find, all or nothing. Each deletion is guarded by the version that was found, so what is
    /// deleted is what the criteria found at one moment.
    pub(crate) async fn delete_several(
        &self,
        mut asked: Asked<'_>,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut lost = 0;
        loop {
            match self.first_deletion(context).await? {
                Some(FirstResult::Written { .. }) => {
                    return self.without_version(&asked, Success::Deleted, context);
                }
                Some(FirstResult::Kept(_)) => {
                    return self.without_version(&asked, Success::NothingToDelete, context);
                }
                None => {}
            }
            let found = self.all_found(&asked).await?;
            self.check_nameable(&asked, &found, context)?;
            if found.is_empty() {
                let answer = self.without_version(&asked, Success::NothingToDelete, context)?;
                match self.keep(context.claim.as_ref(), None).await? {
                    Kept::Done => return Ok(answer),
                    Kept::Claimed => {}
                    Kept::Otherwise => self.once_more(&mut lost, &mut asked, context)?,
                }
                continue;
            }
            let set = self.deletions(&asked, &found, context)?;
            // For what a lost guard says of a resource that others refer to.
            let referred: Vec<Option<Key>> = set.guards.iter().map(unreferred).collect();
            let (request, first) = (set.request, found.into_iter().next());
            match self.store.commit(set).await.map_err(store_failure)? {
                Commit::Committed(_) => return self.without_version(&asked, Success::Deleted, context),
                // The same request was carried out meanwhile, or another one under its key.
                Commit::Lost(guards) if guards.iter().any(|lost| matches!(lost.now, Now::Claimed(_))) => {}
                Commit::Lost(guards) if guards.iter().any(|lost| matches!(lost.now, Now::Referred(_))) => {
                    return Err(Self::still_referred(&guards, &referred).unwrap_or(Failure::Internal));
                }
                Commit::Lost(_) | Commit::StaleIndex(_) => self.once_more(&mut lost, &mut asked, context)?,
                // All were written or none: the first one tells.
                Commit::Unknown if self.deleted_by(request, first.as_ref()).await => {
                    return self.without_version(&asked, Success::Deleted, context);
                }
                Commit::Unknown => return Err(Failure::OutcomeUnknown { resource: asked.resource() }),
            }
        }
    }

    /// Whether a request wrote what comes after a version.
    async fn deleted_by(&self, request: RequestId, version: Option<&StoredVersion>) -> bool {
        let Some(version) = version else { return false };
        let next = VersionSelector::Number(version.version.number.next());
        let found = self.store.read_version(&version.key, next).await;
        found.is_ok_and(|found| found.is_some_and(|found| found.request == request))
    }

    /// The first resource that others refer to, where that matters.
    fn still_referred(lost: &[Lost], keys: &[Option<Key>]) -> Option<Failure> {
        lost.iter().find_map(|lost| match (&lost.now, keys.get(lost.guard)) {
            (Now::Referred(by), Some(Some(key))) => Some(Failure::StillReferred {
                resource: resource(key),
                by: by.iter().map(resource).collect(),
            }),
            _ => None,
        })
    }

    /// All that criteria find, if that is not too much.
    async fn all_found(&self, asked: &Asked<'_>) -> Result<Vec<StoredVersion>, Failure> {
        let max = self.limits.conditional_delete_max;
        let mut request = SearchRequest::of(asked.query.clone(), max.saturating_add(1));
        let mut found = Vec::new();
        loop {
            let page = self.store.search(&request).await.map_err(store_failure)?;
            found.extend(page.found);
            if found.len() > max {
                return Err(Failure::TooManyMatches {
                    resource_type: asked.resource_type.to_owned(),
                    criteria: shortened(&asked.criteria.to_string()),
                    max,
                });
            }
            request.after = page.next;
            if request.after.is_none() {
                return Ok(found);
            }
        }
    }

    /// If-Match names versions of one resource.
    fn check_nameable(
        &self,
        asked: &Asked<'_>,
        found: &[StoredVersion],
        context: &Context,
    ) -> Result<(), Failure> {
        match (context.precondition.if_match(), found) {
            (None, _) | (_, [_]) => Ok(()),
            (_, []) => Err(self.refused_on_criteria(Refusal::NothingToMatch(None), asked, context)),
            _ => Err(Failure::MultipleMatches {
                resource_type: asked.resource_type.to_owned(),
                criteria: shortened(&asked.criteria.to_string()),
            }),
        }
    }

    fn deletions(
        &self,
        asked: &Asked<'_>,
        found: &[StoredVersion],
        context: &Context,
    ) -> Result<WriteSet, Failure> {
        let policy = self.rulebook.lock_policy(asked.resource_type);
        let mut set = WriteSet {
            request: self.ids.request_id(),
            index: asked.index,
            guards: context.claim.iter().flat_map(Claim::guards).collect(),
            writes: context.claim.iter().flat_map(Claim::writes).collect(),
        };
        if self.checks_references() {
            self.in_force().expect_references()?;
            let unreferred = |version: &StoredVersion| Guard::Unreferred {
                key: version.key.clone(),
                param: REFERS.into(),
            };
            set.guards.extend(found.iter().map(unreferred));
        }
        for version in found {
            let current = Current::Live(head_of(version));
            let number = match decide(&context.precondition, current, Intent::Delete, policy) {
                Decision::Write { next, .. } => next,
                Decision::Refuse(refusal) => {
                    let precondition = &context.precondition;
                    return Err(self.refused(refusal, &version.key, asked.interaction, precondition));
                }
                _ => return Err(Failure::Internal),
            };
            set.guards.push(Guard::Head(version.key.clone(), HeadGuard::Exactly(version.version.number)));
            set.writes.push(Write::Version(VersionWrite {
                key: version.key.clone(),
                next: VersionToken { number, tag: self.ids.version_tag() },
                method: Method::Delete,
                body: None,
                terms: Arc::default(),
            }));
        }
        Ok(set)
    }
}

/// The key that a guard wants nobody to refer to.
fn unreferred(guard: &Guard) -> Option<Key> {
    match guard {
        Guard::Unreferred { key, .. } => Some(key.clone()),
        _ => None,
    }
}
