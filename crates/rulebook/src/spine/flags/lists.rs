//! The List of a record: entries and Conditions are added to it and ended in it.

use std::collections::HashSet;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::IssueType;
use fhir_model::json::Value;
use fhir_validate::{Rule, validate};

use super::{CONDITION, FlagsRulebook, LIST, forbidden, record};
use crate::difference::{StatusChange, differences};
use crate::rule::Rulebook as _;
use crate::spine::catalogue::{concept, rows};
use crate::{Breach, Change, Failure, Found, Lookup, Warning};

fn items<'a>(list: &'a Value, name: &str) -> &'a [Value] {
    list.get(name).and_then(Value::as_array).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn is_condition(resource: &Value) -> bool {
    text(resource, "resourceType") == Some("Condition")
}

/// What an entry refers to.
fn item(entry: &Value) -> Option<&str> {
    text(entry.get("item")?, "reference")
}

fn is_deleted(entry: &Value) -> bool {
    entry.get("deleted").and_then(Value::as_bool) == Some(true)
}

/// A resource of this API that a reference names, as type and id.
fn local<'a>(reference: &'a str, base: &str) -> Option<(&'a str, &'a str)> {
    let below = reference.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
    let (kind, id) = below.unwrap_or(reference).split_once('/')?;
    let plain =
        fhir_definitions::is_resource_type(FhirVersion::Stu3, kind) && fhir_model::Id::check(id).is_ok();
    plain.then_some((kind, id))
}

/// What entries newly refer to on this server, which must be there, and then the Conditions whose entries are deleted.
pub(super) fn lookups(change: &Change<'_>, after: Option<&Value>) -> Vec<Lookup> {
    let Some(after) = after else { return Vec::new() };
    let deleted = deleted(change, after).into_iter().map(|(_, id)| ("Condition", id));
    let lookup = |(kind, id): (&str, &str)| Lookup::Key { resource_type: kind.to_owned(), id: id.to_owned() };
    added(change, after).into_iter().chain(deleted).map(lookup).collect()
}

/// References that were not in the List before; those that were are not asked for again.
fn new<'a>(change: &Change<'_>, after: &'a Value) -> Vec<&'a str> {
    let before = change.before.map(|before| items(before, "entry")).unwrap_or_default();
    let known: HashSet<&str> = before.iter().filter_map(item).collect();
    items(after, "entry").iter().filter_map(item).filter(|reference| !known.contains(reference)).collect()
}

/// New references to resources on this server.
fn added<'a>(change: &Change<'_>, after: &'a Value) -> Vec<(&'a str, &'a str)> {
    let new = new(change, after).into_iter();
    let mut found: Vec<(&str, &str)> = new.filter_map(|reference| local(reference, change.base)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The entries that this change deletes and that refer to a Condition of its own, with its id.
fn deleted<'a>(change: &Change<'_>, after: &'a Value) -> Vec<(usize, &'a str)> {
    let before = change.before.map(|before| items(before, "entry")).unwrap_or_default();
    let newly = |(index, entry): &(usize, &Value)| {
        is_deleted(entry) && before.get(*index).is_some_and(|was| !is_deleted(was))
    };
    let condition = |(index, entry): (usize, &'a Value)| match local(item(entry)?, change.base)? {
        ("Condition", id) => Some((index, id)),
        _ => None,
    };
    items(after, "entry").iter().enumerate().filter(newly).filter_map(condition).collect()
}

/// A reference by which a transaction means another entry, and has none. A List that is sent alone may have such
/// references: published ones name the Conditions that they contain so.
fn unnamed<'a>(change: &Change<'_>, after: &'a Value) -> Option<&'a str> {
    if change.together.is_empty() {
        return None;
    }
    let contained: Vec<&str> =
        items(after, "contained").iter().filter_map(|inner| text(inner, "id")).collect();
    let is_contained =
        |urn: &str| contained.iter().any(|id| urn == *id || urn.rsplit(':').next() == Some(*id));
    new(change, after).into_iter().find(|reference| reference.starts_with("urn:") && !is_contained(reference))
}

/// Whether every new reference leads somewhere, and to Conditions of the patient.
pub(super) fn check_references(
    change: &Change<'_>,
    after: &Value,
    found: &[Vec<Found>],
) -> Result<(), Failure> {
    const PLACE: &str = "List.entry.item.reference";
    if let Some(urn) = unnamed(change, after) {
        let why = format!("{} is no entry's fullUrl.", record::shortened(urn));
        return Err(Breach::failure_at(rows::REFERENCE_NOT_FOUND, PLACE, why));
    }
    for ((kind, id), found) in added(change, after).into_iter().zip(found) {
        let Some(found) = found.first() else {
            return Err(Breach::failure_at(
                rows::REFERENCE_NOT_FOUND,
                PLACE,
                format!("{kind}/{id} does not exist."),
            ));
        };
        if kind == "Condition" && record::number(&found.resource, kind) != record::number(after, "List") {
            return Err(Breach::failure_at(
                rows::INVALID_RESOURCE,
                PLACE,
                format!("{kind}/{id} is not of the List's patient."),
            ));
        }
    }
    Ok(())
}

