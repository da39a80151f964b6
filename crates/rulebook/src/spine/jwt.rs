//! The token in `Authorization` (Spine Core "Security: JWT"): three base64url sections, unsigned,
//! made by the client for the audit trail. Every check has the words of the published table; they
//! run in the order of the reference implementation.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fhir_model::json::{self, Limits, Value};
use storage_api::Timestamp;

use crate::change::Breach;
use crate::failure::Failure;
use crate::spine::catalogue::rows::MISSING_OR_INVALID_TOKEN;
use crate::spine::directory::Directory;
use crate::spine::identifiers::{is_asid, is_nhs_number, is_ods_code, systems, value_of};
use crate::spine::signature::TokenKeys;

/// A token is at most this long, in bytes; header fields are limited before.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Which published words a failed check has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JwtTexts {
    /// Those of Spine Core, with the values that were sent.
    #[default]
    SpineCore,
    /// Those of the record locator's specification 2.3.0, without them.
    Nrl230,
}

/// Whether the times of a token are looked at. The specification's tokens are for the audit trail,
/// and the reference implementation does not check them; outside of a sandbox a server should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeCheck {
    /// They must be there, and are not compared with the clock.
    #[default]
    Off,
    /// Issued not after now, not expired, and valid for five minutes at most, `nbf` not in the
    /// future where there is one; a minute of difference between clocks is allowed.
    Strict,
}

/// What an API demands of the token of one request.
#[derive(Clone, Copy, Debug)]
pub struct TokenRules<'a> {
    /// The words of refusals.
    pub texts: JwtTexts,
    /// Whether times are compared with the clock.
    pub times: TimeCheck,
    /// The keys one of which must have signed the token; none where signatures are not asked for.
    pub keys: Option<&'a TokenKeys>,
    /// The scopes one of which must be in the token; none for a request that needs none.
    pub scopes: &'a [&'a str],
    /// Whether the scope claim must be one of them and nothing else.
    pub scope_alone: bool,
    /// The values one of which `reason_for_request` must have.
    pub reasons: &'a [&'a str],
    /// Whether the claim `requesting_user` must be there.
    pub user_required: bool,
    /// Whether the claim `requesting_organization` must be there.
    pub organization_required: bool,
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The ASID in `requesting_system`.
    pub asid: String,
    /// The ODS code in `requesting_organization`.
    pub organization: Option<String>,
    /// The role profile in `requesting_user`, without its system.
    pub user: Option<String>,
    /// The NHS number in `requesting_patient`, without its system.
    pub patient: Option<String>,
    /// `reason_for_request`.
    pub reason: String,
    /// `scope`, at its blanks.
    pub scopes: Vec<String>,
}

/// A refusal with these words.
fn invalid(diagnostics: impl Into<String>) -> Failure {
    Breach::failure(MISSING_OR_INVALID_TOKEN, diagnostics)
}

/// The refusal of a request without a token.
pub fn missing() -> Failure {
    invalid("The Authorisation header must be supplied")
}

/// Reads and checks a token. `authorization` is the header field, `from_asid` the one that names
/// the sender, if it was sent.
pub fn check(
    authorization: &str,
    from_asid: Option<&str>,
    rules: &TokenRules<'_>,
    directory: &Directory,
    now: Timestamp,
) -> Result<Claims, Failure> {
    let token = Token::parse(authorization, rules)?;
    token.mandatory("iss")?;
    token.mandatory("aud")?;
    let issued_s = token.seconds("iat")?;
    let expires_s = token.seconds("exp")?;
    if rules.times == TimeCheck::Strict {
        check_times(issued_s, expires_s, now)?;
        check_beginning(&token, now)?;
    }
    let subject = token.mandatory("sub")?;
    let user = check_user(&token, subject, rules)?;
    let patient = check_patient(&token, subject, user.is_some())?;
    let alone = user.is_none() && patient.is_none();
    let asid = check_system(&token, subject, alone, (from_asid, rules.texts), directory)?;
    let reason = check_reason(&token, rules)?.to_owned();
    let scopes = check_scope(&token, rules)?;
    let organization = check_organization(&token, &asid, rules, directory)?;
    Ok(Claims { asid, organization, user, patient, reason, scopes })
}

