//! The APIs of a configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use fhir_definitions::FhirVersion;
use fhir_model::IssueSeverity;
use fhir_service::{FullText, Narratives, ReferentialIntegrity, Validation};
use fhir_validate::Rule;
use rulebook::spine::{
    HeaderMode, JwtTexts, NrlErrors, NrlRulebook, NrlSpec, Readings, RemovalReason, TimeCheck,
};
use rulebook::{ConflictBody, LockSettings, PatchEntries, SpineRulebook};
use serde::{Deserialize, Serialize};

use super::file::{FileBundleIfMatch, FileConflictBody, FileLock, FileMount, FileSeverity, FileValidation};

/// The rules a mount follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RulebookKind {
    #[default]
    Fhir,
    Spine,
    SpineFlags,
    SpineNrl,
}

impl RulebookKind {
    /// Whether callers have to say who they are.
    fn has_callers(self) -> bool {
        matches!(self, Self::SpineFlags | Self::SpineNrl)
    }
}

/// An API at a path.
#[derive(Debug)]
pub(crate) struct MountConfig {
    pub(crate) path: String,
    pub(crate) version: FhirVersion,
    pub(crate) rulebook: RulebookKind,
    pub(crate) locks: LockSettings,
    pub(crate) conflict_body: ConflictBody,
    pub(crate) validation: Validation,
    pub(crate) referential_integrity: ReferentialIntegrity,
    pub(crate) full_text: FullText,
    pub(crate) narratives: Narratives,
    pub(crate) profiles: ProfileConfig,
    pub(crate) spine: SpineConfig,
    /// The path of another mount that this one is a second name of.
    pub(crate) alias_of: Option<String>,
}

/// The profiles of an API, and how much the breach of a rule counts.
#[derive(Debug, Default)]
pub(crate) struct ProfileConfig {
    /// Folders and packages.
    pub(crate) places: Vec<PathBuf>,
    /// The URLs of those that every resource of their type keeps.
    pub(crate) required: Vec<String>,
    pub(crate) severities: BTreeMap<Rule, IssueSeverity>,
}

/// What the APIs of NHS Spine can be told.
#[derive(Debug, Default)]
pub(crate) struct SpineConfig {
    pub(crate) headers: HeaderMode,
    /// The file of the directory; the demonstration's where there is none.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) jwt_texts: JwtTexts,
    pub(crate) token_times: TimeCheck,
    /// Files with the public keys that sign tokens.
    pub(crate) token_keys: Vec<PathBuf>,
    pub(crate) removal_reason: RemovalReason,
    pub(crate) nrl_spec: NrlSpec,
    pub(crate) nrl_errors: NrlErrors,
    pub(crate) readings: Readings,
}

impl FileMount {
    pub(super) fn resolve(self) -> Result<MountConfig> {
        let path = self.path.clone();
        if let Some(target) = &self.alias_of {
            let alias = Self { path: path.clone(), alias_of: Some(target.clone()), ..Self::default() };
            ensure!(
                toml::to_string(&self)? == toml::to_string(&alias)?,
                "mount {path}: a second name has no settings of its own; say them at {target}"
            );
            return Ok(MountConfig::alias(path, target.clone()));
        }
        let fhir = self.fhir.as_ref();
        let fhir = fhir.with_context(|| format!("mount {path}: fhir = \"R4\", or another version"))?;
        let version: FhirVersion = fhir.parse().with_context(|| format!("mount {path}"))?;
        self.check_rulebook(version)?;
        let locks = self.locks(version)?;
        let conflict_body = match self.conflict_body {
            None | Some(FileConflictBody::Conflict) => ConflictBody::Conflict,
            Some(FileConflictBody::ResourceVersionMismatch) => ConflictBody::ResourceVersionMismatch,
        };
        Ok(MountConfig {
            version,
            rulebook: self.rulebook,
            locks,
            conflict_body,
            validation: self.validation.unwrap_or_default().into(),
            referential_integrity: self.referential_integrity.unwrap_or_default().into(),
            full_text: self.full_text.map_or(FullText::Off, Into::into),
            narratives: self.narratives.map_or(Narratives::default(), Into::into),
            spine: self.spine(),
            profiles: self.profiles()?,
            path,
            alias_of: None,
        })
    }

