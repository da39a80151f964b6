//! The published searches: a patient by NHS number, a status, a category or code.

use std::sync::OnceLock;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::{array, object};
use fhir_search::{CustomParameter, Defined, Extractor};

use super::{offers, record};
use crate::spine::catalogue::rows;
use crate::spine::directory::Directory;
use crate::spine::identifiers::{PATIENT_URL, patient_number, systems};
use crate::{Breach, Caller, Failure, Interaction};

/// STU3 finds no Flag by its status or its category; this API does.
pub(super) fn extractor() -> &'static Extractor {
    static EXTRACTOR: OnceLock<Extractor> = OnceLock::new();
    EXTRACTOR.get_or_init(|| {
        let custom = |code: &str| {
            let definition = object! {
                "resourceType": "SearchParameter",
                "url": format!("urn:x-firelock:search-parameter:flags-Flag-{code}"),
                "status": "active",
                "code": code,
                "base": array!["Flag"],
                "type": "token",
                "expression": format!("Flag.{code}"),
            };
            match CustomParameter::read(&definition, Definitions::of(FhirVersion::Stu3)) {
                Ok(Defined::Custom(parameter)) => Some(*parameter),
                _ => None,
            }
        };
        let customs = ["status", "category"].into_iter().filter_map(custom).collect();
        Extractor::with_custom(FhirVersion::Stu3, customs)
    })
}

/// Refuses parameters that bring resources of other types along, or what others contain: for each type a caller needs
/// a scope and an interaction of its own.
pub(super) fn check_query(interaction: Interaction, parameters: &[(String, String)]) -> Result<(), Failure> {
    const BRINGING: [&str; 4] = ["_include", "_revinclude", "_contained", "_containedType"];
    let brings = |name: &str| name.split(':').next().is_some_and(|name| BRINGING.contains(&name));
    match parameters.iter().find(|(name, _)| brings(name)) {
        Some((name, _)) if interaction == Interaction::SearchType => Err(Breach::failure(
            rows::INVALID_PARAMETER,
            format!("{} is not a parameter here: ask for each type by itself.", record::shortened(name)),
        )),
        _ => Ok(()),
    }
}

/// Parameters as they are carried out: an NHS number is the URL of its patient.
pub(super) fn rewrite(
    resource_type: &str,
    parameters: Vec<(String, String)>,
    directory: &Directory,
    caller: &Caller,
) -> Result<Vec<(String, String)>, Failure> {
    let invalid = |why: String| Breach::failure(rows::INVALID_PARAMETER, why);
    let offer = offers::TYPES.iter().find(|offer| offer.resource_type == resource_type);
    let names: Vec<&str> =
        offer.map(|offer| offer.search).unwrap_or_default().iter().map(|search| search.name).collect();
    let narrow = ["patient", "_list", "_id", "subject"];
    let parameter = if resource_type == "Consent" { "patient" } else { "subject" };
    let mut rewritten = Vec::new();
    for (name, value) in parameters {
        if name == "patient" || name == "subject" {
            rewritten.push((parameter.to_owned(), patient(&value, directory, caller)?));
        } else if names.contains(&name.as_str()) || name == "_id" {
            rewritten.push((name, value));
        } else {
            return Err(invalid(format!(
                "{} is not a parameter of {resource_type} here. There are: {}.",
                record::shortened(&name),
                names.join(", ")
            )));
        }
    }
    if rewritten.iter().all(|(name, _)| !narrow.contains(&name.as_str())) {
        let or_list = if names.contains(&"_list") { ", or _list=[id]" } else { "" };
        return Err(invalid(format!(
            "Name whose {resource_type} is asked for: patient=[NHS number]{or_list}."
        )));
    }
    // A token that names a patient finds what is that one's, also by id.
    if let Some(number) = &caller.patient {
        rewritten.push((parameter.to_owned(), format!("{PATIENT_URL}{number}")));
    }
    Ok(rewritten)
}

/// An NHS number, bare, behind one of its systems, or at the end of its URL.
fn patient(value: &str, directory: &Directory, caller: &Caller) -> Result<String, Failure> {
    let number = match value.split_once('|') {
        Some((system, number)) if systems::NHS_NUMBER.contains(&system) => number,
        Some((system, _)) => {
            return Err(Breach::failure(
                rows::INVALID_IDENTIFIER_SYSTEM,
                format!("patient={}: the system is {}.", record::shortened(system), systems::NHS_NUMBER[0]),
            ));
        }
        None => patient_number(value).unwrap_or(value),
    };
    record::check_number(number, directory, caller)?;
    Ok(format!("{PATIENT_URL}{number}"))
}
