//! Who may do what: the header fields, the scopes and the access modes of tokens.

use crate::spine::catalogue::rows::{ACCESS_DENIED, MISSING_OR_INVALID_TOKEN, REQUEST_UNMATCHED};
use crate::spine::headers::{self, Demands, HeaderNames, Security};
use crate::spine::identifiers::PATIENT_URL;
use crate::spine::jwt::{self, JwtTexts, TokenRules};
use crate::{Breach, Caller, Failure, Interaction, RequestHead};

/// How the API spells its header fields. It has none for interaction and trace.
const HEADERS: HeaderNames = HeaderNames { from: "fromASID", to: "toASID", interaction: None, trace: None };

/// The scope of consumers.
const READ: &str = "patient/DocumentReference.read";

/// Who asks, or why they may not. Consumers read and search, providers write.
pub(super) fn admit(head: &RequestHead<'_>, security: &Security) -> Result<Caller, Failure> {
    let Some((action, scope)) = demanded(head.interaction) else { return Ok(Caller::default()) };
    let reasons: &[&str] = match security.jwt_texts {
        JwtTexts::SpineCore => &["directcare", "patientaccess"],
        JwtTexts::Nrl230 => &["directcare"],
    };
    let token = TokenRules {
        texts: security.jwt_texts,
        times: security.times,
        keys: security.keys.as_deref(),
        scopes: &[scope],
        scope_alone: true,
        reasons,
        user_required: false,
        organization_required: true,
    };
    let demands = Demands {
        token,
        interaction_ids: &[format!("urn:nhs:names:services:nrl:DocumentReference.{action}")],
        not_accredited: ACCESS_DENIED,
    };
    let caller = headers::admit(head, security, &HEADERS, &demands)?;
    check_mode(&caller, scope == READ)?;
    Ok(caller)
}

/// The access modes: a professional or a system asks for direct care, a patient for access, and
/// nobody is both. A system alone provides, and does not consume. A request without a token has none.
fn check_mode(caller: &Caller, consumes: bool) -> Result<(), Failure> {
    let refused = |sentence: String| Err(Breach::failure(MISSING_OR_INVALID_TOKEN, sentence));
    if caller.user.is_some() && caller.patient.is_some() {
        return refused("requesting_user and requesting_patient must not both be supplied".to_owned());
    }
    let expected = if caller.patient.is_some() { "patientaccess" } else { "directcare" };
    match &caller.reason {
        Some(reason) if reason != expected => {
            refused(format!("reason_for_request ({reason}) must be '{expected}'"))
        }
        Some(_) if consumes && caller.user.is_none() && caller.patient.is_none() => {
            Err(jwt::absent("requesting_user"))
        }
        _ => Ok(()),
    }
}

/// Whether a request about this patient is that of the token: a citizen's is about the patient in
/// `requesting_patient` and nobody else.
pub(super) fn check_patient(caller: &Caller, nhs_number: &str) -> Result<(), Failure> {
    match &caller.patient {
        Some(patient) if patient != nhs_number => Err(Breach::failure(
            REQUEST_UNMATCHED,
            format!("The request is for the patient {nhs_number}, the claim requesting_patient for another."),
        )),
        _ => Ok(()),
    }
}

/// The criterion that a citizen's search has besides its own.
pub(super) fn own(caller: &Caller) -> Option<(String, String)> {
    let number = caller.patient.as_ref()?;
    Some(("subject".to_owned(), format!("{PATIENT_URL}{number}")))
}

/// The last part of an interaction's id, and the scope that it needs; nothing for what is open to
/// everyone.
const fn demanded(interaction: Interaction) -> Option<(&'static str, &'static str)> {
    const WRITE: &str = "patient/DocumentReference.write";
    match interaction {
        Interaction::Read => Some(("read", READ)),
        Interaction::SearchType => Some(("search", READ)),
        Interaction::Create => Some(("create", WRITE)),
        Interaction::Patch | Interaction::ConditionalPatch => Some(("update", WRITE)),
        Interaction::Delete | Interaction::ConditionalDelete => Some(("delete", WRITE)),
        _ => None,
    }
}
