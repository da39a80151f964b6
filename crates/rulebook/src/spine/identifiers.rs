//! NHS numbers, organisation codes, accredited systems, and the URLs that stand for them
//! (Spine Core "Identifier prefixes"; NHS data dictionary "NHS NUMBER", "ORGANISATION CODE").

/// What stands before the bar in the claims of a token.
pub mod systems {
    /// Accredited systems, by ASID.
    pub const ASID: &str = "https://fhir.nhs.uk/Id/accredited-system";
    /// Organisations, by ODS code.
    pub const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
    /// People in a role, by role profile id.
    pub const ROLE_PROFILE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
    /// Patients, by NHS number: the current system and the two that older texts have.
    pub const NHS_NUMBER: [&str; 3] = [
        "https://fhir.nhs.uk/Id/nhs-number",
        "http://fhir.nhs.net/Id/nhs-number",
        "https://fhir.nhs.net/Id/nhs-number",
    ];
}

/// What stands before the NHS number in a reference to a patient.
pub const PATIENT_URL: &str = "https://demographics.spineservices.nhs.uk/STU3/Patient/";
/// What stands before the ODS code in a reference to an organisation.
pub const ORGANIZATION_URL: &str = "https://directory.spineservices.nhs.uk/STU3/Organization/";
/// What stands before the id in a reference to a practitioner.
pub const PRACTITIONER_URL: &str = "https://sds.spineservices.nhs.uk/STU3/Practitioner/";

/// Whether this is an NHS number: ten digits, the last of which checks the others (weights 10 down
/// to 2, modulo 11). Blanks and dashes are not taken away.
///
/// ```
/// use rulebook::spine::identifiers::is_nhs_number;
///
/// assert!(is_nhs_number("9876543210"));
/// assert!(!is_nhs_number("9876543211"), "the check digit");
/// assert!(!is_nhs_number("999999998"), "nine digits");
/// ```
pub fn is_nhs_number(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|char| char.to_digit(10)).collect();
    let Some([rest @ .., check]) = digits.as_deref() else { return false };
    if rest.len() != 9 {
        return false;
    }
    let sum: u32 = rest.iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
    match 11 - sum % 11 {
        11 => *check == 0,
        10 => false,
        expected => *check == expected,
    }
}

/// Whether this has the form of an ODS code: 3 to 12 letters and digits. Whether there is such an
/// organisation is the directory's to say.
pub fn is_ods_code(text: &str) -> bool {
    (3..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether this has the form of an ASID: 12 digits.
pub fn is_asid(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value of a claim `[system]|[value]` of this system; nothing if it is of another form.
pub fn value_of<'a>(claim: &'a str, system: &str) -> Option<&'a str> {
    claim.strip_prefix(system)?.strip_prefix('|').filter(|value| !value.is_empty())
}

/// The NHS number that a patient's URL ends in, whatever it looks like; nothing if the URL is not
/// one of the demographics service. Published examples leave the scheme out; that is read too.
pub fn patient_number(url: &str) -> Option<&str> {
    let bare = PATIENT_URL.strip_prefix("https://").unwrap_or(PATIENT_URL);
    url.strip_prefix("https://").unwrap_or(url).strip_prefix(bare)
}

/// The code that an organisation's URL ends in; nothing if the URL is not one of the directory.
pub fn organization_code(url: &str) -> Option<&str> {
    url.strip_prefix(ORGANIZATION_URL)
}

/// The first NHS number in texts: behind the URL of the demographics service, or as the value of
/// what is named `patient` or `nhsNumber`.
pub fn subject(texts: &[&[u8]]) -> Option<String> {
    const BEFORE: [&str; 5] =
        ["/STU3/Patient/", "%2FSTU3%2FPatient%2F", "patient=", "nhs-number%7C", "nhs-number|"];
    texts.iter().find_map(|text| {
        let text = String::from_utf8_lossy(text);
        let behind = |before: &str| text.split(before).skip(1).find_map(leading_number);
        let named = text.split("nhsNumber").nth(1).and_then(|rest| {
            let value = rest.trim_start_matches(|char: char| !char.is_ascii_digit());
            leading_number(value)
        });
        BEFORE.iter().find_map(|before| behind(before)).or(named)
    })
}

/// The NHS number that a text begins with.
fn leading_number(text: &str) -> Option<String> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    Some(digits).filter(|digits| is_nhs_number(digits))
}
