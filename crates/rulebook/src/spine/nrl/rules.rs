//! What a new pointer must be, apart from what its profile says: the rules of its population, in
//! the order in which the reference implementation checks them.

use fhir_model::json::Value;

use super::access;
use super::pointer::{Identifier, Pointer};
use super::rows;
use super::status::Status;
use super::terminology::{PROFILE, Terminology};
use super::urls;
use crate::spine::Directory;
use crate::{Breach, Caller, Failure};

/// The longest master identifier, system and value together, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 2048;

/// Where a pointer has codings whose display is that of a value set, to the letter: element, value
/// set.
const CODED: [(&str, &str); 2] = [
    ("type", "https://fhir.nhs.uk/STU3/ValueSet/NRL-RecordType-1"),
    ("class", "https://fhir.nhs.uk/STU3/ValueSet/NRL-RecordClass-1"),
];
const PRACTICE_SETTINGS: &str = "https://fhir.nhs.uk/STU3/ValueSet/NRL-PracticeSetting-1";
const FORMATS: &str = "https://fhir.nhs.uk/STU3/ValueSet/NRL-FormatCode-1";
const STABILITIES: &str = "https://fhir.nhs.uk/STU3/ValueSet/NRL-ContentStability-1";
const STABILITY: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-NRL-ContentStability-1";

/// What the rules read out of a pointer that keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked<'a> {
    pub(super) nhs_number: &'a str,
    pub(super) master_identifier: Option<Identifier<'a>>,
}

/// Checks a new pointer that is valid by its profile.
pub(super) fn check<'a>(
    pointer: Pointer<'a>,
    caller: &Caller,
    directory: &Directory,
) -> Result<Checked<'a>, Failure> {
    if !pointer.profiles().eq([PROFILE]) {
        return Err(rows::resource(
            "meta.profile",
            &format!("There must be a single profile of the value {PROFILE}"),
        ));
    }
    let master_identifier = master_identifier(pointer)?;
    if pointer.status() != Some(Status::Current) {
        return Err(rows::resource(
            "status",
            "The status of a new DocumentReference can only be \"current\"",
        ));
    }
    let nhs_number = urls::patient(pointer.subject().unwrap_or_default())?;
    access::check_patient(caller, nhs_number)?;
    let author = urls::organisation(pointer.author().unwrap_or_default())?;
    let custodian = urls::organisation(pointer.custodian().unwrap_or_default())?;
    check_codings(pointer.0)?;
    check_contents(pointer)?;
    check_sender(custodian, caller, directory)?;
    for code in [custodian, author] {
        if !directory.knows_organization(code) {
            let sentence = "The ODS code in the custodian and/or author element is not resolvable - ";
            return Err(Breach::failure(rows::ORGANISATION, format!("{sentence}{}", urls::shortened(code))));
        }
    }
    Ok(Checked { nhs_number, master_identifier })
}

