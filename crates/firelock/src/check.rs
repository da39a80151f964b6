//! `firelock check`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use storage_sqlite::{CheckDepth, CheckReport, check};

use crate::cli::CheckArguments;
use crate::mounts;

pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode> {
    let partitions = mounts::partitions(&arguments.data)?;
    ensure!(
        !partitions.is_empty(),
        "there is no store in {}; --data names the folder that the server was started with",
        arguments.data.display()
    );
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

fn look(partition: &Path, name: &str, depth: CheckDepth) -> Result<CheckReport> {
    // Shown on a terminal only.
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    let report = check(partition, depth, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    Ok(report)
}

fn print(name: &str, report: &CheckReport) {
    let CheckReport { resources, versions, tombstones, terms, claims, files, faults, faults_total } = report;
    println!(
        "{name}: {resources} resources, {versions} versions ({tombstones} deletions), {terms} index entries, \
         {claims} claims, {files} large contents: {}",
        if *faults_total == 0 { "whole".to_owned() } else { format!("{faults_total} faults") }
    );
    for fault in faults {
        println!("{name}: FAULT {fault}");
    }
}