    /// Every setting belongs to a rulebook that has it.
    fn check_rulebook(&self, version: FhirVersion) -> Result<()> {
        let (path, rulebook) = (&self.path, self.rulebook);
        ensure!(
            rulebook == RulebookKind::Fhir || version == FhirVersion::Stu3,
            "mount {path}: the rulebooks of Spine speak STU3"
        );
        ensure!(
            rulebook.has_callers() || self.spine_is_empty(),
            "mount {path}: headers, directory, jwt_texts, token_times, token_keys, removal_reason, nrl_spec and nrl_errors belong to the APIs of Spine"
        );
        ensure!(
            rulebook != RulebookKind::Fhir || self.conflict_body.is_none(),
            "mount {path}: conflict_body belongs to the rulebooks of Spine"
        );
        ensure!(
            rulebook == RulebookKind::Fhir || self.conditional_delete.is_none(),
            "mount {path}: the spine rulebook has no conditional delete"
        );
        ensure!(
            matches!(rulebook, RulebookKind::Spine | RulebookKind::SpineFlags)
                || self.bundle_if_match.is_none(),
            "mount {path}: bundle_if_match belongs to the rulebooks spine and spine-flags"
        );
        ensure!(
            rulebook == RulebookKind::Fhir && version == FhirVersion::Stu3
                || self.stu3_bundle_patch.is_none(),
            "mount {path}: stu3_bundle_patch belongs to STU3 with the rulebook fhir; later versions have PATCH entries"
        );
        ensure!(
            rulebook == RulebookKind::Fhir || self.rebase != Some(true),
            "mount {path}: rebase is not for the rulebooks of Spine, whose clients are always told that they are stale"
        );
        check_spine(rulebook, &self.spine(), path)
    }

    /// What it locks by.
    fn locks(&self, version: FhirVersion) -> Result<LockSettings> {
        let path = &self.path;
        let mut locks = match self.rulebook {
            RulebookKind::Fhir => LockSettings::of(version),
            RulebookKind::Spine | RulebookKind::SpineFlags => SpineRulebook::default_locks(),
            RulebookKind::SpineNrl => NrlRulebook::default_locks(),
        };
        locks.policy = self.lock.over(locks.policy);
        for (name, lock) in &self.types {
            ensure!(
                fhir_definitions::is_resource_type(version, name),
                "mount {path}: {name} is not a resource type of FHIR {version}"
            );
            locks.by_type.insert(name.clone(), lock.over(locks.policy));
        }
        locks.stale = one_of(self.stale, locks.stale, &[409, 412], path, "stale")?;
        locks.missing = one_of(self.missing, locks.missing, &[400, 412, 428], path, "missing")?;
        locks.lenient_tags = self.lenient_tags.unwrap_or(locks.lenient_tags);
        locks.rebase = self.rebase.unwrap_or(locks.rebase);
        locks.conditional_delete = self.conditional_delete.map_or(locks.conditional_delete, Into::into);
        if let Some(wanted) = self.bundle_if_match {
            locks.bundle_if_match_optional = wanted == FileBundleIfMatch::Optional;
        }
        if let Some(wanted) = self.stu3_bundle_patch {
            locks.patch_entries = if wanted { PatchEntries::Always } else { PatchEntries::FromR4 };
        }
        Ok(locks)
    }

    fn profiles(self) -> Result<ProfileConfig> {
        let path = &self.path;
        let is_off = matches!(self.validation, Some(FileValidation::Off));
        ensure!(
            !is_off || self.profiles.is_empty(),
            "mount {path}: validation is off, so its profiles would not be checked"
        );
        ensure!(
            self.required_profiles.is_empty() || !self.profiles.is_empty(),
            "mount {path}: required_profiles need profiles, the folders or packages that have them"
        );
        let severities = severities(self.severities, path)?;
        Ok(ProfileConfig { places: self.profiles, required: self.required_profiles, severities })
    }

