//! What the record locator answers to each question that a rulebook is asked.

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_model::{Instant, IssueType};
use fhir_search::Extractor;
use fhir_validate::{Finding, Settings};
use storage_api::Timestamp;
use versioning_core::{LockPolicy, Refusal};

use super::pointer::{Identifier, Pointer};
use super::search::{self, Named, Search};
use super::status::{Event, next};
use super::terminology::Terminology;
use super::{
    NrlErrors, NrlRulebook, NrlSpec, TYPE, access, check_current, offers, patch, rows, rules, supersede,
    urls, with_status,
};
use crate::spine::catalogue::concept;
use crate::spine::catalogue::rows::NOT_IMPLEMENTED;
use crate::spine::comments;
use crate::spine::headers::{self, HeaderMode};
use crate::spine::jwt;
use crate::{
    Breach, Caller, Change, ClientId, Failure, Format, Found, Interaction, LocationForm, Lookup,
    OutcomeShape, RequestHead, Resource, Return, Rule, RuleCoding, Rulebook, StatementOffer, Success,
    Transition, TypeOffer, Verdict, Warning,
};

impl Rulebook for NrlRulebook {
    fn version(&self) -> FhirVersion {
        FhirVersion::Stu3
    }

    fn offers(&self, interaction: Interaction) -> bool {
        matches!(
            interaction,
            Interaction::Read
                | Interaction::SearchType
                | Interaction::Create
                | Interaction::Patch
                | Interaction::ConditionalPatch
                | Interaction::Delete
                | Interaction::ConditionalDelete
                | Interaction::Capabilities
        )
    }

    fn offers_on(&self, interaction: Interaction, resource_type: &str) -> bool {
        resource_type == TYPE && self.offers(interaction)
    }

    fn types(&self) -> Option<&[TypeOffer]> {
        Some(offers::TYPES)
    }

    fn statement(&self) -> Option<StatementOffer> {
        Some(offers::STATEMENT)
    }

    fn default_format(&self) -> Format {
        Format::Xml
    }