/// The claims of a token that was taken apart.
struct Token(Value);

impl Token {
    fn parse(authorization: &str, rules: &TokenRules<'_>) -> Result<Self, Failure> {
        let bearer = authorization.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
        let token = bearer.map_or(authorization, |scheme| &authorization[scheme.len()..]).trim();
        if token.is_empty() {
            return Err(missing());
        }
        let sections: Vec<&str> = token.split('.').collect();
        let [_, claims, _] = sections.as_slice() else {
            return Err(invalid(match rules.texts {
                JwtTexts::SpineCore => {
                    "The JWT associated with the Authorisation header must have the 3 sections"
                }
                JwtTexts::Nrl230 => {
                    "The JWT associated with the Authorisation header must have all 3 sections"
                }
            }));
        };
        if claims.is_empty() {
            return Err(invalid(
                "The JWT associated with the Authorisation header must have a body of claims",
            ));
        }
        if rules.keys.is_some_and(|keys| !keys.signed(token)) {
            return Err(invalid(
                "The JWT associated with the Authorisation header is not signed by a key that is known",
            ));
        }
        let unreadable = || invalid("The Authorisation header must be supplied as a valid JWT.");
        let padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let claims =
            GeneralPurpose::new(&alphabet::URL_SAFE, padding).decode(claims).map_err(|_| unreadable())?;
        let limits = Limits { bytes_max: TOKEN_BYTES_MAX, ..Limits::default() };
        match json::parse(&claims, &limits) {
            Ok(claims @ Value::Object(_)) => Ok(Self(claims)),
            _ => Err(unreadable()),
        }
    }

    /// A claim that is a text and not empty.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    fn mandatory(&self, name: &str) -> Result<&str, Failure> {
        self.text(name).ok_or_else(|| absent(name))
    }

    /// A claim that is a whole number of seconds; a text of digits is one too.
    fn seconds(&self, name: &str) -> Result<i64, Failure> {
        let value = self.0.get(name).ok_or_else(|| absent(name))?;
        let text = value.as_number().map(ToString::to_string).or(value.as_str().map(str::to_owned));
        text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
            invalid(format!(
                "The claim {name} from the JWT associated with the Authorisation header must be a number of seconds"
            ))
        })
    }
}

/// The refusal of a token without a claim that must be there.
pub(super) fn absent(name: &str) -> Failure {
    invalid(format!(
        "The mandatory claim {name} from the JWT associated with the Authorisation header is missing"
    ))
}

/// So much may clocks differ.
const CLOCKS_DIFFER_S: i64 = 60;

/// `nbf`, which nothing of Spine asks for, counts where it is sent (RFC 7519 4.1.5).
fn check_beginning(token: &Token, now: Timestamp) -> Result<(), Failure> {
    let begins_s = token.0.get("nbf").map(|_| token.seconds("nbf")).transpose()?;
    match begins_s {
        Some(begins_s) if begins_s > now.0.div_euclid(1_000_000).saturating_add(CLOCKS_DIFFER_S) => {
            Err(invalid(format!("The JWT is not valid yet (nbf {begins_s})")))
        }
        _ => Ok(()),
    }
}

fn check_times(issued_s: i64, expires_s: i64, now: Timestamp) -> Result<(), Failure> {
    const VALID_S: i64 = 300;
    let now_s = now.0.div_euclid(1_000_000);
    if issued_s > now_s.saturating_add(CLOCKS_DIFFER_S) {
        return Err(invalid(format!("The JWT was issued in the future (iat {issued_s})")));
    }
    if expires_s < now_s.saturating_sub(CLOCKS_DIFFER_S) {
        return Err(invalid(format!("The JWT has expired (exp {expires_s})")));
    }
    if expires_s.saturating_sub(issued_s) > VALID_S || expires_s < issued_s {
        return Err(invalid("The JWT must expire five minutes after it was issued (exp = iat + 300)"));
    }
    Ok(())
}

