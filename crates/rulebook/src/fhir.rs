//! The plain rules of each FHIR version.

use std::collections::BTreeMap;

use fhir_definitions::FhirVersion;
use fhir_model::{IssueSeverity, IssueType};
use fhir_search::Problem;
use fhir_validate::Finding;
use versioning_core::{LockPolicy, Refusal};

use crate::rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook};
use crate::{ExplanationCode, Failure, Interaction, Resource, Success};

/// The code system of Firelock's own codes.
const SYSTEM: &str = "urn:x-firelock:outcome";

/// How a mount locks, as far as its owner may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSettings {
    /// The policy of every type that `by_type` does not name.
    pub policy: LockPolicy,
    /// Policies of single types.
    pub by_type: BTreeMap<String, LockPolicy>,
    /// Status for an If-Match that names another version than the current one: 409 or 412.
    pub stale: u16,
    /// Status for a missing If-Match where it is compulsory: 400, 412 or 428.
    pub missing: u16,
    /// Whether bare tokens are accepted as entity tags on writes.
    pub lenient_tags: bool,
    /// Whether If-Match is optional for entries of transactions even where it is compulsory otherwise.
    pub bundle_if_match_optional: bool,
    /// Whether entries of Bundles may be PATCH in a version of FHIR that has no such entries.
    pub patch_entries: PatchEntries,
    /// What a conditional delete does where several resources match.
    pub conditional_delete: ConditionalDelete,
    /// Whether a stale update may be merged with what was written meanwhile, if its client asks for that. Not on
    /// Spine, whose clients are always told.
    pub rebase: bool,
}

/// Which APIs take PATCH entries in Bundles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PatchEntries {
    /// Those of R4 and later, as FHIR has it.
    #[default]
    FromR4,
    /// This one, whatever its version.
    Always,
}

/// What a conditional delete does where several resources match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConditionalDelete {
    /// Nothing: it is refused.
    #[default]
    Single,
    /// It deletes all of them, in one commit.
    Multiple,
}

impl ConditionalDelete {
    /// The code of `CapabilityStatement.rest.resource.conditionalDelete`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multiple => "multiple",
        }
    }
}

impl LockSettings {
    /// What each FHIR version says: STU3 answers a stale version with 409 and a missing If-Match
    /// with 412; R4 and later with 412 and 400 (section "Managing Resource Contention").
    pub fn of(version: FhirVersion) -> Self {
        let (stale, missing) = match version {
            FhirVersion::Stu3 => (409, 412),
            FhirVersion::R4 | FhirVersion::R4b | FhirVersion::R5 => (412, 400),
        };
        Self {
            policy: LockPolicy::fhir(),
            by_type: BTreeMap::new(),
            stale,
            missing,
            lenient_tags: false,
            bundle_if_match_optional: false,
            patch_entries: PatchEntries::default(),
            conditional_delete: ConditionalDelete::default(),
            rebase: false,
        }
    }

    pub(crate) fn policy(&self, resource_type: &str) -> &LockPolicy {
        self.by_type.get(resource_type).unwrap_or(&self.policy)
    }
}

/// A plain FHIR API.
#[derive(Clone, Debug)]
pub struct FhirRulebook {
    version: FhirVersion,
    locks: LockSettings,
}

impl FhirRulebook {
    /// With the settings given.
    pub fn new(version: FhirVersion, locks: LockSettings) -> Self {
        Self { version, locks }
    }
}

impl Rulebook for FhirRulebook {
    fn version(&self) -> FhirVersion {
        self.version
    }

    fn offers(&self, _interaction: Interaction) -> bool {
        true
    }

    fn lock_policy(&self, resource_type: &str) -> &LockPolicy {
        self.locks.policy(resource_type)
    }

    fn lenient_tags(&self) -> bool {
        self.locks.lenient_tags
    }

    fn takes_patch_entries(&self) -> bool {
        self.version != FhirVersion::Stu3 || self.locks.patch_entries == PatchEntries::Always
    }

    fn conditional_delete(&self) -> ConditionalDelete {
        self.locks.conditional_delete
    }

    fn rebases(&self) -> bool {
        self.locks.rebase
    }

    fn client_id(&self) -> ClientId {
        ClientId::Ignored
    }

    fn default_return(&self) -> Return {
        Return::Representation
    }

    fn location_form(&self) -> LocationForm {
        LocationForm::Versioned
    }

    fn location_on_update(&self) -> bool {
        false
    }

