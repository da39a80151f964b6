//! What Spine knows of systems, organisations and patients. A server is given it as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use crate::spine::identifiers::{is_asid, is_nhs_number, is_ods_code};

/// Systems, organisations and patients that are known.
///
/// ```
/// use rulebook::spine::Directory;
///
/// let directory = Directory::demo();
/// assert_eq!(directory.organization_of("200000000205"), Some("RXA"));
/// assert!(directory.may("200000000205", "urn:nhs:names:services:raflags:Flag.write:1"));
/// assert!(!directory.may("200000000115", "urn:nhs:names:services:raflags:Flag.write:1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    spine_asid: String,
    systems: BTreeMap<String, System>,
    organizations: BTreeMap<String, String>,
    patients: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct System {
    organization: String,
    interactions: Vec<String>,
}

/// Why a directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryError(String);

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DirectoryError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spine_asid: String,
    #[serde(default)]
    system: Vec<FileSystem>,
    #[serde(default)]
    organization: Vec<FileOrganization>,
    #[serde(default)]
    patients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSystem {
    asid: String,
    organization: String,
    interactions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOrganization {
    code: String,
    #[serde(default)]
    name: String,
}

impl Directory {
    /// The directory of the demonstration: made up, apart from the codes.
    pub fn demo() -> Self {
        // A test reads it.
        Self::from_toml(include_str!("demo.toml")).unwrap_or_default()
    }

    /// Reads a directory: `spine_asid`, tables `[[system]]` with `asid`, `organization` and
    /// `interactions` (an id, or its beginning and `*`), tables `[[organization]]` with `code` and
    /// `name`, and a list `patients` of NHS numbers. Without `patients` every patient is known.
    pub fn from_toml(text: &str) -> Result<Self, DirectoryError> {
        let file: File = toml::from_str(text).map_err(|error| DirectoryError(error.to_string()))?;
        let mut directory = Self { spine_asid: file.spine_asid, ..Self::default() };
        expect(is_asid(&directory.spine_asid), "spine_asid", &directory.spine_asid, "12 digits")?;
        for FileOrganization { code, name } in file.organization {
            expect(is_ods_code(&code), "organization.code", &code, "3 to 12 letters and digits")?;
            directory.organizations.insert(code.to_ascii_uppercase(), name);
        }
        for FileSystem { asid, organization, interactions } in file.system {
            expect(is_asid(&asid), "system.asid", &asid, "12 digits")?;
            let known = directory.knows_organization(&organization);
            expect(known, "system.organization", &organization, "the code of an [[organization]]")?;
            let system = System { organization, interactions };
            if directory.systems.insert(asid.clone(), system).is_some() {
                return Err(DirectoryError(format!("system.asid {asid:?} is there twice")));
            }
        }
        for number in file.patients {
            expect(is_nhs_number(&number), "patients", &number, "NHS numbers")?;
            directory.patients.insert(number);
        }
        Ok(directory)
    }

    /// The ASID of Spine itself.
    pub fn spine_asid(&self) -> &str {
        &self.spine_asid
    }

    /// The ODS code of the organisation that runs a system; nothing for an unknown system.
    pub fn organization_of(&self, asid: &str) -> Option<&str> {
        self.systems.get(asid).map(|system| system.organization.as_str())
    }

    /// Whether a system belongs to an organisation.
    pub fn is_affiliated(&self, asid: &str, ods_code: &str) -> bool {
        self.organization_of(asid).is_some_and(|own| own.eq_ignore_ascii_case(ods_code))
    }

    /// Whether a system is accredited for an interaction.
    pub fn may(&self, asid: &str, interaction_id: &str) -> bool {
        let covers = |listed: &String| match listed.strip_suffix('*') {
            Some(beginning) => interaction_id.starts_with(beginning),
            None => listed == interaction_id,
        };
        self.systems.get(asid).is_some_and(|system| system.interactions.iter().any(covers))
    }

    /// Whether there is such an organisation.
    pub fn knows_organization(&self, ods_code: &str) -> bool {
        self.organizations.contains_key(&ods_code.to_ascii_uppercase())
    }

    /// The name of an organisation.
    pub fn organization_name(&self, ods_code: &str) -> Option<&str> {
        self.organizations.get(&ods_code.to_ascii_uppercase()).map(String::as_str)
    }

    /// Whether there is such a patient.
    pub fn knows_patient(&self, nhs_number: &str) -> bool {
        self.patients.is_empty() || self.patients.contains(nhs_number)
    }
}

fn expect(holds: bool, name: &str, value: &str, expected: &str) -> Result<(), DirectoryError> {
    if holds { Ok(()) } else { Err(DirectoryError(format!("{name} is {value:?}; expected {expected}"))) }
}
