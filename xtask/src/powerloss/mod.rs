//! `cargo xtask powerloss`: nothing that was acknowledged is lost when the power goes, a disk fails or fills up.
//!
//! The server runs on a recorder (see [`crate::disk`]). `docs/durability.md` says what is promised and what this shows.

mod controls;
mod failures;
mod rounds;
mod scene;
mod space;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::disk::Preload;
use crate::server;

/// Take away what the server did not sync, and let its disk fail and fill up.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often the power goes, and how often in each control that must lose something
    #[arg(long, default_value_t = 40)]
    rounds: u32,
    /// At how many of its writes and of its syncs a run of the server meets an I/O error; all by default
    #[arg(long)]
    points: Option<u64>,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
    /// Repeats the choices of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// What every part of the run needs.
struct Bench {
    binary: PathBuf,
    preload: Preload,
    /// A configuration with one mount, for quick starts.
    config: String,
    runtime: Runtime,
    random: StdRng,
    _folder: TempDir,
}

impl Bench {
    fn new(arguments: &Arguments, seed: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("firelock.toml");
        std::fs::write(&config, "[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\n")?;
        Ok(Self {
            binary: server::build(arguments.release)?,
            preload: Preload::build()?,
            config: config.to_str().context("a temporary path that is not UTF-8")?.to_owned(),
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            random: StdRng::seed_from_u64(seed),
            _folder: folder,
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("powerloss: {} rounds, seed {seed}", arguments.rounds);
    let mut bench = Bench::new(arguments, seed)?;
    let started = Instant::now();
    controls::run(&mut bench, arguments.rounds)?;
    rounds::run(&mut bench, arguments.rounds)?;
    failures::run(&mut bench, arguments.points)?;
    space::run(&mut bench)?;
    println!("powerloss: passed in {} s", started.elapsed().as_secs());
    Ok(())
}
