//! The National Record Locator: a register of pointers to records that providers keep.
//!
//! A pointer is a DocumentReference by the profile NRL-DocumentReference-1. Providers register
//! pointers, put a new one in the place of an old one, take one back by PATCH, and delete; consumers
//! see the current ones. Nothing of it uses If-Match: what keeps writers apart is that a status
//! changes once, that a master identifier is used once, and that a replacement is one commit.

mod patch;
mod pointer;
mod rows;
mod rules;
#[cfg(test)]
mod samples;
mod search;
mod status;
mod stub;
mod supersede;
mod terminology;
mod urls;

use fhir_definitions::{FhirVersion, SearchType};
use fhir_model::json::{Object, Value};
use fhir_model::{Instant, IssueType};
use fhir_validate::{Finding, Settings};
use storage_api::Timestamp;
use versioning_core::{IfMatchPolicy, LockPolicy, Refusal, VersionScheme};

use self::pointer::Pointer;
use self::search::{Named, Search};
use self::status::{Event, Status, next};
use self::stub::Directory;
use self::terminology::Terminology;
use super::SpineRulebook;
use crate::fhir::LockSettings;
use crate::{
    Caller, Change, ClientId, Failure, Format, Found, Interaction, LocationForm, Lookup, OutcomeShape,
    Resource, Return, Rule, RuleCoding, Rulebook, SearchOffer, SideWrite, Success, Transition, TypeOffer,
    Unique, scopes,
};

/// The only resource type there is.
const TYPE: &str = "DocumentReference";

/// What the API says of itself.
const OFFERS: [TypeOffer; 1] = [TypeOffer {
    resource_type: TYPE,
    profile: Some(terminology::PROFILE),
    search: &[
        SearchOffer { name: "_id", search_type: SearchType::Token },
        SearchOffer { name: "custodian", search_type: SearchType::Reference },
        SearchOffer { name: "subject", search_type: SearchType::Reference },
        SearchOffer { name: "type", search_type: SearchType::Token },
    ],
}];

/// Which published text the answer to a PATCH follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NrlSpec {
    /// The draft of 2019: `Location`, and diagnostics without the URL.
    #[default]
    Draft2019,
    /// Version 2.8.0: no `Location`, the URL in the diagnostics.
    V2_8_0,
}

/// The rules of the National Record Locator (STU3).
#[derive(Clone, Debug)]
pub struct NrlRulebook {
    core: SpineRulebook,
    locks: LockSettings,
    spec: NrlSpec,
    directory: Directory,
}

impl NrlRulebook {
    /// With the settings given; [`Self::default_locks`] are the published ones.
    pub fn new(core: SpineRulebook, locks: LockSettings, spec: NrlSpec) -> Self {
        Self { core, locks, spec, directory: Directory::demo() }
    }

    /// No If-Match is asked for, one that is sent counts; whole numbers as version ids.
    pub fn default_locks() -> LockSettings {
        let policy = LockPolicy {
            if_match: IfMatchPolicy::Optional,
            scheme: VersionScheme::Sequential,
            ..LockPolicy::spine()
        };
        LockSettings { policy, ..SpineRulebook::default_locks() }
    }

    fn created(
        &self,
        change: &Change<'_>,
        mut after: Value,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        let pointer = Pointer(&after);
        let checked = rules::check(pointer, change.caller, &self.directory)?;
        let unique = checked.master_identifier.map(|identifier| Unique::Claim {
            scope: scopes::MASTER_IDENTIFIER,
            value: identifier.claim(checked.nhs_number),
            otherwise: Box::new(rows::duplicate(identifier.system, identifier.value)),
        });
        let mut also = Vec::new();
        if pointer.relates() {
            let found = found.first().map(Vec::as_slice).unwrap_or_default();
            let is_own = |custodian: &str| {
                let code = custodian.strip_prefix(urls::ORGANISATIONS).unwrap_or_default();
                rules::check_sender(code, change.caller, &self.directory).is_ok()
            };
            let (old, status) = supersede::replace(pointer, found, is_own)?;
            also.push(SideWrite {
                resource_type: TYPE.to_owned(),
                id: old.id.clone(),
                after: with_status(old.resource.clone(), status),
            });
        }
        let status = next(None, Event::Registered)?;
        after = with_status(after, status);
        Ok(Transition {
            after: Some(after),
            also,
            unique: unique.into_iter().collect(),
            warnings: Vec::new(),
        })
    }

