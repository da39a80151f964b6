//! The profile of pointers and its value sets, from definitions in FHIR's own format.

use std::collections::HashMap;
use std::sync::OnceLock;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_search::{CustomParameter, Defined, Extractor};
use fhir_validate::{Profiles, Settings};

/// The profile that every pointer claims.
pub(super) const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/NRL-DocumentReference-1";

const RECORD_TYPES: &str = "https://fhir.nhs.uk/STU3/ValueSet/NRL-RecordType-1";

/// Name and content of each definition.
const FILES: [(&str, &[u8]); 7] = [
    ("documentreference.json", include_bytes!("definitions/documentreference.json")),
    ("content-stability.json", include_bytes!("definitions/content-stability.json")),
    ("value-set-record-type.json", include_bytes!("definitions/value-set-record-type.json")),
    ("value-set-record-class.json", include_bytes!("definitions/value-set-record-class.json")),
    ("value-set-format-code.json", include_bytes!("definitions/value-set-format-code.json")),
    ("value-set-content-stability.json", include_bytes!("definitions/value-set-content-stability.json")),
    ("value-set-practice-setting.json", include_bytes!("definitions/value-set-practice-setting.json")),
];

/// By which master identifiers are found; the published parameter `identifier` finds others too.
pub(super) const MASTER_IDENTIFIER: &str = "master-identifier";

const MASTER_IDENTIFIER_PARAMETER: &[u8] = include_bytes!("definitions/search-master-identifier.json");

/// The definitions, read once.
pub(super) struct Terminology {
    settings: Settings,
    /// Displays by value set, system and code.
    displays: HashMap<String, Displays>,
    extractor: Extractor,
}

/// Displays by system and code.
type Displays = HashMap<(String, String), String>;

impl Terminology {
    /// The same for every caller.
    pub(super) fn get() -> &'static Self {
        static READ: OnceLock<Terminology> = OnceLock::new();
        READ.get_or_init(Self::read)
    }

    /// A definition that cannot be read is left out; a test says that none is.
    fn read() -> Self {
        let definitions = Definitions::of(FhirVersion::Stu3);
        let resources: Vec<(String, Value)> = FILES
            .iter()
            .filter_map(|(name, bytes)| Some(((*name).to_owned(), parse(bytes, &Limits::default()).ok()?)))
            .collect();
        let displays = resources.iter().filter_map(|(_, resource)| displays(resource)).collect();
        let settings = Settings {
            profiles: Profiles::from_resources(definitions, resources),
            required_profiles: vec![PROFILE.to_owned()],
            ..Settings::default()
        };
        let own = parse(MASTER_IDENTIFIER_PARAMETER, &Limits::default()).ok();
        let own = own.as_ref().and_then(Value::as_object);
        let own = match own.map(|resource| CustomParameter::read(resource, definitions)) {
            Some(Ok(Defined::Custom(parameter))) => vec![*parameter],
            _ => Vec::new(),
        };
        let extractor = Extractor::with_custom(FhirVersion::Stu3, own);
        Self { settings, displays, extractor }
    }

    /// How pointers are validated.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What pointers are found by.
    pub(super) fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// The display that a value set has for a coding; `None` if it does not have the coding.
    pub(super) fn display(&self, value_set: &str, system: &str, code: &str) -> Option<&str> {
        let codes = self.displays.get(value_set)?;
        codes.get(&(system.to_owned(), code.to_owned())).map(String::as_str)
    }

    /// Whether there are pointers of this type.
    pub(super) fn is_record_type(&self, system: &str, code: &str) -> bool {
        self.display(RECORD_TYPES, system, code).is_some()
    }
}

/// The URL of a value set, and the displays of its codes.
fn displays(resource: &Value) -> Option<(String, Displays)> {
    let url = resource.get("url")?.as_str()?.to_owned();
    let mut displays = HashMap::new();
    for include in resource.get("compose")?.get("include")?.as_array()? {
        let system = include.get("system")?.as_str()?;
        for concept in include.get("concept")?.as_array()? {
            let code = concept.get("code")?.as_str()?.to_owned();
            displays.insert((system.to_owned(), code), concept.get("display")?.as_str()?.to_owned());
        }
    }
    Some((url, displays))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_read_and_checked_whole() {
        let terminology = Terminology::get();
        assert!(terminology.settings.profiles.contains(PROFILE));
        assert_eq!(terminology.settings.profiles.urls().count(), 2);
        assert_eq!(terminology.settings.profiles.notes(), []);
        assert_eq!(terminology.extractor.customs().count(), 1);
        let sizes = |name| terminology.displays[&format!("https://fhir.nhs.uk/STU3/ValueSet/{name}")].len();
        assert_eq!(terminology.displays.len(), 5);
        assert_eq!(["NRL-RecordType-1", "NRL-RecordClass-1", "NRL-FormatCode-1"].map(sizes), [9, 2, 2]);
        assert_eq!(["NRL-ContentStability-1", "NRL-PracticeSetting-1"].map(sizes), [2, 353]);
    }

    #[test]
    fn a_record_type_is_a_code_of_the_right_system() {
        const SNOMED: &str = "http://snomed.info/sct";
        let terminology = Terminology::get();
        assert!(terminology.is_record_type(SNOMED, "736253002"));
        assert!(!terminology.is_record_type("https://snomed.info/sct", "736253002"));
        assert!(!terminology.is_record_type(SNOMED, "734163000"));
    }
}
