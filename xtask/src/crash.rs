//! `cargo xtask crash`: nothing that was acknowledged is lost when the process dies.
//!
//! Clients read, add one and write back under If-Match, over HTTP, while the server is killed
//! with SIGKILL at random moments and started again. Every resource starts at 1 and every update
//! adds one, so in a sound history the value of version n is n. Each body also names the write
//! that made it, so a version that two clients were both told is theirs would show.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use crate::http::Client;
use crate::server::{self, Server};

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

const BASE: &str = "/R4";

/// A write that the server said was done.
#[derive(Clone, Debug)]
struct Acknowledged {
    id: String,
    version: u64,
    write: String,
}

/// What the clients were told, over all lives of the server.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Acknowledged>,
    refused: u64,
    /// Writes whose connection broke: done or not, but never done twice.
    in_doubt: BTreeSet<String>,
    unexpected: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = server::build(arguments.release)?;
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("crash: {} kills, {} clients, seed {seed}", arguments.kills, arguments.clients);
    let data = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = Arc::new(Mutex::new(Told::default()));
    let mut random = StdRng::seed_from_u64(seed);
    let started = Instant::now();
    for life in 1..=arguments.kills {
        let server = Server::start(&binary, data.path(), &[])?;
        let time = Duration::from_millis(random.random_range(20..400));
        let seed = random.random();
        runtime.block_on(live(server, life, time, seed, arguments, &told))?;
    }
    let server = Server::start(&binary, data.path(), &[])?;
    let told = Arc::into_inner(told).context("a client still runs")?.into_inner().unwrap_or_default();
    let versions = runtime.block_on(verify(server.address, arguments, &told))?;
    drop(server);
    check(&binary, data.path())?;
    ensure!(!told.acknowledged.is_empty(), "no write was acknowledged: the run shows nothing");
    println!(
        "crash: {} kills in {} s: {} acknowledged writes are all there, {} stale ones were refused, \
         {} were in doubt, {versions} versions in whole chains",
        arguments.kills,
        started.elapsed().as_secs(),
        told.acknowledged.len(),
        told.refused,
        told.in_doubt.len(),
    );
    Ok(())
}

/// One life of the server: clients write until it is killed.
async fn live(
    server: Server,
    life: u32,
    time: Duration,
    seed: u64,
    arguments: &Arguments,
    told: &Arc<Mutex<Told>>,
) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let clients: Vec<_> = (0..arguments.clients)
        .map(|client| {
            let name = format!("{life}-{client}");
            let random = StdRng::seed_from_u64(seed ^ u64::from(client));
            tokio::spawn(write(
                server.address,
                name,
                arguments.resources,
                random,
                Arc::clone(told),
                stopped.clone(),
            ))
        })
        .collect();
    tokio::time::sleep(time).await;
    server.kill()?;
    stop.send(true)?;
    for client in clients {
        client.await?;
    }
    Ok(())
}

/// A client: read, add one, write back, until the connection breaks.
async fn write(
    address: SocketAddr,
    name: String,
    resources: u32,
    mut random: StdRng,
    told: Arc<Mutex<Told>>,
    stopped: watch::Receiver<bool>,
) {
    let Ok(mut client) = Client::connect(address).await else { return };
    for number in 0_u64.. {
        if *stopped.borrow() {
            return;
        }
        let id = format!("counter-{}", random.random_range(0..resources));
        let write = format!("{name}-{number}");
        let Ok(step) = update(&mut client, &id, &write).await else {
            lock(&told).in_doubt.insert(write);
            return;
        };
        match step {
            Step::Written(version) => lock(&told).acknowledged.push(Acknowledged { id, version, write }),
            Step::Refused => lock(&told).refused += 1,
            Step::Unexpected(what) => lock(&told).unexpected.push(format!("{id}: {what}")),
        }
    }
}

fn lock(told: &Mutex<Told>) -> std::sync::MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

enum Step {
    Written(u64),
    Refused,
    Unexpected(String),
}