    fn request_fields(&self) -> &'static [&'static str] {
        if self.security.headers == HeaderMode::Off { &[] } else { headers::FIELDS }
    }

    /// Consumers read and search, providers write. Clients send no interaction id: it follows from
    /// the request, and is what a system is accredited for.
    fn admit(&self, head: &RequestHead<'_>) -> Result<Caller, Failure> {
        access::admit(head, &self.security).map_err(|failure| match self.errors {
            NrlErrors::V2_3_0 if failure == jwt::missing() => rows::no_token_2_3_0(),
            _ => failure,
        })
    }

    fn search(
        &self,
        _resource_type: &str,
        parameters: Vec<(String, String)>,
        caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        match search::search(&parameters, self.directory())? {
            // A citizen finds what is the citizen's.
            Search::Id(_) => Ok(parameters.into_iter().chain(access::own(caller)).collect()),
            Search::Patient { criteria, nhs_number } => {
                access::check_patient(caller, &nhs_number)?;
                Ok(criteria)
            }
        }
    }

    fn criteria(
        &self,
        interaction: Interaction,
        _resource_type: &str,
        parameters: Vec<(String, String)>,
        _caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        match search::named(&parameters, interaction == Interaction::ConditionalDelete)? {
            Named::Id(_) => Ok(parameters),
            Named::MasterIdentifier { nhs_number, system, value } => {
                Ok(supersede::criteria(Identifier { system: &system, value: &value }, &nhs_number))
            }
        }
    }

    fn is_audited(&self) -> bool {
        true
    }

    fn subject(&self, texts: &[&[u8]]) -> Option<String> {
        crate::spine::identifiers::subject(texts)
    }

    fn extractor(&self) -> &Extractor {
        Terminology::get().extractor()
    }

    fn check_query(&self, interaction: Interaction, parameters: &[(String, String)]) -> Result<(), Failure> {
        search::check_query(interaction, parameters)
    }

    fn judges_searches(&self) -> bool {
        true
    }

    fn counts_searches(&self) -> bool {
        true
    }

    /// A search by id is a read; one by patient needs a patient whom somebody knows.
    fn searched(&self, parameters: &[(String, String)], found: &[Value]) -> Result<(), Failure> {
        match (search::search(parameters, self.directory())?, found) {
            (Search::Id(id), []) => Err(rows::no_pointer(&id)),
            (Search::Id(_), [pointer, ..]) => check_current(Pointer(pointer)),
            (Search::Patient { nhs_number, .. }, []) if !self.directory().knows_patient(&nhs_number) => {
                Err(rows::no_patient(&nhs_number))
            }
            (Search::Patient { .. }, _) => Ok(()),
        }
    }

    fn receive(&self, _resource_type: &str, resource: &mut Value) -> Vec<Warning> {
        Vec::from_iter(comments::drop_from(resource))
    }

    /// `indexed` is the register's, where the provider does not say.
    fn complete(&self, interaction: Interaction, resource: &mut Value, now: Timestamp) {
        let Some(object) = resource.as_object_mut() else { return };
        if interaction == Interaction::Create && !object.contains("indexed") {
            object.insert("indexed", Value::from(Instant::from_micros(now.0).to_string()));
        }
    }

    fn read_patch(&self, parameters: Value) -> Result<Value, Failure> {
        patch::read(&parameters)
    }

    fn patches_freely(&self) -> bool {
        false
    }

    fn validation(&self) -> Option<&Settings> {
        Some(Terminology::get().settings())
    }

    fn judges(&self, _interaction: Interaction, resource_type: &str) -> bool {
        resource_type == TYPE
    }

    fn lookups(&self, change: &Change<'_>, after: Option<&Value>) -> Result<Vec<Lookup>, Failure> {
        let (Interaction::Create, Some(after)) = (change.interaction, after) else { return Ok(Vec::new()) };
        let pointer = Pointer(after);
        let checked = rules::check(pointer, change.caller, self.directory())?;
        let lookup = supersede::lookup(pointer, checked.nhs_number, change.base)?;
        Ok(lookup.into_iter().collect())
    }

    fn transition(
        &self,
        change: &Change<'_>,
        after: Option<Value>,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        match (change.interaction, after) {
            (Interaction::Create, Some(after)) => self.created(change, after, found),
            (Interaction::Patch | Interaction::ConditionalPatch, Some(_)) => {
                let before = self.owned(change)?;
                let status = next(before.status(), Event::Retracted)?;
                Ok(Transition::to(Some(with_status(before.0.clone(), status))))
            }
            (Interaction::Delete | Interaction::ConditionalDelete, None) => {
                self.owned(change).map(|_| Transition::to(None))
            }
            _ => Err(Failure::NotOffered(change.interaction)),
        }
    }

    fn show(
        &self,
        _resource_type: &str,
        _id: &str,
        resource: &Value,
        caller: &Caller,
    ) -> Result<(), Failure> {
        let pointer = Pointer(resource);
        access::check_patient(caller, urls::patient(pointer.subject().unwrap_or_default())?)?;
        check_current(pointer)
    }

    fn nothing_to_delete(&self, resource: &Resource) -> Option<Failure> {
        Some(rows::no_pointer(&resource.id))
    }

    /// A UUID and twenty digits, as in the published examples.
    fn new_id(&self, _resource_type: &str, uuid: &str, random: &dyn Fn() -> u64) -> String {
        format!("{uuid}-{:020}", random())
    }

    fn returns(&self, _success: Success, _preferred: Option<Return>) -> Return {
        Return::OperationOutcome
    }

    fn lock_policy(&self, resource_type: &str) -> &LockPolicy {
        self.locks.policy(resource_type)
    }

    fn lenient_tags(&self) -> bool {
        self.locks.lenient_tags
    }

    fn client_id(&self) -> ClientId {
        ClientId::Ignored
    }

    fn default_return(&self) -> Return {
        Return::OperationOutcome
    }

    fn location_form(&self) -> LocationForm {
        LocationForm::Plain
    }

    fn location_on_update(&self) -> bool {
        self.spec == NrlSpec::Draft2019
    }

    fn rule(&self, failure: &Failure) -> Rule {
        self.read(self.row(failure))
    }

    /// Also with the words that another version of the error table fixes.
    fn refuse(&self, failure: &Failure, trace: &str) -> Verdict {
        match (self.errors, failure) {
            (NrlErrors::V2_3_0, Failure::Rule(breach)) if breach.rule == rows::INACTIVE => {
                self.refused(&Breach::failure(rows::INACTIVE, rows::INACTIVE_TEXT_2_3_0), trace)
            }
            _ => self.refused(failure, trace),
        }
    }

    fn fixed_words(&self, failure: &Failure) -> Option<String> {
        match (failure, self.row(failure)) {
            (Failure::Rule(_), _) => None,
            (_, rows::MESSAGE) => Some(rows::MESSAGE_TEXT.to_owned()),
            (_, rows::MEDIA_TYPE) => Some(rows::MEDIA_TYPE_TEXT.to_owned()),
            (Failure::Refused(refused), rows::NOT_FOUND) => Some(rows::no_pointer_text(&refused.resource.id)),
            (Failure::IllegalId { id }, rows::NOT_FOUND) => Some(rows::no_pointer_text(id)),
            _ => None,
        }
    }

    fn success(&self, success: Success, _resource: &Resource) -> (RuleCoding, String) {
        let (coding, done) = match success {
            Success::Created | Success::Restored => (concept::RESOURCE_CREATED, "created"),
            Success::Deleted | Success::NothingToDelete => (concept::RESOURCE_DELETED, "removed"),
            _ => (rows::UPDATED, "updated"),
        };
        let coding = self.core.readings().coding(coding);
        (coding, format!("Successfully {done} resource DocumentReference"))
    }

    fn accept_below(
        &self,
        success: Success,
        (resource, base): (&Resource, &str),
        warnings: &[Warning],
        trace: &str,
    ) -> Verdict {
        let (coding, mut sentence) = self.success(success, resource);
        let names_url = match success {
            Success::Created | Success::Restored => false,
            Success::Deleted | Success::NothingToDelete => true,
            _ => self.spec == NrlSpec::V2_8_0,
        };
        if names_url {
            sentence = format!("{sentence}: {base}/{resource}");
        }
        self.worded(success, (coding, sentence), &self.core.warnings(warnings), trace)
    }

    /// The message id, by which the log knows the request.
    fn success_text(&self, trace: &str) -> Option<String> {
        Some(trace.to_owned())
    }

    fn finding(&self, _finding: &Finding) -> (IssueType, RuleCoding) {
        (rows::RESOURCE.issue, self.core.readings().coding(rows::RESOURCE.coding))
    }

    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape {
        let shape = self.core.outcome_shape(rule);
        if rule.coding.code == rows::MEDIA_TYPE.coding.code {
            OutcomeShape { profile: Some(rows::OLD_PROFILE), ..shape }
        } else {
            shape
        }
    }
}