/// What of the Conditions of its own that a List lets go does not fit.
pub(super) fn warnings(change: &Change<'_>, after: &Value, found: &[Vec<Found>]) -> Vec<Warning> {
    let behind = added(change, after).len();
    let deleted = deleted(change, after);
    let looked = deleted.iter().zip(found.iter().skip(behind));
    let active = looked.filter(|(_, found)| {
        found.iter().any(|found| CONDITION.status(&found.resource) == Some(CONDITION.first))
    });
    active
        .map(|((index, id), _)| Warning {
            issue: IssueType::BusinessRule,
            coding: concept::CONFLICTING_VALUES,
            diagnostics: format!(
                "List.entry[{index}] is deleted and Condition/{id} is active. A removal is complete when its clinicalStatus is inactive."
            ),
        })
        .collect()
}

/// Whether a List that is sent in the same transaction refers to the Condition that is written.
pub(super) fn is_listed_together(change: &Change<'_>) -> bool {
    let lists = change.together.iter().filter(|other| text(other, "resourceType") == Some("List"));
    let mut references = lists.flat_map(|list| items(list, "entry")).filter_map(item);
    references.any(|reference| local(reference, change.base) == Some((change.resource_type, change.id)))
}

/// Checks the Conditions that a List contains: each follows its profile and is the patient's.
fn check_conditions<'a>(
    conditions: impl Iterator<Item = (usize, &'a Value)>,
    patient: &str,
    rulebook: &FlagsRulebook,
) -> Result<(), Failure> {
    for (index, condition) in conditions {
        check_profile(index, condition, rulebook)?;
        let place = format!("List.contained[{index}]");
        if record::number(condition, "Condition") != Some(patient) {
            return Err(Breach::failure_at(
                rows::INVALID_RESOURCE,
                format!("{place}.subject.reference"),
                "A Condition in a List is of the List's patient.",
            ));
        }
    }
    Ok(())
}

/// Checks that a contained resource follows the profile of its type, also where it does not claim it.
fn check_profile(index: usize, resource: &Value, rulebook: &FlagsRulebook) -> Result<(), Failure> {
    let settings = rulebook.validation().unwrap_or(rulebook.validation);
    let mut findings = validate(resource, Definitions::of(FhirVersion::Stu3), settings);
    // What refers to the List around was checked with it.
    findings.retain(|finding| finding.rule != Rule::ContainedNotFound);
    if !findings.iter().any(fhir_validate::Finding::is_error) {
        return Ok(());
    }
    let kind = text(resource, "resourceType").unwrap_or_default();
    for finding in &mut findings {
        let below = finding.expression.strip_prefix(kind).unwrap_or(&finding.expression);
        finding.expression = format!("List.contained[{index}]{below}");
    }
    Err(Failure::Invalid(findings))
}

/// A List's Provenance is the client's to make: what is new, from this place on, follows its profile.
fn check_provenances(list: &Value, from: usize, rulebook: &FlagsRulebook) -> Result<(), Failure> {
    let contained = items(list, "contained").iter().enumerate().skip(from);
    contained
        .filter(|(_, found)| text(found, "resourceType") == Some("Provenance"))
        .try_for_each(|(index, found)| check_profile(index, found, rulebook))
}

/// A new List holds active Conditions, and no entry of it is deleted.
pub(super) fn check_new(list: &Value, patient: &str, rulebook: &FlagsRulebook) -> Result<(), Failure> {
    let contained = items(list, "contained").iter().enumerate();
    check_conditions(contained.filter(|(_, found)| is_condition(found)), patient, rulebook)?;
    check_provenances(list, 0, rulebook)?;
    check_open(list, 0, 0)
}

/// What is new in a List, from these places on, is not ended yet.
fn check_open(list: &Value, entries_from: usize, contained_from: usize) -> Result<(), Failure> {
    let entries = items(list, "entry").iter().enumerate().skip(entries_from);
    if let Some((index, _)) = entries.into_iter().find(|(_, entry)| is_deleted(entry)) {
        return Err(forbidden(format!("A new entry is not deleted: List.entry[{index}].deleted.")));
    }
    let mut contained = items(list, "contained").iter().enumerate().skip(contained_from);
    match contained.find(|(_, found)| is_condition(found) && CONDITION.status(found) != Some(CONDITION.first))
    {
        Some((index, _)) => Err(forbidden(format!(
            "A new Condition has the clinicalStatus active: List.contained[{index}].clinicalStatus."
        ))),
        None => Ok(()),
    }
}

