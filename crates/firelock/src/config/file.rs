//! A configuration file, as written. Everything may be left out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fhir_model::IssueSeverity;
use fhir_service::{FullText, Narratives, ReferentialIntegrity, Validation};
use http_server::IpNet;
use rulebook::ConditionalDelete;
use rulebook::spine::{HeaderMode, JwtTexts, NrlErrors, NrlSpec, Readings, RemovalReason, TimeCheck};
use serde::{Deserialize, Serialize};
use versioning_core::{IdenticalUpdate, IfMatchPolicy, LockPolicy, UpdateCreate, VersionScheme};

use super::limits::{FileLimits, FileSqlite};
use super::mount::{RulebookKind, SpineConfig};
use super::{Durability, StoreKind};

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<SocketAddr>,
    pub(super) base_url: Option<String>,
    pub(super) data: Option<PathBuf>,
    pub(super) store: Option<StoreKind>,
    pub(super) durability: Option<Durability>,
    pub(super) cors: Option<Vec<String>>,
    pub(super) trusted_proxies: Option<Vec<IpNet>>,
    pub(super) audit: Option<String>,
    #[serde(default)]
    pub(super) tls: FileTls,
    #[serde(default)]
    pub(super) limits: FileLimits,
    #[serde(default)]
    pub(super) sqlite: FileSqlite,
    #[serde(default)]
    pub(super) mount: Vec<FileMount>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTls {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileMount {
    pub(super) path: String,
    pub(super) alias_of: Option<String>,
    pub(super) fhir: Option<String>,
    #[serde(default)]
    pub(super) rulebook: RulebookKind,
    pub(super) stale: Option<u16>,
    pub(super) missing: Option<u16>,
    pub(super) lenient_tags: Option<bool>,
    pub(super) conditional_delete: Option<FileConditionalDelete>,
    pub(super) conflict_body: Option<FileConflictBody>,
    pub(super) bundle_if_match: Option<FileBundleIfMatch>,
    pub(super) stu3_bundle_patch: Option<bool>,
    pub(super) validation: Option<FileValidation>,
    pub(super) referential_integrity: Option<FileIntegrity>,
    pub(super) full_text: Option<FileFullText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) profiles: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) required_profiles: Vec<String>,
    pub(super) narratives: Option<FileNarratives>,
    pub(super) rebase: Option<bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) severities: BTreeMap<String, FileSeverity>,
    pub(super) headers: Option<FileHeaders>,
    pub(super) directory: Option<PathBuf>,
    pub(super) jwt_texts: Option<FileJwtTexts>,
    pub(super) token_times: Option<FileTokenTimes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) token_keys: Vec<PathBuf>,
    pub(super) removal_reason: Option<FileRemovalReason>,
    pub(super) nrl_spec: Option<FileNrlSpec>,
    pub(super) nrl_errors: Option<FileNrlErrors>,
    pub(super) readings: Option<Readings>,
    #[serde(default)]
    pub(super) lock: FileLock,
    #[serde(default, rename = "type", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) types: BTreeMap<String, FileLock>,
}

/// What a conditional delete does where several resources match.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileConditionalDelete {
    Single,
    Multiple,
}

impl From<FileConditionalDelete> for ConditionalDelete {
    fn from(written: FileConditionalDelete) -> Self {
        match written {
            FileConditionalDelete::Single => Self::Single,
            FileConditionalDelete::Multiple => Self::Multiple,
        }
    }
}

