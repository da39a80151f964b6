#![doc = include_str!("../README.md")]

mod check;
mod codes;
mod contained;
mod content;
mod finding;
mod invariants;
mod narrative;
mod place;
mod primitive;
mod references;
mod report;
mod settings;
mod suggestion;
mod twin;
mod walk;

use fhir_definitions::Definitions;
use fhir_model::json::Value;

pub use crate::check::{ValidateFault, check_validate};
pub use crate::finding::{Finding, Rule};
pub use crate::settings::{ConditionalReferences, Level, Settings, Subsetted};

/// Everything that is wrong with a resource, in the order of its elements, as far as `settings` ask for it.
///
/// The tree is looked at as it is; a value that is no resource at all gives one finding without a place. A resource
/// is valid when no finding is an error ([`Finding::is_error`]). Nothing is allocated for a valid resource but a
/// list of its contained resources, if it has any, and the parser's stack for its narratives.
pub fn validate(resource: &Value, definitions: Definitions, settings: &Settings) -> Vec<Finding> {
    let mut walk = walk::Walk::new(definitions, settings);
    walk.root(resource);
    let mut report = walk.report;
    if settings.level == Level::Strict && !report.is_full() {
        invariants::check(resource, definitions, &mut report);
    }
    report.into_findings()
}
