//! Configuration: what a file may say, and what the server then does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use fhir_definitions::FhirVersion;
use rulebook::{ConflictBody, LockSettings, SpineRulebook};
use serde::Deserialize;
use versioning_core::{IdenticalUpdate, IfMatchPolicy, LockPolicy, UpdateCreate, VersionScheme};

use crate::cli::ServeArguments;

/// Where resources are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    #[default]
    Sqlite,
    Memory,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    #[default]
    Full,
    Normal,
}

/// A configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    base_url: Option<String>,
    data: Option<PathBuf>,
    store: Option<StoreKind>,
    durability: Option<Durability>,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    sqlite: FileSqlite,
    #[serde(default)]
    mount: Vec<FileMount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    connections_max: Option<usize>,
    uri_bytes_max: Option<usize>,
    header_bytes_max: Option<usize>,
    body_bytes_max: Option<usize>,
    depth_max: Option<usize>,
    page_default: Option<usize>,
    page_max: Option<usize>,
}

/// How SQLite stores are run; the names are those of [`storage_sqlite::Options`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSqlite {
    body_inline_max: Option<usize>,
    checkpoint_bytes: Option<u64>,
    log_bytes_max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMount {
    path: String,
    fhir: String,
    #[serde(default)]
    rulebook: RulebookKind,
    stale: Option<u16>,
    missing: Option<u16>,
    lenient_tags: Option<bool>,
    conflict_body: Option<FileConflictBody>,
    #[serde(default)]
    lock: FileLock,
    #[serde(default, rename = "type")]
    types: BTreeMap<String, FileLock>,
}

/// The lock policy of a mount, or of one type of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLock {
    if_match: Option<FileIfMatch>,
    update_create: Option<bool>,
    identical_put: Option<FileIdentical>,
    version_ids: Option<FileScheme>,
    retries_max: Option<u16>,
}

/// The rules a mount follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RulebookKind {
    #[default]
    Fhir,
    Spine,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileIfMatch {
    Ignored,
    Optional,
    Compulsory,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileIdentical {
    Keep,
    NewVersion,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileScheme {
    Sequential,
    Opaque,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FileConflictBody {
    Conflict,
    ResourceVersionMismatch,
}

/// What the server does.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) base_url: Option<String>,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreKind,
    pub(crate) durability: Durability,
    pub(crate) sqlite: storage_sqlite::Options,
    pub(crate) http: http_server::Limits,
    pub(crate) service: fhir_service::Limits,
    pub(crate) mounts: Vec<MountConfig>,
}

/// An API at a path.
#[derive(Debug)]
pub(crate) struct MountConfig {
    pub(crate) path: String,
    pub(crate) version: FhirVersion,
    pub(crate) rulebook: RulebookKind,
    pub(crate) locks: LockSettings,
    pub(crate) conflict_body: ConflictBody,
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
            default_mounts()
        } else {
            file.mount.into_iter().map(FileMount::resolve).collect::<Result<_>>()?
        };
        check_paths(&mounts)?;
        let durability = arguments.durability.or(file.durability).unwrap_or_default();
        Ok(Self {
            listen: arguments
                .listen
                .or(file.listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            base_url: arguments.base_url.or(file.base_url).map(base_url).transpose()?,
            data: arguments.data.or(file.data).unwrap_or_else(|| PathBuf::from("./firelock-data")),
            store: arguments.store.or(file.store).unwrap_or_default(),
            durability,
            sqlite: file.sqlite.options(durability)?,
            http,
            service,
            mounts,
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a Firelock configuration", path.display()))
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
        set(&mut service.json.depth_max, self.depth_max);
        set(&mut service.page_default, self.page_default);
        set(&mut service.page_max, self.page_max);
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
        let path = self.path;
        let version: FhirVersion = self.fhir.parse().with_context(|| format!("mount {path}"))?;
        let mut locks = match self.rulebook {
            RulebookKind::Fhir => LockSettings::of(version),
            RulebookKind::Spine => SpineRulebook::default_locks(),
        };
        ensure!(
            self.rulebook == RulebookKind::Fhir || version == FhirVersion::Stu3,
            "mount {path}: the spine rulebook speaks STU3"
        );
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
        let conflict_body = match self.conflict_body {
            None | Some(FileConflictBody::Conflict) => ConflictBody::Conflict,
            Some(FileConflictBody::ResourceVersionMismatch) => ConflictBody::ResourceVersionMismatch,
        };
        Ok(MountConfig { path, version, rulebook: self.rulebook, locks, conflict_body })
    }
}

impl FileLock {
    fn over(&self, policy: LockPolicy) -> LockPolicy {
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
}

fn one_of(value: Option<u16>, default: u16, allowed: &[u16], path: &str, name: &str) -> Result<u16> {
    match value {
        Some(value) if !allowed.contains(&value) => {
            bail!("mount {path}: {name} is one of {allowed:?}, not {value}")
        }
        value => Ok(value.unwrap_or(default)),
    }
}

fn default_mounts() -> Vec<MountConfig> {
    let plain = FhirVersion::ALL.map(|version| MountConfig {
        path: format!("/{}", version.label()),
        version,
        rulebook: RulebookKind::Fhir,
        locks: LockSettings::of(version),
        conflict_body: ConflictBody::default(),
    });
    let spine = MountConfig {
        path: "/spine/STU3".to_owned(),
        version: FhirVersion::Stu3,
        rulebook: RulebookKind::Spine,
        locks: SpineRulebook::default_locks(),
        conflict_body: ConflictBody::default(),
    };
    plain.into_iter().chain([spine]).collect()
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

fn base_url(url: String) -> Result<String> {
    let trimmed = url.trim_end_matches('/');
    ensure!(
        trimmed.starts_with("http://") || trimmed.starts_with("https://"),
        "base URL {url:?} must start with http:// or https://"
    );
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
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
    fn mistakes_are_named() {
        for (text, expected) in [
            ("[[mount]]\npath = \"/a\"\nfhir = \"R6\"", "mount /a"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nstale = 500", "stale"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.lock]\nif_mach = \"optional\"", "if_mach"),
            ("[[mount]]\npath = \"a\"\nfhir = \"R4\"", "mount path"),
            ("[[mount]]\npath = \"/../a\"\nfhir = \"R4\"", "mount path"),
            ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nrulebook = \"spine\"", "STU3"),
            (
                "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.type.Pashent]\nif_match = \"optional\"",
                "Pashent",
            ),
            ("[[mount]]\npath = \"/a/b\"\nfhir = \"R4\"\n[[mount]]\npath = \"/a-b\"\nfhir = \"R4\"", "twice"),
        ] {
            let error = format!("{:#}", resolve(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
