//! What holds of every OperationOutcome of an API of Spine (profile Spine-OperationOutcome-1).

use fhir_model::json::Value;

use crate::client::{at, text_at};

const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Spine-OperationOutcome-1";

/// The code system, and the names that older texts have for it.
const SYSTEMS: [&str; 4] = [
    "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
    "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1",
    "https://fhir.nhs.uk/ValueSet/spine-response-code-2-0",
    "http://fhir.nhs.net/ValueSet/spine-response-code-1-0",
];

/// The codes that the published value set does not have, so that the profile is not claimed.
const OUTSIDE: [&str; 3] = ["ACCESS_DENIED", "CONFLICT", "RESOURCE_VERSION_MISMATCH"];

/// What is wrong with an answer that is an outcome; nothing if it is none.
pub(crate) fn fault(body: &Value) -> Option<String> {
    if text_at(body, "resourceType").as_deref() != Some("OperationOutcome") {
        return None;
    }
    if text_at(body, "id").is_none() {
        return Some("the outcome has no id".to_owned());
    }
    let issues = at(body, "issue").and_then(Value::as_array).unwrap_or_default();
    let first = text_at(body, "issue.0.details.coding.0.system").unwrap_or_default();
    let code = text_at(body, "issue.0.details.coding.0.code").unwrap_or_default();
    let claims = text_at(body, "meta.profile.0");
    let expected = (first == SYSTEMS[0] && !OUTSIDE.contains(&code.as_str())).then_some(PROFILE);
    if (first == SYSTEMS[0]) && claims.as_deref() != expected {
        return Some(format!("the outcome claims {claims:?}, not {expected:?}"));
    }
    issues.iter().find_map(|issue| {
        let absent = |path: &str| at(issue, path).is_none();
        let text = |path: &str| text_at(issue, path).unwrap_or_default();
        let faults = [
            (text("severity").is_empty() || text("code").is_empty(), "no severity or code"),
            (text("diagnostics").is_empty(), "no diagnostics"),
            (!SYSTEMS.contains(&text("details.coding.0.system").as_str()), "another code system"),
            (text("details.coding.0.code").is_empty(), "no code"),
            (text("details.coding.0.display").is_empty(), "no display"),
            (!absent("details.coding.1"), "two codings"),
            (!absent("details.coding.0.version"), "a version of the code system"),
            (!absent("details.coding.0.userSelected"), "userSelected"),
            (!absent("expression"), "an expression"),
        ];
        faults.iter().find(|(holds, _)| *holds).map(|(_, what)| format!("an issue has {what}"))
    })
}
