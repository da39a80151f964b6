//! `firelock check`
use crate::cli::CheckArguments;
pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<std::process::ExitCode> {
    crate::mounts::partitions(&arguments.data)?;
    Ok(std::process::ExitCode::SUCCESS)
}