fn master_identifier(pointer: Pointer<'_>) -> Result<Option<Identifier<'_>>, Failure> {
    let refused = |sentence| Err(rows::resource("masterIdentifier", sentence));
    match pointer.master_identifier() {
        None if pointer.0.get("masterIdentifier").is_some() => {
            refused("If the masterIdentifier is supplied then the value and system properties are mandatory")
        }
        Some(found) if found.system.len() + found.value.len() > IDENTIFIER_BYTES_MAX => {
            refused("The masterIdentifier is longer than 2048 bytes")
        }
        found => Ok(found),
    }
}

/// The organisation that keeps a pointer is the one that the sending system belongs to. Nothing is
/// known of a sender where a mount reads no headers.
pub(super) fn check_sender(custodian: &str, caller: &Caller, directory: &Directory) -> Result<(), Failure> {
    match &caller.system {
        Some(system) if !directory.is_affiliated(system, custodian) => {
            Err(rows::resource("custodian", "The Custodian ODS code is not affiliated with the sender ASID."))
        }
        _ => Ok(()),
    }
}

/// The same for a pointer that is stored, whose custodian was checked when it came.
pub(super) fn check_owner(
    pointer: Pointer<'_>,
    caller: &Caller,
    directory: &Directory,
) -> Result<(), Failure> {
    access::check_patient(caller, urls::patient(pointer.subject().unwrap_or_default())?)?;
    check_sender(urls::organisation(pointer.custodian().unwrap_or_default())?, caller, directory)
}

fn check_codings(pointer: &Value) -> Result<(), Failure> {
    for (element, value_set) in CODED {
        check_concept(pointer.get(element), value_set, element)?;
    }
    let setting = pointer.get("context").and_then(|context| context.get("practiceSetting"));
    check_concept(setting, PRACTICE_SETTINGS, "context.practiceSetting")
}

fn check_contents(pointer: Pointer<'_>) -> Result<(), Failure> {
    for (index, content) in pointer.contents().iter().enumerate() {
        check_coding(content.get("format"), FORMATS, &format!("content[{index}].format"))?;
        let extensions = content.get("extension").and_then(Value::as_array).unwrap_or_default();
        let is_stability =
            |extension: &&Value| extension.get("url").and_then(Value::as_str) == Some(STABILITY);
        for extension in extensions.iter().filter(is_stability) {
            let concept = extension.get("valueCodeableConcept");
            check_concept(concept, STABILITIES, &format!("content[{index}].extension"))?;
        }
        let url = content.get("attachment").and_then(|attachment| attachment.get("url")?.as_str());
        check_url(url.unwrap_or_default(), &format!("content[{index}].attachment.url"))?;
    }
    Ok(())
}

fn check_concept(concept: Option<&Value>, value_set: &str, element: &str) -> Result<(), Failure> {
    let codings = concept.and_then(|concept| concept.get("coding")?.as_array()).unwrap_or_default();
    codings.iter().try_for_each(|coding| check_coding(Some(coding), value_set, element))
}

/// A code that the value set does not have is the profile's matter.
fn check_coding(coding: Option<&Value>, value_set: &str, element: &str) -> Result<(), Failure> {
    let text = |name: &str| coding.and_then(|coding| coding.get(name)?.as_str()).unwrap_or_default();
    match Terminology::get().display(value_set, text("system"), text("code")) {
        Some(display) if display != text("display") => {
            let sentence = format!("The display of {} is \"{display}\", to the letter", text("code"));
            Err(rows::resource(element, &sentence))
        }
        _ => Ok(()),
    }
}

/// The address of a record is absolute and the provider's own: a URL that holds another one leads
/// through a proxy, as those below the base URL of the Spine Security Proxy do.
fn check_url(url: &str, element: &str) -> Result<(), Failure> {
    const SCHEMES: [&str; 2] = ["https://", "http://"];
    let lower = url.to_ascii_lowercase();
    let Some(rest) =
        SCHEMES.iter().find_map(|scheme| lower.strip_prefix(scheme)).filter(|rest| !rest.is_empty())
    else {
        return Err(rows::resource(element, "The URL of the record must be absolute"));
    };
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    if ["/http:", "/https:", "/http%3a", "/https%3a"].iter().any(|inner| path.contains(inner)) {
        return Err(rows::resource(
            element,
            "The URL of the record must not include the base URL of the SSP",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::nrl::samples::{edited, pointer};

    fn sender(asid: &str) -> Caller {
        Caller { system: Some(asid.to_owned()), ..Caller::default() }
    }

    #[track_caller]
    fn refusal(resource: &Value, caller: &Caller) -> (&'static str, String) {
        match check(Pointer(resource), caller, &Directory::demo()) {
            Err(Failure::Rule(breach)) => {
                let place = breach.place.map(|place| format!("{place}: ")).unwrap_or_default();
                (breach.rule.coding.code, place + &breach.diagnostics)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_pointer_of_the_samples_keeps_the_rules() {
        let resource = pointer();
        let found = Identifier { system: "urn:ietf:rfc:3986", value: "urn:oid:1.3.6.1.4.1.21367.2005.3.7" };
        let expected = Checked { nhs_number: "9876543210", master_identifier: Some(found) };
        for caller in [sender("200000000118"), Caller::default()] {
            assert_eq!(check(Pointer(&resource), &caller, &Directory::demo()), Ok(expected));
        }
    }

    /// One edit of a good pointer, the code of the row that it meets, the beginning of its words.
    const BREACHES: &[(&str, &str, &str, &str)] = &[
        (
            "meta.profile.0",
            r#""http://example.org/p""#,
            "INVALID_RESOURCE",
            "DocumentReference.meta.profile: There must be a single",
        ),
        (
            "masterIdentifier",
            r#"{"value":"urn:oid:1"}"#,
            "INVALID_RESOURCE",
            "DocumentReference.masterIdentifier: If the masterIdentifier",
        ),
        (
            "masterIdentifier.system",
            r#""""#,
            "INVALID_RESOURCE",
            "DocumentReference.masterIdentifier: If the masterIdentifier",
        ),
        ("status", r#""superseded""#, "INVALID_RESOURCE", "DocumentReference.status: The status of a new"),
        (
            "status",
            r#""entered-in-error""#,
            "INVALID_RESOURCE",
            "DocumentReference.status: The status of a new",
        ),
        ("subject.reference", r#""Patient/9876543210""#, "INVALID_PARAMETER", "The given resource URL"),
        (
            "subject.reference",
            r#""https://demographics.spineservices.nhs.uk/STU3/Patient/9876543211""#,
            "INVALID_NHS_NUMBER",
            "The NHS number does not conform to the NHS Number format: 9876543211",
        ),
        ("author.0.reference", r#""Organization/RGD""#, "INVALID_PARAMETER", "The given resource URL"),
        (
            "custodian.reference",
            r#""http://directory.spineservices.nhs.uk/STU3/Organization/RR8""#,
            "INVALID_PARAMETER",
            "The given resource URL",
        ),
        (
            "author.0.reference",
            r#""https://directory.spineservices.nhs.uk/STU3/Organization/ZZZ""#,
            "ORGANISATION_NOT_FOUND",
            "The ODS code in the custodian and/or author element is not resolvable - ZZZ",
        ),
        (
            "custodian.reference",
            r#""https://directory.spineservices.nhs.uk/STU3/Organization/RXA""#,
            "INVALID_RESOURCE",
            "DocumentReference.custodian: The Custodian ODS code is not affiliated with the sender ASID.",
        ),
        (
            "type.coding.0.display",
            r#""Mental health crisis plan (record artifact)""#,
            "INVALID_RESOURCE",
            "DocumentReference.type: The display of 736253002",
        ),
        (
            "class.coding.0.display",
            r#""Care Plan""#,
            "INVALID_RESOURCE",
            "DocumentReference.class: The display of 734163000",
        ),
        (
            "context.practiceSetting.coding.0.display",
            r#""mental health service""#,
            "INVALID_RESOURCE",
            "DocumentReference.context.practiceSetting: ",
        ),
        (
            "content.0.format.display",
            r#""unstructured""#,
            "INVALID_RESOURCE",
            "DocumentReference.content[0].format: ",
        ),
        (
            "content.0.extension.0.valueCodeableConcept.coding.0.display",
            r#""STATIC""#,
            "INVALID_RESOURCE",
            "DocumentReference.content[0].extension: ",
        ),
        (
            "content.0.attachment.url",
            r#""/record.pdf""#,
            "INVALID_RESOURCE",
            "DocumentReference.content[0].attachment.url: The URL of the record must be absolute",
        ),
        (
            "content.0.attachment.url",
            r#""https://proxy.example/https%3A%2F%2Fp1.nhs.uk%2Fa.pdf""#,
            "INVALID_RESOURCE",
            "DocumentReference.content[0].attachment.url: The URL of the record must not include",
        ),
    ];

    #[test]
    fn every_rule_refuses_what_breaks_it() {
        for (place, value, code, start) in BREACHES.iter().copied() {
            let (found, diagnostics) = refusal(&edited(place, value), &sender("200000000118"));
            assert_eq!(found, code, "{place}: {diagnostics}");
            assert!(diagnostics.starts_with(start), "{diagnostics}");
        }
        let unknown = edited(
            "custodian.reference",
            r#""https://directory.spineservices.nhs.uk/STU3/Organization/ZZZ""#,
        );
        assert_eq!(refusal(&unknown, &Caller::default()).0, "ORGANISATION_NOT_FOUND");
        let long = edited("masterIdentifier.value", &format!("{:?}", "v".repeat(2048)));
        assert_eq!(refusal(&long, &Caller::default()).0, "INVALID_RESOURCE");
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        let resource = edited("masterIdentifier", "");
        let checked = check(Pointer(&resource), &sender("200000000118"), &Directory::demo()).expect("good");
        assert_eq!(checked.master_identifier, None);
    }
}
