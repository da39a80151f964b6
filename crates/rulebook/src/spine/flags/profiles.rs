//! The profiles of the record, which every resource is checked against.

use std::sync::OnceLock;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::IssueSeverity;
use fhir_model::json::{Limits, parse};
use fhir_validate::{Profiles, Rule, Settings};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("profiles/", $name, ".json")).as_slice())),*]
    };
}

/// StructureDefinitions and ValueSets with what the published ones demand beyond STU3.
const FILES: [(&str, &[u8]); 16] = files![
    "RARecord-Consent-1",
    "RARecord-Flag-1",
    "CareConnect-RARecord-Condition-1",
    "CareConnect-RARecord-List-1",
    "RARecord-Provenance-1",
    "Extension-RARecord-AdjustmentCategory-1",
    "Extension-RARecord-AdjustmentNotes-1",
    "Extension-RARecord-BestInterestSummary-1",
    "Extension-RARecord-ProxyRole-1",
    "Extension-RARecord-RemovalReason-1",
    "ValueSet-CareConnect-ConditionCategory-1",
    "ValueSet-RARecord-AdjustmentCategory-1",
    "ValueSet-RARecord-ConsentPurpose-1",
    "ValueSet-RARecord-FlagCategory-1",
    "ValueSet-RARecord-ProxyRole-1",
    "ValueSet-RARecord-RemovalReason-1",
];

/// What published payloads break: contained resources have no id, a version of their own, or are
/// not referred to.
const TOLERATED: [Rule; 3] = [Rule::ContainedWithoutId, Rule::ContainedMeta, Rule::ContainedUnreferenced];

const URL: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/";

/// Structure, and the profile of each type.
pub(super) fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let read = |(name, bytes): (&str, &[u8])| {
            parse(bytes, &Limits::default()).ok().map(|tree| (name.to_owned(), tree))
        };
        let resources: Vec<_> = FILES.into_iter().filter_map(read).collect();
        let profiles = Profiles::from_resources(Definitions::of(FhirVersion::Stu3), resources);
        let required = FILES.iter().take(5).map(|(name, _)| format!("{URL}{name}")).collect();
        let severities = TOLERATED.map(|rule| (rule, IssueSeverity::Warning)).into();
        Settings { profiles, required_profiles: required, severities, ..Settings::default() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file is read, and everything in it is checked.
    #[test]
    fn profiles_are_whole() {
        let settings = settings();
        assert_eq!(settings.profiles.urls().count(), 10);
        let notes: Vec<String> = settings.profiles.notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes, [""; 0]);
        assert!(settings.required_profiles.iter().all(|url| settings.profiles.contains(url)));
    }
}
