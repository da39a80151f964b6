//! Configuration: what a file may say, and what the server then does.

mod file;
mod limits;
mod mount;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use http_server::{Cors, IpNet, TlsFiles};
use serde::{Deserialize, Serialize};

use self::file::{File, FileMount, FileTls};
use self::limits::{FileLimits, FileSqlite};
pub(crate) use self::mount::{MountConfig, ProfileConfig, RulebookKind, SpineConfig};
use self::mount::{check_aliases, check_paths, default_mounts};
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
            limits: FileLimits::of(&self.http, &self.service),
            sqlite: FileSqlite::of(&self.sqlite),
            mount: self.mounts.iter().map(FileMount::of).collect(),
        };
        Ok(toml::to_string(&file)?)
    }
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
    let rest = trimmed.strip_prefix("https://").or(trimmed.strip_prefix("http://"));
    let is_plain =
        |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte));
    ensure!(
        rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest)),
        "base URL {url:?}: write http:// or https://, a host, and perhaps a path"
    );
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn numbers_that_make_no_sense_are_named() {
        for (text, expected) in [
            ("limits.connections_max = 0", "limits.connections_max is from 1"),
            ("limits.connections_max = 9223372036854775807", "limits.connections_max is from 1"),
            ("limits.header_time_max_s = 0", "limits.header_time_max_s is from 1"),
            ("limits.header_time_max_s = 9223372036854775807", "to 31536000, not"),
            ("limits.depth_max = 600", "limits.depth_max is from 1 to 512, not 600"),
            ("limits.header_fields_max = 1", "from 16"),
            ("limits.page_default = 2000", "above limits.page_max"),
            ("limits.streams = 1", "unknown field `streams`"),
            ("sqlite.queue_sets_max = 0", "nothing could be written"),
            ("sqlite.checkpoint_bytes = 500000000", "above sqlite.log_bytes_max"),
        ] {
            let of = |text| -> Result<()> {
                let file: File = toml::from_str(text)?;
                file.limits.limits()?;
                file.sqlite.options(Durability::Full)?;
                Ok(())
            };
            let error = format!("{:#}", of(text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_base_url_is_one() {
        assert_eq!(base_url("https://a.example/fhir/").unwrap(), "https://a.example/fhir");
        for wrong in ["a.example", "http://", "https://a b", "https://a/?x", "https://a/#x", "ftp://a"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }
}
