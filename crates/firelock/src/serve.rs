//! `firelock serve`

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use fhir_definitions::FhirVersion;
use fhir_service::{Ids, Service};
use http_server::{Mount, Server, Settings};
use rulebook::{FhirRulebook, LockSettings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::audit::AuditLog;
use crate::cli::ServeArguments;
use crate::config::{Config, StoreKind};
use crate::{demo, logging, mounts};

pub(crate) fn run(arguments: ServeArguments) -> Result<ExitCode> {
    logging::start();
    let config = Config::load(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> Result<()> {
    // Taken before the stores: two servers on one address are told apart from two on one folder.
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; choose another --listen", config.listen))?;
    let mounts = mounts::open(&config)?;
    let distinct = distinct(&mounts);
    let stores: Vec<_> = distinct.iter().map(|mount| mount.service.store().clone()).collect();
    let address = listener.local_addr()?;
    announce(&config, &mounts);
    let services: Vec<_> = distinct.iter().map(|mount| mount.service.clone()).collect();
    let indexes = keep_indexes(&config, &distinct).await?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let audit = config.audit.as_ref().map(AuditLog::open).transpose()?;
    let settings = Settings {
        base_url: config.base_url.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        cors: config.cors.clone(),
        tls: config.tls.clone(),
        limits: config.http,
        audit: audit.as_ref().map(AuditLog::sender),
    };
    let demo = match (config.demo, &config.base_url) {
        (false, _) => String::new(),
        (true, Some(base)) => demo::load(&mounts, base).await?,
        (true, None) => demo::load(&mounts, &format!("{scheme}://{address}")).await?,
    };
    let server = Server::new(listener, mounts, outside(&config), settings)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the requests that were accepted");
    };
    // The one line that scripts wait for.
    say!("firelock listening on {scheme}://{address}");
    if !demo.is_empty() {
        say!("{}", demo.trim_end());
    }
    server.serve(shutdown).await;
    services.iter().for_each(Service::end_index);
    for index in indexes {
        // One that panicked has left its store as after a kill.
        let _ = index.join();
    }
    // Records that cannot be written are no reason to leave stores open.
    let recorded = audit.map_or(Ok(()), AuditLog::close);
    for store in stores {
        store.close().await.context("closing a store")?;
    }
    recorded?;
    tracing::info!("stopped");
    Ok(())
}

/// The mounts without those that are second names of others: a store is kept and closed once.
fn distinct(mounts: &[Mount]) -> Vec<Mount> {
    let mut distinct: Vec<Mount> = Vec::new();
    for mount in mounts {
        let store = mount.service.store();
        if !distinct.iter().any(|known| Arc::ptr_eq(known.service.store(), store)) {
            distinct.push(mount.clone());
        }
    }
    distinct
}

/// Makes the index of every store fit, and completes them beside the requests, each on a thread of its own.
async fn keep_indexes(config: &Config, mounts: &[Mount]) -> Result<Vec<JoinHandle<()>>> {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut threads = Vec::new();
    for Mount { path, service } in mounts {
        let base = config.base_url.as_ref().map(|url| format!("{url}{path}"));
        let opened = service.open_index(base.as_deref()).await;
        opened
            .map_err(|failure| anyhow::anyhow!("{failure}"))
            .with_context(|| format!("the index of {path}"))?;
        let service = service.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let keep = move || {
            runtime.block_on(service.keep_index(|| async { std::thread::sleep(PAUSE) }));
        };
        threads.push(std::thread::Builder::new().name("index".to_owned()).spawn(keep)?);
    }
    Ok(threads)
}

fn announce(config: &Config, mounts: &[Mount]) {
    match config.store {
        StoreKind::Sqlite => {
            tracing::info!(data = %config.data.display(), durability = ?config.durability, "store: sqlite");
        }
        StoreKind::Memory => tracing::warn!("store: memory; everything is lost when the server stops"),
    }
    for mount in mounts {
        let rulebook = mount.service.rulebook();
        tracing::info!(path = %mount.path, fhir = %rulebook.version(), "mount");
    }
}

/// Words what is outside every mount, as R4 would; it stores nothing.
fn outside(config: &Config) -> fhir_service::Service {
    let rulebook = FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4));
    let store = storage_memory::MemoryStore::new(std::sync::Arc::new(fhir_service::SystemClock));
    fhir_service::Service::new(
        std::sync::Arc::new(rulebook),
        std::sync::Arc::new(store),
        Ids::system(),
        config.service,
    )
}
