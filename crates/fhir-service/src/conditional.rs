//! Conditional create, update, patch and delete: criteria name the resource.
//!
//! They are resolved by a search, and the commit checks that the search still finds exactly that. If it does not,
//! everything is decided again on what it finds now.

use fhir_definitions::FhirVersion;
use fhir_model::Id;
use rulebook::{ClientId, ConditionalDelete, Failure, Interaction, Resource, Success};
use storage_api::{Current, Head, IndexGeneration, Key, Method, Query, SearchRequest, StoredVersion};
use versioning_core::{
    Decision, Intent, Precondition, Refusal, UpdateCreate, VersionId, WriteOperation, decide,
};

use crate::answer::Answer;
use crate::content::Incoming;
use crate::idempotency::{FirstResult, Kept};
use crate::request::{Content, Criteria, Patch};
use crate::service::{Context, Outcome, Service, shortened, store_failure};
use crate::write::{Ended, Loaded, Matched, Write, Written};

/// What criteria mean, with what is needed to speak of them.
pub(crate) struct Asked<'a> {
    pub(crate) resource_type: &'a str,
    pub(crate) criteria: &'a Criteria,
    pub(crate) query: Query,
    /// The generation of the index that the query is for.
    pub(crate) index: IndexGeneration,
    pub(crate) interaction: Interaction,
}

/// What criteria found.
enum Found {
    None,
    One(Box<StoredVersion>),
}

impl Asked<'_> {
    /// The resource that is meant, where it has no id.
    pub(crate) fn resource(&self) -> Resource {
        let id = format!("?{}", shortened(&self.criteria.to_string()));
        Resource { resource_type: self.resource_type.to_owned(), id }
    }

    fn matched(&self, keys: Vec<Key>) -> Matched {
        Matched { query: self.query.clone(), keys, index: self.index }
    }
}

