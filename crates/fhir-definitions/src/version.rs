//! The FHIR versions that Firelock speaks, and the names under which each goes on the wire.

use std::fmt;
use std::str::FromStr;

/// A published FHIR version. The order is the order of publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FhirVersion {
    /// FHIR Release 3, "STU3": 3.0.2.
    Stu3,
    /// FHIR Release 4: 4.0.1.
    R4,
    /// FHIR Release 4B: 4.3.0.
    R4b,
    /// FHIR Release 5: 5.0.0.
    R5,
}

impl FhirVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 4] = [Self::Stu3, Self::R4, Self::R4b, Self::R5];

    /// The name people use: `STU3`, `R4`, `R4B` or `R5`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stu3 => "STU3",
            Self::R4 => "R4",
            Self::R4b => "R4B",
            Self::R5 => "R5",
        }
    }

    /// The full version number, as in `CapabilityStatement.fhirVersion`: `3.0.2`, `4.0.1`, `4.3.0` or `5.0.0`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Stu3 => "3.0.2",
            Self::R4 => "4.0.1",
            Self::R4b => "4.3.0",
            Self::R5 => "5.0.0",
        }
    }

    /// The value of the media type parameter `fhirVersion` (FHIR "Managing FHIR Versions"): major and minor
    /// number only.
    pub const fn mime_version(self) -> &'static str {
        match self {
            Self::Stu3 => "3.0",
            Self::R4 => "4.0",
            Self::R4b => "4.3",
            Self::R5 => "5.0",
        }
    }
}

impl fmt::Display for FhirVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl FromStr for FhirVersion {
    type Err = UnknownFhirVersion;

    /// Reads a label in any case, `major.minor`, or `major.minor.patch`. Any patch number will do: a profile
    /// written against 3.0.1 is an STU3 profile.
    fn from_str(text: &str) -> Result<Self, UnknownFhirVersion> {
        let unknown = || UnknownFhirVersion { text: text.to_owned() };
        Self::ALL
            .into_iter()
            .find(|version| {
                text.eq_ignore_ascii_case(version.label())
                    || text.strip_prefix(version.mime_version()).is_some_and(is_patch_suffix)
            })
            .ok_or_else(unknown)
    }
}

/// Nothing, or a full stop and digits.
fn is_patch_suffix(rest: &str) -> bool {
    rest.is_empty()
        || rest
            .strip_prefix('.')
            .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A text that names none of the versions that Firelock speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFhirVersion {
    /// The text as it was given.
    pub text: String,
}

impl fmt::Display for UnknownFhirVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no FHIR version known here; use STU3, R4, R4B or R5", self.text)
    }
}

impl std::error::Error for UnknownFhirVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_version_reads_back_as_that_version() {
        for version in FhirVersion::ALL {
            for name in [version.label(), version.number(), version.mime_version(), &version.to_string()] {
                assert_eq!(name.parse(), Ok(version), "{name}");
            }
            assert_eq!(version.label().to_lowercase().parse(), Ok(version));
            assert!(version.number().starts_with(version.mime_version()));
        }
    }

    #[test]
    fn a_patch_number_does_not_matter_but_must_be_one() {
        assert_eq!("3.0.1".parse(), Ok(FhirVersion::Stu3));
        assert_eq!("4.0.0".parse(), Ok(FhirVersion::R4));
        for text in ["", "R3x", "R6", "4", "4.1", "4.0.", "4.0.1-ballot", "4.30", " R4", "4.0.1.2", "R4 "] {
            assert_eq!(text.parse::<FhirVersion>(), Err(UnknownFhirVersion { text: text.to_owned() }));
        }
    }

    #[test]
    fn order_is_the_order_of_publication() {
        assert!(FhirVersion::ALL.is_sorted());
        assert_eq!(format!("[{:>5}]", FhirVersion::R4b), "[  R4B]");
    }
}
