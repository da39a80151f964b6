//! Configuration: what a file may say, and what the server then does.

mod file;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use fhir_definitions::FhirVersion;
use fhir_model::IssueSeverity;
use fhir_service::{FullText, Narratives, ReferentialIntegrity, Validation};
use fhir_validate::Rule;
use http_server::{Cors, IpNet, TlsFiles};
use rulebook::spine::{
    HeaderMode, JwtTexts, NrlErrors, NrlRulebook, NrlSpec, Readings, RemovalReason, TimeCheck,
};
use rulebook::{ConflictBody, LockSettings, PatchEntries, SpineRulebook};
use serde::{Deserialize, Serialize};

use self::file::{
    File, FileBundleIfMatch, FileConflictBody, FileLimits, FileLock, FileMount, FileSeverity, FileSqlite,
    FileTls,
};
use crate::audit;
use crate::cli::ServeArguments;

/// Where resources are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    #[default]
    Sqlite,
    Memory,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    #[default]
    Full,
    Normal,
}

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

/// What the server does.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) base_url: Option<String>,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreKind,
    pub(crate) durability: Durability,
    pub(crate) cors: Cors,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) sqlite: storage_sqlite::Options,
    pub(crate) http: http_server::Limits,
    pub(crate) service: fhir_service::Limits,
    pub(crate) mounts: Vec<MountConfig>,
    /// Whether a data set is loaded.
    pub(crate) demo: bool,
    /// Where the audit records of the APIs of Spine go.
    pub(crate) audit: Option<audit::Target>,
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