    /// A mount with everything written out.
    pub(super) fn of(mount: &MountConfig) -> Self {
        let locks = &mount.locks;
        let types = locks.by_type.iter().map(|(name, policy)| (name.clone(), FileLock::of(policy)));
        let bundle_if_match = if locks.bundle_if_match_optional {
            FileBundleIfMatch::Optional
        } else {
            FileBundleIfMatch::Required
        };
        let conflict_body = match mount.conflict_body {
            ConflictBody::Conflict => FileConflictBody::Conflict,
            ConflictBody::ResourceVersionMismatch => FileConflictBody::ResourceVersionMismatch,
        };
        if mount.alias_of.is_some() {
            return Self { path: mount.path.clone(), alias_of: mount.alias_of.clone(), ..Self::default() };
        }
        let file = Self {
            path: mount.path.clone(),
            alias_of: None,
            fhir: Some(mount.version.label().to_owned()),
            rulebook: mount.rulebook,
            stale: Some(locks.stale),
            missing: Some(locks.missing),
            lenient_tags: Some(locks.lenient_tags),
            conditional_delete: (mount.rulebook == RulebookKind::Fhir)
                .then(|| locks.conditional_delete.into()),
            validation: Some(mount.validation.into()),
            referential_integrity: Some(mount.referential_integrity.into()),
            full_text: Some(mount.full_text.into()),
            profiles: mount.profiles.places.clone(),
            required_profiles: mount.profiles.required.clone(),
            narratives: Some(mount.narratives.into()),
            rebase: Some(locks.rebase),
            severities: mount
                .profiles
                .severities
                .iter()
                .map(|(rule, severity)| (rule.code().to_owned(), FileSeverity::of(*severity)))
                .collect(),
            conflict_body: (mount.rulebook != RulebookKind::Fhir).then_some(conflict_body),
            bundle_if_match: matches!(mount.rulebook, RulebookKind::Spine | RulebookKind::SpineFlags)
                .then_some(bundle_if_match),
            readings: (mount.rulebook != RulebookKind::Fhir).then_some(mount.spine.readings),
            stu3_bundle_patch: (mount.rulebook == RulebookKind::Fhir && mount.version == FhirVersion::Stu3)
                .then_some(locks.patch_entries == PatchEntries::Always),
            lock: FileLock::of(&locks.policy),
            types: types.collect(),
            ..Self::default()
        };
        if mount.rulebook.has_callers() { file.with_spine(&mount.spine) } else { file }
    }
}

/// Rules that stay errors: without them a part of a resource could be stored as the whole, or what is none at all.
const ALWAYS_ERRORS: [Rule; 5] =
    [Rule::Subsetted, Rule::NotAResource, Rule::UnknownResourceType, Rule::TooDeep, Rule::TooManyMembers];

fn severities(settings: BTreeMap<String, FileSeverity>, path: &str) -> Result<BTreeMap<Rule, IssueSeverity>> {
    let mut severities = BTreeMap::new();
    for (code, severity) in settings {
        let rule = Rule::of_code(&code)
            .with_context(|| format!("mount {path}: severities: there is no rule {code:?}"))?;
        let severity = IssueSeverity::from(severity);
        ensure!(
            severity == IssueSeverity::Error || !ALWAYS_ERRORS.contains(&rule),
            "mount {path}: severities: a breach of {code} is always an error"
        );
        severities.insert(rule, severity);
    }
    Ok(severities)
}

fn one_of(value: Option<u16>, default: u16, allowed: &[u16], path: &str, name: &str) -> Result<u16> {
    match value {
        Some(value) if !allowed.contains(&value) => {
            bail!("mount {path}: {name} is one of {allowed:?}, not {value}")
        }
        value => Ok(value.unwrap_or(default)),
    }
}

impl MountConfig {
    fn new(path: String, version: FhirVersion, rulebook: RulebookKind, locks: LockSettings) -> Self {
        Self {
            path,
            version,
            rulebook,
            locks,
            conflict_body: ConflictBody::default(),
            validation: Validation::default(),
            referential_integrity: ReferentialIntegrity::default(),
            full_text: FullText::Off,
            narratives: Narratives::default(),
            profiles: ProfileConfig::default(),
            spine: SpineConfig::default(),
            alias_of: None,
        }
    }

    /// A second name of another mount; the rest of it is never looked at.
    fn alias(path: String, target: String) -> Self {
        let version = FhirVersion::Stu3;
        let locks = LockSettings::of(version);
        Self { alias_of: Some(target), ..Self::new(path, version, RulebookKind::Fhir, locks) }
    }
}

