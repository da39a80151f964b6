//! `cargo xtask requests`: no request makes the server panic, hang, drop a connection or answer 500.
//!
//! Clients send requests that a grammar makes of valid and broken parts: methods, paths, parameters, conditions,
//! preferences, formats, encodings, patches, JSON and XML changed in structure and in bytes, wrong lengths, chunks, several
//! requests at once, and bytes that are no HTTP. Each answer is judged; a seed repeats every choice.

mod body;
mod chance;
mod exchange;
mod fields;
mod patches;
mod shot;
mod target;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};

use self::chance::Chance;
use self::exchange::{Exchange, Statuses};
use self::shot::Expected;
use crate::server::{self, Server};

/// Send a server what a grammar makes of valid and broken parts, and judge each answer.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many requests
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Connections that send at the same time
    #[arg(long, default_value_t = 4)]
    connections: u64,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
    /// Repeats the requests of an earlier run with the same number of connections
    #[arg(long)]
    seed: Option<u64>,
}

/// A run of fewer requests need not meet every status.
const COUNT_THAT_MEETS_ALL: u64 = 20_000;

/// Statuses without which the requests were not as various as they should be.
const STATUSES: [u16; 13] = [200, 201, 204, 304, 400, 404, 405, 406, 409, 410, 412, 415, 422];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = server::build(arguments.release)?;
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let connections = arguments.connections.max(1);
    println!("requests: {} on {connections} connections, seed {seed}", arguments.count);
    let folder = tempfile::tempdir()?;
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let mut command = server::command(&binary, &data, &[]);
    command.stderr(Stdio::from(std::fs::File::create(&log)?));
    let server = Server::spawn(command)?;
    let started = Instant::now();
    let fired = fire(server.address, seed, connections, arguments.count);
    ensure_no_panic(&log)?;
    let statuses = fired?;
    ready(server.address)?;
    server.terminate()?;
    ensure!(server.wait()?.success(), "the server did not stop well");
    ensure_no_panic(&log)?;
    server::check(&binary, &data)?;
    if arguments.count >= COUNT_THAT_MEETS_ALL {
        let missing: Vec<_> = STATUSES.iter().filter(|status| !statuses.contains_key(status)).collect();
        ensure!(missing.is_empty(), "never answered {missing:?}: the requests are not various enough");
    }
    let counts: Vec<_> = statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
    println!(
        "requests: {} answers in {} s, none of them 5xx, no panic, no connection dropped\n  {}",
        statuses.values().sum::<u64>(),
        started.elapsed().as_secs(),
        counts.join(", ")
    );
    Ok(())
}

/// All connections at work until so many requests are sent or one of them meets a fault.
fn fire(address: SocketAddr, seed: u64, connections: u64, count: u64) -> Result<Statuses> {
    let stop = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|number| {
                let (stop, sent) = (&stop, &sent);
                // The first ones take what cannot be shared evenly.
                let share = count / connections + u64::from(number < count % connections);
                scope.spawn(move || {
                    let client = client(address, (seed, number), share, stop, sent);
                    if client.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    client
                })
            })
            .collect();
        let mut statuses = Statuses::new();
        let mut faults = Vec::new();
        for client in clients {
            match client.join().map_err(|_| anyhow!("a client panicked"))? {
                Ok(counts) => {
                    for (status, count) in counts {
                        *statuses.entry(status).or_default() += count;
                    }
                }
                Err(fault) => faults.push(format!("{fault:#}")),
            }
        }
        if faults.is_empty() { Ok(statuses) } else { bail!("{}", faults.join("\n\n")) }
    })
}

fn client(
    address: SocketAddr,
    (seed, number): (u64, u64),
    share: u64,
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> Result<Statuses> {
    const PROGRESS: u64 = 100_000;
    let mut chance = Chance::new(seed, number);
    let mut exchange = Exchange::new(address);
    let mut done = 0;
    while done < share && !stop.load(Ordering::Relaxed) {
        let shot = shot::shot(&mut chance, exchange.etag.as_deref());
        exchange.send(&shot).with_context(|| {
            format!("seed {seed}, connection {number}, request {done}:\n{}\n", shown(&shot.bytes))
        })?;
        // What is no HTTP counts as a request all the same: it was to be answered or ended.
        debug_assert!(shot.requests == 1 || matches!(shot.expected, Expected::Each(_)));
        done += shot.requests;
        let all = sent.fetch_add(shot.requests, Ordering::Relaxed);
        if all / PROGRESS != (all + shot.requests) / PROGRESS {
            println!("  {} sent", all + shot.requests);
        }
    }
    Ok(exchange.statuses)
}

/// A request as far as a terminal can bear it.
fn shown(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 6_000;
    let mut text =
        bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii().to_string().replace("\\r\\n", "\\r\\n\n");
    if bytes.len() > SHOWN_MAX {
        // Writing to a string does not fail.
        let _ = write!(text, "... {} bytes", bytes.len());
    }
    text
}

/// After all that the server writes and reads as before.
fn ready(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = crate::http::Client::connect(address).await?;
        let reply = client.send(hyper::Method::GET, "/readyz", &[], "").await?;
        ensure!(
            reply.status == 200,
            "/readyz answers {}: {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        Ok(())
    })
}

/// A panic is caught in the server and answered with 500, but not only there may one happen.
fn ensure_no_panic(log: &Path) -> Result<()> {
    let log = std::fs::read(log)?;
    let log = String::from_utf8_lossy(&log);
    let panics: Vec<_> = log.lines().filter(|line| line.contains("panicked")).take(5).collect();
    ensure!(panics.is_empty(), "the server panicked:\n{}", panics.join("\n"));
    Ok(())
}
