//! What is checked, and how much of it.

use std::collections::BTreeMap;

use fhir_model::IssueSeverity;

use crate::finding::Rule;

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// What the definition tables say: elements, cardinality, choices, types, formats, required codes, references,
    /// contained resources, narratives.
    #[default]
    Structure,
    /// Also the rules of the base definitions that are stated in FHIRPath, and bindings that only recommend.
    Strict,
}

/// What becomes of a resource that carries the tag `SUBSETTED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Subsetted {
    /// It is refused: writing back a partial read loses what was left out.
    #[default]
    Refused,
    /// It is let through.
    Accepted,
}

/// Where conditional references, `Type?query`, may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConditionalReferences {
    /// Only inside a Bundle (FHIR, http, section "Conditional References").
    #[default]
    InBundles,
    /// Anywhere: for the entries of a Bundle that are checked one by one.
    Anywhere,
}

/// How a resource is validated.
///
/// ```
/// use fhir_validate::{Level, Settings};
///
/// let settings = Settings { level: Level::Strict, ..Settings::default() };
/// assert_eq!(settings.findings_max, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How much is checked.
    pub level: Level,
    /// The validation ends after this many findings; one more says so.
    pub findings_max: usize,
    /// What becomes of a resource with the tag `SUBSETTED`.
    pub subsetted: Subsetted,
    /// Where conditional references may stand.
    pub conditional_references: ConditionalReferences,
    /// Rules whose breach counts as more or less than usual: for an interface whose documented payloads break some.
    pub severities: BTreeMap<Rule, IssueSeverity>,
}

impl Default for Settings {
    /// Level `structure`, at most 100 findings, everything else as FHIR says.
    fn default() -> Self {
        Self {
            level: Level::default(),
            findings_max: 100,
            subsetted: Subsetted::default(),
            conditional_references: ConditionalReferences::default(),
            severities: BTreeMap::new(),
        }
    }
}