impl Config {
    /// Flags over file over defaults.
    pub(crate) fn load(arguments: ServeArguments) -> Result<Self> {
        let file = match &arguments.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let (http, service) = file.limits.limits()?;
        let mounts = if file.mount.is_empty() {
            default_mounts(arguments.demo)
        } else {
            file.mount.into_iter().map(FileMount::resolve).collect::<Result<_>>()?
        };
        check_paths(&mounts)?;
        check_aliases(&mounts)?;
        let durability = arguments.durability.or(file.durability).unwrap_or_default();
        Ok(Self {
            listen: arguments
                .listen
                .or(file.listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            base_url: arguments.base_url.or(file.base_url).as_deref().map(base_url).transpose()?,
            data: arguments.data.or(file.data).unwrap_or_else(|| PathBuf::from("./firelock-data")),
            store: arguments.store.or(file.store).unwrap_or(if arguments.demo {
                StoreKind::Memory
            } else {
                StoreKind::default()
            }),
            durability,
            sqlite: file.sqlite.options(durability)?,
            cors: cors(if arguments.cors.is_empty() {
                file.cors.unwrap_or_default()
            } else {
                arguments.cors
            })?,
            trusted_proxies: if arguments.trusted_proxies.is_empty() {
                file.trusted_proxies.unwrap_or_default()
            } else {
                arguments.trusted_proxies
            },
            tls: tls(
                arguments.tls_cert.or(file.tls.cert),
                arguments.tls_key.or(file.tls.key),
                arguments.client_ca.or(file.tls.client_ca),
            )?,
            http,
            service,
            mounts,
            demo: arguments.demo,
            audit: file.audit.as_deref().map(audit::Target::parse),
        })
    }

    /// The configuration as a file with everything written out.
    pub(crate) fn to_toml(&self) -> Result<String> {
        let (http, service) = (&self.http, &self.service);
        let file = File {
            listen: Some(self.listen),
            base_url: self.base_url.clone(),
            data: Some(self.data.clone()),
            store: Some(self.store),
            durability: Some(self.durability),
            cors: Some(match &self.cors {
                Cors::Off => Vec::new(),
                Cors::Any => vec!["*".to_owned()],
                Cors::Origins(origins) => origins.clone(),
            }),
            trusted_proxies: Some(self.trusted_proxies.clone()),
            audit: self.audit.as_ref().map(audit::Target::text),
            tls: FileTls {
                cert: self.tls.as_ref().map(|tls| tls.certificates.clone()),
                key: self.tls.as_ref().map(|tls| tls.key.clone()),
                client_ca: self.tls.as_ref().and_then(|tls| tls.client_authorities.clone()),
            },
            limits: FileLimits {
                connections_max: Some(http.connections_max),
                uri_bytes_max: Some(http.uri_bytes_max),
                header_bytes_max: Some(http.header_bytes_max),
                body_bytes_max: Some(http.body_bytes_max),
                bundle_entries_max: Some(service.bundle_entries_max),
                bundle_time_max_s: Some(service.bundle_time_us / 1_000_000),
                bundle_search_time_max_s: Some(service.bundle_search_time_us / 1_000_000),
                batch_parallel_max: Some(service.batch_parallel_max),
                header_time_max_s: Some(http.header_time_max.as_secs()),
                body_time_max_s: Some(http.body_time_max.as_secs()),
                send_time_max_s: Some(http.send_time_max.as_secs()),
                shutdown_time_max_s: Some(http.shutdown_time_max.as_secs()),
                depth_max: Some(service.json.depth_max),
                page_default: Some(service.page_default),
                page_max: Some(service.page_max),
                idempotency_time_s: Some(service.idempotency_time_us / 1_000_000),
            },
            sqlite: FileSqlite {
                body_inline_max: Some(self.sqlite.body_inline_max),
                head_cache_entries: Some(self.sqlite.head_cache_entries),
                body_cache_bytes: Some(self.sqlite.body_cache_bytes),
                entry_cache_bytes: Some(self.sqlite.entry_cache_bytes),
                page_cache_bytes: Some(self.sqlite.page_cache_bytes),
                checkpoint_bytes: Some(self.sqlite.checkpoint_bytes),
                log_bytes_max: Some(self.sqlite.log_bytes_max),
            },
            mount: self.mounts.iter().map(FileMount::of).collect(),
        };
        Ok(toml::to_string(&file)?)
    }
}

impl FileLimits {
    fn limits(&self) -> Result<(http_server::Limits, fhir_service::Limits)> {
        let mut http = http_server::Limits::default();
        let mut service = fhir_service::Limits::default();
        let set = |target: &mut usize, value: Option<usize>| *target = value.unwrap_or(*target);
        set(&mut http.connections_max, self.connections_max);
        set(&mut http.uri_bytes_max, self.uri_bytes_max);
        set(&mut http.header_bytes_max, self.header_bytes_max);
        set(&mut http.body_bytes_max, self.body_bytes_max);
        set(&mut service.bundle_entries_max, self.bundle_entries_max);
        set(&mut service.batch_parallel_max, self.batch_parallel_max);
        set(&mut service.json.depth_max, self.depth_max);
        set(&mut service.page_default, self.page_default);
        set(&mut service.page_max, self.page_max);
        let set =
            |target: &mut Duration, value: Option<u64>| *target = value.map_or(*target, Duration::from_secs);
        set(&mut http.header_time_max, self.header_time_max_s);
        set(&mut http.body_time_max, self.body_time_max_s);
        set(&mut http.send_time_max, self.send_time_max_s);
        set(&mut http.shutdown_time_max, self.shutdown_time_max_s);
        if let Some(seconds) = self.bundle_time_max_s {
            ensure!(seconds > 0, "limits.bundle_time_max_s must be at least 1");
            service.bundle_time_us = seconds.saturating_mul(1_000_000);
        }
        if let Some(seconds) = self.bundle_search_time_max_s {
            ensure!(seconds > 0, "limits.bundle_search_time_max_s must be at least 1");
            service.bundle_search_time_us = seconds.saturating_mul(1_000_000);
        }
        if let Some(seconds) = self.idempotency_time_s {
            ensure!(seconds >= 0, "limits.idempotency_time_s must not be negative");
            service.idempotency_time_us = seconds.saturating_mul(1_000_000);
        }
        service.json.bytes_max = http.body_bytes_max;
        ensure!(http.connections_max > 0, "limits.connections_max must be at least 1");
        ensure!(service.page_default > 0, "limits.page_default must be at least 1");
        ensure!(service.page_default <= service.page_max, "limits.page_default is above limits.page_max");
        Ok((http, service))
    }
}

impl FileSqlite {
    fn options(&self, durability: Durability) -> Result<storage_sqlite::Options> {
        let defaults = storage_sqlite::Options::default();
        let options = storage_sqlite::Options {
            durability: match durability {
                Durability::Full => storage_sqlite::Durability::Full,
                Durability::Normal => storage_sqlite::Durability::Normal,
            },
            body_inline_max: self.body_inline_max.unwrap_or(defaults.body_inline_max),
            head_cache_entries: self.head_cache_entries.unwrap_or(defaults.head_cache_entries),
            body_cache_bytes: self.body_cache_bytes.unwrap_or(defaults.body_cache_bytes),
            entry_cache_bytes: self.entry_cache_bytes.unwrap_or(defaults.entry_cache_bytes),
            page_cache_bytes: self.page_cache_bytes.unwrap_or(defaults.page_cache_bytes),
            checkpoint_bytes: self.checkpoint_bytes.unwrap_or(defaults.checkpoint_bytes),
            log_bytes_max: self.log_bytes_max.unwrap_or(defaults.log_bytes_max),
            ..defaults
        };
        ensure!(
            options.checkpoint_bytes <= options.log_bytes_max,
            "sqlite.checkpoint_bytes is above sqlite.log_bytes_max"
        );
        Ok(options)
    }
}

impl FileMount {
    fn resolve(self) -> Result<MountConfig> {
        let (spine, spine_is_empty) = (self.spine(), self.spine_is_empty());
        let path = self.path;
        if let Some(target) = self.alias_of {
            return Ok(MountConfig::alias(path, target));
        }
        let fhir = self.fhir.with_context(|| format!("mount {path}: fhir = \"R4\", or another version"))?;
        let version: FhirVersion = fhir.parse().with_context(|| format!("mount {path}"))?;
        let mut locks = match self.rulebook {
            RulebookKind::Fhir => LockSettings::of(version),
            RulebookKind::Spine | RulebookKind::SpineFlags => SpineRulebook::default_locks(),
            RulebookKind::SpineNrl => NrlRulebook::default_locks(),
        };
        ensure!(
            self.rulebook == RulebookKind::Fhir || version == FhirVersion::Stu3,
            "mount {path}: the rulebooks of Spine speak STU3"
        );
        ensure!(
            self.rulebook.has_callers() || spine_is_empty,
            "mount {path}: headers, directory, jwt_texts, token_times, token_keys, removal_reason, nrl_spec and nrl_errors belong to the APIs of Spine"
        );
        ensure!(
            self.rulebook != RulebookKind::Fhir || self.conflict_body.is_none(),
            "mount {path}: conflict_body belongs to the rulebooks of Spine"
        );
        check_spine(self.rulebook, &spine, &path)?;
        locks.policy = self.lock.over(locks.policy);
        for (name, lock) in self.types {
            ensure!(
                fhir_definitions::is_resource_type(version, &name),
                "mount {path}: {name} is not a resource type of FHIR {version}"
            );
            let policy = lock.over(locks.policy);
            locks.by_type.insert(name, policy);
        }
        locks.stale = one_of(self.stale, locks.stale, &[409, 412], &path, "stale")?;
        locks.missing = one_of(self.missing, locks.missing, &[400, 412, 428], &path, "missing")?;
        locks.lenient_tags = self.lenient_tags.unwrap_or(locks.lenient_tags);
        if let Some(wanted) = self.conditional_delete {
            ensure!(
                self.rulebook == RulebookKind::Fhir,
                "mount {path}: the spine rulebook has no conditional delete"
            );
            locks.conditional_delete = wanted.into();
        }
        if let Some(wanted) = self.bundle_if_match {
            ensure!(
                matches!(self.rulebook, RulebookKind::Spine | RulebookKind::SpineFlags),
                "mount {path}: bundle_if_match belongs to the rulebooks spine and spine-flags"
            );
            locks.bundle_if_match_optional = wanted == FileBundleIfMatch::Optional;
        }
        if let Some(wanted) = self.stu3_bundle_patch {
            ensure!(
                self.rulebook == RulebookKind::Fhir && version == FhirVersion::Stu3,
                "mount {path}: stu3_bundle_patch belongs to STU3 with the rulebook fhir; later versions have PATCH entries"
            );
            locks.patch_entries = if wanted { PatchEntries::Always } else { PatchEntries::FromR4 };
        }
        let conflict_body = match self.conflict_body {
            None | Some(FileConflictBody::Conflict) => ConflictBody::Conflict,
            Some(FileConflictBody::ResourceVersionMismatch) => ConflictBody::ResourceVersionMismatch,
        };
        let validation = self.validation.unwrap_or_default().into();
        locks.rebase = self.rebase.unwrap_or(locks.rebase);
        ensure!(
            self.rulebook == RulebookKind::Fhir || !locks.rebase,
            "mount {path}: rebase is not for the rulebooks of Spine, whose clients are always told that they are stale"
        );
        let profiles = ProfileConfig {
            places: self.profiles,
            required: self.required_profiles,
            severities: severities(self.severities, &path)?,
        };
        ensure!(
            validation != Validation::Off || profiles.places.is_empty(),
            "mount {path}: validation is off, so its profiles would not be checked"
        );
        ensure!(
            profiles.required.is_empty() || !profiles.places.is_empty(),
            "mount {path}: required_profiles need profiles, the folders or packages that have them"
        );
        Ok(MountConfig {
            path,
            version,
            rulebook: self.rulebook,
            locks,
            conflict_body,
            validation,
            referential_integrity: self.referential_integrity.unwrap_or_default().into(),
            full_text: self.full_text.map_or(FullText::Off, Into::into),
            narratives: self.narratives.map_or(Narratives::default(), Into::into),
            profiles,
            spine,
            alias_of: None,
        })
    }

