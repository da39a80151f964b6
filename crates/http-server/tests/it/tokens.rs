//! The tokens that clients of Spine APIs make for themselves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The claims of a clinician at a system of an organisation.
pub(crate) fn claims(asid: &str, ods_code: &str, scope: &str) -> String {
    format!(
        r#"{{"iss":"https://client.example","sub":"https://fhir.nhs.uk/Id/sds-role-profile-id|100",
        "aud":"https://server.example","iat":1527264590,"exp":1527264890,
        "reason_for_request":"directcare","scope":"{scope}",
        "requesting_system":"https://fhir.nhs.uk/Id/accredited-system|{asid}",
        "requesting_organization":"https://fhir.nhs.uk/Id/ods-organization-code|{ods_code}",
        "requesting_user":"https://fhir.nhs.uk/Id/sds-role-profile-id|100"}}"#
    )
}

/// The value of `Authorization` for claims: unsigned, with the dot at its end.
pub(crate) fn bearer(claims: &str) -> String {
    let [header, claims] =
        [r#"{"alg":"none","typ":"JWT"}"#, claims].map(|section| URL_SAFE_NO_PAD.encode(section));
    format!("Bearer {header}.{claims}.")
}
