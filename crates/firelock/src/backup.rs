//! `firelock backup`

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use storage_sqlite::{ArchiveWriter, backup};

use crate::cli::BackupArguments;
use crate::new_file::NewFile;
use crate::{mounts, progress};

pub(crate) fn run(arguments: &BackupArguments) -> Result<ExitCode> {
    let partitions = mounts::partitions(&arguments.data)?;
    let bytes = NewFile::create(&arguments.file)?.write(|file| write(file, &partitions))?;
    say!(
        "{}: {bytes} bytes; to use it: firelock restore {} --data DIR",
        arguments.file.display(),
        arguments.file.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn write(file: &File, partitions: &[PathBuf]) -> Result<u64> {
    let mut archive = ArchiveWriter::new(BufWriter::with_capacity(1 << 20, file))?;
    for partition in partitions {
        let name = partition.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name in UTF-8", partition.display()))?;
        let bar = progress::bar(name, "{percent} %, {eta} left");
        let report = backup(partition, name, &mut archive, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })
        .with_context(|| format!("cannot back up the store in {}", partition.display()))?;
        bar.finish_and_clear();
        say!(
            "{name}: {} resources, {} versions, {} claims, {} large contents",
            report.resources,
            report.versions,
            report.claims,
            report.files
        );
    }
    let (_, bytes) = archive.finish()?;
    Ok(bytes)
}
