//! `firelock purge`

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use fhir_service::{Ids, SystemClock};
use storage_api::{
    Commit, Current, Guard, HeadGuard, HistoryRequest, HistoryScope, Key, Order, Store, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};

use crate::cli::PurgeArguments;
use crate::mounts;

pub(crate) fn run(arguments: &PurgeArguments) -> Result<ExitCode> {
    let key = key(&arguments.resource)?;
    let partition = mounts::partition(&arguments.data, &arguments.mount)?;
    let store = SqliteStore::open(&partition, Options::default(), Arc::new(SystemClock))
        .with_context(|| format!("cannot open the store of {}", arguments.mount))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let done = purge(&store, &key, arguments).await;
        store.close().await.context("closing the store")?;
        done
    })
}

fn key(resource: &str) -> Result<Key> {
    match resource.split_once('/') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() && !id.contains('/') => Ok(Key::new(kind, id)),
        _ => bail!("{resource:?} names no resource; write its type and id, such as Patient/example"),
    }
}

async fn purge(store: &SqliteStore, key: &Key, arguments: &PurgeArguments) -> Result<ExitCode> {
    let mount = &arguments.mount;
    let head = match store.read(key).await?.current {
        Current::Live(head) | Current::Deleted(head) => head,
        Current::Absent { floor } if floor.get() > 0 => {
            bail!("{mount}/{key} was purged already; its last version was {}", floor.get())
        }
        Current::Absent { .. } => bail!("there is no {key} on {mount}; types and ids are case-sensitive"),
    };
    let versions = count(store, key).await?;
    if !arguments.yes {
        say!("{mount}/{key} has {versions} versions; --yes removes them for good");
        return Ok(ExitCode::FAILURE);
    }
    let number = head.version.number;
    let set = WriteSet {
        request: Ids::system().request_id(),
        index: store.index_generation(),
        guards: vec![Guard::Head(key.clone(), HeadGuard::Exactly(number))],
        writes: vec![Write::Purge(key.clone())],
    };
    let commit = store.commit(set).await?;
    ensure!(
        matches!(commit, Commit::Committed(_)),
        "the purge of {mount}/{key} did not end well ({commit:?}); run `firelock check` and try again"
    );
    say!("{mount}/{key}: {versions} versions are gone; a new one would be {}", number.next().get());
    Ok(ExitCode::SUCCESS)
}

/// A read for each page: a history may be longer than memory.
async fn count(store: &SqliteStore, key: &Key) -> Result<usize> {
    const PAGE: usize = 100;
    let mut request = HistoryRequest {
        scope: HistoryScope::Key(key.clone()),
        order: Order::Newest,
        after: None,
        since: None,
        at: None,
        limit: PAGE,
    };
    let mut versions = 0;
    loop {
        let page = store.history(&request).await?;
        versions += page.versions.len();
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(versions),
        }
    }
}
