//! The update rules that NHS Spine has for every resource (STU3): If-Match compulsory, 409 and
//! 412, opaque version ids, Prefer with default minimal, Spine codes in every outcome.

use fhir_definitions::FhirVersion;
use fhir_model::{IssueSeverity, IssueType};
use fhir_validate::Finding;
use versioning_core::{IfMatchPolicy, LockPolicy, Refusal};

use crate::fhir::LockSettings;
use crate::rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook};
use crate::spine::catalogue::concept::{
    BAD_REQUEST, INTERNAL_SERVER_ERROR, INVALID_ELEMENT, INVALID_PARAMETER, INVALID_REQUEST_MESSAGE,
    INVALID_RESOURCE, MESSAGE_NOT_WELL_FORMED, MISSING_OR_INVALID_HEADER, MSG_RESOURCE_ID_FAIL,
    NO_RECORD_FOUND, NOT_IMPLEMENTED, PRECONDITION_FAILED, RESOURCE_CREATED, RESOURCE_DELETED,
    RESOURCE_UPDATED, UNSUPPORTED_MEDIA_TYPE,
};
use crate::spine::catalogue::{PROFILE, SYSTEM};
use crate::{Failure, Interaction, Resource, Success};

/// Which published body a version conflict has. The code list of Spine has no code for it, and
/// the two documents that show one differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictBody {
    /// `CONFLICT`, as the Reasonable Adjustment guide prints it.
    #[default]
    Conflict,
    /// `RESOURCE_VERSION_MISMATCH`, as the Personal Demographics Service prints it.
    ResourceVersionMismatch,
}

impl ConflictBody {
    const fn coding(self) -> RuleCoding {
        match self {
            Self::Conflict => RuleCoding { system: SYSTEM, code: "CONFLICT", display: Some("Conflict") },
            Self::ResourceVersionMismatch => RuleCoding {
                system: SYSTEM,
                code: "RESOURCE_VERSION_MISMATCH",
                display: Some("Resource version supplied does not match actual version"),
            },
        }
    }
}

/// The Spine core rules, for every resource type of STU3.
#[derive(Clone, Debug)]
pub struct SpineRulebook {
    locks: LockSettings,
    conflict_body: ConflictBody,
}

impl SpineRulebook {
    /// With the settings given; [`Self::default_locks`] are the published ones.
    pub fn new(locks: LockSettings, conflict_body: ConflictBody) -> Self {
        Self { locks, conflict_body }
    }

    /// If-Match compulsory, 409 for a stale version, 412 for a missing one.
    pub fn default_locks() -> LockSettings {
        LockSettings { policy: LockPolicy::spine(), ..LockSettings::of(FhirVersion::Stu3) }
    }

    fn refusal(&self, refusal: &Refusal, interaction: Interaction) -> (u16, IssueType, RuleCoding) {
        match refusal {
            Refusal::IfMatchMissing(_) => (self.locks.missing, IssueType::Structure, PRECONDITION_FAILED),
            Refusal::Stale(_) if interaction.is_safe() => (412, IssueType::Structure, PRECONDITION_FAILED),
            Refusal::Stale(_) => (self.locks.stale, IssueType::Conflict, self.conflict_body.coding()),
            Refusal::NothingToMatch(_)
            | Refusal::Exists(_)
            | Refusal::NamedByIfNoneMatch(_)
            | Refusal::ModifiedSince(_) => (412, IssueType::Structure, PRECONDITION_FAILED),
            // Spine has no notion of "was here once": deleted is not found.
            Refusal::NotFound | Refusal::Gone(_) => (404, IssueType::NotFound, NO_RECORD_FOUND),
            Refusal::CreateNotAllowed => (405, IssueType::Forbidden, MSG_RESOURCE_ID_FAIL),
            Refusal::IdTaken => (503, IssueType::Transient, INTERNAL_SERVER_ERROR),
            Refusal::Contended { .. } => (409, IssueType::Conflict, self.conflict_body.coding()),
        }
    }
}

