//! Transactions: the design of 2018, in which a Condition and the List that refers to it are sent together.

use fhir_model::IssueType;
use fhir_model::json::{Object, Value};

use super::offers::{self, NAMES};
use super::record;
use crate::spine::catalogue::{concept, rows};
use crate::spine::headers::{self, Security};
use crate::spine::identifiers::{PATIENT_URL, systems};
use crate::spine::{jwt, provenance_link};
use crate::{Caller, EntryHead, Failure, Interaction, Warning};

/// What an entry is called in interaction ids and scopes; nothing for what is open to everyone.
fn demanded<'a>(entry: &EntryHead<'a>) -> Option<(&'a str, &'static str)> {
    entry.resource_type.map(|kind| (kind, offers::verb(entry.interaction)))
}

/// Whether the interaction id that was sent is that of an entry, or of Bundles.
pub(super) fn admit_bundle(caller: &Caller, entries: &[EntryHead<'_>]) -> Result<(), Failure> {
    let (Some(sent), false) = (&caller.interaction, entries.is_empty()) else { return Ok(()) };
    let mut ids = Vec::new();
    for id in entries.iter().filter_map(demanded).map(|(kind, verb)| offers::id(kind, verb)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.push(offers::id(offers::BUNDLE, "write"));
    if ids.contains(sent) { Ok(()) } else { Err(headers::mismatch("InteractionID", sent, &ids)) }
}

/// Whether token and system are good for an entry, as they would have to be for the single request.
pub(super) fn admit_entry(
    caller: &Caller,
    entry: &EntryHead<'_>,
    security: &Security,
) -> Result<(), Failure> {
    let Some((kind, verb)) = demanded(entry) else { return Ok(()) };
    if let Some(scopes) = &caller.scopes
        && !offers::scopes(kind, verb).iter().any(|wanted| scopes.contains(wanted))
    {
        return Err(jwt::out_of_scope(&scopes.join(" "), security.jwt_texts));
    }
    match &caller.system {
        Some(asid) if !security.directory.may(asid, &offers::id(kind, verb)) => {
            Err(headers::not_accredited(asid, &NAMES, rows::ASID_CHECK_FAILED))
        }
        _ => Ok(()),
    }
}

/// Lists come behind what they refer to. A Consent that ends takes with it what is not ended then, so it comes last.
pub(super) fn rank(interaction: Interaction, resource_type: &str) -> u8 {
    match (interaction, resource_type) {
        (Interaction::Update, "Consent") => 2,
        (_, "List") => 1,
        _ => 0,
    }
}

/// Takes a resource as the examples of 2018 have it: its patient is named by an identifier, and an extension refers to a
/// Provenance that the server would add.
pub(super) fn receive(resource_type: &str, resource: &mut Value) -> Vec<Warning> {
    let mut warnings = record::receive(resource_type, resource);
    let mut named = refer_to_patient(resource, record::element(resource_type));
    let contained = resource.as_object_mut().and_then(|object| object.get_mut("contained"));
    for contained in contained.and_then(Value::as_array_mut).into_iter().flatten() {
        named |= refer_to_patient(contained, "subject");
    }
    if named {
        warnings.push(Warning {
            issue: IssueType::Informational,
            coding: concept::INVALID_ELEMENT,
            diagnostics: "A patient was named by an identifier, which was replaced by a reference."
                .to_owned(),
        });
    }
    warnings.extend(provenance_link::drop_dangling(resource));
    warnings
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Makes of an NHS number the reference to its patient, where there is none.
fn refer_to_patient(resource: &mut Value, element: &str) -> bool {
    let patient = resource.as_object_mut().and_then(|object| object.get_mut(element));
    let Some(patient) = patient.and_then(Value::as_object_mut) else { return false };
    let identifier = patient.get("identifier").and_then(Value::as_object);
    let number = identifier
        .filter(|identifier| text(identifier, "system").is_some_and(|is| systems::NHS_NUMBER.contains(&is)))
        .and_then(|identifier| text(identifier, "value"));
    let (Some(number), None) = (number, patient.get("reference")) else { return false };
    let url = format!("{PATIENT_URL}{number}");
    patient.remove("identifier");
    patient.insert("reference", url);
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhir_model::object;

    use super::*;
    use crate::spine::directory::Directory;

    const DIRECTORY: &str = r#"
        spine_asid = "999999999999"
        [[organization]]
        code = "RXA"
        [[system]]
        asid = "200000000205"
        organization = "RXA"
        interactions = ["urn:nhs:names:services:raflags:List.write:1"]
    "#;

    fn entry(interaction: Interaction, kind: &'static str) -> EntryHead<'static> {
        EntryHead { interaction, resource_type: Some(kind) }
    }

    /// A system that may write Lists may not write Conditions by sending them along, and a token for one is none for the
    /// other.
    #[test]
    fn each_entry_needs_its_own_scope_and_accreditation() {
        let directory = Arc::new(Directory::from_toml(DIRECTORY).unwrap_or_default());
        let security = Security { directory, ..Security::default() };
        let caller = |scopes: &[&str]| Caller {
            system: Some("200000000205".to_owned()),
            scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
            ..Caller::default()
        };
        let both = caller(&["user/List.write", "user/Condition.write"]);
        let why = |caller: &Caller, entry| match admit_entry(caller, &entry, &security) {
            Ok(()) => "admitted".to_owned(),
            Err(failure) => failure.to_string(),
        };
        let (list, condition) = (entry(Interaction::Update, "List"), entry(Interaction::Create, "Condition"));
        assert_eq!(why(&both, list), "admitted");
        assert_eq!(
            why(&both, condition),
            "The ASID in FromASID (200000000205) is not accredited for this interaction."
        );
        assert_eq!(
            why(&caller(&["user/Condition.write"]), list),
            "Required scopes not found in token (user/Condition.write)"
        );
        assert_eq!(
            why(&both, entry(Interaction::Read, "List")),
            "Required scopes not found in token (user/List.write user/Condition.write)"
        );
        // Where no header fields are read, nobody is known and everybody is admitted.
        assert_eq!(why(&Caller::default(), condition), "admitted");
    }

    /// Only what is the published form is replaced; what cannot be meant so stays, to be refused.
    #[test]
    fn a_patient_is_named_by_a_reference_or_a_number() {
        let number = |system: &str| object! { "system": system, "value": "9876543210" };
        let nhs = "https://fhir.nhs.uk/Id/nhs-number";
        for (subject, replaced) in [
            (object! { "identifier": number(nhs) }, true),
            (object! { "identifier": number("https://example.org/other") }, false),
            (object! { "identifier": number(nhs), "reference": "Patient/1" }, false),
            (object! { "identifier": object! { "value": "9876543210" } }, false),
            (object! { "display": "A. Patient" }, false),
        ] {
            let mut list = Value::from(object! { "resourceType": "List", "subject": subject.clone() });
            assert_eq!(receive("List", &mut list).len(), usize::from(replaced), "{list:?}");
            let reference = format!("{PATIENT_URL}9876543210");
            let expected = if replaced {
                object! { "reference": reference }
            } else {
                subject
            };
            assert_eq!(list.get("subject"), Some(&expected.into()));
        }
    }
}
