//! `firelock export`

use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use storage_sqlite::VersionPages;

use crate::cli::ExportArguments;
use crate::line::Line;
use crate::new_file::NewFile;
use crate::{mounts, progress};

pub(crate) fn run(arguments: &ExportArguments) -> Result<ExitCode> {
    let ExportArguments { file, data, mount } = arguments;
    let partitions = match mount {
        Some(mount) => vec![mounts::partition(data, mount)?],
        None => mounts::partitions(data)?,
    };
    if file == Path::new("-") {
        let mut out = BufWriter::new(stdout().lock());
        export(&partitions, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let versions = NewFile::create(file)?
        .write(|file| export(&partitions, &mut BufWriter::with_capacity(1 << 20, file)))?;
    say!("{}: {versions} versions", file.display());
    Ok(ExitCode::SUCCESS)
}

fn export(partitions: &[PathBuf], out: &mut impl Write) -> Result<u64> {
    let mut total = 0;
    for partition in partitions {
        let name = partition.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name in UTF-8", partition.display()))?;
        total += store(partition, name, out)
            .with_context(|| format!("cannot export the store in {}", partition.display()))?;
    }
    out.flush()?;
    Ok(total)
}

fn store(partition: &Path, name: &str, out: &mut impl Write) -> Result<u64> {
    let mut pages = VersionPages::open(partition)?;
    let bar = progress::bar(name, "{percent} %, {eta} left");
    bar.set_length(pages.newest().0);
    let mut versions = 0;
    while let Some(page) = pages.next_page()? {
        for version in page {
            bar.set_position(version.seq.0);
            versions += 1;
            Line::Version(version).write(name, out)?;
        }
    }
    pages.floors::<Error>(&mut |key, floor| Line::Floor(key, floor).write(name, out))?;
    Line::End(versions).write(name, out)?;
    bar.finish_and_clear();
    Ok(versions)
}
