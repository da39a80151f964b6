//! The Reasonable Adjustment Flag API (STU3): Consent, Flag, List and Condition of one patient's
//! record, each of which can only be ended and made anew.

mod entries;
mod lists;
mod offers;
mod profiles;
mod provenance;
mod record;
mod removal;
mod search;

use fhir_definitions::FhirVersion;
use fhir_model::IssueType;
use fhir_model::json::Value;
use fhir_search::Extractor;
use fhir_validate::{Finding, Settings};
use versioning_core::LockPolicy;

use crate::difference::{StatusChange, StatusRule, differences};
use crate::fhir::LockSettings;
use crate::rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook, Verdict};
use crate::spine::catalogue::{concept, rows};
use crate::spine::core::{ConflictBody, SpineRulebook};
use crate::spine::headers::{self, Security};
use crate::spine::identifiers;
use crate::spine::readings::{EmptySearch, Readings};
use crate::{
    Breach, Caller, Change, EntryHead, Failure, Found, Interaction, Lookup, OperationOffer, RequestHead,
    Resource, StatementOffer, Success, Transition, TypeOffer, Unique, Warning,
};

/// Whether a removal has to say why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemovalReason {
    /// The extension with reason and comment must be there, as the guide says from 0.3.4 on.
    #[default]
    Required,
    /// It may be left out, as in the guide's texts before September 2020.
    Optional,
}

/// The Reasonable Adjustment Flag API.
#[derive(Clone, Debug)]
pub struct FlagsRulebook {
    core: SpineRulebook,
    security: Security,
    removal_reason: RemovalReason,
    extractor: &'static Extractor,
    validation: &'static Settings,
}

/// The status of each type.
const CONSENT: StatusRule = StatusRule { element: "status", first: "active", last: "inactive" };
const FLAG: StatusRule = CONSENT;
const CONDITION: StatusRule = StatusRule { element: "clinicalStatus", ..CONSENT };
const LIST: StatusRule = StatusRule { element: "status", first: "current", last: "retired" };

fn status_rule(resource_type: &str) -> StatusRule {
    match resource_type {
        "List" => LIST,
        "Condition" => CONDITION,
        "Flag" => FLAG,
        _ => CONSENT,
    }
}

/// A change that the record's rules forbid.
fn forbidden(diagnostics: impl Into<String>) -> Failure {
    Breach::failure(rows::FORBIDDEN_TRANSITION, diagnostics)
}

impl FlagsRulebook {
    /// With the settings given; [`SpineRulebook::default_locks`] are the published ones.
    pub fn new(locks: LockSettings, conflict_body: ConflictBody, security: Security) -> Self {
        Self {
            core: SpineRulebook::new(locks, conflict_body),
            security,
            removal_reason: RemovalReason::default(),
            extractor: search::extractor(),
            validation: profiles::settings(),
        }
    }

    /// The same with another reading of whether removals say why.
    #[must_use]
    pub fn with_removal_reason(self, removal_reason: RemovalReason) -> Self {
        Self { removal_reason, ..self }
    }

    /// The same with other readings of what the documents say in two ways.
    #[must_use]
    pub fn with_readings(self, readings: Readings) -> Self {
        Self { core: self.core.with_readings(readings), ..self }
    }

    fn created(&self, change: &Change<'_>, mut after: Value) -> Result<Transition, Failure> {
        let kind = change.resource_type;
        let rule = status_rule(kind);
        let status = rule.status(&after).unwrap_or_default();
        if status != rule.first {
            return Err(forbidden(format!(
                "A new {kind} has the {} {}, not {status}.",
                rule.element, rule.first
            )));
        }
        let patient = record::patient(&after, kind, &self.security.directory, change.caller)?;
        let mut transition = Transition::default();
        match kind {
            "Consent" => transition.unique.push(Unique::Unmatched {
                resource_type: kind.to_owned(),
                criteria: record::criteria(kind, &patient, &[("status", "active")]),
                otherwise: Box::new(Breach::failure(
                    rows::DUPLICATE_REJECTED,
                    "The patient already has an active consent",
                )),
            }),
            "List" => lists::check_new(&after, &patient, self)?,
            "Condition" if !lists::is_listed_together(change) => {
                transition.warnings.push(unlisted(change.id));
            }
            _ => {}
        }
        if matches!(kind, "Consent" | "Flag") {
            provenance::append(&mut after, change, provenance::Activity::Create);
        }
        transition.after = Some(after);
        Ok(transition)
    }