/// `requesting_user`: there if the subject is a person in a role, and then the subject.
fn check_user(token: &Token, subject: &str, rules: &TokenRules<'_>) -> Result<Option<String>, Failure> {
    const CLAIM: &str = "requesting_user";
    let Some(user) = token.text(CLAIM) else {
        let needed = rules.user_required || subject.starts_with(systems::ROLE_PROFILE);
        return if needed { Err(absent(CLAIM)) } else { Ok(None) };
    };
    if user != subject {
        return Err(invalid(differs(rules.texts, CLAIM, user, subject)));
    }
    match value_of(user, systems::ROLE_PROFILE) {
        Some(id) => Ok(Some(id.to_owned())),
        None => Err(invalid(match rules.texts {
            JwtTexts::SpineCore => {
                format!("{CLAIM} ({user}) must be of the form [{}/[SDSRoleProfileID]]", systems::ROLE_PROFILE)
            }
            JwtTexts::Nrl230 => {
                format!("{CLAIM} must be of the form [{}/[SDSRoleProfileID]]", systems::ROLE_PROFILE)
            }
        })),
    }
}

/// `requesting_patient`: the subject where there is no user.
fn check_patient(token: &Token, subject: &str, has_user: bool) -> Result<Option<String>, Failure> {
    let Some(patient) = token.text("requesting_patient") else { return Ok(None) };
    let number = systems::NHS_NUMBER.iter().find_map(|system| value_of(patient, system));
    let Some(number) = number.filter(|number| is_nhs_number(number)) else {
        return Err(invalid(format!(
            "requesting_patient ({patient}) must be of the form [https://fhir.nhs.uk/Id/nhs-number/[NHSNumber]]"
        )));
    };
    if !has_user && patient != subject {
        return Err(invalid(format!(
            "requesting_patient ({patient}) and sub ({subject}) claim's values must match"
        )));
    }
    check_actor(token)?;
    Ok(Some(number.to_owned()))
}

/// `act`: the citizen who asks for another one, if that is so.
fn check_actor(token: &Token) -> Result<(), Failure> {
    let Some(actor) = token.0.get("act") else { return Ok(()) };
    let named = actor.get("sub").and_then(Value::as_str).unwrap_or_default();
    let number = systems::NHS_NUMBER.iter().find_map(|system| value_of(named, system));
    if number.is_some_and(is_nhs_number) {
        return Ok(());
    }
    Err(invalid(format!(
        "act.sub ({named}) must be of the form [https://fhir.nhs.uk/Id/nhs-number/[NHSNumber]]"
    )))
}

fn differs(texts: JwtTexts, claim: &str, value: &str, subject: &str) -> String {
    match texts {
        JwtTexts::SpineCore => format!("{claim} ({value}) and sub ({subject}) claim's values must match"),
        JwtTexts::Nrl230 => format!("{claim} and sub claim's values must match"),
    }
}

/// `requesting_system`: a known system, the one that sends, and the subject if nobody else is.
fn check_system(
    token: &Token,
    subject: &str,
    alone: bool,
    (from_asid, texts): (Option<&str>, JwtTexts),
    directory: &Directory,
) -> Result<String, Failure> {
    const CLAIM: &str = "requesting_system";
    let system = token.mandatory(CLAIM)?;
    if alone && system != subject {
        return Err(invalid(differs(texts, CLAIM, system, subject)));
    }
    let Some(asid) = value_of(system, systems::ASID).filter(|asid| is_asid(asid)) else {
        return Err(invalid(match texts {
            JwtTexts::SpineCore => {
                format!("{CLAIM} ({system}) must be of the form [{}/[ASID]]", systems::ASID)
            }
            JwtTexts::Nrl230 => format!("{CLAIM} must be of the form [{}/[ASID]]", systems::ASID),
        }));
    };
    if directory.organization_of(asid).is_none() {
        return Err(invalid(match texts {
            JwtTexts::SpineCore => format!("The ASID defined in the {CLAIM} ({asid}) is unknown"),
            JwtTexts::Nrl230 => "The ASID must be known to Spine".to_owned(),
        }));
    }
    if from_asid.is_some_and(|from| from != asid) {
        return Err(invalid(format!(
            "The ASID defined in the {CLAIM} ({asid}) does not match the FromASID in the request"
        )));
    }
    Ok(asid.to_owned())
}

