//! What the record locator says of itself.

use fhir_definitions::SearchType;

use super::TYPE;
use super::terminology::PROFILE;
use crate::{SearchOffer, StatementOffer, TypeOffer};

/// The one type, with what it is found by.
pub(super) const TYPES: &[TypeOffer] = &[TypeOffer {
    resource_type: TYPE,
    profile: Some(PROFILE),
    search: &[
        SearchOffer { name: "_id", search_type: SearchType::Token },
        SearchOffer { name: "custodian", search_type: SearchType::Reference },
        SearchOffer { name: "subject", search_type: SearchType::Reference },
        SearchOffer { name: "type", search_type: SearchType::Token },
    ],
}];

/// The version of the profile, and the formats in the order of preference.
pub(super) const STATEMENT: StatementOffer = StatementOffer {
    url: None,
    fhir_version: "3.0.1",
    formats: &["application/fhir+xml", "application/fhir+json"],
    conditional_read: "full-support",
    system: &[],
};
