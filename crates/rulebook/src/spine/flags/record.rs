//! Whose record it is, and what is done to a resource before it is looked at.

use fhir_model::IssueType;
use fhir_model::json::Value;

use crate::spine::catalogue::{concept, rows};
use crate::spine::comments;
use crate::spine::directory::Directory;
use crate::spine::identifiers::{PATIENT_URL, is_nhs_number, patient_number};
use crate::{Breach, Caller, Failure, Warning};

/// The element that names the patient.
pub(super) fn element(resource_type: &str) -> &'static str {
    if resource_type == "Consent" { "patient" } else { "subject" }
}

fn reference<'a>(resource: &'a Value, resource_type: &str) -> Option<&'a str> {
    resource.get(element(resource_type))?.get("reference")?.as_str()
}

/// The NHS number in a resource's reference to its patient, whatever it looks like.
pub(super) fn number<'a>(resource: &'a Value, resource_type: &str) -> Option<&'a str> {
    patient_number(reference(resource, resource_type)?)
}

/// The NHS number of a resource's patient, checked.
pub(super) fn patient(
    resource: &Value,
    resource_type: &str,
    directory: &Directory,
    caller: &Caller,
) -> Result<String, Failure> {
    let place = format!("{resource_type}.{}.reference", element(resource_type));
    let reference = reference(resource, resource_type).unwrap_or_default();
    let Some(number) = patient_number(reference) else {
        let why = format!("\"{}\" is not of the form {PATIENT_URL}[nhsNumber].", shortened(reference));
        return Err(Breach::failure_at(rows::INVALID_RESOURCE, place, why));
    };
    check_number(number, directory, caller)?;
    Ok(number.to_owned())
}

/// Whether there is such a patient, and the caller may ask for them.
pub(super) fn check_number(number: &str, directory: &Directory, caller: &Caller) -> Result<(), Failure> {
    if !is_nhs_number(number) {
        return Err(Breach::failure(
            rows::INVALID_NHS_NUMBER,
            format!("The NHS number does not conform to the NHS Number format: {}", shortened(number)),
        ));
    }
    if !directory.knows_patient(number) {
        return Err(Breach::failure(
            rows::PATIENT_NOT_FOUND,
            format!("The given NHS number could not be found {number}"),
        ));
    }
    check_caller(number, caller)
}

/// Whether the caller may ask for a patient.
pub(super) fn check_caller(number: &str, caller: &Caller) -> Result<(), Failure> {
    if caller.patient.as_ref().is_some_and(|patient| patient != number) {
        return Err(Breach::failure(
            rows::REQUEST_UNMATCHED,
            format!("The request is for the patient {number}, the claim requesting_patient for another."),
        ));
    }
    Ok(())
}

/// The criteria that find a patient's resources.
pub(super) fn criteria(resource_type: &str, number: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let parameter = if resource_type == "Consent" { "patient" } else { "subject" };
    let mut criteria = vec![(parameter.to_owned(), format!("{PATIENT_URL}{number}"))];
    criteria.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    criteria
}

/// What a client sent, short enough to be quoted.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Takes away what published payloads have and STU3 has not: comments of the DSTU2 kind, and
/// references to patients without a scheme.
pub(super) fn receive(resource_type: &str, resource: &mut Value) -> Vec<Warning> {
    let mut warnings = Vec::from_iter(comments::drop_from(resource));
    let mut completed = complete_url(resource, element(resource_type));
    let contained = resource.as_object_mut().and_then(|object| object.get_mut("contained"));
    for contained in contained.and_then(Value::as_array_mut).into_iter().flatten() {
        completed |= complete_url(contained, "subject");
    }
    if completed {
        warnings.push(Warning {
            issue: IssueType::Informational,
            coding: concept::INVALID_ELEMENT,
            diagnostics: "A reference to a patient was completed with https://.".to_owned(),
        });
    }
    warnings
}

fn complete_url(resource: &mut Value, element: &str) -> bool {
    let reference = resource.as_object_mut().and_then(|object| object.get_mut(element));
    let Some(object) = reference.and_then(Value::as_object_mut) else { return false };
    let number = object
        .get("reference")
        .and_then(Value::as_str)
        .and_then(|url| if url.starts_with("https://") { None } else { patient_number(url) });
    let Some(url) = number.map(|number| format!("{PATIENT_URL}{number}")) else { return false };
    object.insert("reference", url);
    true
}
