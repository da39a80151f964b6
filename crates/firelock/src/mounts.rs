//! From configured mounts to services on stores.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use fhir_service::{Ids, Service, SystemClock};
use http_server::Mount;
use rulebook::spine::{Directory, FlagsRulebook, NrlRulebook, Security, TokenKeys};
use rulebook::{FhirRulebook, Rulebook, SpineRulebook};
use storage_api::Store;
use storage_memory::MemoryStore;
use storage_sqlite::SqliteStore;

use crate::config::{Config, MountConfig, ProfileConfig, RulebookKind, SpineConfig, StoreKind};
use crate::profiles;

/// Opens the store of every mount.
pub(crate) fn open(config: &Config) -> Result<Vec<Mount>> {
    if config.store == StoreKind::Sqlite {
        expect_finished(&config.data)?;
    }
    let mut mounts = Vec::new();
    for mount in config.mounts.iter().filter(|mount| mount.alias_of.is_none()) {
        let checks = checks(mount).with_context(|| format!("mount {}: profiles", mount.path))?;
        let store = store(config, mount)?;
        let service = Service::new(rulebook(mount)?, store, Ids::system(), config.service)
            .with_validation(mount.validation)
            .with_referential_integrity(mount.referential_integrity)
            .with_narratives(mount.narratives)
            .with_checks(checks)
            .with_full_text(mount.full_text);
        mounts.push(Mount { path: mount.path.clone(), service });
    }
    for mount in &config.mounts {
        let target = mount.alias_of.as_ref();
        let service =
            mounts.iter().find(|other| Some(&other.path) == target).map(|other| other.service.clone());
        mounts.extend(service.map(|service| Mount { path: mount.path.clone(), service }));
    }
    Ok(mounts)
}

/// What a mount validates with.
fn checks(mount: &MountConfig) -> Result<fhir_validate::Settings> {
    let ProfileConfig { places, required, severities } = &mount.profiles;
    let profiles = profiles::load(mount.version, places)?;
    for url in required {
        let type_name = profiles.type_name(url).with_context(|| {
            format!("{url} is required, but not among the {} that were loaded", profiles.urls().count())
        })?;
        tracing::info!(path = %mount.path, "every {type_name} keeps the profile {url}");
    }
    Ok(fhir_validate::Settings {
        profiles,
        required_profiles: required.clone(),
        severities: severities.clone(),
        ..fhir_validate::Settings::default()
    })
}

/// The rules of a mount.
pub(crate) fn rulebook(mount: &MountConfig) -> Result<Arc<dyn Rulebook>> {
    let locks = mount.locks.clone();
    Ok(match mount.rulebook {
        RulebookKind::Fhir => Arc::new(FhirRulebook::new(mount.version, locks)),
        RulebookKind::Spine => Arc::new(SpineRulebook::new(locks, mount.conflict_body)),
        RulebookKind::SpineFlags => {
            let flags = FlagsRulebook::new(locks, mount.conflict_body, security(mount)?);
            Arc::new(flags.with_removal_reason(mount.spine.removal_reason))
        }
        RulebookKind::SpineNrl => Arc::new(NrlRulebook::new(locks, mount.spine.nrl_spec, security(mount)?)),
    })
}

/// How an API of Spine treats its callers.
fn security(mount: &MountConfig) -> Result<Security> {
    let SpineConfig { headers, jwt_texts, token_times, .. } = mount.spine;
    let keys = token_keys(mount)?;
    let directory = match &mount.spine.directory {
        None => Directory::demo(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!("mount {}: cannot read the directory {}", mount.path, path.display())
            })?;
            Directory::from_toml(&text)
                .with_context(|| format!("mount {}: {} is no directory", mount.path, path.display()))?
        }
    };
    Ok(Security { headers, directory: Arc::new(directory), jwt_texts, times: token_times, keys })
}

/// The keys that sign tokens; nothing where no file was named.
fn token_keys(mount: &MountConfig) -> Result<Option<Arc<TokenKeys>>> {
    let mut keys = TokenKeys::default();
    for path in &mount.spine.token_keys {
        let place = || format!("mount {}: the token key {}", mount.path, path.display());
        let pem = std::fs::read(path).with_context(place)?;
        keys.add_pem(&pem).with_context(place)?;
    }
    Ok((!mount.spine.token_keys.is_empty()).then(|| Arc::new(keys)))
}

fn store(config: &Config, mount: &MountConfig) -> Result<Arc<dyn Store>> {
    let clock = Arc::new(SystemClock);
    match config.store {
        StoreKind::Memory => Ok(Arc::new(MemoryStore::new(clock))),
        StoreKind::Sqlite => {
            let directory = config.data.join(folder(&mount.path));
            let store = SqliteStore::open(&directory, config.sqlite.clone(), clock).with_context(|| {
                format!("cannot open the store of {} in {}", mount.path, directory.display())
            })?;
            Ok(Arc::new(store))
        }
    }
}

/// The folder of a mount's partition inside the data folder: `/spine/STU3` is in `spine-STU3`.
pub(crate) fn folder(path: &str) -> String {
    path.trim_start_matches('/').replace('/', "-")
}

/// Where a restore works, inside of the data folder, until everything is in place.
pub(crate) const UNFINISHED_RESTORE: &str = ".restoring";

/// What file systems have in their root, which a data folder may be.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

/// Refuses a data folder that a restore did not finish.
pub(crate) fn expect_finished(data: &Path) -> Result<()> {
    ensure!(
        !data.join(UNFINISHED_RESTORE).exists(),
        "a restore into {} was interrupted; delete that folder and run the restore again",
        data.display()
    );
    Ok(())
}

/// A path that a mount could have, so that its folder is inside of the data folder.
pub(crate) fn expect_plain(mount: &str) -> Result<()> {
    let name = folder(mount);
    let is_plain = mount.starts_with('/')
        && !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    ensure!(is_plain, "{mount:?} is no path of an API; write it as in the configuration, such as /R4");
    Ok(())
}

/// The existing partition of a mount in a data folder.
pub(crate) fn partition(data: &Path, mount: &str) -> Result<PathBuf> {
    let name = folder(mount);
    let partitions = partitions(data)?;
    let found = partitions.iter().find(|partition| partition.file_name() == Some(OsStr::new(&name)));
    found.cloned().with_context(|| {
        let names: Vec<_> = partitions.iter().filter_map(|partition| partition.file_name()).collect();
        format!("there is no store of {mount} in {}; it has {names:?}", data.display())
    })
}

/// The partitions in a data folder: its folders, in order. At least one.
pub(crate) fn partitions(data: &Path) -> Result<Vec<PathBuf>> {
    expect_finished(data)?;
    let mut partitions = Vec::new();
    let entries = std::fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))?;
    for entry in entries {
        let entry = entry?;
        // Names of stores begin with a letter, a digit, '-' or '_'; others are being made.
        let name = entry.file_name();
        let is_store = !name.as_encoded_bytes().starts_with(b".") && name != LOST_AND_FOUND;
        if is_store && entry.file_type()?.is_dir() {
            partitions.push(entry.path());
        }
    }
    ensure!(
        !partitions.is_empty(),
        "there is no store in {}; --data names the folder that the server was started with",
        data.display()
    );
    partitions.sort();
    Ok(partitions)
}
