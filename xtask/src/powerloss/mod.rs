//! `cargo xtask powerloss`: nothing that was acknowledged is lost when the power goes, a disk fails or fills up.
//!
//! The server runs on a recorder (see [`crate::disk`]). `docs/durability.md` says what is promised and what this shows.

mod controls;
mod failures;
mod rounds;
mod scene;
mod space;
mod storm;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;
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
    /// Only this part
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
    /// Repeats the choices of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// The parts of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The proof that losses are found
    Controls,
    /// The power goes at random moments
    Rounds,
    /// An I/O error at every write and every sync
    Failures,
    /// Many I/O errors at random, under load
    Storm,
    /// A full disk
    Space,
}

/// One mount, for quick starts.
const PLAIN: &str = "[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\n";

/// Many contents go into files.
const FILES: &str = "[sqlite]\nbody_inline_max = 600\n";

/// The log is moved and begun anew so often that the power goes during all of that too.
const BUSY: &str = "checkpoint_bytes = 65536\nlog_bytes_max = 262144\n";

/// What every part of the run needs.
struct Bench {
    binary: PathBuf,
    preload: Preload,
    /// A configuration of [`PLAIN`]: between the checkpoints of a store with `--durability normal` nothing is synced.
    plain_config: String,
    /// [`FILES`] and [`PLAIN`].
    files_config: String,
    /// All three.
    busy_config: String,
    runtime: Runtime,
    random: StdRng,
    _folder: TempDir,
}

impl Bench {
    fn new(arguments: &Arguments, seed: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok::<_, anyhow::Error>(path.to_str().context("a temporary path that is not UTF-8")?.to_owned())
        };
        Ok(Self {
            binary: server::build(arguments.release)?,
            preload: Preload::build()?,
            plain_config: config("plain.toml", PLAIN)?,
            files_config: config("files.toml", &format!("{FILES}{PLAIN}"))?,
            busy_config: config("busy.toml", &format!("{FILES}{BUSY}{PLAIN}"))?,
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
    for part in Part::value_variants().iter().filter(|part| arguments.part.is_none_or(|only| only == **part))
    {
        match part {
            Part::Controls => controls::run(&mut bench, arguments.rounds)?,
            Part::Rounds => rounds::run(&mut bench, arguments.rounds)?,
            Part::Failures => failures::run(&mut bench, arguments.points)?,
            Part::Storm => storm::run(&mut bench, arguments.rounds)?,
            Part::Space => space::run(&mut bench)?,
        }
    }
    println!("powerloss: passed in {} s", started.elapsed().as_secs());
    Ok(())
}
