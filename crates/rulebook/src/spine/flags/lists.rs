//! The List of a record: entries and Conditions are added to it and ended in it.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::Value;
use fhir_validate::{Rule, validate};

use super::{CONDITION, FlagsRulebook, LIST, forbidden, record};
use crate::difference::{StatusChange, differences};
use crate::rule::Rulebook as _;
use crate::spine::catalogue::rows;
use crate::{Breach, Change, Failure, Found, Lookup};

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

/// The Conditions on this server that entries refer to, which must be there. Those that were in the
/// List before are not asked for again.
pub(super) fn references(change: &Change<'_>, after: Option<&Value>) -> Vec<Lookup> {
    let lookup = |(resource_type, id): (String, String)| Lookup::Key { resource_type, id };
    added_references(change, after).into_iter().map(lookup).collect()
}

fn added_references(change: &Change<'_>, after: Option<&Value>) -> Vec<(String, String)> {
    let known: Vec<&str> = change
        .before
        .map(|before| items(before, "entry"))
        .unwrap_or_default()
        .iter()
        .filter_map(item)
        .collect();
    let entries = after.map(|after| items(after, "entry")).unwrap_or_default();
    let mut found: Vec<(String, String)> = entries
        .iter()
        .filter_map(item)
        .filter(|reference| !known.contains(reference))
        .filter_map(|reference| {
            let below = reference.strip_prefix(change.base).and_then(|rest| rest.strip_prefix('/'));
            let local = below.unwrap_or(reference);
            let (kind, id) = local.split_once('/')?;
            let plain = fhir_definitions::is_resource_type(FhirVersion::Stu3, kind)
                && fhir_model::Id::check(id).is_ok();
            plain.then(|| (kind.to_owned(), id.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether every lookup of [`references`] found its resource.
pub(super) fn check_references(
    change: &Change<'_>,
    after: &Value,
    found: &[Vec<Found>],
) -> Result<(), Failure> {
    for ((kind, id), found) in added_references(change, Some(after)).iter().zip(found) {
        if found.is_empty() {
            return Err(Breach::failure_at(
                rows::REFERENCE_NOT_FOUND,
                "List.entry.item.reference",
                format!("{kind}/{id} does not exist."),
            ));
        }
    }
    Ok(())
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
