//! The project's automation: `cargo xtask COMMAND`. One module per command.

mod codegen;
mod conformance;
mod packages;

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
    /// Generate the tables of crate fhir-definitions from the published packages.
    Codegen(codegen::Arguments),
    /// Compare with what others publish: official examples, schemas.
    Conformance(conformance::Arguments),
    /// Fetch the pinned definition packages into target/packages and check their digests.
    Packages(packages::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Codegen(arguments) => codegen::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Packages(arguments) => packages::run(&arguments),
    }
}
