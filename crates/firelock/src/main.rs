//! The Firelock server: configuration, wiring, commands and signals.

#[macro_use]
mod say;

mod audit;
mod backup;
mod check;
mod cli;
mod config;
mod demo;
mod demo_pointers;
mod explain;
mod export;
mod import;
mod line;
mod logging;
mod mounts;
mod new_file;
mod profiles;
mod progress;
mod purge;
mod restore;
mod serve;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::cli::{Cli, Command, ServeArguments};

/// Every request makes a tree out of its body, term by term, and lets go of it on another thread: 5 % more writes and
/// reads than with the allocator of glibc, and large transactions in four fifths of the time.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let done = match command.unwrap_or_else(|| Command::Serve(ServeArguments::default())) {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Config(arguments) => config::Config::load(arguments.serve).and_then(|config| {
            stdout().write_all(config.to_toml()?.as_bytes()).context("printing the configuration")?;
            Ok(ExitCode::SUCCESS)
        }),
        Command::Check(arguments) => check::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Purge(arguments) => purge::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // The whole chain of causes on one line: it ends up in service logs.
            let _ = writeln!(stderr(), "firelock: {error:#}");
            ExitCode::FAILURE
        }
    }
}