/// The mounts of a server without a configuration; the demonstration has document 000's path too.
pub(super) fn default_mounts(demo: bool) -> Vec<MountConfig> {
    let plain = FhirVersion::ALL.map(|version| {
        let path = format!("/{}", version.label());
        MountConfig::new(path, version, RulebookKind::Fhir, LockSettings::of(version))
    });
    let spine = [
        ("/spine/STU3", RulebookKind::Spine, SpineRulebook::default_locks()),
        ("/flags/STU3", RulebookKind::SpineFlags, SpineRulebook::default_locks()),
        ("/nrl/STU3", RulebookKind::SpineNrl, NrlRulebook::default_locks()),
    ];
    let spine =
        spine.map(|(path, kind, locks)| MountConfig::new(path.to_owned(), FhirVersion::Stu3, kind, locks));
    let alias = demo.then(|| MountConfig::alias("/flagserver".to_owned(), "/flags/STU3".to_owned()));
    plain.into_iter().chain(spine).chain(alias).collect()
}

/// Each rulebook has its own settings, and the readings of questions that come up in it.
fn check_spine(rulebook: RulebookKind, spine: &SpineConfig, path: &str) -> Result<()> {
    let SpineConfig { readings, nrl_spec, nrl_errors, removal_reason, .. } = spine;
    let default = Readings::default();
    ensure!(
        rulebook == RulebookKind::SpineNrl
            || (*nrl_spec == NrlSpec::default() && *nrl_errors == NrlErrors::default()),
        "mount {path}: nrl_spec and nrl_errors belong to the rulebook spine-nrl"
    );
    ensure!(
        rulebook == RulebookKind::SpineFlags || *removal_reason == RemovalReason::default(),
        "mount {path}: removal_reason belongs to the rulebook spine-flags"
    );
    ensure!(
        rulebook != RulebookKind::Fhir || *readings == default,
        "mount {path}: readings belong to the rulebooks of Spine"
    );
    ensure!(
        rulebook == RulebookKind::Spine || readings.deletion == default.deletion,
        "mount {path}: the reading deletion belongs to the rulebook spine"
    );
    ensure!(
        rulebook == RulebookKind::SpineFlags
            || (readings.empty_search == default.empty_search
                && readings.transition_issue == default.transition_issue
                && readings.removal_if_match == default.removal_if_match),
        "mount {path}: the readings empty_search, transition_issue and removal_if_match belong to the rulebook spine-flags"
    );
    ensure!(
        rulebook == RulebookKind::SpineNrl || readings.replacement_version == default.replacement_version,
        "mount {path}: the reading replacement_version belongs to the rulebook spine-nrl"
    );
    ensure!(
        rulebook != RulebookKind::SpineNrl
            || (readings.displays == default.displays && readings.malformed == default.malformed),
        "mount {path}: the record locator has displays and rows of its own; see nrl_errors"
    );
    Ok(())
}

/// A second name is one of a mount that is there, and has no second name itself.
pub(super) fn check_aliases(mounts: &[MountConfig]) -> Result<()> {
    for mount in mounts {
        let Some(target) = &mount.alias_of else { continue };
        ensure!(
            mounts.iter().any(|other| other.path == *target && other.alias_of.is_none()),
            "mount {}: alias_of {target:?} is no other mount",
            mount.path
        );
    }
    Ok(())
}

/// What operators ask for is outside of every API.
const RESERVED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Paths become folder names, so they are kept plain.
pub(super) fn check_paths(mounts: &[MountConfig]) -> Result<()> {
    for (index, mount) in mounts.iter().enumerate() {
        let path = &mount.path;
        let plain = path.len() > 1
            && path.split('/').skip(1).all(|segment| {
                !segment.is_empty()
                    && !segment.starts_with('.')
                    && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            });
        ensure!(
            path.starts_with('/') && plain,
            "mount path {path:?}: write segments of letters, digits, '-', '_' and '.', each behind a '/'"
        );
        ensure!(
            !RESERVED.iter().any(|own| path == own || path.starts_with(&format!("{own}/"))),
            "mount path {path:?}: {} are the server's own",
            RESERVED.join(", ")
        );
        let folder = crate::mounts::folder(path);
        ensure!(
            mounts.iter().skip(index + 1).all(|other| crate::mounts::folder(&other.path) != folder),
            "mount path {path:?} is used twice, or differs from another only in '/' and '-'"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
