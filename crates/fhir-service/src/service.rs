//! One API on one store.

use std::sync::Arc;

use bytes::Bytes;
use fhir_model::json::Value;
use fhir_model::{Id, Instant, Splice, splice};
use rulebook::{
    Caller, Failure, Interaction, LocationForm, Refused, Resource, Return, Rulebook, Success, Verdict,
    Warning,
};
use storage_api::{Body, Key, Store, StoreError, Timestamp, VersionTag, VersionToken};
use versioning_core::{NoCurrentVersion, Precondition, Refusal, VersionId};

use crate::answer::{About, Answer, Payload, VersionChange};
use crate::idempotency::Claim;
use crate::index::{Extent, Index};
use crate::request::{Operation, Request};
use crate::{Counters, FullText, Ids, Limits, Narratives, ReferentialIntegrity, Validation, perform};

/// The status of a mistake of the server.
const INTERNAL: u16 = 500;

tokio::task_local! {
    /// The id of the request that is carried out, for what goes to the log meanwhile.
    static TRACE: Arc<str>;
}

/// The id of the request that is carried out; nothing for work that is nobody's.
fn trace() -> Option<Arc<str>> {
    TRACE.try_with(Arc::clone).ok()
}

/// A rulebook, a store, and what is needed to carry out requests between them.
#[derive(Clone)]
pub struct Service {
    pub(crate) rulebook: Arc<dyn Rulebook>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ids: Ids,
    pub(crate) limits: Limits,
    pub(crate) validation: Validation,
    /// Of the level that `validation` says, or the usual one where it is off.
    pub(crate) checks: Arc<fhir_validate::Settings>,
    pub(crate) narratives: Narratives,
    pub(crate) counters: Arc<Counters>,
    pub(crate) integrity: ReferentialIntegrity,
    pub(crate) full_text: FullText,
    pub(crate) index: Arc<Index>,
}

impl Service {
    /// An API on a store.
    pub fn new(rulebook: Arc<dyn Rulebook>, store: Arc<dyn Store>, ids: Ids, limits: Limits) -> Self {
        let index = Arc::new(Index::new(store.index_generation(), &*rulebook, Extent::default()));
        let checks = Arc::new(rulebook.validation().cloned().unwrap_or_default());
        Self {
            rulebook,
            store,
            ids,
            limits,
            validation: Validation::default(),
            checks,
            narratives: Narratives::default(),
            counters: Arc::default(),
            integrity: ReferentialIntegrity::default(),
            full_text: FullText::default(),
            index,
        }
    }

    /// The same, with this policy for references; [`ReferentialIntegrity::Off`] otherwise. On a store that was served
    /// with another policy [`open_index`](Self::open_index) makes the index fit.
    #[must_use]
    pub fn with_referential_integrity(self, integrity: ReferentialIntegrity) -> Self {
        Self { integrity, ..self }.with_new_index()
    }

    /// The same, found by words or not; [`FullText::Off`] otherwise. On a store that was served otherwise
    /// [`open_index`](Self::open_index) makes the index fit.
    #[must_use]
    pub fn with_full_text(self, full_text: FullText) -> Self {
        Self { full_text, ..self }.with_new_index()
    }

    fn with_new_index(self) -> Self {
        let index = Index::new(self.store.index_generation(), &*self.rulebook, self.extent());
        Self { index: Arc::new(index), ..self }
    }

    /// What is indexed beside search parameters.
    pub(crate) fn extent(&self) -> Extent {
        Extent { references: self.checks_references(), full_text: self.full_text == FullText::On }
    }

    pub(crate) fn checks_references(&self) -> bool {
        self.integrity == ReferentialIntegrity::Check
    }

    /// The same, as strict about what it stores as said; [`Validation::Structure`] otherwise.
    #[must_use]
    pub fn with_validation(self, validation: Validation) -> Self {
        let own = self.rulebook.validation().map(|settings| settings.level);
        let level = validation.level().max(own).unwrap_or_default();
        let checks = fhir_validate::Settings { level, ..(*self.checks).clone() };
        Self { validation, checks: Arc::new(checks), ..self }
    }