    /// The pointer that a change concerns, if the sender may change it.
    fn owned<'a>(&self, change: &Change<'a>) -> Result<Pointer<'a>, Failure> {
        let before = Pointer(change.before.ok_or_else(|| rows::no_pointer(change.id))?);
        rules::check_owner(before, change.caller, &self.directory)?;
        Ok(before)
    }
}

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
        Some(&OFFERS)
    }

    fn default_format(&self) -> Format {
        Format::Xml
    }

    fn search(
        &self,
        _resource_type: &str,
        parameters: Vec<(String, String)>,
        _caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        match search::search(&parameters, &self.directory)? {
            Search::Id(_) => Ok(parameters),
            Search::Patient { criteria, .. } => Ok(criteria),
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
                Ok(supersede::criteria(pointer::Identifier { system: &system, value: &value }, &nhs_number))
            }
        }
    }

    fn means(&self, criteria: &[(String, String)], resource: &Value) -> bool {
        let Ok(Named::MasterIdentifier { system, value, .. }) = search::named(criteria, true) else {
            return true;
        };
        let meant = pointer::Identifier { system: &system, value: &value };
        Pointer(resource).master_identifier() == Some(meant)
    }

    fn narrows_criteria(&self) -> bool {
        true
    }

    fn check_format(&self, format: &str) -> Result<(), Failure> {
        search::check_format(format)
    }

    fn judges_searches(&self) -> bool {
        true
    }

    /// A search by id is a read; one by patient needs a patient whom somebody knows.
    fn searched(&self, parameters: &[(String, String)], found: &[Value]) -> Result<(), Failure> {
        match (search::search(parameters, &self.directory)?, found) {
            (Search::Id(id), []) => Err(rows::no_pointer(&id)),
            (Search::Id(_), [pointer, ..]) => check_current(Pointer(pointer)),
            (Search::Patient { nhs_number, .. }, []) if !self.directory.has_patient(&nhs_number) => {
                Err(rows::no_patient(&nhs_number))
            }
            (Search::Patient { .. }, _) => Ok(()),
        }
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
        let checked = rules::check(pointer, change.caller, &self.directory)?;
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
        _caller: &Caller,
    ) -> Result<(), Failure> {
        check_current(Pointer(resource))
    }

    fn nothing_to_delete(&self, resource: &Resource) -> Option<Failure> {
        Some(rows::no_pointer(&resource.id))
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
        match failure {
            Failure::Rule(breach) => breach.rule,
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
            Failure::InvalidHost | Failure::MalformedField(_) | Failure::MalformedIdempotencyKey => {
                rows::HEADER
            }
            Failure::IllegalId { .. } => rows::NOT_FOUND,
            _ => self.core.rule(failure),
        }
    }

    fn fixed_words(&self, failure: &Failure) -> Option<String> {
        match (failure, self.rule(failure)) {
            (Failure::Rule(_), _) => None,
            (_, rows::MESSAGE) => Some(rows::MESSAGE_TEXT.to_owned()),
            (_, rows::MEDIA_TYPE) => Some(rows::MEDIA_TYPE_TEXT.to_owned()),
            (Failure::Refused(refused), rows::NOT_FOUND) => Some(rows::no_pointer_text(&refused.resource.id)),
            (Failure::IllegalId { id }, rows::NOT_FOUND) => Some(rows::no_pointer_text(id)),
            _ => None,
        }
    }

    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String) {
        self.success_below(success, resource, "")
    }

    fn success_below(&self, success: Success, resource: &Resource, base: &str) -> (RuleCoding, String) {
        let (code, display, done) = match success {
            Success::Created | Success::Restored => ("RESOURCE_CREATED", "New resource created", "created"),
            Success::Deleted | Success::NothingToDelete => {
                ("RESOURCE_DELETED", "Resource removed", "removed")
            }
            _ => ("RESOURCE_UPDATED", "Resource has been updated", "updated"),
        };
        let coding = RuleCoding { system: rows::SYSTEM, code, display: Some(display) };
        let names_url = match success {
            Success::Created | Success::Restored => false,
            Success::Deleted | Success::NothingToDelete => true,
            _ => self.spec == NrlSpec::V2_8_0,
        };
        let sentence = format!("Successfully {done} resource DocumentReference");
        if names_url { (coding, format!("{sentence}: {base}/{resource}")) } else { (coding, sentence) }
    }

    /// The message id, by which the log knows the request.
    fn success_text(&self, trace: &str) -> Option<String> {
        Some(trace.to_owned())
    }

    fn finding(&self, _finding: &Finding) -> (IssueType, RuleCoding) {
        (rows::RESOURCE.issue, rows::RESOURCE.coding)
    }

    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape {
        let shape = self.core.outcome_shape(rule);
        if *rule == rows::MEDIA_TYPE {
            OutcomeShape { profile: Some(rows::OLD_PROFILE), ..shape }
        } else {
            shape
        }
    }
}

/// Only current pointers are shown.
fn check_current(pointer: Pointer<'_>) -> Result<(), Failure> {
    if pointer.status() == Some(Status::Current) { Ok(()) } else { Err(rows::inactive()) }
}

/// The same pointer in another state.
fn with_status(pointer: Value, status: Status) -> Value {
    match pointer {
        Value::Object(mut object) => {
            put(&mut object, "status", status.code());
            Value::Object(object)
        }
        other => other,
    }
}

fn put(object: &mut Object, name: &str, text: &str) {
    match object.get_mut(name) {
        Some(value) => *value = Value::from(text),
        None => drop(object.insert(name, Value::from(text))),
    }
}