    fn rule(&self, failure: &Failure) -> Rule {
        if let Failure::Rule(breach) = failure {
            return breach.rule;
        }
        if let Failure::Entry { failure, .. } = failure {
            return self.rule(failure);
        }
        if let Failure::Entries(failures) = failure {
            return self.rule(failures.first().unwrap_or(&Failure::Internal));
        }
        let (status, issue, code) = match failure {
            Failure::NoBundle { .. } => (400, IssueType::Structure, "no-bundle"),
            Failure::TooManyEntries { .. } => (413, IssueType::TooCostly, "too-many-entries"),
            Failure::TransactionTooSlow { .. } => (413, IssueType::TooCostly, "transaction-too-slow"),
            Failure::EntryNotBegun { .. } => (413, IssueType::TooCostly, "entry-not-begun"),
            Failure::BadEntry { .. } => (400, IssueType::Value, "bad-entry"),
            Failure::SameInTransaction { .. } => (400, IssueType::Invalid, "same-resource-twice"),
            Failure::UnresolvedReference { .. } => (400, IssueType::Value, "unresolved-reference"),
            Failure::Refused(refused) => self.refusal(&refused.refusal, refused.interaction),
            Failure::Conflict(conflict) => {
                self.refusal(&conflict.refused.refusal, conflict.refused.interaction)
            }
            Failure::InvalidHost => (400, IssueType::Value, "invalid-host"),
            Failure::OutsideEveryApi { .. } => (404, IssueType::NotFound, "outside-every-api"),
            Failure::NoRoute { .. } => (404, IssueType::NotFound, "no-route"),
            Failure::UnknownType { .. } => (404, IssueType::NotSupported, "unknown-type"),
            Failure::MethodNotAllowed { .. } => (405, IssueType::NotSupported, "method-not-allowed"),
            Failure::NotOffered(_) => (404, IssueType::NotSupported, "interaction-not-offered"),
            Failure::ConditionalNotOffered { .. } => {
                (400, IssueType::NotSupported, "conditional-not-offered")
            }
            Failure::UriTooLong { .. } => (414, IssueType::TooLong, "uri-too-long"),
            Failure::HeadersTooLarge { .. } => (431, IssueType::TooLong, "headers-too-large"),
            Failure::BodyTooLarge { .. } => (413, IssueType::TooLong, "body-too-large"),
            Failure::BodyIncomplete => (400, IssueType::Structure, "body-incomplete"),
            Failure::Timeout => (408, IssueType::Timeout, "timeout"),
            Failure::NotAcceptable { .. } => (406, IssueType::NotSupported, "not-acceptable"),
            Failure::UnsupportedMediaType { .. } => (415, IssueType::NotSupported, "unsupported-media-type"),
            Failure::MalformedField(_) => (400, IssueType::Invalid, "malformed-header"),
            Failure::MalformedRetry => (400, IssueType::Invalid, "malformed-retry"),
            Failure::MalformedIdempotencyKey => (400, IssueType::Invalid, "malformed-idempotency-key"),
            Failure::IdempotencyKeyReused => (422, IssueType::BusinessRule, "idempotency-key-reused"),
            Failure::FirstResultGone => (410, IssueType::Deleted, "first-result-gone"),
            Failure::Parameter { .. } => (400, IssueType::Value, "bad-parameter"),
            Failure::Query(error) => match error.problem {
                Problem::Unknown
                | Problem::Unsupported
                | Problem::WithoutFullText
                | Problem::NotInCriteria
                | Problem::OfOthers
                | Problem::Modifier
                | Problem::Codes(_) => (400, IssueType::NotSupported, "unsupported-parameter"),
                Problem::NoCriterion | Problem::NotSelective => {
                    (400, IssueType::Invalid, "criteria-too-wide")
                }
                Problem::TooBroad { .. } => (400, IssueType::TooCostly, "search-too-costly"),
                _ => (400, IssueType::Value, "bad-search-value"),
            },
            Failure::MultipleMatches { .. } => (412, IssueType::MultipleMatches, "multiple-matches"),
            Failure::TooManyMatches { .. } => (412, IssueType::MultipleMatches, "too-many-matches"),
            Failure::IdInUse { .. } => (409, IssueType::Conflict, "id-in-use"),
            Failure::CriteriaTooCostly => (400, IssueType::TooCostly, "criteria-too-costly"),
            Failure::SearchTooCostly => (400, IssueType::TooCostly, "search-too-costly"),
            Failure::NotFindable { .. } => (422, IssueType::Processing, "not-findable"),
            Failure::IndexIncomplete { .. } => (503, IssueType::Transient, "index-incomplete"),
            Failure::SearchParameter(_) => (422, IssueType::Invalid, "bad-search-parameter"),
            Failure::ReferenceMissing { .. } => (422, IssueType::NotFound, "reference-missing"),
            Failure::StillReferred { .. } => (409, IssueType::Conflict, "still-referred"),
            Failure::UnknownVersion { .. } => (404, IssueType::NotFound, "unknown-version"),
            Failure::DeletedVersion { .. } => (410, IssueType::Deleted, "deleted"),
            Failure::EmptyBody => (400, IssueType::Required, "empty-body"),
            Failure::Xml(_) => (400, IssueType::Structure, "malformed-xml"),
            Failure::PatchMalformed { .. } => (400, IssueType::Structure, "malformed-patch"),
            Failure::PatchNotApplicable { .. } => (422, IssueType::Processing, "patch-not-applicable"),
            Failure::PatchedIdentity => (422, IssueType::BusinessRule, "patched-identity"),
            Failure::NarrativeOutdated => (422, IssueType::BusinessRule, "narrative-outdated"),
            Failure::Invalid(_) => (422, IssueType::Invalid, "invalid-resource"),
            Failure::NotRepresentable { .. } => (406, IssueType::NotSupported, "not-representable"),
            Failure::Json(_) => (400, IssueType::Structure, "malformed-json"),
            Failure::NoResource(_) => (400, IssueType::Structure, "not-a-resource"),
            Failure::WrongType { .. } => (400, IssueType::Value, "wrong-type"),
            Failure::IllegalId { .. } => (400, IssueType::Value, "illegal-id"),
            Failure::IdMissing { .. } => (400, IssueType::Required, "id-missing"),
            Failure::IdDiffers { .. } => (400, IssueType::Value, "id-differs"),
            Failure::ClientAssignedId { .. } => (405, IssueType::Forbidden, "client-assigned-id"),
            Failure::Busy => (503, IssueType::Throttled, "busy"),
            Failure::Unavailable => (503, IssueType::Transient, "unavailable"),
            Failure::StoreFull => (503, IssueType::NoStore, "store-full"),
            Failure::TooLargeToStore => (413, IssueType::TooLong, "too-large-to-store"),
            Failure::OutcomeUnknown { .. } => (503, IssueType::Transient, "outcome-unknown"),
            // The first two are dealt with above.
            Failure::Rule(_) | Failure::Entry { .. } | Failure::Entries(_) | Failure::Internal => {
                (500, IssueType::Exception, "internal")
            }
        };
        Rule { status, severity: IssueSeverity::Error, issue, coding: coding(code) }
    }

    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String) {
        let (code, text) = match success {
            Success::Shown | Success::Accepted => ("shown", format!("{resource}.")),
            Success::Valid => ("valid", format!("{resource} is valid.")),
            Success::NotModified => ("not-modified", format!("{resource} is as it was.")),
            Success::Created => ("created", format!("Created {resource}.")),
            Success::Updated => ("updated", format!("Updated {resource}.")),
            Success::Restored => ("restored", format!("Restored {resource}, which was deleted.")),
            Success::Unchanged => {
                ("unchanged", format!("{resource} already has this content: its version stays."))
            }
            Success::Matched => ("matched", format!("{resource} matches: nothing was created.")),
            Success::Deleted => ("deleted", format!("Deleted {resource}.")),
            Success::Performed => ("performed", "The operation was carried out.".to_owned()),
            Success::NothingToDelete => ("nothing-to-delete", format!("{resource} does not exist.")),
        };
        (coding(code), text)
    }

    fn finding(&self, finding: &Finding) -> (IssueType, RuleCoding) {
        let rule = finding.rule;
        (rule.issue_type(), RuleCoding { system: SYSTEM, code: rule.code(), display: Some(rule.title()) })
    }

    fn explanation(&self, code: ExplanationCode) -> Option<RuleCoding> {
        Some(coding(code.code()))
    }

    fn outcome_shape(&self, _rule: &Rule) -> OutcomeShape {
        OutcomeShape { profile: None, has_id: false, has_expression: true }
    }
}