    /// The same, validating with these profiles and severities, beside what the API itself wants; how strictly, its
    /// [`Validation`] says.
    #[must_use]
    pub fn with_checks(self, checks: fhir_validate::Settings) -> Self {
        let level = self.checks.level;
        let checks = match self.rulebook.validation() {
            None => fhir_validate::Settings { level, ..checks },
            Some(own) => {
                let mut both = fhir_validate::Settings { level, ..own.clone() };
                both.severities.extend(checks.severities);
                both.required_profiles.extend(checks.required_profiles);
                // What the API always wants stays as it is.
                both.profiles = own.profiles.and(&checks.profiles);
                both
            }
        };
        Self { checks: Arc::new(checks), ..self }
    }

    /// The same, with what becomes of narratives that a patch outdates; [`Narratives::Keep`] otherwise.
    #[must_use]
    pub fn with_narratives(self, narratives: Narratives) -> Self {
        Self { narratives, ..self }
    }

    /// Takes other limits than those that it was made with.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The rules of this API.
    pub fn rulebook(&self) -> &dyn Rulebook {
        &*self.rulebook
    }

    /// Where its resources are.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where its ids come from.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// What it has done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Carries out a request. Every failure becomes an answer too.
    pub async fn handle(&self, request: Request) -> Answer {
        let trace = Arc::clone(&request.trace);
        let interaction = request.operation.interaction();
        match TRACE.scope(Arc::clone(&trace), self.carry_out(request)).await {
            Ok(answer) => answer,
            Err(failure) => {
                let refusal = self.refuse(&failure, &trace);
                if refusal.status == INTERNAL {
                    tracing::error!(%trace, %interaction, ?failure, "a request failed inside the server");
                }
                refusal
            }
        }
    }

    async fn carry_out(&self, request: Request) -> Result<Answer, Failure> {
        let interaction = request.operation.interaction();
        if !self.rulebook.offers(interaction) {
            return Err(Failure::NotOffered(interaction));
        }
        let claim = self.claim(&request);
        if matches!(request.operation, Operation::Perform { .. }) {
            perform::expect_no_key(&request)?;
        }
        let Request { operation, precondition, preferences, idempotency_key, retries_max, .. } = request;
        let Request { base, trace, caller, .. } = request;
        let planned = Planned::default();
        let context = Context { precondition, preferences, retries_max, base, trace, claim, caller, planned };
        match operation {
            Operation::Bundle(body) => self.bundle(&body, idempotency_key.is_some(), &context).await,
            operation => self.dispatch(operation, &context).await,
        }
    }

    /// Carries out anything but a Bundle.
    pub(crate) async fn dispatch(&self, operation: Operation, context: &Context) -> Result<Answer, Failure> {
        match operation {
            // A Bundle does not hold Bundles of requests.
            Operation::Bundle(_) => Err(Failure::NotOffered(Interaction::Transaction)),
            Operation::Read(key) => self.read(&key, context).await,
            Operation::Vread { key, version_id } => self.vread(&key, &version_id, context).await,
            Operation::Create { resource_type, body } => self.create(&resource_type, &body, context).await,
            Operation::Update { key, body } => self.update(&key, &body, context).await,
            Operation::Patch { key, patch } => self.patch(&key, &patch, context).await,
            Operation::Delete(key) => self.delete(&key, context).await,
            Operation::History { scope, parameters } => self.history(scope, parameters, context).await,
            Operation::ConditionalCreate { resource_type, criteria, body } => {
                self.conditional_create(&resource_type, &criteria, &body, context).await
            }
            Operation::ConditionalUpdate { resource_type, criteria, body } => {
                self.conditional_update(&resource_type, &criteria, &body, context).await
            }
            Operation::ConditionalPatch { resource_type, criteria, patch } => {
                self.conditional_patch(&resource_type, &criteria, &patch, context).await
            }
            Operation::ConditionalDelete { resource_type, criteria } => {
                self.conditional_delete(&resource_type, &criteria, context).await
            }
            Operation::Search { scope, parameters } => self.search(&scope, parameters, context).await,
            Operation::Validate { key, mode, profile, body } => {
                self.validate(&key, (mode.as_deref(), profile), &body, context).await
            }
            Operation::Diff { key, from, to, format } => {
                self.diff(&key, from.as_deref(), to.as_deref(), format).await
            }
            Operation::Reindex { full } => self.reindex(full, context).await,
            Operation::ReindexStatus => self.reindex_status(context).await,
            Operation::Perform { name, body } => self.perform(&name, &body, context).await,
            Operation::Capabilities(mode) => self.capabilities(mode, context),
        }
    }