impl Rulebook for SpineRulebook {
    fn version(&self) -> FhirVersion {
        FhirVersion::Stu3
    }

    fn offers(&self, interaction: Interaction) -> bool {
        match interaction {
            Interaction::Read
            | Interaction::Update
            | Interaction::Delete
            | Interaction::Create
            | Interaction::Transaction
            | Interaction::Batch
            | Interaction::Capabilities => true,
            Interaction::Vread
            | Interaction::Patch
            | Interaction::Validate
            | Interaction::Diff
            | Interaction::HistoryInstance
            | Interaction::HistoryType
            | Interaction::HistorySystem
            | Interaction::ConditionalCreate
            | Interaction::ConditionalUpdate
            | Interaction::ConditionalPatch
            | Interaction::ConditionalDelete
            | Interaction::SearchType
            | Interaction::SearchSystem
            | Interaction::Operation
            | Interaction::Reindex => false,
        }
    }

    fn transaction_lock_policy(&self, resource_type: &str) -> LockPolicy {
        let policy = *self.lock_policy(resource_type);
        if self.locks.bundle_if_match_optional && policy.if_match == IfMatchPolicy::Compulsory {
            return LockPolicy { if_match: IfMatchPolicy::Optional, ..policy };
        }
        policy
    }

    fn lock_policy(&self, resource_type: &str) -> &LockPolicy {
        self.locks.policy(resource_type)
    }

    fn lenient_tags(&self) -> bool {
        self.locks.lenient_tags
    }

    fn client_id(&self) -> ClientId {
        ClientId::Refused
    }

    fn default_return(&self) -> Return {
        Return::Minimal
    }

    fn location_form(&self) -> LocationForm {
        LocationForm::Plain
    }

    fn location_on_update(&self) -> bool {
        true
    }