impl From<ConditionalDelete> for FileConditionalDelete {
    fn from(meant: ConditionalDelete) -> Self {
        match meant {
            ConditionalDelete::Single => Self::Single,
            ConditionalDelete::Multiple => Self::Multiple,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileHeaders {
    Required,
    Optional,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) enum FileJwtTexts {
    #[serde(rename = "spine-core")]
    SpineCore,
    #[serde(rename = "nrl-2.3.0")]
    Nrl230,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileTokenTimes {
    Off,
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileRemovalReason {
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) enum FileNrlSpec {
    #[serde(rename = "2019")]
    Draft2019,
    #[serde(rename = "2.8.0")]
    V2_8_0,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) enum FileNrlErrors {
    #[serde(rename = "2.3.0")]
    V2_3_0,
    #[serde(rename = "2.8.0")]
    V2_8_0,
}

impl FileMount {
    /// Whether nothing is said that only the APIs of NHS Spine understand.
    pub(super) fn spine_is_empty(&self) -> bool {
        self.headers.is_none()
            && self.directory.is_none()
            && self.jwt_texts.is_none()
            && self.token_times.is_none()
            && self.token_keys.is_empty()
            && self.removal_reason.is_none()
            && self.nrl_spec.is_none()
            && self.nrl_errors.is_none()
    }

    /// What the APIs of NHS Spine are told.
    pub(super) fn spine(&self) -> SpineConfig {
        SpineConfig {
            headers: match self.headers {
                None | Some(FileHeaders::Required) => HeaderMode::Required,
                Some(FileHeaders::Optional) => HeaderMode::Optional,
                Some(FileHeaders::Off) => HeaderMode::Off,
            },
            directory: self.directory.clone(),
            jwt_texts: match self.jwt_texts {
                None | Some(FileJwtTexts::SpineCore) => JwtTexts::SpineCore,
                Some(FileJwtTexts::Nrl230) => JwtTexts::Nrl230,
            },
            token_times: match self.token_times {
                None | Some(FileTokenTimes::Off) => TimeCheck::Off,
                Some(FileTokenTimes::Strict) => TimeCheck::Strict,
            },
            token_keys: self.token_keys.clone(),
            removal_reason: match self.removal_reason {
                None | Some(FileRemovalReason::Required) => RemovalReason::Required,
                Some(FileRemovalReason::Optional) => RemovalReason::Optional,
            },
            nrl_spec: match self.nrl_spec {
                None | Some(FileNrlSpec::Draft2019) => NrlSpec::Draft2019,
                Some(FileNrlSpec::V2_8_0) => NrlSpec::V2_8_0,
            },
            nrl_errors: match self.nrl_errors {
                None | Some(FileNrlErrors::V2_8_0) => NrlErrors::V2_8_0,
                Some(FileNrlErrors::V2_3_0) => NrlErrors::V2_3_0,
            },
            readings: self.readings.unwrap_or_default(),
        }
    }

    /// The same mount with all of it written out.
    pub(super) fn with_spine(self, config: &SpineConfig) -> Self {
        Self {
            headers: Some(match config.headers {
                HeaderMode::Required => FileHeaders::Required,
                HeaderMode::Optional => FileHeaders::Optional,
                HeaderMode::Off => FileHeaders::Off,
            }),
            directory: config.directory.clone(),
            jwt_texts: Some(match config.jwt_texts {
                JwtTexts::SpineCore => FileJwtTexts::SpineCore,
                JwtTexts::Nrl230 => FileJwtTexts::Nrl230,
            }),
            token_times: Some(match config.token_times {
                TimeCheck::Off => FileTokenTimes::Off,
                TimeCheck::Strict => FileTokenTimes::Strict,
            }),
            token_keys: config.token_keys.clone(),
            removal_reason: (self.rulebook == RulebookKind::SpineFlags).then_some(
                match config.removal_reason {
                    RemovalReason::Required => FileRemovalReason::Required,
                    RemovalReason::Optional => FileRemovalReason::Optional,
                },
            ),
            nrl_spec: (self.rulebook == RulebookKind::SpineNrl).then_some(match config.nrl_spec {
                NrlSpec::Draft2019 => FileNrlSpec::Draft2019,
                NrlSpec::V2_8_0 => FileNrlSpec::V2_8_0,
            }),
            nrl_errors: (self.rulebook == RulebookKind::SpineNrl).then_some(match config.nrl_errors {
                NrlErrors::V2_3_0 => FileNrlErrors::V2_3_0,
                NrlErrors::V2_8_0 => FileNrlErrors::V2_8_0,
            }),
            ..self
        }
    }
}

/// The lock policy of a mount, or of one type of it.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLock {
    if_match: Option<FileIfMatch>,
    update_create: Option<bool>,
    identical_put: Option<FileIdentical>,
    version_ids: Option<FileScheme>,
    retries_max: Option<u16>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum FileIfMatch {
    Ignored,
    Optional,
    Compulsory,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FileIdentical {
    Keep,
    NewVersion,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum FileScheme {
    Sequential,
    Opaque,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileValidation {
    Off,
    #[default]
    Structure,
    Strict,
}

impl From<FileValidation> for Validation {
    fn from(validation: FileValidation) -> Self {
        match validation {
            FileValidation::Off => Self::Off,
            FileValidation::Structure => Self::Structure,
            FileValidation::Strict => Self::Strict,
        }
    }
}

impl From<Validation> for FileValidation {
    fn from(validation: Validation) -> Self {
        match validation {
            Validation::Off => Self::Off,
            Validation::Structure => Self::Structure,
            Validation::Strict => Self::Strict,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileIntegrity {
    #[default]
    Off,
    Check,
}

impl From<FileIntegrity> for ReferentialIntegrity {
    fn from(integrity: FileIntegrity) -> Self {
        match integrity {
            FileIntegrity::Off => Self::Off,
            FileIntegrity::Check => Self::Check,
        }
    }
}

impl From<ReferentialIntegrity> for FileIntegrity {
    fn from(integrity: ReferentialIntegrity) -> Self {
        match integrity {
            ReferentialIntegrity::Off => Self::Off,
            ReferentialIntegrity::Check => Self::Check,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileFullText {
    Off,
    On,
}

impl From<FileFullText> for FullText {
    fn from(full_text: FileFullText) -> Self {
        match full_text {
            FileFullText::Off => Self::Off,
            FileFullText::On => Self::On,
        }
    }
}

impl From<FullText> for FileFullText {
    fn from(full_text: FullText) -> Self {
        match full_text {
            FullText::Off => Self::Off,
            FullText::On => Self::On,
        }
    }
}

/// What becomes of a narrative that a patch outdates.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileNarratives {
    Keep,
    Refuse,
}

impl From<FileNarratives> for Narratives {
    fn from(narratives: FileNarratives) -> Self {
        match narratives {
            FileNarratives::Keep => Self::Keep,
            FileNarratives::Refuse => Self::Refuse,
        }
    }
}

impl From<Narratives> for FileNarratives {
    fn from(narratives: Narratives) -> Self {
        match narratives {
            Narratives::Keep => Self::Keep,
            Narratives::Refuse => Self::Refuse,
        }
    }
}

/// How much the breach of a rule counts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileSeverity {
    Error,
    Warning,
    Information,
}

impl From<FileSeverity> for IssueSeverity {
    fn from(severity: FileSeverity) -> Self {
        match severity {
            FileSeverity::Error => Self::Error,
            FileSeverity::Warning => Self::Warning,
            FileSeverity::Information => Self::Information,
        }
    }
}

impl FileSeverity {
    pub(super) fn of(severity: IssueSeverity) -> Self {
        match severity {
            IssueSeverity::Fatal | IssueSeverity::Error => Self::Error,
            IssueSeverity::Warning => Self::Warning,
            _ => Self::Information,
        }
    }
}

/// Whether update entries of transactions need `ifMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileBundleIfMatch {
    Required,
    Optional,
}

/// Named as the codes are.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum FileConflictBody {
    Conflict,
    ResourceVersionMismatch,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a Firelock configuration", path.display()))
    }
}

impl FileLock {
    /// What is written here over what holds anyway.
    pub(super) fn over(&self, policy: LockPolicy) -> LockPolicy {
        LockPolicy {
            if_match: self.if_match.map_or(policy.if_match, |setting| match setting {
                FileIfMatch::Ignored => IfMatchPolicy::Ignored,
                FileIfMatch::Optional => IfMatchPolicy::Optional,
                FileIfMatch::Compulsory => IfMatchPolicy::Compulsory,
            }),
            update_create: self.update_create.map_or(policy.update_create, |allowed| {
                if allowed { UpdateCreate::Allowed } else { UpdateCreate::Refused }
            }),
            identical: self.identical_put.map_or(policy.identical, |setting| match setting {
                FileIdentical::Keep => IdenticalUpdate::Keep,
                FileIdentical::NewVersion => IdenticalUpdate::NewVersion,
            }),
            scheme: self.version_ids.map_or(policy.scheme, |setting| match setting {
                FileScheme::Sequential => VersionScheme::Sequential,
                FileScheme::Opaque => VersionScheme::Opaque,
            }),
            retries_max: self.retries_max.unwrap_or(policy.retries_max),
            ..policy
        }
    }

    /// A policy with everything written out.
    pub(super) fn of(policy: &LockPolicy) -> Self {
        Self {
            if_match: Some(match policy.if_match {
                IfMatchPolicy::Ignored => FileIfMatch::Ignored,
                IfMatchPolicy::Optional => FileIfMatch::Optional,
                IfMatchPolicy::Compulsory => FileIfMatch::Compulsory,
            }),
            update_create: Some(policy.update_create == UpdateCreate::Allowed),
            identical_put: Some(match policy.identical {
                IdenticalUpdate::Keep => FileIdentical::Keep,
                IdenticalUpdate::NewVersion => FileIdentical::NewVersion,
            }),
            version_ids: Some(match policy.scheme {
                VersionScheme::Sequential => FileScheme::Sequential,
                VersionScheme::Opaque => FileScheme::Opaque,
            }),
            retries_max: Some(policy.retries_max),
        }
    }
}
