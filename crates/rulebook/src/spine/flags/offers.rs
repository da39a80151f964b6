//! What the API has: types, parameters, operations; and what each request to it must bring.

use fhir_definitions::SearchType;

use crate::spine::catalogue::rows;
use crate::spine::headers::{self, Demands, HeaderNames, Security};
use crate::spine::jwt::TokenRules;
use crate::{
    Caller, Failure, Interaction, OperationOffer, RequestHead, SearchOffer, StatementOffer, TypeOffer,
};

const fn token(name: &'static str) -> SearchOffer {
    SearchOffer { name, search_type: SearchType::Token }
}

/// The CapabilityStatement of Spine clinicals, as far as it is about this API.
pub(super) const TYPES: &[TypeOffer] = &[
    TypeOffer {
        resource_type: "Consent",
        profile: Some("https://fhir.nhs.uk/STU3/StructureDefinition/RARecord-Consent-1"),
        search: &[token("patient"), token("status"), token("category")],
    },
    TypeOffer {
        resource_type: "Flag",
        profile: Some("https://fhir.nhs.uk/STU3/StructureDefinition/RARecord-Flag-1"),
        search: &[token("patient"), token("status"), token("category"), token("_format")],
    },
    TypeOffer {
        resource_type: "List",
        profile: Some("https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-RARecord-List-1"),
        search: &[token("patient"), token("status"), token("code")],
    },
    TypeOffer {
        resource_type: "Condition",
        profile: Some("https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-RARecord-Condition-1"),
        search: &[token("_list"), token("clinical-status")],
    },
];

pub(super) const STATEMENT: StatementOffer = StatementOffer {
    url: Some("https://clinicals.spineservices.nhs.uk/STU3/metadata"),
    fhir_version: "3.0.1",
    formats: &["application/fhir+xml", "application/fhir+json"],
    conditional_read: "not-supported",
    system: &[],
};

/// The name of the operation that removes a record.
pub(super) const REMOVE: &str = "removerarecord";

pub(super) const OPERATIONS: &[OperationOffer] = &[OperationOffer {
    name: REMOVE,
    definition: "https://fhir.nhs.uk/STU3/OperationDefinition/RARecord-RemoveRARecord-Operation-1",
}];

pub(super) const NAMES: HeaderNames = HeaderNames {
    from: "FromASID",
    to: "ToASID",
    interaction: Some("InteractionID"),
    trace: Some("TraceID"),
};

/// The type of Bundles, as interaction ids name it.
pub(super) const BUNDLE: &str = "Bundle";

/// The last word of a scope and of an interaction id.
pub(super) const fn verb(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Read | Interaction::SearchType => "read",
        _ => "write",
    }
}

/// The scopes one of which is good for a type. The published one for reading Conditions lacks the verb.
pub(super) fn scopes(kind: &str, verb: &str) -> Vec<String> {
    let mut scopes = vec![format!("user/{kind}.{verb}")];
    if (kind, verb) == ("Condition", "read") {
        scopes.push("user/Condition".to_owned());
    }
    scopes
}

/// An interaction id of this API.
pub(super) fn id(name: &str, verb: &str) -> String {
    format!("urn:nhs:names:services:raflags:{name}.{verb}:1")
}

/// The scopes and the interaction ids one of which a request needs. What a Bundle needs, its entries say: here it is
/// enough to be good for one.
fn demanded(head: &RequestHead<'_>) -> (Vec<String>, Vec<String>) {
    if head.operation.is_some() {
        // Two names were published; no scope, so the one of the Consent that ends is asked for.
        let ids = ["removerarecord", "removeflag"].map(|name| id(name, "write"));
        return (scopes("Consent", "write"), ids.into());
    }
    if head.interaction == Interaction::Transaction {
        let each =
            || TYPES.iter().flat_map(|offer| ["write", "read"].map(|verb| (offer.resource_type, verb)));
        let ids = each().map(|(kind, verb)| id(kind, verb)).chain([id(BUNDLE, "write")]);
        return (each().flat_map(|(kind, verb)| scopes(kind, verb)).collect(), ids.collect());
    }
    let (kind, verb) = (head.resource_type.unwrap_or("Consent"), verb(head.interaction));
    (scopes(kind, verb), vec![id(kind, verb)])
}

/// Who asks. The CapabilityStatement is for everyone: no interaction id is published for it.
pub(super) fn admit(head: &RequestHead<'_>, security: &Security) -> Result<Caller, Failure> {
    if head.interaction == Interaction::Capabilities {
        return Ok(Caller::default());
    }
    let (scopes, interaction_ids) = demanded(head);
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = TokenRules {
        texts: security.jwt_texts,
        times: security.times,
        keys: security.keys.as_deref(),
        scopes: &scopes,
        scope_alone: false,
        reasons: &["directcare"],
        user_required: true,
        organization_required: true,
    };
    let demands =
        Demands { token, interaction_ids: &interaction_ids, not_accredited: rows::ASID_CHECK_FAILED };
    headers::admit(head, security, &NAMES, &demands)
}
