//! From configured mounts to services on stores.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use fhir_service::{Ids, Service, SystemClock};
use http_server::Mount;
use rulebook::{FhirRulebook, Rulebook, SpineRulebook};
use storage_api::Store;
use storage_memory::MemoryStore;
use storage_sqlite::SqliteStore;

use crate::config::{Config, MountConfig, RulebookKind, StoreKind};

/// Opens the store of every mount.
pub(crate) fn open(config: &Config) -> Result<Vec<Mount>> {
    config
        .mounts
        .iter()
        .map(|mount| {
            let store = store(config, mount)?;
            Ok(Mount {
                path: mount.path.clone(),
                service: Service::new(rulebook(mount), store, Ids::system(), config.service)
                    .with_validation(mount.validation),
            })
        })
        .collect()
}

fn rulebook(mount: &MountConfig) -> Arc<dyn Rulebook> {
    match mount.rulebook {
        RulebookKind::Fhir => Arc::new(FhirRulebook::new(mount.version, mount.locks.clone())),
        RulebookKind::Spine => Arc::new(SpineRulebook::new(mount.locks.clone(), mount.conflict_body)),
    }
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

/// The partitions in a data folder: its folders, in order.
pub(crate) fn partitions(data: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut partitions = Vec::new();
    let entries = std::fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            partitions.push(entry.path());
        }
    }
    partitions.sort();
    Ok(partitions)
}
