//! Ending a whole record: `$removerarecord`, and what an ended Consent brings with it.

use fhir_model::json::Value;
use fhir_model::{array, object};
use versioning_core::Refusal;

use super::{FlagsRulebook, provenance, record, status_rule};
use crate::rule::{Rule, Rulebook as _};
use crate::spine::catalogue::{concept, rows};
use crate::spine::directory::Directory;
use crate::spine::readings::RemovalIfMatch;
use crate::{Breach, Caller, Change, Failure, Found, Lookup, Refused, Resource, SideWrite, Transition};

/// The extension that says why something was removed.
pub(super) const REASON: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-RARecord-RemovalReason-1";

/// The code systems that a removal reason comes from: the retired one of every published example,
/// and the four that took its place.
const REASON_SYSTEMS: [&str; 5] = [
    "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-RemovalReason-1",
    "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-RemovalReasonEntireRecord-1",
    "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-RemovalReasonIndividualAdjustment-1",
    "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-RemovalReasonIndividualImpairment-1",
    "https://fhir.nhs.uk/STU3/CodeSystem/RARecord-RemovalReasonUnderlyingCondition-1",
];

const REASONS: [&str; 5] = ["Error", "PatientDissent", "ProxyDissent", "DoesntApply", "BestInterest"];

/// The types that a record is made of, in the order of [`lookups`].
const TYPES: [&str; 4] = ["Consent", "Flag", "List", "Condition"];

/// The parameters of the operation.
pub(super) struct Removal {
    pub(super) nhs_number: String,
    reason: Value,
}

impl Removal {
    /// Reads the Parameters: one parameter under either of its published names, with three parts.
    pub(super) fn parse(
        parameters: Option<&Value>,
        directory: &Directory,
        caller: &Caller,
    ) -> Result<Self, Failure> {
        let invalid = |why: String| Breach::failure(rows::INVALID_PARAMETER, why);
        let all = parameters.and_then(|found| found.get("parameter")).and_then(Value::as_array);
        let [one] = all.unwrap_or_default() else {
            return Err(invalid("Send exactly one parameter, removeRARecord.".to_owned()));
        };
        let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
        if !matches!(name, "removeRARecord" | "removerarecord") {
            return Err(invalid(format!(
                "The parameter is named removeRARecord, not \"{}\".",
                record::shortened(name)
            )));
        }
        let parts = one.get("part").and_then(Value::as_array).unwrap_or_default();
        let part = |name: &str, member: &str| {
            let mut named =
                parts.iter().filter(|part| part.get("name").and_then(Value::as_str) == Some(name));
            match (named.next().and_then(|part| part.get(member)), named.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(invalid(format!("removeRARecord has one part {name} with {member}."))),
            }
        };
        let text = |name: &str| {
            let value = part(name, "valueString")?;
            let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
            text.ok_or_else(|| invalid(format!("The part {name} is a text, and not empty.")))
        };
        let nhs_number = text("nhsNumber")?;
        record::check_number(nhs_number, directory, caller)?;
        let concept = part("removalReason", "valueCodeableConcept")?;
        if !is_reason(concept) {
            return Err(invalid(format!(
                "removalReason has a coding out of {} or the systems that took its place: {}.",
                REASON_SYSTEMS[0],
                REASONS.join(", ")
            )));
        }
        let comment = text("supportingComment")?;
        let reason = object! {
            "url": REASON,
            "extension": array![
                object! { "url": "removalReason", "valueCodeableConcept": concept.clone() },
                object! { "url": "supportingComment", "valueString": comment },
            ],
        };
        Ok(Self { nhs_number: nhs_number.to_owned(), reason: reason.into() })
    }
}

fn is_reason(concept: &Value) -> bool {
    let codings = concept.get("coding").and_then(Value::as_array).unwrap_or_default();
    codings.iter().any(|coding| {
        let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
        REASON_SYSTEMS.contains(&text("system")) && REASONS.contains(&text("code"))
    })
}

/// Everything that a record consists of.
pub(super) fn lookups(nhs_number: &str) -> Vec<Lookup> {
    let lookup = |kind: &str| Lookup::Criteria {
        resource_type: kind.to_owned(),
        criteria: record::criteria(kind, nhs_number, &[]),
    };
    TYPES.iter().map(|kind| lookup(kind)).collect()
}

/// Carries out the operation: everything of the record that is not ended is, in one commit.
pub(super) fn perform(
    change: &Change<'_>,
    removal: &Removal,
    found: &[Vec<Found>],
    rulebook: &FlagsRulebook,
) -> Result<Transition, Failure> {
    check_precondition(change, found, rulebook)?;
    let also = of_record(change, found, Some(&removal.reason), None);
    if also.is_empty() {
        return Err(Breach::failure(
            rows::NO_RECORD_FOUND,
            format!("There is no record to remove for the NHS number {}", removal.nhs_number),
        ));
    }
    Ok(Transition { also, ..Transition::default() })
}