impl Service {
    fn asked<'a>(
        &self,
        resource_type: &'a str,
        criteria: &'a Criteria,
        interaction: Interaction,
        context: &Context,
    ) -> Result<Asked<'a>, Failure> {
        let in_force = self.in_force();
        let pairs =
            self.rulebook.criteria(interaction, resource_type, criteria.0.clone(), &context.caller)?;
        let query = in_force.extractor.criteria(resource_type, &pairs, &[&context.base]);
        let query = query.map_err(|error| Failure::Query(Box::new(error)))?;
        in_force.expect_complete(&query)?;
        Ok(Asked { resource_type, criteria, query, index: in_force.generation, interaction })
    }

    /// Resolves criteria. Several matches are a failure, and so is none where the client named a version.
    async fn resolve(&self, asked: &Asked<'_>, context: &Context) -> Result<Found, Failure> {
        let mut request = SearchRequest::of(asked.query.clone(), 2);
        let mut found = Vec::new();
        loop {
            let page = self.store.search(&request).await.map_err(store_failure)?;
            found.extend(page.found);
            request.after = page.next;
            if found.len() > 1 {
                return Err(Failure::MultipleMatches {
                    resource_type: asked.resource_type.to_owned(),
                    criteria: shortened(&asked.criteria.to_string()),
                });
            }
            if request.after.is_none() {
                break;
            }
        }
        match found.pop() {
            Some(version) => Ok(Found::One(Box::new(version))),
            None if context.precondition.if_match().is_some() => {
                Err(self.refused_on_criteria(Refusal::NothingToMatch(None), asked, context))
            }
            None => Ok(Found::None),
        }
    }

    /// The one resource that criteria find, if there is one. Several are a failure.
    pub(crate) async fn find_one(
        &self,
        resource_type: &str,
        criteria: &Criteria,
        interaction: Interaction,
        context: &Context,
    ) -> Result<Option<Key>, Failure> {
        let asked = self.asked(resource_type, criteria, interaction, context)?;
        match self.resolve(&asked, context).await? {
            Found::One(version) => Ok(Some(version.key)),
            Found::None => Ok(None),
        }
    }

    pub(crate) fn refused_on_criteria(
        &self,
        refusal: Refusal,
        asked: &Asked<'_>,
        context: &Context,
    ) -> Failure {
        let Resource { resource_type, id } = asked.resource();
        self.refused(refusal, &Key::new(resource_type, id), asked.interaction, &context.precondition)
    }

    /// Others changed what the criteria find, or what they mean in the index: once more, up to the bound of the lock
    /// policy.
    pub(crate) fn once_more(
        &self,
        lost: &mut u16,
        asked: &mut Asked<'_>,
        context: &Context,
    ) -> Result<(), Failure> {
        self.counters.conflicts.add(1);
        *lost = lost.saturating_add(1);
        if *lost > self.retries_max(asked.resource_type, context) {
            return Err(self.refused_on_criteria(Refusal::Contended { attempts: *lost }, asked, context));
        }
        self.counters.retries.add(1);
        *asked = self.asked(asked.resource_type, asked.criteria, asked.interaction, context)?;
        Ok(())
    }

    pub(crate) async fn conditional_create(
        &self,
        resource_type: &str,
        criteria: &Criteria,
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut asked = self.asked(resource_type, criteria, Interaction::ConditionalCreate, context)?;
        let mut lost = 0;
        loop {
            // What a repeated request created matches its criteria by now.
            if let Some(first) = self.first_of(&asked, context).await? {
                return match first.change {
                    Some(_) => self.written(&first.outcome(Success::Created), context),
                    None => self.written(&first.outcome(Success::Matched), context),
                };
            }
            match self.resolve(&asked, context).await? {
                Found::One(version) => {
                    let answer = self.existing(&asked, &version, context)?;
                    let found = Some((&version.key, head_of(&version)));
                    match self.keep(context.claim.as_ref(), found).await? {
                        Kept::Done => return Ok(answer),
                        Kept::Claimed => continue,
                        Kept::Otherwise => {}
                    }
                }
                Found::None => {
                    if let Some(written) = self.create_unmatched(&asked, None, body, context).await? {
                        return self.written(&written.outcome(Success::Created), context);
                    }
                }
            }
            self.once_more(&mut lost, &mut asked, context)?;
        }
    }

    /// The answer of a conditional create that finds its resource, if that is in the version that the client named.
    fn existing(
        &self,
        asked: &Asked<'_>,
        version: &StoredVersion,
        context: &Context,
    ) -> Result<Answer, Failure> {
        if let Some(tags) = context.precondition.if_match() {
            let named = Precondition::NONE.with_if_match(tags.clone());
            let policy = self.rulebook.lock_policy(asked.resource_type);
            // Nothing is written; what is judged is what a change of the match would be judged by.
            let current = Current::Live(head_of(version));
            if let Decision::Refuse(refusal) = decide(&named, current, Intent::Delete, policy) {
                return Err(self.refused(refusal, &version.key, asked.interaction, &named));
            }
        }
        let body = version.body.as_ref().map(|body| (version.version, version.at, body));
        let outcome = Outcome {
            key: &version.key,
            success: Success::Matched,
            version: Some(version.version),
            at: Some(version.at),
            body,
            warnings: &[],
            changes: &[],
        };
        self.written(&outcome, context)
    }

    /// What a request that is repeated came to at first. If it had nothing to write, it told of what matched then;
    /// nobody knows any more what that was, so it is told of what still matches, as it was then.
    async fn first_of(&self, asked: &Asked<'_>, context: &Context) -> Result<Option<Written>, Failure> {
        let Some(claim) = &context.claim else { return Ok(None) };
        let seq = match self.replay(claim).await? {
            None => return Ok(None),
            Some(FirstResult::Written { version, change }) => {
                return Ok(Some(Written::of(*version, Some(change))));
            }
            Some(FirstResult::Kept(seq)) => seq,
        };
        let matching = match self.resolve(asked, context).await {
            Ok(Found::One(version)) => self.version_at(&version.key, seq).await?,
            Ok(Found::None) | Err(Failure::MultipleMatches { .. } | Failure::Refused(_)) => None,
            Err(failure) => return Err(failure),
        };
        let first = matching.filter(|version| version.body.is_some()).ok_or(Failure::FirstResultGone)?;
        Ok(Some(Written::of(first, None)))
    }

    /// The same for a deletion, which does not tell of what matched.
    pub(crate) async fn first_deletion(&self, context: &Context) -> Result<Option<FirstResult>, Failure> {
        match &context.claim {
            Some(claim) => self.replay(claim).await,
            None => Ok(None),
        }
    }

    /// A new resource, under the id given or one that is drawn, if still nothing matches.
    async fn create_unmatched(
        &self,
        asked: &Asked<'_>,
        id: Option<&Id>,
        body: &Content,
        context: &Context,
    ) -> Result<Option<Written>, Failure> {
        let drawn = self.new_id(asked.resource_type, &context.planned)?;
        let is_create = asked.interaction == Interaction::ConditionalCreate;
        let key = Key::new(asked.resource_type, id.unwrap_or(&drawn).as_str());
        let client_id = if is_create { self.rulebook.client_id() } else { ClientId::Ignored };
        let matched = asked.matched(Vec::new());
        let write = Write {
            operation: if id.is_some() { WriteOperation::Update } else { WriteOperation::Create },
            interaction: asked.interaction,
            method: if is_create { Method::Post } else { Method::Put },
            key: &key,
            context,
            matched: Some(&matched),
        };
        let prepare = |_: Loaded<'_>| {
            let mut incoming = self.incoming(body, asked.resource_type, None)?;
            if id.is_none() {
                incoming.set_new_id(&drawn, client_id)?;
            }
            Ok(incoming)
        };
        self.ended(write, prepare).await
    }

    /// None if the criteria have to be resolved again.
    async fn ended(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Incoming, Failure>,
    ) -> Result<Option<Written>, Failure> {
        match self.write(write, prepare).await? {
            Ended::Written(written) => Ok(Some(written)),
            Ended::Rematch => Ok(None),
        }
    }

    pub(crate) async fn conditional_update(
        &self,
        resource_type: &str,
        criteria: &Criteria,
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut asked = self.asked(resource_type, criteria, Interaction::ConditionalUpdate, context)?;
        let mut lost = 0;
        let (written, rebased_onto) = loop {
            // Whatever the criteria find by now.
            if let Some(first) = self.first_of(&asked, context).await? {
                let rebased_onto = self.merged_at_first(&first, context).await;
                break (first, rebased_onto);
            }
            let written = match self.resolve(&asked, context).await? {
                Found::One(version) => self.update_matched(&asked, &version.key, body, context).await?,
                Found::None => {
                    let id = self.id_for_new(&asked, body)?;
                    let created = self.create_unmatched(&asked, id.as_ref(), body, context).await?;
                    created.map(|written| (written, None))
                }
            };
            match written {
                Some(written) => break written,
                None => self.once_more(&mut lost, &mut asked, context)?,
            }
        };
        let answer = self.written(&written.outcome(written.updated()), context)?;
        Ok(Answer { rebased_onto, ..answer })
    }

    /// The id that a conditional update without match creates under: the body's, from R4 on.
    fn id_for_new(&self, asked: &Asked<'_>, body: &Content) -> Result<Option<Id>, Failure> {
        if self.rulebook.version() == FhirVersion::Stu3 {
            return Ok(None);
        }
        let incoming = self.incoming(body, asked.resource_type, None)?;
        let Some(sent) = incoming.resource().id() else { return Ok(None) };
        let id = Id::parse(sent).map_err(|_| Failure::IllegalId { id: shortened(sent) })?;
        if self.rulebook.lock_policy(asked.resource_type).update_create != UpdateCreate::Allowed {
            let key = Key::new(asked.resource_type, id.as_str());
            let none = Precondition::NONE;
            return Err(self.refused(Refusal::CreateNotAllowed, &key, asked.interaction, &none));
        }
        Ok(Some(id))
    }

    async fn update_matched(
        &self,
        asked: &Asked<'_>,
        key: &Key,
        body: &Content,
        context: &Context,
    ) -> Result<Option<(Written, Option<VersionId>)>, Failure> {
        let matched = asked.matched(vec![key.clone()]);
        let write = Write {
            operation: WriteOperation::Update,
            interaction: asked.interaction,
            method: Method::Put,
            key,
            context,
            matched: Some(&matched),
        };
        let incoming = || {
            let mut incoming = self.incoming(body, asked.resource_type, Some(&key.id))?;
            if incoming.resource().id().is_none() {
                let id = Id::parse(&key.id).map_err(|_| Failure::Internal)?;
                incoming.set_new_id(&id, ClientId::Ignored)?;
            }
            incoming.check_url_id(&key.id)?;
            Ok(incoming)
        };
        match self.update_one(write, body, incoming).await? {
            (Ended::Written(written), rebased_onto) => Ok(Some((written, rebased_onto))),
            (Ended::Rematch, _) => Ok(None),
        }
    }

    pub(crate) async fn conditional_patch(
        &self,
        resource_type: &str,
        criteria: &Criteria,
        patch: &Patch,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut asked = self.asked(resource_type, criteria, Interaction::ConditionalPatch, context)?;
        let mut lost = 0;
        loop {
            if let Some(first) = self.first_of(&asked, context).await? {
                return self.answer_patch(&first, context);
            }
            let Found::One(version) = self.resolve(&asked, context).await? else {
                return Err(self.refused_on_criteria(Refusal::NotFound, &asked, context));
            };
            let matched = asked.matched(vec![version.key.clone()]);
            let how = (asked.interaction, Some(&matched));
            match self.patch_one(&version.key, patch, how, context).await {
                Ok(Ended::Written(written)) => return self.answer_patch(&written, context),
                Ok(Ended::Rematch) => {}
                // Deleted since it was found: then it does not match any more.
                Err(Failure::Refused(refused)) if matches!(refused.refusal, Refusal::Gone(_)) => {}
                Err(failure) => return Err(failure),
            }
            self.once_more(&mut lost, &mut asked, context)?;
        }
    }

    pub(crate) async fn conditional_delete(
        &self,
        resource_type: &str,
        criteria: &Criteria,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut asked = self.asked(resource_type, criteria, Interaction::ConditionalDelete, context)?;
        if self.rulebook.conditional_delete() == ConditionalDelete::Multiple {
            return self.delete_several(asked, context).await;
        }
        let mut lost = 0;
        loop {
            match self.first_deletion(context).await? {
                Some(FirstResult::Written { version, change }) => {
                    let first = Written::of(*version, Some(change));
                    return self.written(&first.outcome(Success::Deleted), context);
                }
                Some(FirstResult::Kept(_)) => {
                    return self.without_version(&asked, Success::NothingToDelete, context);
                }
                None => {}
            }
            match self.resolve(&asked, context).await? {
                Found::One(version) => {
                    if let Some(written) = self.delete_matched(&asked, &version.key, context).await? {
                        return self.answer_deletion(&written, context);
                    }
                }
                Found::None => {
                    let answer = self.without_version(&asked, Success::NothingToDelete, context)?;
                    match self.keep(context.claim.as_ref(), None).await? {
                        Kept::Done => return Ok(answer),
                        Kept::Claimed => continue,
                        Kept::Otherwise => {}
                    }
                }
            }
            self.once_more(&mut lost, &mut asked, context)?;
        }
    }

    /// The answer to a deletion that no single version tells of.
    pub(crate) fn without_version(
        &self,
        asked: &Asked<'_>,
        success: Success,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let Resource { resource_type, id } = asked.resource();
        let key = Key::new(resource_type, id);
        let outcome =
            Outcome { key: &key, success, version: None, at: None, body: None, warnings: &[], changes: &[] };
        self.check_deletion(&outcome)?;
        self.written(&outcome, context)
    }

    async fn delete_matched(
        &self,
        asked: &Asked<'_>,
        key: &Key,
        context: &Context,
    ) -> Result<Option<Written>, Failure> {
        let matched = asked.matched(vec![key.clone()]);
        let write = Write {
            operation: WriteOperation::Delete,
            interaction: asked.interaction,
            method: Method::Delete,
            key,
            context,
            matched: Some(&matched),
        };
        // A deletion has no content, so the core never asks for any.
        self.ended(write, |_| Err(Failure::Internal)).await
    }
}

/// The head that a version which was found is.
pub(crate) fn head_of(version: &StoredVersion) -> Head {
    Head { version: version.version, at: version.at, previous_at: version.previous_at }
}