    /// The answer to a failure.
    pub fn refuse(&self, failure: &Failure, trace: &str) -> Answer {
        self.counters.refused(self.rulebook.rule(failure).coding.code);
        let Verdict { status, outcome } = self.rulebook.refuse(failure, trace);
        Answer {
            status,
            etag: failure.current(),
            payload: Some(json_payload(&outcome)),
            retry_after_s: failure.retry_after_s(),
            allow: match failure {
                Failure::MethodNotAllowed { allow, .. } => Some(allow),
                _ => None,
            },
            ..Answer::default()
        }
    }

    /// The id of a new resource: the one that was planned, or another.
    pub(crate) fn new_id(&self, resource_type: &str, planned: &Planned) -> Result<Id, Failure> {
        if let Some(id) = &planned.id {
            return Ok(id.clone());
        }
        let drawn = self.ids.resource_id().to_string();
        let id = self.rulebook.new_id(resource_type, &drawn, &|| self.ids.version_tag().0);
        Id::parse(&id).map_err(|_| Failure::Internal)
    }

    /// How often a write that lost a race is decided again: as the lock policy has it, or less if the client says so.
    pub(crate) fn retries_max(&self, resource_type: &str, context: &Context) -> u16 {
        let allowed = self.rulebook.lock_policy(resource_type).retries_max;
        context.retries_max.map_or(allowed, |asked| asked.min(allowed))
    }

    /// How this API prints a version.
    pub(crate) fn version_id(&self, resource_type: &str, version: VersionToken) -> VersionId {
        self.rulebook.lock_policy(resource_type).scheme.print(version)
    }

    /// A refusal of the lock core with what is needed to explain it.
    pub(crate) fn refused(
        &self,
        refusal: Refusal,
        key: &Key,
        interaction: rulebook::Interaction,
        precondition: &Precondition,
    ) -> Failure {
        let (current, received) = match refusal {
            Refusal::IfMatchMissing(version) | Refusal::NothingToMatch(version) => {
                (version, precondition.if_match().map(ToString::to_string))
            }
            Refusal::Stale(version) => (Some(version), precondition.if_match().map(ToString::to_string)),
            Refusal::Exists(version) | Refusal::NamedByIfNoneMatch(version) => {
                (Some(version), precondition.if_none_match().map(ToString::to_string))
            }
            Refusal::ModifiedSince(version) => (Some(version), None),
            // Where deleted is not found, a tombstone's tag is of no use to anyone.
            Refusal::Gone(version) => {
                let policy = self.rulebook.lock_policy(&key.kind);
                (Some(version).filter(|_| policy.no_current == NoCurrentVersion::FailsPrecondition), None)
            }
            Refusal::NotFound | Refusal::CreateNotAllowed | Refusal::IdTaken | Refusal::Contended { .. } => {
                (None, None)
            }
        };
        Failure::Refused(Box::new(Refused {
            refusal,
            resource: resource(key),
            interaction,
            current: current.map(|version| self.version_id(&key.kind, version)),
            received: received.map(|received| shortened(&received)),
        }))
    }

    /// A stored body with its version meta put back.
    pub(crate) fn represent(
        &self,
        key: &Key,
        version: VersionToken,
        at: Timestamp,
        body: &Body,
    ) -> Result<Payload, Failure> {
        let version_id = self.version_id(&key.kind, version);
        Splice::from_i64(body.splice)
            .and_then(|place| splice(&body.bytes, place, version_id.as_str(), Instant::from_micros(at.0)))
            .map(|bytes| Payload::Json(Bytes::from(bytes)))
            .map_err(|error| damaged(key, &error))
    }

