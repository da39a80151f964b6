//! The header fields that every request to a Spine API carries, and whether its sender may do what
//! it asks for (Spine Core "Headers", "Interaction ids").

use std::sync::Arc;

use crate::Caller;
use crate::admission::RequestHead;
use crate::change::Breach;
use crate::failure::Failure;
use crate::rule::Rule;
use crate::spine::catalogue::rows;
use crate::spine::directory::Directory;
use crate::spine::jwt::{self, JwtTexts, TimeCheck, TokenRules};
use crate::spine::signature::TokenKeys;

/// Whether requests must carry the security header fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderMode {
    /// All of them, as published.
    #[default]
    Required,
    /// What is sent is checked.
    Optional,
    /// None is read.
    Off,
}

/// How a mount of a Spine API treats its callers.
#[derive(Clone, Debug)]
pub struct Security {
    /// Whether header fields must be there.
    pub headers: HeaderMode,
    /// Who is known.
    pub directory: Arc<Directory>,
    /// The words of refused tokens.
    pub jwt_texts: JwtTexts,
    /// Whether the times of tokens are compared with the clock.
    pub times: TimeCheck,
    /// The keys that sign tokens, where signatures are asked for.
    pub keys: Option<Arc<TokenKeys>>,
}

impl Default for Security {
    /// As published, with the directory of the demonstration.
    fn default() -> Self {
        Self {
            headers: HeaderMode::default(),
            directory: Arc::new(Directory::demo()),
            jwt_texts: JwtTexts::default(),
            times: TimeCheck::default(),
            keys: None,
        }
    }
}

/// The header fields that [`admit`] reads, in lower case.
pub const FIELDS: &[&str] = &["authorization", "fromasid", "toasid", "interactionid", "traceid"];

/// How an API spells its header fields in messages, and which of them it has.
#[derive(Clone, Copy, Debug)]
pub struct HeaderNames {
    /// The sender's ASID.
    pub from: &'static str,
    /// The receiver's ASID.
    pub to: &'static str,
    /// The interaction id, where clients send one.
    pub interaction: Option<&'static str>,
    /// The client's name for the message, where clients send one.
    pub trace: Option<&'static str>,
}

/// What an API demands of one request.
#[derive(Clone, Copy, Debug)]
pub struct Demands<'a> {
    /// Of the token.
    pub token: TokenRules<'a>,
    /// The interaction ids that fit the request: the client sends one of them, where it sends one,
    /// and its system must be accredited for one of them.
    pub interaction_ids: &'a [String],
    /// The refusal of a system that is not.
    pub not_accredited: Rule,
}

/// Who asks, or why they may not: the token first, then the sender, the receiver, the interaction
/// id and the accreditation, as in the reference implementation.
pub fn admit(
    head: &RequestHead<'_>,
    security: &Security,
    names: &HeaderNames,
    demands: &Demands<'_>,
) -> Result<Caller, Failure> {
    if security.headers == HeaderMode::Off {
        return Ok(Caller::default());
    }
    let directory = &*security.directory;
    check_single(head, names)?;
    let sent = |field: &str| head.field(field).filter(|value| !value.is_empty());
    let from = sent("fromasid");
    let token = match sent("authorization") {
        Some(token) => Some(jwt::check(token, from, &demands.token, directory, head.now)?),
        None if security.headers == HeaderMode::Required => return Err(jwt::missing()),
        None => None,
    };
    let demanded = |field: &str, name: &str| match sent(field) {
        None if security.headers == HeaderMode::Required => {
            Err(header(format!("{name} HTTP Header is missing")))
        }
        value => Ok(value),
    };
    let from = demanded("fromasid", names.from)?;
    if let Some(asid) = from.filter(|asid| directory.organization_of(asid).is_none()) {
        return Err(Breach::failure(
            demands.not_accredited,
            format!("The ASID in {} ({asid}) is not known.", names.from),
        ));
    }
    let to = demanded("toasid", names.to)?;
    if let Some(asid) = to.filter(|asid| *asid != directory.spine_asid()) {
        return Err(Breach::failure(
            demands.not_accredited,
            format!("The ASID in {} ({asid}) is not this service's.", names.to),
        ));
    }
    let interaction = names.interaction.map(|name| demanded("interactionid", name)).transpose()?.flatten();
    if let (Some(name), Some(id)) = (names.interaction, interaction)
        && !demands.interaction_ids.iter().any(|fits| fits == id)
    {
        return Err(mismatch(name, id, demands.interaction_ids));
    }
    let message = names.trace.map(|name| demanded("traceid", name)).transpose()?.flatten();
    let accredited = |asid: &str| demands.interaction_ids.iter().any(|id| directory.may(asid, id));
    if let Some(asid) = from.filter(|asid| !accredited(asid)) {
        return Err(not_accredited(asid, names, demands.not_accredited));
    }
    let has_token = token.is_some();
    let claims = token.unwrap_or_default();
    Ok(Caller {
        system: from.map(str::to_owned).or(Some(claims.asid).filter(|asid| !asid.is_empty())),
        organization: claims.organization,
        user: claims.user,
        patient: claims.patient,
        reason: Some(claims.reason).filter(|reason| !reason.is_empty()),
        message: message.map(str::to_owned),
        interaction: interaction.map(str::to_owned),
        scopes: has_token.then_some(claims.scopes),
    })
}

/// Of two lines of one field only one could count, and who reads the other would take the request
/// for another's.
fn check_single(head: &RequestHead<'_>, names: &HeaderNames) -> Result<(), Failure> {
    let lines = |field: &str| head.fields.iter().filter(|(known, _)| *known == field).count();
    if lines("authorization") > 1 {
        let why = "The Authorisation header must be supplied once";
        return Err(Breach::failure(rows::MISSING_OR_INVALID_TOKEN, why));
    }
    let fields = [
        ("fromasid", Some(names.from)),
        ("toasid", Some(names.to)),
        ("interactionid", names.interaction),
        ("traceid", names.trace),
    ];
    let repeated = fields.into_iter().find(|(field, name)| name.is_some() && lines(field) > 1);
    match repeated.and_then(|(_, name)| name) {
        Some(name) => Err(header(format!("{name} HTTP Header is sent more than once"))),
        None => Ok(()),
    }
}

/// The refusal of an interaction id that is none of those that fit.
pub fn mismatch(name: &str, sent: &str, expected: &[String]) -> Failure {
    header(format!("{name} ({sent}) does not match the request; expected {}", expected.join(" or ")))
}

/// The refusal of a system that may not ask for this.
pub fn not_accredited(asid: &str, names: &HeaderNames, rule: Rule) -> Failure {
    let from = names.from;
    Breach::failure(rule, format!("The ASID in {from} ({asid}) is not accredited for this interaction."))
}

/// A header field that is missing or wrong.
fn header(diagnostics: String) -> Failure {
    Breach::failure(rows::MISSING_OR_INVALID_HEADER, diagnostics)
}
