//! The project's automation: `cargo xtask COMMAND`. One module per command.

mod ci;
mod codegen;
mod conformance;
mod contention;
mod crash;
mod disk;
mod groups;
mod http;
mod load;
mod packages;
mod powerloss;
mod requests;
mod server;
mod soak;
mod testscript;
mod tidy;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Firelock's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that must hold before a change lands.
    Ci,
    /// Generate the tables of crate fhir-definitions from the published packages.
    Codegen(codegen::Arguments),
    /// Compare with what others publish: official examples, schemas.
    Conformance(conformance::Arguments),
    /// Let clients compete for the same resource, and look for what is lost or there twice.
    Contention(contention::Arguments),
    /// Kill the server while clients write, and look for what is missing.
    Crash(crash::Arguments),
    /// Drive a FHIR server and report rates, latencies and lost updates.
    Load(load::Arguments),
    /// Fetch the pinned definition packages into target/packages and check their digests.
    Packages(packages::Arguments),
    /// Take away what the server did not sync, and let its disk fail and fill up.
    Powerloss(powerloss::Arguments),
    /// Send a server what a grammar makes of valid and broken parts, and judge each answer.
    Requests(requests::Arguments),
    /// Load a server for a while and require memory, open files and latency to be flat.
    Soak(soak::Arguments),
    /// Play the published TestScripts against the server.
    Testscript(testscript::Arguments),
    /// Check the crate graph and which crate names which library.
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Ci => ci::run(),
        Command::Codegen(arguments) => codegen::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Contention(arguments) => contention::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Packages(arguments) => packages::run(&arguments),
        Command::Powerloss(arguments) => powerloss::run(&arguments),
        Command::Requests(arguments) => requests::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Testscript(arguments) => testscript::run(&arguments),
        Command::Tidy => tidy::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
