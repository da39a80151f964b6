//! `cargo xtask crash`: nothing that was acknowledged is lost when the process dies.
//!
//! The server is killed with SIGKILL at random moments while clients write, and started again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::server::{self, Server};
use crate::workload::{Clients, Notes, Workload, ensure_sound, faults, histories};

/// Kill the server while clients write, and look for what is missing.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often to kill the server
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Clients that write at the same time
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Resources they write to
    #[arg(long, default_value_t = 4)]
    resources: u32,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
    /// Repeats the choices of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = server::build(arguments.release)?;
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("crash: {} kills, {} clients, seed {seed}", arguments.kills, arguments.clients);
    let data = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let workload = Workload { clients: arguments.clients, resources: arguments.resources };
    let notes = Notes::default();
    let mut random = StdRng::seed_from_u64(seed);
    let started = Instant::now();
    for life in 1..=arguments.kills {
        let server = Server::start(&binary, data.path(), &[])?;
        let time = Duration::from_millis(random.random_range(20..400));
        let seed = random.random();
        runtime.block_on(live(server, life, time, seed, workload, &notes))?;
    }
    let server = Server::start(&binary, data.path(), &[])?;
    let told = notes.told();
    let stored = runtime.block_on(histories(server.address, arguments.resources))?;
    ensure_sound(&faults(&told, &stored))?;
    drop(server);
    server::check(&binary, data.path())?;
    ensure!(!told.acknowledged.is_empty(), "no write was acknowledged: the run shows nothing");
    ensure!(told.unavailable.is_empty(), "writes were refused without a reason: {:?}", told.unavailable);
    println!(
        "crash: {} kills in {} s: {} acknowledged writes are all there, {} stale ones were refused, \
         {} were in doubt, {} versions in whole chains",
        arguments.kills,
        started.elapsed().as_secs(),
        told.acknowledged.len(),
        told.stale.len(),
        told.in_doubt.len(),
        stored.values().map(Vec::len).sum::<usize>(),
    );
    Ok(())
}

/// One life of the server: clients write until it is killed.
async fn live(
    server: Server,
    life: u32,
    time: Duration,
    seed: u64,
    workload: Workload,
    notes: &Notes,
) -> Result<()> {
    let clients = Clients::start(server.address, &life.to_string(), seed, workload, notes);
    tokio::time::sleep(time).await;
    server.kill()?;
    clients.stop().await
}
