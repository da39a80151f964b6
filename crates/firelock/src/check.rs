//! `firelock check`

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::cli::CheckArguments;
use crate::mounts;

pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode> {
    let partitions = mounts::partitions(&arguments.data)?;
    ensure!(!partitions.is_empty(), "there is no partition in {}", arguments.data.display());
    let mut sound = true;
    for partition in partitions {
        let name = partition.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let report = storage_sqlite::check(&partition, &mut |_| {})?;
        println!("{name}: {report}");
        for fault in &report.faults {
            println!("{name}: FAULT {fault}");
        }
        sound &= report.faults.is_empty();
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
