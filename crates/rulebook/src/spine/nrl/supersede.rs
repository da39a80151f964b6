//! A pointer that takes the place of another: which one, and whether it may.

use super::pointer::{Identifier, Pointer, Replaced};
use super::rows;
use super::status::{Event, Status, next};
use super::terminology::MASTER_IDENTIFIER;
use super::urls;
use crate::spine::identifiers::{ORGANIZATION_URL, PATIENT_URL};
use crate::{Failure, Found, Lookup};

/// The only resource type there is.
const TYPE: &str = "DocumentReference";

/// What has to be looked up to find the pointer that `pointer` takes the place of; nothing where
/// it is alone. A reference is looked up by id, an identifier among the patient's pointers.
pub(super) fn lookup(pointer: Pointer<'_>, nhs_number: &str, base: &str) -> Result<Option<Lookup>, Failure> {
    if !pointer.relates() {
        return Ok(None);
    }
    match pointer.replaced() {
        Some(Replaced { reference: Some(reference), .. }) => {
            let id = local_id(reference, base).ok_or_else(does_not_exist)?;
            Ok(Some(Lookup::Key { resource_type: TYPE.to_owned(), id: id.to_owned() }))
        }
        Some(Replaced { reference: None, identifier: Some(identifier) }) => {
            let criteria = criteria(identifier, nhs_number);
            Ok(Some(Lookup::Criteria { resource_type: TYPE.to_owned(), criteria }))
        }
        _ => {
            Err(refused("relatesTo.target has neither a reference nor an identifier with system and value."))
        }
    }
}

/// The criteria of a search that finds the pointer with a master identifier among a patient's.
pub(super) fn criteria(identifier: Identifier<'_>, nhs_number: &str) -> Vec<(String, String)> {
    let Identifier { system, value } = identifier;
    let token = format!("{}|{}", urls::escaped(system), urls::escaped(value));
    vec![("subject".to_owned(), format!("{PATIENT_URL}{nhs_number}")), (MASTER_IDENTIFIER.to_owned(), token)]
}

/// The pointer that is meant, among those found, with what it becomes. `is_own` says whether the
/// sender keeps the pointers of an organisation, given by the URL of that organisation.
pub(super) fn replace<'a>(
    pointer: Pointer<'_>,
    found: &'a [Found],
    is_own: impl Fn(&str) -> bool,
) -> Result<(&'a Found, Status), Failure> {
    let replaced = pointer.replaced().ok_or_else(does_not_exist)?;
    let found = found.first().ok_or_else(does_not_exist)?;
    let old = Pointer(&found.resource);
    if old.subject() != pointer.subject() {
        return Err(refused("Resolved DocumentReference is not associated with the same patient."));
    }
    if let Some(identifier) = replaced.identifier {
        match old.master_identifier() {
            None => return Err(refused("Resolved DocumentReference does not have an MasterIdentifier.")),
            Some(own) if own != identifier => {
                return Err(refused("Resolved DocumentReference does not have a matching MasterIdentifier."));
            }
            Some(_) => {}
        }
    }
    let custodian = old.custodian().unwrap_or_default();
    if !is_own(custodian) {
        let code = custodian.strip_prefix(ORGANIZATION_URL).unwrap_or(custodian);
        let sentence = format!("Resolved DocumentReference is not associated with custodian {code}");
        return Err(refused(&sentence));
    }
    Ok((found, next(old.status(), Event::Replaced)?))
}

/// The id of a pointer of this server, from a reference that is absolute or relative.
fn local_id<'a>(reference: &'a str, base: &str) -> Option<&'a str> {
    let relative = reference.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(reference);
    let id = relative.strip_prefix(TYPE)?.strip_prefix('/')?;
    fhir_model::Id::check(id).is_ok().then_some(id)
}

fn does_not_exist() -> Failure {
    refused("Referenced DocumentReference does not exist.")
}

fn refused(sentence: &str) -> Failure {
    rows::resource("relatesTo.target", sentence)
}

#[cfg(test)]
mod tests {
    use fhir_model::json::Value;
    use versioning_core::{VersionNumber, VersionTag, VersionToken};

    use super::*;
    use crate::spine::nrl::samples::{edit, pointer};

    type Edits<'a> = &'a [(&'a str, &'a str)];

    const BASE: &str = "http://server.example/nrl/STU3";

