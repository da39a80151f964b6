//! `cargo xtask load`: clients in a closed loop against any FHIR server, and what they saw.
//!
//! The generator shares the machine with the server it measures, so it does little for each request
//! ([`wire`]). Every mode compares in the end what is stored with what was acknowledged.

mod large;
mod literal;
mod pairs;
mod report;
mod resources;
mod searches;
mod single;
mod suite;
mod synthea;
mod target;
mod transactions;
mod walk;
mod wire;

use anyhow::Result;

/// Drive a FHIR server and report rates, latencies and lost updates.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(clap::Subcommand)]
enum Mode {
    /// PUT with If-Match
    Put(single::Arguments),
    /// GET
    Get(single::Arguments),
    /// PUT with If-Match and GET
    Mix(single::Arguments),
    /// Only make the resources
    Fill(single::Arguments),
    /// Transactions: generated patients, pairs of updates, one that is large
    Transactions(transactions::Arguments),
    /// The resources of generated patients as single PUTs
    Resources(resources::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.mode {
        Mode::Put(arguments) => single::run(arguments, single::Mode::Put),
        Mode::Get(arguments) => single::run(arguments, single::Mode::Get),
        Mode::Mix(arguments) => single::run(arguments, single::Mode::Mix),
        Mode::Fill(arguments) => single::run(arguments, single::Mode::Fill),
        Mode::Transactions(arguments) => transactions::run(arguments),
        Mode::Resources(arguments) => resources::run(arguments),
    }
}
