//! `firelock check`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use storage_sqlite::{CheckDepth, CheckReport, check};

use crate::cli::CheckArguments;
use crate::{mounts, progress};

pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode> {
    let partitions = mounts::partitions(&arguments.data)?;
    let depth = if arguments.pages { CheckDepth::Pages } else { CheckDepth::Rows };
    let mut whole = true;
    for partition in partitions {
        let name = partition.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let report = look(&partition, &name, depth)
            .with_context(|| format!("cannot check the store in {}", partition.display()))?;
        print(&name, &report);
        whole &= report.is_whole();
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks a partition with a bar on the terminal.
pub(crate) fn look(partition: &Path, name: &str, depth: CheckDepth) -> Result<CheckReport> {
    let bar = progress::bar(name, "{pos}/{len} rows, {eta} left");
    let report = check(partition, depth, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    Ok(report)
}

/// Says what a check found.
pub(crate) fn print(name: &str, report: &CheckReport) {
    let CheckReport {
        resources,
        versions,
        tombstones,
        terms,
        documents,
        claims,
        files,
        faults,
        faults_total,
    } = report;
    say!(
        "{name}: {resources} resources, {versions} versions ({tombstones} deletions), {terms} index entries, \
         {documents} texts, {claims} claims, {files} large contents: {}",
        if *faults_total == 0 { "whole".to_owned() } else { format!("{faults_total} faults") }
    );
    for fault in faults {
        say!("{name}: FAULT {fault}");
    }
}