fn check_reason<'a>(token: &'a Token, rules: &TokenRules<'_>) -> Result<&'a str, Failure> {
    let reason = token.mandatory("reason_for_request")?;
    if rules.reasons.contains(&reason) {
        return Ok(reason);
    }
    Err(invalid(match rules.texts {
        JwtTexts::SpineCore => {
            format!("reason_for_request ({reason}) must be '{}'", rules.reasons.join("' or '"))
        }
        JwtTexts::Nrl230 => {
            format!("reason_for_request must be \u{201c}{}\u{201d}", rules.reasons.join(" or "))
        }
    }))
}

fn check_scope(token: &Token, rules: &TokenRules<'_>) -> Result<Vec<String>, Failure> {
    let scope = token.mandatory("scope")?;
    let granted = |required: &&str| {
        if rules.scope_alone {
            scope == *required
        } else {
            scope.split_whitespace().any(|one| one == *required)
        }
    };
    if rules.scopes.is_empty() || rules.scopes.iter().any(granted) {
        return Ok(scope.split_whitespace().map(str::to_owned).collect());
    }
    Err(out_of_scope(scope, rules.texts))
}

/// The refusal of a token whose `scope` lacks what a request needs.
pub fn out_of_scope(scope: &str, texts: JwtTexts) -> Failure {
    invalid(match texts {
        JwtTexts::SpineCore => format!("Required scopes not found in token ({scope})"),
        JwtTexts::Nrl230 => {
            "scope must match either patient/DocumentReference.read or patient/DocumentReference.write"
                .to_owned()
        }
    })
}

/// `requesting_organization`: a known organisation, and the one that runs the system. The published
/// sentences spell the claim with an s.
fn check_organization(
    token: &Token,
    asid: &str,
    rules: &TokenRules<'_>,
    directory: &Directory,
) -> Result<Option<String>, Failure> {
    const CLAIM: &str = "requesting_organization";
    const PRINTED: &str = "requesting_organisation";
    let Some(organization) = token.text(CLAIM) else {
        return if rules.organization_required { Err(absent(CLAIM)) } else { Ok(None) };
    };
    let Some(code) = value_of(organization, systems::ODS).filter(|code| is_ods_code(code)) else {
        // The bracket that is not closed is the source's.
        return Err(invalid(match rules.texts {
            JwtTexts::SpineCore => {
                format!("{PRINTED} ({organization}) must be of the form [{}/[ODSCode]", systems::ODS)
            }
            JwtTexts::Nrl230 => format!("{PRINTED} must be of the form [{}/[ODSCode]", systems::ODS),
        }));
    };
    if !directory.knows_organization(code) {
        return Err(invalid(match rules.texts {
            JwtTexts::SpineCore => format!("The ODS code defined in the {PRINTED}({code}) is unknown"),
            JwtTexts::Nrl230 => format!("The ODS code of the {PRINTED} must be known to Spine"),
        }));
    }
    if !directory.is_affiliated(asid, code) {
        return Err(invalid(match rules.texts {
            JwtTexts::SpineCore => {
                format!(
                    "requesting_system ASID ({asid}) is not associated with the {PRINTED} ODS code ({code})"
                )
            }
            JwtTexts::Nrl230 => {
                format!("The requesting_system ASID must be associated with the {PRINTED} ODS code")
            }
        }));
    }
    Ok(Some(code.to_owned()))
}