    /// The answer to a write that went well.
    pub(crate) fn written(&self, write: &Outcome<'_>, context: &Context) -> Result<Answer, Failure> {
        let preferred = context.preferences.returning;
        let returning = self.rulebook.returns(write.success, preferred);
        let payload = match (returning, write.body) {
            (Return::Representation, Some((version, at, body))) => {
                Some(self.represent(write.key, version, at, body)?)
            }
            (Return::OperationOutcome, _) => Some(json_payload(
                &self
                    .rulebook
                    .accept_below(
                        write.success,
                        (&resource(write.key), &context.base),
                        write.warnings,
                        &context.trace,
                    )
                    .outcome,
            )),
            (Return::Minimal | Return::Representation, _) => None,
        };
        // A tombstone has nothing to represent, so that preference cannot be followed.
        let about = write.version.map(|version| About {
            key: write.key.clone(),
            version,
            body: write.body.filter(|_| returning == Return::Representation).map(|(_, _, body)| body.clone()),
        });
        let followed = |returning: &Return| *returning != Return::Representation || payload.is_some();
        let applied = preferred.filter(|preferred| *preferred == returning).filter(followed);
        let version_id = write.version.map(|version| self.version_id(&write.key.kind, version));
        let names_location = match write.success {
            Success::Created | Success::Restored | Success::Matched => true,
            Success::Updated | Success::Unchanged => self.rulebook.location_on_update(),
            _ => false,
        };
        Ok(Answer {
            status: write.success.status(payload.is_some()),
            etag: version_id,
            last_modified: write.at,
            location: version_id
                .filter(|_| names_location)
                .map(|version| self.location(write.key, version, context)),
            payload,
            applied,
            changes: write.changes.to_vec(),
            about,
            ..Answer::default()
        })
    }

    fn location(&self, key: &Key, version: VersionId, context: &Context) -> String {
        let form = if context.planned.in_transaction {
            self.rulebook.entry_location_form()
        } else {
            self.rulebook.location_form()
        };
        match form {
            LocationForm::Versioned => format!("{}/{key}/_history/{version}", context.base),
            LocationForm::Plain => format!("{}/{key}", context.base),
            LocationForm::Relative => key.to_string(),
        }
    }
}

/// What every interaction needs of its request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) precondition: Precondition,
    pub(crate) preferences: crate::Preferences,
    /// See [`Request::retries_max`].
    pub(crate) retries_max: Option<u16>,
    pub(crate) base: String,
    pub(crate) trace: Arc<str>,
    pub(crate) claim: Option<Claim>,
    pub(crate) caller: Caller,
    pub(crate) planned: Planned,
}

/// Names that were drawn before a write is carried out, so that others can refer to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    /// The id of a resource, if it turns out to be a new one.
    pub(crate) id: Option<Id>,
    /// The tag of the version.
    pub(crate) tag: Option<VersionTag>,
    /// Whether the write is part of a transaction.
    pub(crate) in_transaction: bool,
    /// What the rules of the API see of the other writes.
    pub(crate) together: Arc<[Value]>,
}

/// A write that went well.
pub(crate) struct Outcome<'a> {
    pub(crate) key: &'a Key,
    pub(crate) success: Success,
    pub(crate) version: Option<VersionToken>,
    pub(crate) at: Option<Timestamp>,
    /// The content to represent.
    pub(crate) body: Option<(VersionToken, Timestamp, &'a Body)>,
    pub(crate) warnings: &'a [Warning],
    pub(crate) changes: &'a [VersionChange],
}

/// What a client sent, short enough to be quoted.
pub(crate) fn shortened(text: &str) -> String {
    const QUOTED_MAX: usize = 200;
    if text.chars().count() <= QUOTED_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTED_MAX).chain(['…']).collect()
}

pub(crate) fn resource(key: &Key) -> Resource {
    Resource { resource_type: key.kind.to_string(), id: key.id.to_string() }
}

pub(crate) fn json_payload(value: &Value) -> Payload {
    Payload::Json(Bytes::from(value.to_bytes()))
}

/// A stored body whose splice does not fit: the log says which, the client hears of a failure.
pub(crate) fn damaged(key: &Key, error: &fhir_model::SpliceError) -> Failure {
    tracing::error!(trace = trace().as_deref(), %key, %error, "a stored body is damaged");
    Failure::Internal
}

/// A store's failure as a client hears it. What happened goes to the log.
pub(crate) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::Busy => Failure::Busy,
        StoreError::Full => {
            tracing::warn!(trace = trace().as_deref(), "no space is left for a write");
            Failure::StoreFull
        }
        StoreError::TooLarge => Failure::TooLargeToStore,
        StoreError::Unavailable(why) => {
            tracing::warn!(trace = trace().as_deref(), %why, "store not available");
            Failure::Unavailable
        }
        // The disk may be well again the next time.
        error @ StoreError::Io(_) => {
            tracing::error!(trace = trace().as_deref(), %error, "store failed");
            Failure::Unavailable
        }
        StoreError::TooCostly => Failure::CriteriaTooCostly,
        error @ (StoreError::Unguarded | StoreError::Unsorted | StoreError::Corrupt(_)) => {
            tracing::error!(trace = trace().as_deref(), %error, "store failed");
            Failure::Internal
        }
    }
}
