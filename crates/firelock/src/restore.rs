//! `firelock restore`

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use fhir_service::{Ids, SystemClock};
use storage_api::Clock;
use storage_sqlite::{ArchiveSummary, CheckDepth, RestoreOptions, RestoredPartition, restore, verify};

use crate::cli::RestoreArguments;
use crate::{check, mounts, progress};

pub(crate) fn run(arguments: &RestoreArguments) -> Result<ExitCode> {
    let RestoreArguments { file, data, margin } = arguments;
    expect_empty(data)?;
    let summary: ArchiveSummary = read(file, "verifying", |source| Ok(verify(source)?))
        .with_context(|| format!("nothing was restored from {}", file.display()))?;
    ensure!(!summary.partitions.is_empty(), "{} is whole, but holds no store", file.display());
    say!("{}: whole; {} versions in {}", file.display(), summary.versions, summary.partitions.join(", "));
    let unfinished = data.join(mounts::UNFINISHED_RESTORE);
    fs::create_dir_all(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
    let restored = build(file, &unfinished, *margin)
        .and_then(|restored| put_in_place(&restored, &unfinished, data).map(|()| restored))
        .with_context(|| format!("the restore failed; delete {} and run it again", data.display()))?;
    if *margin > 0 {
        let raised: u64 = restored.iter().map(|partition| partition.raised).sum();
        say!(
            "raised the version numbers of {raised} resources by {margin}, so that no version id of them given out \
             after the backup comes back for another content; resources that were created after it are not in it, \
             and begin with 1 if somebody creates them anew"
        );
    }
    say!("restored; to use it: firelock serve --data {}", data.display());
    Ok(ExitCode::SUCCESS)
}

fn expect_empty(data: &Path) -> Result<()> {
    mounts::expect_finished(data)?;
    let is_empty = match fs::read_dir(data) {
        Ok(mut entries) => entries.all(|entry| {
            // One that cannot be looked at is there.
            entry.is_ok_and(|entry| entry.file_name() == mounts::LOST_AND_FOUND)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", data.display())),
    };
    ensure!(
        is_empty,
        "{} is not empty, and nothing in it was touched; --data names a folder to make",
        data.display()
    );
    Ok(())
}

fn read<T>(path: &Path, what: &str, use_it: impl FnOnce(&mut dyn Read) -> Result<T>) -> Result<T> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let bar = progress::bar(what, "{percent} %, {eta} left");
    bar.set_length(file.metadata()?.len());
    let done = use_it(&mut bar.wrap_read(BufReader::with_capacity(1 << 20, file)));
    bar.finish_and_clear();
    done
}

fn build(file: &Path, unfinished: &Path, margin: u32) -> Result<Vec<RestoredPartition>> {
    let ids = Ids::system();
    let mut options = RestoreOptions { margin, now: SystemClock.now(), tag: &mut || ids.version_tag() };
    let restored = read(file, "restoring", |source| Ok(restore(source, unfinished, &mut options)?))?;
    for RestoredPartition { name, .. } in &restored {
        let report = check::look(&unfinished.join(name), name, CheckDepth::Rows)?;
        check::print(name, &report);
        ensure!(
            report.is_whole(),
            "what was restored of {name} has faults: the store had them when it was backed up"
        );
    }
    Ok(restored)
}

/// As long as the folder is there in which they were made, nobody serves them.
fn put_in_place(restored: &[RestoredPartition], unfinished: &Path, data: &Path) -> Result<()> {
    for RestoredPartition { name, .. } in restored {
        fs::rename(unfinished.join(name), data.join(name))?;
    }
    File::open(data)?.sync_all()?;
    fs::remove_dir(unfinished)?;
    Ok(File::open(data)?.sync_all()?)
}