/// Judges an update: entries and contained resources may be added, entries deleted, Conditions
/// ended, the List retired. Everything else is frozen.
pub(super) fn check_update(before: &Value, after: &Value, rulebook: &FlagsRulebook) -> Result<(), Failure> {
    let mut frozen = differences("List", before, after, &["status", "date", "entry", "contained"]);
    let mut reasons = Vec::new();
    if LIST.status(before) != Some(LIST.first) {
        frozen.extend(differences("List", before, after, &[]));
        frozen.sort();
        frozen.dedup();
    }
    if let StatusChange::Refused(why) = LIST.judge("List", before, after, &[]) {
        reasons.push(why);
    }
    compare_entries(before, after, &mut frozen);
    compare_contained(before, after, rulebook, &mut frozen, &mut reasons);
    if !frozen.is_empty() {
        reasons.push(format!(
            "In a List entries can be added or deleted, Conditions added or ended, and the status become retired. These are frozen and differ: {}.",
            frozen.join(", ")
        ));
    }
    if !reasons.is_empty() {
        return Err(forbidden(reasons.join(" ")));
    }
    let (entries, contained) = (items(before, "entry").len(), items(before, "contained").len());
    let patient = record::number(after, "List").unwrap_or_default().to_owned();
    let conditions = items(after, "contained").iter().enumerate();
    check_conditions(conditions.filter(|(_, found)| is_condition(found)), &patient, rulebook)?;
    check_provenances(after, contained, rulebook)?;
    check_open(after, entries, contained)?;
    check_pairs(before, after)
}

fn compare_entries(before: &Value, after: &Value, frozen: &mut Vec<String>) {
    let after = items(after, "entry");
    for (index, was) in items(before, "entry").iter().enumerate() {
        let place = format!("List.entry[{index}]");
        let Some(is) = after.get(index) else {
            frozen.push(place);
            continue;
        };
        frozen.extend(differences(&place, was, is, &["deleted"]));
        if is_deleted(was) && !is_deleted(is) {
            frozen.push(format!("{place}.deleted"));
        }
    }
}

/// Contained resources are told apart by their ids, or by their places where they have none.
fn counterpart<'a>(was: &Value, index: usize, after: &'a [Value]) -> Option<&'a Value> {
    match text(was, "id") {
        Some(id) => after.iter().find(|is| text(is, "id") == Some(id)),
        None => after.get(index).filter(|is| text(is, "id").is_none()),
    }
}

fn compare_contained(
    before: &Value,
    after: &Value,
    rulebook: &FlagsRulebook,
    frozen: &mut Vec<String>,
    reasons: &mut Vec<String>,
) {
    let after = items(after, "contained");
    for (index, was) in items(before, "contained").iter().enumerate() {
        let place = format!("List.contained[{index}]");
        match counterpart(was, index, after) {
            None => frozen.push(place),
            Some(is) if is_condition(was) => {
                if let StatusChange::Refused(why) = rulebook.judge_ending(&place, CONDITION, was, is) {
                    reasons.push(why);
                }
            }
            Some(is) => frozen.extend(differences(&place, was, is, &[])),
        }
    }
}

/// A Condition that ends and its entry that is deleted go together.
fn check_pairs(before: &Value, after: &Value) -> Result<(), Failure> {
    let old_entries = items(before, "entry");
    for (index, entry) in items(after, "entry").iter().enumerate() {
        let Some(id) = item(entry).and_then(|reference| reference.strip_prefix('#')) else { continue };
        let condition = items(after, "contained")
            .iter()
            .find(|found| is_condition(found) && text(found, "id") == Some(id));
        let Some(condition) = condition else { continue };
        let ended = CONDITION.status(condition) == Some(CONDITION.last);
        let newly = is_deleted(entry) && !old_entries.get(index).is_some_and(is_deleted);
        if newly && !ended {
            return Err(forbidden(format!(
                "List.entry[{index}] is deleted while the Condition #{id} is active: change its clinicalStatus to inactive as well."
            )));
        }
        if ended && !is_deleted(entry) {
            return Err(forbidden(format!(
                "The Condition #{id} is inactive while List.entry[{index}] is not deleted: set its deleted to true as well."
            )));
        }
    }
    Ok(())
}