    fn updated(
        &self,
        change: &Change<'_>,
        before: &Value,
        mut after: Value,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        let kind = change.resource_type;
        record::patient(&after, kind, &self.security.directory, change.caller)?;
        if kind == "List" {
            lists::check_update(before, &after, self)?;
            let warnings = lists::warnings(change, &after, found);
            return Ok(Transition { warnings, ..Transition::to(Some(after)) });
        }
        let rule = status_rule(kind);
        provenance::restore(&mut after, before);
        match self.judge_ending(kind, rule, before, &after) {
            StatusChange::None => Ok(Transition::to(Some(before.clone()))),
            StatusChange::Refused(why) => Err(forbidden(why)),
            StatusChange::Ended => {
                let mut transition = Transition::default();
                if matches!(kind, "Consent" | "Flag") {
                    provenance::append(&mut after, change, provenance::Activity::Update);
                }
                if kind == "Consent" {
                    let reason = removal::reason_of(&after);
                    transition.also = removal::of_record(change, found, reason.as_ref(), Some(change.id));
                }
                let listed = found.iter().any(|lists| !lists.is_empty()) || lists::is_listed_together(change);
                if kind == "Condition" && !listed {
                    transition.warnings.push(unlisted(change.id));
                }
                transition.after = Some(after);
                Ok(transition)
            }
        }
    }

    /// Judges the end of a Consent, a Flag or a Condition: its status changes, a removal reason is
    /// added, everything else stays.
    fn judge_ending(&self, root: &str, rule: StatusRule, before: &Value, after: &Value) -> StatusChange {
        let mut bare = after.clone();
        let reason = removal::take_added_reason(&mut bare, before);
        let frozen = differences(root, before, &bare, &[rule.element]);
        let change = rule.judge(root, before, &bare, &frozen);
        match (&change, reason) {
            (StatusChange::Ended, None) if self.removal_reason == RemovalReason::Required => {
                StatusChange::Refused(format!(
                    "A removal says why: add the extension {} with removalReason and supportingComment to {root}.extension.",
                    removal::REASON
                ))
            }
            (StatusChange::None, Some(_)) => StatusChange::Refused(format!(
                "A removal reason belongs to a removal: change {root}.{} from {} to {} with it.",
                rule.element, rule.first, rule.last
            )),
            _ => change,
        }
    }
}

/// A Condition that no List refers to is not shown with the record.
fn unlisted(id: &str) -> Warning {
    Warning {
        issue: IssueType::BusinessRule,
        coding: concept::CONFLICTING_VALUES,
        diagnostics: format!(
            "No List refers to Condition/{id}. A Condition is part of the record when an entry of the patient's List refers to it, and a removal is complete when that entry is deleted."
        ),
    }
}

impl Rulebook for FlagsRulebook {
    fn version(&self) -> FhirVersion {
        FhirVersion::Stu3
    }

    fn offers(&self, interaction: Interaction) -> bool {
        matches!(
            interaction,
            Interaction::Create
                | Interaction::Read
                | Interaction::Update
                | Interaction::SearchType
                | Interaction::Operation
                | Interaction::Transaction
                | Interaction::Capabilities
        )
    }

    fn offers_on(&self, interaction: Interaction, resource_type: &str) -> bool {
        self.offers(interaction) && offers::TYPES.iter().any(|offer| offer.resource_type == resource_type)
    }

    fn types(&self) -> Option<&[TypeOffer]> {
        Some(offers::TYPES)
    }

    fn statement(&self) -> Option<StatementOffer> {
        Some(offers::STATEMENT)
    }

    fn operations(&self) -> &[OperationOffer] {
        offers::OPERATIONS
    }