/// If-Match is not compulsory here unless a mount wants it. Where it is sent it names the Consent, whose existence is
/// the record's: the active one, or one that has ended if there is no other.
fn check_precondition(
    change: &Change<'_>,
    found: &[Vec<Found>],
    rulebook: &FlagsRulebook,
) -> Result<(), Failure> {
    let scheme = rulebook.lock_policy("Consent").scheme;
    let is_named = |consent: &&Found| change.precondition.names(consent.version, scheme);
    let consents = || found.iter().flatten().filter(|found| found.resource_type == "Consent");
    let open = consents().find(|consent| is_open(consent));
    let consent = match open {
        Some(_) => open,
        None => consents().find(is_named).or_else(|| consents().next_back()),
    };
    let sent = change.precondition.names_a_version();
    if !sent && rulebook.core.readings().removal_if_match == RemovalIfMatch::Optional {
        return Ok(());
    }
    let Some(consent) = consent else {
        let is_empty = !found.iter().flatten().any(is_open);
        return if is_empty { Ok(()) } else { Err(unmatched()) };
    };
    let refusal = match (sent, is_named(&consent)) {
        (true, true) => return Ok(()),
        (true, false) => Refusal::Stale(consent.version),
        (false, _) => Refusal::IfMatchMissing(Some(consent.version)),
    };
    Err(Failure::Refused(Box::new(Refused {
        refusal,
        resource: Resource { resource_type: "Consent".to_owned(), id: consent.id.clone() },
        interaction: change.interaction,
        current: Some(scheme.print(consent.version)),
        received: change.precondition.if_match().map(ToString::to_string),
    })))
}

/// A version cannot be that of a Consent where there is none.
fn unmatched() -> Failure {
    let rule = Rule { status: 412, coding: concept::PRECONDITION_FAILED, ..rows::MISSING_OR_INVALID_TOKEN };
    Breach::failure(
        rule,
        "If-Match names the Consent of the record, and there is none. Send the request without it.",
    )
}

fn is_open(found: &Found) -> bool {
    let rule = status_rule(&found.resource_type);
    rule.status(&found.resource) == Some(rule.first)
}

/// Ends all of a record but what is written anyway.
pub(super) fn of_record(
    change: &Change<'_>,
    found: &[Vec<Found>],
    reason: Option<&Value>,
    but: Option<&str>,
) -> Vec<SideWrite> {
    let open = found.iter().flatten().filter(|found| {
        is_open(found) && !(but == Some(found.id.as_str()) && found.resource_type == change.resource_type)
    });
    open.map(|found| {
        let mut after = found.resource.clone();
        end(&mut after, &found.resource_type, reason);
        if matches!(found.resource_type.as_str(), "Consent" | "Flag") {
            provenance::append(&mut after, change, provenance::Activity::Update);
        }
        SideWrite { resource_type: found.resource_type.clone(), id: found.id.clone(), after }
    })
    .collect()
}

/// Gives a resource its last status, and the Conditions in a List with it.
fn end(resource: &mut Value, resource_type: &str, reason: Option<&Value>) {
    let rule = status_rule(resource_type);
    let Some(object) = resource.as_object_mut() else { return };
    object.insert(rule.element, rule.last);
    if resource_type != "List" {
        if let Some(reason) = reason {
            add_reason(resource, reason);
        }
        return;
    }
    for entry in object.get_mut("entry").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("deleted", true);
        }
    }
    for contained in object.get_mut("contained").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_condition = contained.get("resourceType").and_then(Value::as_str) == Some("Condition");
        if is_condition && super::CONDITION.status(contained) == Some(super::CONDITION.first) {
            end(contained, "Condition", reason);
        }
    }
}

fn add_reason(resource: &mut Value, reason: &Value) {
    let Some(object) = resource.as_object_mut() else { return };
    match object.get_mut("extension").and_then(Value::as_array_mut) {
        Some(extensions) => extensions.push(reason.clone()),
        None => {
            object.insert("extension", array![reason.clone()]);
        }
    }
}

fn is_removal_reason(extension: &Value) -> bool {
    extension.get("url").and_then(Value::as_str) == Some(REASON)
}

/// The removal reason of a resource.
pub(super) fn reason_of(resource: &Value) -> Option<Value> {
    let extensions = resource.get("extension").and_then(Value::as_array)?;
    extensions.iter().find(|extension| is_removal_reason(extension)).cloned()
}

/// Takes the removal reason out that `after` has and `before` has not.
pub(super) fn take_added_reason(after: &mut Value, before: &Value) -> Option<Value> {
    if reason_of(before).is_some() {
        return None;
    }
    let reason = reason_of(after)?;
    let object = after.as_object_mut()?;
    let extensions = object.get_mut("extension")?.as_array_mut()?;
    extensions.retain(|extension| !is_removal_reason(extension));
    if extensions.is_empty() {
        object.remove("extension");
    }
    Some(reason)
}
