//! The server as users run it: the release binary as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use tokio::runtime::Runtime;

use crate::bare::Bare;
use crate::clients::{self, Change, Client};
use crate::raw::RawLoop;
use crate::{Rate, SLICES};

/// A server process. Dropping it ends it.
struct Server {
    child: Child,
    authority: String,
}

impl Server {
    fn start(data: &Path, configuration: &str) -> Result<Self> {
        let file = data.with_extension("toml");
        std::fs::write(&file, configuration)?;
        let mut child = Command::new(binary()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--config")
            .arg(file)
            .env("FIRELOCK_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("start firelock")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let authority = line.trim().strip_prefix("firelock listening on http://");
        let authority = authority.context("firelock did not start")?.to_owned();
        Ok(Self { child, authority })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary of the profile that benches have.
fn binary() -> Result<std::path::PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(["build", "--quiet", "--release", "--package", "firelock"]).status()?;
    ensure!(status.success(), "firelock does not build");
    // This program lies in `deps` of the same folder.
    let deps = std::env::current_exe()?;
    Ok(deps.ancestors().nth(2).context("no target folder")?.join("firelock"))
}

/// What the server counts, of one mount.
#[derive(Clone, Copy, Default)]
struct Counted {
    sets: f64,
    groups: f64,
    commit_micros: f64,
    commits: f64,
}

impl Counted {
    fn read(runtime: &Runtime, authority: &str) -> Result<Self> {
        let bytes = runtime.block_on(clients::response(authority, "/metrics"))?;
        let text = String::from_utf8(bytes)?;
        let value = |name: &str| -> Result<f64> {
            let start = format!("firelock_store_{name}{{mount=\"/R4\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            Ok(line.with_context(|| format!("no {name} in /metrics"))?.parse()?)
        };
        Ok(Self {
            sets: value("group_sets_sum")?,
            groups: value("group_sets_count")?,
            commit_micros: value("commit_microseconds_sum")?,
            commits: value("commit_microseconds_count")?,
        })
    }

    fn group_since(self, before: Self) -> f64 {
        (self.sets - before.sets) / (self.groups - before.groups).max(1.0)
    }

    fn commit_millis_since(self, before: Self) -> f64 {
        (self.commit_micros - before.commit_micros) / (self.commits - before.commits).max(1.0) / 1e3
    }
}

/// Prints what the server reaches beside its limits.
pub(crate) fn compare(directory: &Path, slice: Duration) -> Result<()> {
    // One thread: what the clients take is not the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let data = directory.join("http");
    {
        let server = Server::start(&data, "")?;
        let mut writers = runtime.block_on(clients::writers(&server.authority, 32))?;
        compare_updates(&runtime, &server, &mut writers, directory, slice)?;
        compare_creates(&runtime, &server, &mut writers, directory, slice)?;
    }
    println!("\n{:<36}{:>12}{:>14}{:>8}", "HTTP: GET, 32 connections", "per second", "bare hyper", "ratio");
    for (name, configuration) in [
        ("contents from memory", ""),
        ("contents from the tables", "[sqlite]\nbody_cache_bytes = 0\n"),
        ("all from the tables", "[sqlite]\nbody_cache_bytes = 0\nhead_cache_entries = 0\n"),
    ] {
        compare_reads(&runtime, name, &Server::start(&data, configuration)?, directory, slice)?;
    }
    Ok(())
}

fn compare_updates(
    runtime: &Runtime,
    server: &Server,
    writers: &mut [Client],
    directory: &Path,
    slice: Duration,
) -> Result<()> {
    println!(
        "\n{:<36}{:>12}{:>8}{:>8}{:>10}{:>8}{:>10}{:>8}",
        "HTTP: durable PUT with If-Match",
        "per second",
        "p50 ms",
        "p99 ms",
        "commit ms",
        "group",
        "raw loop",
        "ratio"
    );
    for (name, change) in [
        ("a number", Change::Number),
        ("a word of a note", Change::Word),
        ("a quantity (two terms)", Change::Quantity),
    ] {
        let has_terms = change == Change::Quantity;
        let mut raw_loop = RawLoop::new(&directory.join(format!("raw-{change:?}.db")), has_terms)?;
        for count in [1, 8, 32] {
            let clients = &mut writers[..count];
            let (mut ours, mut raw) = (Rate::default(), Rate::default());
            let mut times = Histogram::new_with_bounds(1, 60_000_000, 3)?;
            let before = Counted::read(runtime, &server.authority)?;
            let mut now = before;
            for _ in 0..SLICES {
                runtime.block_on(clients::update(clients, change, slice, &mut ours, &mut times))?;
                now = Counted::read(runtime, &server.authority)?;
                let group = now.group_since(before).round().max(1.0);
                raw_loop.updates(group as u64, slice, &mut raw)?;
            }
            let name = format!("{name}, {count} clients");
            print_writes(&name, (ours, raw), &times, (before, now));
        }
    }
    Ok(())
}

fn print_writes(
    name: &str,
    (ours, raw): (Rate, Rate),
    times: &Histogram<u64>,
    (before, now): (Counted, Counted),
) {
    let millis = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "{name:<36}{:>12.0}{:>8.2}{:>8.2}{:>10.2}{:>8.1}{:>10.0}{:>8.2}",
        ours.per_second(),
        millis(0.5),
        millis(0.99),
        now.commit_millis_since(before),
        now.group_since(before),
        raw.per_second(),
        ours.per_second() / raw.per_second()
    );
}

fn compare_creates(
    runtime: &Runtime,
    server: &Server,
    writers: &mut [Client],
    directory: &Path,
    slice: Duration,
) -> Result<()> {
    let mut raw_loop = RawLoop::new(&directory.join("raw-creates.db"), true)?;
    let (mut ours, mut raw) = (Rate::default(), Rate::default());
    let mut times = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let before = Counted::read(runtime, &server.authority)?;
    let mut now = before;
    for _ in 0..SLICES {
        runtime.block_on(clients::create(writers, slice, &mut ours, &mut times))?;
        now = Counted::read(runtime, &server.authority)?;
        let group = now.group_since(before).round().max(1.0);
        raw_loop.creates(group as u64, slice, &mut raw)?;
    }
    let name = format!("creates (ten terms), {} clients", writers.len());
    print_writes(&name, (ours, raw), &times, (before, now));
    Ok(())
}

fn compare_reads(
    runtime: &Runtime,
    name: &str,
    server: &Server,
    directory: &Path,
    slice: Duration,
) -> Result<()> {
    let file = directory.join("response");
    std::fs::write(&file, without_close(&runtime.block_on(clients::sample(&server.authority))?))?;
    let bare = Bare::start(&file)?;
    let mut of_ours = runtime.block_on(clients::readers(&server.authority, 32))?;
    let mut of_bare = runtime.block_on(clients::readers(&bare.authority, 32))?;
    let (mut ours, mut limit) = (Rate::default(), Rate::default());
    // Once without counting: what is kept in memory must get there first.
    runtime.block_on(clients::read(&mut of_ours, slice, &mut Rate::default()))?;
    for _ in 0..SLICES {
        runtime.block_on(clients::read(&mut of_ours, slice, &mut ours))?;
        runtime.block_on(clients::read(&mut of_bare, slice, &mut limit))?;
    }
    let (ours, limit) = (ours.per_second(), limit.per_second());
    println!("{name:<36}{ours:>12.0}{limit:>14.0}{:>8.2}", ours / limit);
    Ok(())
}

/// The sample was asked for on a connection of its own.
fn without_close(response: &[u8]) -> Vec<u8> {
    let text = b"connection: close\r\n";
    match response.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text)) {
        Some(at) => [&response[..at], &response[at + text.len()..]].concat(),
        None => response.to_vec(),
    }
}