    fn request_fields(&self) -> &'static [&'static str] {
        headers::FIELDS
    }

    fn admit(&self, head: &RequestHead<'_>) -> Result<Caller, Failure> {
        offers::admit(head, &self.security)
    }

    fn admit_bundle(&self, caller: &Caller, entries: &[EntryHead<'_>]) -> Result<(), Failure> {
        entries::admit_bundle(caller, entries)
    }

    fn admit_entry(&self, caller: &Caller, entry: &EntryHead<'_>) -> Result<(), Failure> {
        entries::admit_entry(caller, entry, &self.security)
    }

    fn entry_rank(&self, interaction: Interaction, resource_type: &str) -> u8 {
        entries::rank(interaction, resource_type)
    }

    fn extractor(&self) -> &Extractor {
        self.extractor
    }

    fn is_audited(&self) -> bool {
        true
    }

    fn subject(&self, texts: &[&[u8]]) -> Option<String> {
        identifiers::subject(texts)
    }

    fn search(
        &self,
        resource_type: &str,
        parameters: Vec<(String, String)>,
        caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        search::rewrite(resource_type, parameters, &self.security.directory, caller)
    }

    fn check_query(&self, interaction: Interaction, parameters: &[(String, String)]) -> Result<(), Failure> {
        search::check_query(interaction, parameters)
    }

    fn judges_searches(&self) -> bool {
        self.core.readings().empty_search == EmptySearch::NoRecordFound
    }

    /// Asked where an empty search is a failure.
    fn searched(&self, _parameters: &[(String, String)], found: &[Value]) -> Result<(), Failure> {
        match found {
            [] => Err(Breach::failure(rows::NO_RECORD_FOUND, "Nothing of this patient meets the criteria.")),
            _ => Ok(()),
        }
    }

    fn receive(&self, resource_type: &str, resource: &mut Value) -> Vec<Warning> {
        record::receive(resource_type, resource)
    }

    fn receive_entry(&self, resource_type: &str, resource: &mut Value) -> Vec<Warning> {
        entries::receive(resource_type, resource)
    }

    fn validation(&self) -> Option<&Settings> {
        Some(self.validation)
    }

    fn judges(&self, interaction: Interaction, _resource_type: &str) -> bool {
        use Interaction::{Create, Operation, Read, Update};
        matches!(interaction, Create | Update | Operation | Read)
    }

    /// A token that names a patient is good for that one.
    fn show(&self, resource_type: &str, _id: &str, resource: &Value, caller: &Caller) -> Result<(), Failure> {
        match record::number(resource, resource_type) {
            Some(number) => record::check_caller(number, caller),
            None => Ok(()),
        }
    }

    fn lookups(&self, change: &Change<'_>, after: Option<&Value>) -> Result<Vec<Lookup>, Failure> {
        let ends = |rule: StatusRule| {
            let status =
                |resource: Option<&Value>| resource.and_then(|found| rule.status(found).map(str::to_owned));
            status(change.before).as_deref() == Some(rule.first)
                && status(after).as_deref() == Some(rule.last)
        };
        match (change.interaction, change.resource_type) {
            (Interaction::Operation, _) => {
                let removal = removal::Removal::parse(after, &self.security.directory, change.caller)?;
                Ok(removal::lookups(&removal.nhs_number))
            }
            (Interaction::Update, "Consent") if ends(CONSENT) => {
                let number = change.before.and_then(|before| record::number(before, "Consent"));
                Ok(number.map(removal::lookups).unwrap_or_default())
            }
            (Interaction::Update, "Condition") if ends(CONDITION) => Ok(vec![Lookup::Criteria {
                resource_type: "List".to_owned(),
                criteria: vec![("item".to_owned(), format!("Condition/{}", change.id))],
            }]),
            (Interaction::Create | Interaction::Update, "List") => Ok(lists::lookups(change, after)),
            _ => Ok(Vec::new()),
        }
    }

    fn transition(
        &self,
        change: &Change<'_>,
        after: Option<Value>,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        if change.interaction == Interaction::Operation {
            let removal = removal::Removal::parse(after.as_ref(), &self.security.directory, change.caller)?;
            return removal::perform(change, &removal, found, self);
        }
        let after = after.ok_or(Failure::Internal)?;
        if change.resource_type == "List" {
            lists::check_references(change, &after, found)?;
        }
        match change.before {
            None => self.created(change, after),
            Some(before) => self.updated(change, before, after, found),
        }
    }

    fn lock_policy(&self, resource_type: &str) -> &LockPolicy {
        self.core.lock_policy(resource_type)
    }

    fn transaction_lock_policy(&self, resource_type: &str) -> LockPolicy {
        self.core.transaction_lock_policy(resource_type)
    }

    fn lenient_tags(&self) -> bool {
        self.core.lenient_tags()
    }

    fn client_id(&self) -> ClientId {
        ClientId::Refused
    }

    fn default_return(&self) -> Return {
        Return::Representation
    }

    fn location_form(&self) -> LocationForm {
        LocationForm::Versioned
    }

    /// As the examples of 2018 print it.
    fn entry_location_form(&self) -> LocationForm {
        LocationForm::Relative
    }

    fn location_on_update(&self) -> bool {
        false
    }

    fn rule(&self, failure: &Failure) -> Rule {
        match failure {
            Failure::NotOffered(_) | Failure::NoRoute { .. } | Failure::UnknownType { .. } => {
                self.core.readings().rule(rows::NOT_IMPLEMENTED)
            }
            Failure::ReferenceMissing { .. } | Failure::UnresolvedReference { .. } => {
                self.core.readings().rule(rows::REFERENCE_NOT_FOUND)
            }
            Failure::Entry { failure, .. } => self.rule(failure),
            Failure::Entries(failures) => self.rule(failures.first().unwrap_or(&Failure::Internal)),
            _ => self.core.rule(failure),
        }
    }

    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String) {
        match success {
            Success::Performed => {
                (self.core.readings().coding(concept::RESOURCE_DELETED), "The record is removed.".to_owned())
            }
            _ => self.core.success(success, resource),
        }
    }

    fn accept(&self, success: Success, resource: &Resource, warnings: &[Warning], trace: &str) -> Verdict {
        let warnings = self.core.warnings(warnings);
        let mut verdict = self.worded(success, self.success(success, resource), &warnings, trace);
        // The published answer of the operation has this text, and lacks the coding.
        if success == Success::Performed
            && let Some(details) = first_details(&mut verdict.outcome)
        {
            details.insert("text", "OK");
        }
        verdict
    }

    fn finding(&self, finding: &Finding) -> (IssueType, RuleCoding) {
        self.core.finding(finding)
    }

    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape {
        self.core.outcome_shape(rule)
    }
}

fn first_details(outcome: &mut Value) -> Option<&mut fhir_model::json::Object> {
    let issues = outcome.as_object_mut()?.get_mut("issue")?.as_array_mut()?;
    issues.first_mut()?.as_object_mut()?.get_mut("details")?.as_object_mut()
}
