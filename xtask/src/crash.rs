//! `cargo xtask crash`: nothing that was acknowledged is lost when the process dies.
//!
//! The server is killed with SIGKILL at random moments while clients write, some single resources and some groups by
//! transactions, and started again. A transaction must be there whole or not at all.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::groups::{self, GroupClients};
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
    /// Clients beside them that send transactions of 2 to 80 updates
    #[arg(long, default_value_t = 4)]
    transactions: u32,
    /// Resources that the clients of single writes write to
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
    println!(
        "crash: {} kills, {} clients, {} with transactions, seed {seed}",
        arguments.kills, arguments.clients, arguments.transactions
    );
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
        let work = (workload, arguments.transactions);
        runtime.block_on(live(server, life, time, seed, work, &notes))?;
    }
    let server = Server::start(&binary, data.path(), &[])?;
    let told = notes.told();
    let mut stored = runtime.block_on(histories(server.address, arguments.resources))?;
    stored.extend(runtime.block_on(groups::histories(server.address))?);
    ensure_sound(&faults(&told, &stored))?;
    drop(server);
    server::check(&binary, data.path())?;
    ensure!(!told.acknowledged.is_empty(), "no write was acknowledged: the run shows nothing");
    let transactions = groups::ensure_whole(&stored)?;
    ensure!(
        transactions > 0 || arguments.transactions == 0,
        "no transaction was acknowledged: the run shows nothing"
    );
    ensure!(told.unavailable.is_empty(), "writes were refused without a reason: {:?}", told.unavailable);
    println!(
        "crash: {} kills in {} s: {} acknowledged writes are all there, {} stale ones were refused, \
         {} were in doubt, {} versions in whole chains, {transactions} transactions each there as a whole",
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
    (workload, transactions): (Workload, u32),
    notes: &Notes,
) -> Result<()> {
    let groups = GroupClients::start(server.address, &life.to_string(), !seed, transactions, notes);
    let clients = Clients::start(server.address, &life.to_string(), seed, workload, notes);
    tokio::time::sleep(time).await;
    server.kill()?;
    groups.stop().await?;
    clients.stop().await
}