    fn replacing(target: &str) -> Value {
        let mut resource = pointer();
        let relation = format!(r#"[{{"code":"replaces","target":{target}}}]"#);
        edit(&mut resource, "relatesTo", &relation);
        edit(&mut resource, "masterIdentifier.value", r#""urn:oid:new""#);
        resource
    }

    fn stored(edits: Edits<'_>) -> Found {
        let version = VersionToken { number: VersionNumber::new(1), tag: VersionTag(0) };
        let mut resource = pointer();
        for (place, replacement) in edits {
            edit(&mut resource, place, replacement);
        }
        Found { resource_type: TYPE.to_owned(), id: "old".to_owned(), version, resource }
    }

    fn found(new: &str, old: &[Found]) -> Result<Status, String> {
        let new = replacing(new);
        let is_own = |custodian: &str| custodian.ends_with("/RR8");
        match replace(Pointer(&new), old, is_own) {
            Ok((_, status)) => Ok(status),
            Err(failure) => Err(failure.to_string()),
        }
    }

    const BY_REFERENCE: &str = r#"{"reference":"http://server.example/nrl/STU3/DocumentReference/old"}"#;
    const BY_IDENTIFIER: &str =
        r#"{"identifier":{"system":"urn:ietf:rfc:3986","value":"urn:oid:1.3.6.1.4.1.21367.2005.3.7"}}"#;
    const BY_BOTH: &str = r#"{"reference":"DocumentReference/old","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:oid:1.3.6.1.4.1.21367.2005.3.7"}}"#;

    #[test]
    fn a_reference_is_looked_up_by_id_and_an_identifier_within_the_patient() {
        let by_id = Lookup::Key { resource_type: TYPE.to_owned(), id: "old".to_owned() };
        for target in [BY_REFERENCE, BY_BOTH] {
            let new = replacing(target);
            assert_eq!(lookup(Pointer(&new), "9876543210", BASE), Ok(Some(by_id.clone())));
        }
        let Ok(Some(Lookup::Criteria { criteria, .. })) =
            lookup(Pointer(&replacing(BY_IDENTIFIER)), "9876543210", BASE)
        else {
            panic!("criteria")
        };
        assert_eq!(criteria[0].1, "https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210");
        assert_eq!(criteria[1].1, "urn:ietf:rfc:3986|urn:oid:1.3.6.1.4.1.21367.2005.3.7");
        assert_eq!(lookup(Pointer(&pointer()), "9876543210", BASE), Ok(None));
    }

    #[test]
    fn what_names_no_pointer_of_this_server_is_refused() {
        for target in [
            "{}",
            r#"{"display":"the old one"}"#,
            r#"{"identifier":{"value":"urn:oid:1"}}"#,
            r#"{"reference":"http://elsewhere.example/DocumentReference/old"}"#,
            r#"{"reference":"http://server.example/nrl/STU3/Patient/old"}"#,
            r#"{"reference":"http://server.example/nrl/STU3/DocumentReference/old/_history/1"}"#,
            r#"{"reference":"http://server.example/nrl/STU3/DocumentReference/"}"#,
        ] {
            let failed = lookup(Pointer(&replacing(target)), "9876543210", BASE).expect_err(target);
            assert_eq!(failed.place().as_deref(), Some("DocumentReference.relatesTo.target"));
        }
    }

    /// Every way to name the old pointer against every state that it can be in.
    #[test]
    fn the_old_pointer_is_the_patients_the_senders_and_current() {
        let other_patient = r#""https://demographics.spineservices.nhs.uk/STU3/Patient/5900026175""#;
        let other_owner = r#""https://directory.spineservices.nhs.uk/STU3/Organization/RXA""#;
        let gone = "Referenced DocumentReference does not exist.";
        let not_same_patient = "Resolved DocumentReference is not associated with the same patient.";
        let not_matching = "Resolved DocumentReference does not have a matching MasterIdentifier.";
        let without = "Resolved DocumentReference does not have an MasterIdentifier.";
        let not_own = "Resolved DocumentReference is not associated with custodian RXA";
        let inactive = "DocumentReference status is not 'current'";
        let superseded = Ok(Status::Superseded);
        // Old pointer; what comes of a reference, an identifier, both.
        let rows: [(Edits<'_>, [Result<Status, &str>; 3]); 7] = [
            (&[], [superseded, superseded, superseded]),
            (&[("subject.reference", other_patient)], [Err(not_same_patient); 3]),
            (
                &[("masterIdentifier.value", r#""urn:oid:other""#)],
                [superseded, Err(not_matching), Err(not_matching)],
            ),
            (&[("masterIdentifier", "")], [superseded, Err(without), Err(without)]),
            (&[("custodian.reference", other_owner)], [Err(not_own); 3]),
            (&[("status", r#""superseded""#)], [Err(inactive); 3]),
            (&[("status", r#""entered-in-error""#)], [Err(inactive); 3]),
        ];
        for (edits, expected) in rows {
            for (target, expected) in [BY_REFERENCE, BY_IDENTIFIER, BY_BOTH].into_iter().zip(expected) {
                let came = found(target, &[stored(edits)]);
                assert_eq!(came, expected.map_err(str::to_owned), "{edits:?} {target}");
            }
        }
        for target in [BY_REFERENCE, BY_IDENTIFIER, BY_BOTH] {
            assert_eq!(found(target, &[]), Err(gone.to_owned()));
        }
    }
}
