//! What an API says of itself where it has less, or says more, than the tables of its FHIR version.

use fhir_definitions::SearchType;

use crate::Interaction;

/// One resource type of an API, for its CapabilityStatement.
#[derive(Clone, Copy, Debug)]
pub struct TypeOffer {
    /// The type.
    pub resource_type: &'static str,
    /// Its profile, if the API has one for it.
    pub profile: Option<&'static str>,
    /// The search parameters it is found by, in the order in which they are listed.
    pub search: &'static [SearchOffer],
}

/// A search parameter, as the API lists it.
#[derive(Clone, Copy, Debug)]
pub struct SearchOffer {
    /// Its name in URLs.
    pub name: &'static str,
    /// The type that the API gives for it.
    pub search_type: SearchType,
}

/// What the CapabilityStatement of an API says of the whole where it does not follow from the
/// tables.
#[derive(Clone, Copy, Debug)]
pub struct StatementOffer {
    /// Its canonical URL, where it is published.
    pub url: Option<&'static str>,
    /// The FHIR version as the API states it.
    pub fhir_version: &'static str,
    /// The formats, the usual one first.
    pub formats: &'static [&'static str],
    /// What it says of conditional reads.
    pub conditional_read: &'static str,
    /// The interactions on the whole system that it declares, of those that the API has.
    pub system: &'static [Interaction],
}

/// An operation on the whole system.
#[derive(Clone, Copy, Debug)]
pub struct OperationOffer {
    /// Its name in URLs, without `$`.
    pub name: &'static str,
    /// The URL of its OperationDefinition.
    pub definition: &'static str,
}

/// A format of FHIR resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/fhir+json`
    #[default]
    Json,
    /// `application/fhir+xml`
    Xml,
}