impl NrlRulebook {
    /// The row that a failure falls under in version 2.8.0.
    fn row(&self, failure: &Failure) -> Rule {
        match failure {
            Failure::Rule(breach) => breach.rule,
            Failure::Entry { failure, .. } => self.row(failure),
            Failure::Entries(failures) => self.row(failures.first().unwrap_or(&Failure::Internal)),
            Failure::Refused(refused) if matches!(refused.refusal, Refusal::NotFound | Refusal::Gone(_)) => {
                rows::NOT_FOUND
            }
            Failure::EmptyBody
            | Failure::BodyIncomplete
            | Failure::Json(_)
            | Failure::Xml(_)
            | Failure::NoResource(_)
            | Failure::PatchMalformed { .. } => rows::MESSAGE,
            Failure::Invalid(_)
            | Failure::WrongType { .. }
            | Failure::NotFindable { .. }
            | Failure::PatchNotApplicable { .. }
            | Failure::PatchedIdentity => rows::RESOURCE,
            Failure::Parameter { .. }
            | Failure::Query(_)
            | Failure::CriteriaTooCostly
            | Failure::MultipleMatches { .. } => rows::PARAMETER,
            Failure::UnsupportedMediaType { .. }
            | Failure::NotAcceptable { .. }
            | Failure::NotRepresentable { .. } => rows::MEDIA_TYPE,
            Failure::InvalidHost
            | Failure::MalformedField(_)
            | Failure::MalformedIdempotencyKey
            | Failure::MalformedRetry => rows::HEADER,
            Failure::IllegalId { .. } => rows::NOT_FOUND,
            // As in every API of Spine.
            Failure::NotOffered(_) | Failure::NoRoute { .. } | Failure::UnknownType { .. } => NOT_IMPLEMENTED,
            _ => self.core.rule(failure),
        }
    }
}