/// One read-modify-write. An error means that the connection broke.
async fn update(client: &mut Client, id: &str, write: &str) -> Result<Step> {
    let target = format!("{BASE}/Observation/{id}");
    let read = client.send(Method::GET, &target, &[], "").await?;
    let (condition, value) = match (read.status, &read.etag) {
        (200, Some(etag)) => (("if-match", etag.clone()), value_of(&read.body)? + 1),
        (404, _) => (("if-none-match", "*".to_owned()), 1),
        (status, _) => return Ok(Step::Unexpected(format!("GET answered {status}"))),
    };
    let body = format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"{write}"}},"valueInteger":{value}}}"#
    );
    let headers = [("content-type", "application/fhir+json"), (condition.0, condition.1.as_str())];
    let reply = client.send(Method::PUT, &target, &headers, body).await?;
    match reply.status {
        200 | 201 => {
            let version = reply.etag.as_deref().and_then(number).context("a success without an ETag")?;
            Ok(Step::Written(version))
        }
        409 | 412 => Ok(Step::Refused),
        status => {
            Ok(Step::Unexpected(format!("PUT answered {status}: {}", String::from_utf8_lossy(&reply.body))))
        }
    }
}

fn value_of(body: &[u8]) -> Result<u64> {
    let json: serde_json::Value = serde_json::from_slice(body)?;
    json["valueInteger"].as_u64().context("no value")
}

fn number(etag: &str) -> Option<u64> {
    etag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

/// Reads every history and compares it with what the clients were told.
async fn verify(address: SocketAddr, arguments: &Arguments, told: &Told) -> Result<usize> {
    ensure!(told.unexpected.is_empty(), "unexpected answers: {:#?}", told.unexpected);
    let mut client = Client::connect(address).await?;
    let mut stored: BTreeMap<(String, u64), String> = BTreeMap::new();
    for resource in 0..arguments.resources {
        let id = format!("counter-{resource}");
        let history = history(&mut client, &id).await?;
        for (position, (version, value, write)) in history.iter().rev().enumerate() {
            let expected = position as u64 + 1;
            ensure!(*version == expected, "{id}: version {version} stands where {expected} belongs");
            ensure!(*value == expected, "{id}: version {version} has the value {value}: an update was lost");
            stored.insert((id.clone(), *version), write.clone());
        }
    }
    let mut writers = BTreeSet::new();
    for write in stored.values() {
        ensure!(writers.insert(write), "write {write} is stored twice");
    }
    let mut versions = BTreeSet::new();
    for Acknowledged { id, version, write } in &told.acknowledged {
        ensure!(versions.insert((id, version)), "{id}: version {version} was acknowledged twice");
        match stored.get(&(id.clone(), *version)) {
            Some(stored) if stored == write => {}
            found => bail!("{id}: version {version} was acknowledged to {write}, stored is {found:?}"),
        }
    }
    Ok(stored.len())
}

/// All versions of a resource, newest first: version, value and write.
async fn history(client: &mut Client, id: &str) -> Result<Vec<(u64, u64, String)>> {
    let mut versions = Vec::new();
    let mut target = Some(format!("{BASE}/Observation/{id}/_history?_count=500"));
    while let Some(page) = target.take() {
        let (reply, bundle) = client.get_json(&page).await?;
        if reply.status == 404 {
            break;
        }
        ensure!(reply.status == 200, "GET {page}: {}", reply.status);
        for entry in bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let resource = &entry["resource"];
            let version = resource["meta"]["versionId"].as_str().and_then(|version| version.parse().ok());
            versions.push((
                version.context("no version")?,
                resource["valueInteger"].as_u64().context("no value")?,
                resource["code"]["text"].as_str().context("no write")?.to_owned(),
            ));
        }
        let links = bundle["link"].as_array().map(Vec::as_slice).unwrap_or_default();
        let next = links.iter().find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        target = next.and_then(|url| url.find(BASE).map(|start| url[start..].to_owned()));
    }
    Ok(versions)
}

fn check(binary: &Path, data: &Path) -> Result<()> {
    let status = Command::new(binary).arg("check").arg("--data").arg(data).status()?;
    ensure!(status.success(), "firelock check found faults");
    Ok(())
}