    fn rule(&self, failure: &Failure) -> Rule {
        if let Failure::Rule(breach) = failure {
            return breach.rule;
        }
        if let Failure::Entry { failure, .. } = failure {
            return self.rule(failure);
        }
        let (status, issue, coding) = match failure {
            Failure::NoBundle { .. } | Failure::BadEntry { .. } | Failure::SameInTransaction { .. } => {
                (400, IssueType::Value, INVALID_REQUEST_MESSAGE)
            }
            Failure::TooManyEntries { .. } => (413, IssueType::TooLong, INVALID_REQUEST_MESSAGE),
            Failure::TransactionTooSlow { .. } | Failure::EntryNotBegun { .. } => {
                (413, IssueType::TooCostly, INVALID_REQUEST_MESSAGE)
            }
            Failure::Refused(refused) => self.refusal(&refused.refusal, refused.interaction),
            Failure::Conflict(conflict) => {
                self.refusal(&conflict.refused.refusal, conflict.refused.interaction)
            }
            Failure::NoRoute { .. }
            | Failure::OutsideEveryApi { .. }
            | Failure::UnknownType { .. }
            | Failure::NotOffered(_) => (404, IssueType::NotSupported, NOT_IMPLEMENTED),
            Failure::MethodNotAllowed { .. } => (405, IssueType::NotSupported, BAD_REQUEST),
            Failure::UriTooLong { .. } => (414, IssueType::TooLong, BAD_REQUEST),
            Failure::HeadersTooLarge { .. } => (431, IssueType::TooLong, BAD_REQUEST),
            Failure::BodyTooLarge { .. } | Failure::TooLargeToStore => {
                (413, IssueType::TooLong, INVALID_REQUEST_MESSAGE)
            }
            Failure::Timeout => (408, IssueType::Timeout, BAD_REQUEST),
            Failure::NotAcceptable { .. } | Failure::NotRepresentable { .. } => {
                (406, IssueType::NotSupported, UNSUPPORTED_MEDIA_TYPE)
            }
            Failure::UnsupportedMediaType { .. } => (415, IssueType::NotSupported, UNSUPPORTED_MEDIA_TYPE),
            Failure::InvalidHost
            | Failure::ConditionalNotOffered { .. }
            | Failure::MalformedField(_)
            | Failure::MalformedIdempotencyKey
            | Failure::MalformedRetry => (400, IssueType::Invalid, MISSING_OR_INVALID_HEADER),
            Failure::IdempotencyKeyReused => (422, IssueType::BusinessRule, BAD_REQUEST),
            Failure::FirstResultGone => (404, IssueType::NotFound, NO_RECORD_FOUND),
            Failure::Parameter { .. }
            | Failure::Query(_)
            | Failure::CriteriaTooCostly
            | Failure::SearchTooCostly => (422, IssueType::Invalid, INVALID_PARAMETER),
            Failure::IndexIncomplete { .. } => (503, IssueType::Transient, INTERNAL_SERVER_ERROR),
            Failure::StillReferred { .. } => (409, IssueType::Conflict, self.conflict_body.coding()),
            Failure::MultipleMatches { .. } | Failure::TooManyMatches { .. } | Failure::IdInUse { .. } => {
                (422, IssueType::Duplicate, BAD_REQUEST)
            }
            Failure::UnknownVersion { .. } | Failure::DeletedVersion { .. } => {
                (404, IssueType::NotFound, NO_RECORD_FOUND)
            }
            Failure::EmptyBody | Failure::NoResource(_) => (400, IssueType::Value, INVALID_REQUEST_MESSAGE),
            Failure::Invalid(_)
            | Failure::NotFindable { .. }
            | Failure::SearchParameter(_)
            | Failure::ReferenceMissing { .. }
            | Failure::UnresolvedReference { .. }
            | Failure::PatchNotApplicable { .. }
            | Failure::PatchedIdentity
            | Failure::NarrativeOutdated => (422, IssueType::Invalid, INVALID_RESOURCE),
            Failure::BodyIncomplete | Failure::Json(_) | Failure::Xml(_) | Failure::PatchMalformed { .. } => {
                (400, IssueType::Structure, MESSAGE_NOT_WELL_FORMED)
            }
            Failure::WrongType { .. }
            | Failure::IllegalId { .. }
            | Failure::IdMissing { .. }
            | Failure::IdDiffers { .. } => (400, IssueType::Value, INVALID_ELEMENT),
            Failure::ClientAssignedId { .. } => (405, IssueType::Forbidden, MSG_RESOURCE_ID_FAIL),
            Failure::Busy => (503, IssueType::Throttled, INTERNAL_SERVER_ERROR),
            Failure::Unavailable | Failure::OutcomeUnknown { .. } => {
                (503, IssueType::Transient, INTERNAL_SERVER_ERROR)
            }
            Failure::StoreFull => (503, IssueType::NoStore, INTERNAL_SERVER_ERROR),
            // The first two are dealt with above.
            Failure::Rule(_) | Failure::Entry { .. } | Failure::Internal => {
                (500, IssueType::Exception, INTERNAL_SERVER_ERROR)
            }
        };
        Rule { status, severity: IssueSeverity::Error, issue, coding }
    }

    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String) {
        let (coding, done) = match success {
            Success::Created | Success::Restored => (RESOURCE_CREATED, "created"),
            Success::Shown
            | Success::Accepted
            | Success::Valid
            | Success::NotModified
            | Success::Updated
            | Success::Unchanged
            | Success::Performed
            | Success::Matched => (RESOURCE_UPDATED, "updated"),
            Success::Deleted | Success::NothingToDelete => (RESOURCE_DELETED, "removed"),
        };
        (coding, format!("Successfully {done} resource with ID: {}", resource.id))
    }

    fn finding(&self, _finding: &Finding) -> (IssueType, RuleCoding) {
        (IssueType::Invalid, INVALID_RESOURCE)
    }

    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape {
        // The conflict codes are outside the value set that the profile binds, so an outcome
        // with one must not claim the profile.
        let outside = rule.coding == self.conflict_body.coding();
        OutcomeShape { profile: (!outside).then_some(PROFILE), has_id: true, has_expression: false }
    }
}