impl FhirRulebook {
    fn refusal(&self, refusal: &Refusal, interaction: Interaction) -> (u16, IssueType, &'static str) {
        match refusal {
            Refusal::IfMatchMissing(_) => (self.locks.missing, IssueType::Required, "if-match-missing"),
            // RFC 9110 13.1.1: a read whose If-Match fails changes nothing, so there is no conflict.
            Refusal::Stale(_) if interaction.is_safe() => (412, IssueType::Conflict, "stale-version"),
            Refusal::Stale(_) => (self.locks.stale, IssueType::Conflict, "stale-version"),
            Refusal::NothingToMatch(_) => (412, IssueType::Conflict, "nothing-to-match"),
            Refusal::Exists(_) => (412, IssueType::Conflict, "exists"),
            Refusal::NamedByIfNoneMatch(_) => (412, IssueType::Conflict, "named-by-if-none-match"),
            Refusal::ModifiedSince(_) => (412, IssueType::Conflict, "modified-since"),
            Refusal::NotFound => (404, IssueType::NotFound, "not-found"),
            Refusal::Gone(_) => (410, IssueType::Deleted, "deleted"),
            Refusal::CreateNotAllowed => (405, IssueType::NotSupported, "update-create-not-allowed"),
            Refusal::IdTaken => (503, IssueType::Transient, "id-taken"),
            Refusal::Contended { .. } => (409, IssueType::Conflict, "contended"),
        }
    }
}

fn coding(code: &'static str) -> RuleCoding {
    RuleCoding { system: SYSTEM, code, display: None }
}