    /// A mount with everything written out.
    fn of(mount: &MountConfig) -> Self {
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
fn default_mounts(demo: bool) -> Vec<MountConfig> {
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
fn check_aliases(mounts: &[MountConfig]) -> Result<()> {
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

/// Paths become folder names, so they are kept plain.
fn check_paths(mounts: &[MountConfig]) -> Result<()> {
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
        let folder = crate::mounts::folder(path);
        ensure!(
            mounts.iter().skip(index + 1).all(|other| crate::mounts::folder(&other.path) != folder),
            "mount path {path:?} is used twice, or differs from another only in '/' and '-'"
        );
    }
    Ok(())
}

/// Origins as browsers send them: scheme and authority.
fn cors(origins: Vec<String>) -> Result<Cors> {
    if origins.is_empty() {
        return Ok(Cors::Off);
    }
    if origins.iter().any(|origin| origin == "*") {
        return Ok(Cors::Any);
    }
    for origin in &origins {
        let authority = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
        ensure!(
            authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('/')),
            "cors {origin:?}: an origin is a scheme and a host, such as https://app.example.org"
        );
    }
    Ok(Cors::Origins(origins))
}

fn tls(cert: Option<PathBuf>, key: Option<PathBuf>, client_ca: Option<PathBuf>) -> Result<Option<TlsFiles>> {
    match (cert, key) {
        (Some(certificates), Some(key)) => {
            Ok(Some(TlsFiles { certificates, key, client_authorities: client_ca }))
        }
        (None, None) if client_ca.is_none() => Ok(None),
        _ => bail!("TLS needs both a certificate and a key (tls.cert and tls.key)"),
    }
}

fn base_url(url: &str) -> Result<String> {
    let trimmed = url.trim_end_matches('/');
    ensure!(
        trimmed.starts_with("http://") || trimmed.starts_with("https://"),
        "base URL {url:?} must start with http:// or https://"
    );
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use versioning_core::{IfMatchPolicy, UpdateCreate};

    use super::*;

    fn resolve(text: &str) -> Result<Vec<MountConfig>> {
        let file: File = toml::from_str(text)?;
        let mounts = file.mount.into_iter().map(FileMount::resolve).collect::<Result<Vec<_>>>()?;
        check_paths(&mounts)?;
        Ok(mounts)
    }

    #[test]
    fn a_mount_starts_from_its_rulebook_and_a_type_from_its_mount() {
        let mounts = resolve(
            r#"
            [[mount]]
            path = "/R4"
            fhir = "R4"
            missing = 428
            [mount.lock]
            if_match = "compulsory"
            [mount.type.Patient]
            if_match = "optional"
            retries_max = 3
            "#,
        )
        .unwrap();
        let locks = &mounts[0].locks;
        assert_eq!((locks.stale, locks.missing), (412, 428));
        assert_eq!(locks.policy.if_match, IfMatchPolicy::Compulsory);
        let patient = locks.by_type["Patient"];
        assert_eq!((patient.if_match, patient.retries_max), (IfMatchPolicy::Optional, 3));
        assert_eq!(patient.update_create, UpdateCreate::Allowed);
    }

    #[test]
    fn what_is_checked_is_written_out_too() {
        let text = r#"
            [[mount]]
            path = "/R4"
            fhir = "R4"
            profiles = ["uk.tgz", "local"]
            required_profiles = ["http://example.org/flag"]
            narratives = "refuse"
            rebase = true
            [mount.severities]
            code-unknown = "warning"
            "#;
        let mounts = resolve(text).unwrap();
        let mount = &mounts[0];
        assert!(mount.locks.rebase && mount.narratives == Narratives::Refuse);
        assert_eq!(mount.profiles.severities[&Rule::CodeUnknown], IssueSeverity::Warning);
        let written = FileMount::of(mount).resolve().unwrap();
        assert_eq!(format!("{written:?}"), format!("{mount:?}"));
    }

    #[test]
    fn what_config_prints_is_what_it_reads() {
        let config = Config::load(ServeArguments::default()).unwrap();
        let text = config.to_toml().unwrap();
        let file: File = toml::from_str(&text).unwrap();
        let mounts: Vec<_> = file.mount.into_iter().map(|mount| mount.resolve().unwrap()).collect();
        assert_eq!(format!("{mounts:?}"), format!("{:?}", config.mounts));
        let (http, service) = file.limits.limits().unwrap();
        assert_eq!(format!("{http:?} {service:?}"), format!("{:?} {:?}", config.http, config.service));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("[[mount]]\npath = \"/a\"\nfhir = \"R6\"", "mount /a"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nstale = 500", "stale"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.lock]\nif_mach = \"optional\"", "if_mach"),
            ("[[mount]]\npath = \"a\"\nfhir = \"R4\"", "mount path"),
            ("[[mount]]\npath = \"/../a\"\nfhir = \"R4\"", "mount path"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nrulebook = \"spine\"", "STU3"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nstu3_bundle_patch = true", "stu3_bundle_patch"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nnrl_spec = \"2.8.0\"", "nrl_spec"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\nremoval_reason = \"optional\"",
                "spine-flags",
            ),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nconflict_body = \"CONFLICT\"", "conflict_body"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.readings]\ndisplays = \"pages\"", "readings"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\n[mount.readings]\ndisplays = \"pages\"",
                "nrl_errors",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\n[mount.readings]\ndeletion = \"outcome\"",
                "deletion",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\nempty_search = \"no-record-found\"",
                "spine-flags",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\nremoval_if_match = \"required\"",
                "spine-flags",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\n[mount.readings]\nreplacement_version = \"successor\"",
                "spine-nrl",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\ndisplays = \"other\"",
                "displays",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\nnrl_spec = \"2.8.0\"",
                "spine-nrl",
            ),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.type.Pashent]\nif_match = \"optional\"",
                "Pashent",
            ),
            ("[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\nrebase = true", "rebase"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nnarratives = \"drop\"", "narratives"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nrequired_profiles = [\"http://a.org\"]",
                "need profiles",
            ),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nvalidation = \"off\"\nprofiles = [\"x\"]", "is off"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\ncode-unknow = \"error\"",
                "no rule",
            ),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\nformat = \"bad\"", "bad"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\nsubsetted = \"warning\"",
                "always an error",
            ),
            ("[[mount]]\npath = \"/a/b\"\nfhir = \"R4\"\n[[mount]]\npath = \"/a-b\"\nfhir = \"R4\"", "twice"),
        ] {
            let error = format!("{:#}", resolve(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
