//! `firelock import`

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use fhir_service::{Ids, SystemClock};
use storage_api::{
    Commit, Current, Guard, HeadGuard, Index, Key, Method, Store, StoredVersion, VersionToken, VersionWrite,
    Write, WriteSet,
};
use storage_sqlite::{CheckDepth, Import, Options, SqliteStore};
use tokio::runtime::Runtime;

use crate::cli::ImportArguments;
use crate::line::{self, Line};
use crate::{check, mounts, progress};

pub(crate) fn run(arguments: &ImportArguments) -> Result<ExitCode> {
    mounts::expect_plain(&arguments.mount)?;
    if arguments.append { append(arguments) } else { keep(arguments) }
}

/// Goes through the lines of the store that is imported.
fn lines(arguments: &ImportArguments, mut take: impl FnMut(u64, Line) -> Result<()>) -> Result<()> {
    let ImportArguments { file, mount, from, .. } = arguments;
    let wanted = mounts::folder(from.as_ref().unwrap_or(mount));
    let bar = progress::bar("importing", "{percent} %, {eta} left");
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        let file = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        bar.set_length(file.metadata()?.len());
        Box::new(bar.wrap_read(file))
    };
    let source = BufReader::with_capacity(1 << 20, source);
    let mut stores = BTreeMap::<String, u64>::new();
    line::each(source, |number, store, line| {
        let is_wanted = store == wanted;
        *stores.entry(store).or_default() += 1;
        if is_wanted { take(number, line) } else { Ok(()) }
    })
    .with_context(|| file.display().to_string())?;
    bar.finish_and_clear();
    if stores.contains_key(&wanted) {
        return Ok(());
    }
    let names: Vec<_> = stores.keys().collect();
    bail!("{} has no store {wanted:?} but {names:?}; --from chooses one of them", file.display())
}

/// Into a store that is empty, with everything as it was. All or nothing.
fn keep(arguments: &ImportArguments) -> Result<ExitCode> {
    let name = mounts::folder(&arguments.mount);
    mounts::expect_finished(&arguments.data)?;
    let target = arguments.data.join(&name);
    expect_empty(&target)?;
    let unfinished = arguments.data.join(format!(".importing-{name}"));
    if unfinished.exists() {
        // Left by an import that was killed.
        fs::remove_dir_all(&unfinished)?;
    }
    let done = build(arguments, &unfinished, &name).and_then(|()| put_in_place(&unfinished, &target));
    if done.is_err() {
        // What cannot be removed is removed by the next import.
        let _ = fs::remove_dir_all(&unfinished);
    }
    done.context("nothing was imported")?;
    say!("imported; to use it: firelock serve --data {}", arguments.data.display());
    Ok(ExitCode::SUCCESS)
}

fn expect_empty(target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    // Taking the lock shows that no server has it.
    let store = SqliteStore::open(target, Options::default(), Arc::new(SystemClock))?;
    drop(store);
    let report = storage_sqlite::check(target, CheckDepth::Rows, &mut |_| ())?;
    ensure!(
        report.resources == 0 && report.claims == 0,
        "the store in {} is not empty; --append adds the versions as new ones",
        target.display()
    );
    Ok(())
}

fn build(arguments: &ImportArguments, unfinished: &Path, name: &str) -> Result<()> {
    let mut import = Import::create(unfinished)?;
    let (mut versions, mut end) = (0, None);
    lines(arguments, |_, line| {
        match line {
            Line::Version(version) => {
                versions += 1;
                import.version(&version)?;
            }
            Line::Floor(key, floor) => import.floor(&key, floor)?,
            Line::End(said) => end = Some(said),
        }
        Ok(())
    })?;
    ensure!(
        end == Some(versions),
        "the file is incomplete: its store does not end with a line that counts {versions} versions; \
         export it again"
    );
    import.finish()?;
    let report = check::look(unfinished, name, CheckDepth::Rows)?;
    check::print(name, &report);
    ensure!(report.is_whole(), "the lines make no whole store; the faults above say why");
    Ok(())
}

fn put_in_place(unfinished: &Path, target: &Path) -> Result<()> {
    if target.exists() {
        // Empty, as was seen above.
        fs::remove_dir_all(target)?;
    }
    fs::rename(unfinished, target)?;
    Ok(File::open(target.parent().unwrap_or(target))?.sync_all()?)
}

/// As new versions, one commit each, with the numbers and stamps that come next.
fn append(arguments: &ImportArguments) -> Result<ExitCode> {
    let target = mounts::partition(&arguments.data, &arguments.mount)?;
    let store = SqliteStore::open(&target, Options::default(), Arc::new(SystemClock))
        .with_context(|| format!("cannot open the store of {}", arguments.mount))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (ids, mut written, mut last) = (Ids::system(), 0_u64, arguments.skip);
    runtime.block_on(forget_index(&store, &ids))?;
    let done = lines(arguments, |number, line| {
        if number > arguments.skip {
            if let Line::Version(version) = line {
                written += u64::from(append_one(&runtime, &store, &ids, version)?);
            }
            last = number;
        }
        Ok(())
    });
    runtime.block_on(store.close())?;
    done.with_context(|| {
        format!("{written} versions were appended; --append --skip {last} goes on behind them")
    })?;
    say!("{}: {written} versions appended", arguments.mount);
    Ok(ExitCode::SUCCESS)
}

/// What is appended is found by nothing, so the store says that nobody knows what its index is made by. The next server
/// makes it anew.
async fn forget_index(store: &SqliteStore, ids: &Ids) -> Result<()> {
    let now = store.index_generation();
    let unknown = Index { generation: now.next(), ..Index::default() };
    let (request, writes) = (ids.request_id(), vec![Write::Index(unknown)]);
    let commit = store.commit(WriteSet { request, index: now, guards: Vec::new(), writes }).await?;
    ensure!(matches!(commit, Commit::Committed(_)), "the index was not given up ({commit:?}); try again");
    Ok(())
}

/// Says whether anything was written: what is not there need not be deleted.
fn append_one(runtime: &Runtime, store: &SqliteStore, ids: &Ids, version: StoredVersion) -> Result<bool> {
    let StoredVersion { key, method, body, .. } = version;
    let current = runtime.block_on(store.read(&key))?.current;
    if method == Method::Delete && !matches!(current, Current::Live(_)) {
        return Ok(false);
    }
    let next = VersionToken { number: current.number().next(), tag: ids.version_tag() };
    let set = WriteSet {
        request: ids.request_id(),
        index: store.index_generation(),
        guards: vec![Guard::Head(key.clone(), guard(&current))],
        writes: vec![Write::Version(VersionWrite { key: key.clone(), next, method, body, terms: [].into() })],
    };
    expect_committed(&key, &runtime.block_on(store.commit(set))?)?;
    Ok(true)
}

fn guard(current: &Current) -> HeadGuard {
    match current {
        Current::Absent { floor } => HeadGuard::Absent { floor: *floor },
        Current::Live(head) | Current::Deleted(head) => HeadGuard::Exactly(head.version.number),
    }
}

fn expect_committed(key: &Key, commit: &Commit) -> Result<()> {
    ensure!(
        matches!(commit, Commit::Committed(_)),
        "{key} was not written, or nobody knows ({commit:?}); see what its newest version is"
    );
    Ok(())
}
