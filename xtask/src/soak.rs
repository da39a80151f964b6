//! `cargo xtask soak`: what is flat stays flat, for as long as one has patience.
//!
//! Some clients read, add one and write back under If-Match, and meet each other; others create, overwrite without a
//! condition, delete, read and list. Memory, open files and latency are sampled. After a warm-up of half the time, in
//! which caches fill, a straight line through the samples must not rise by more than [`Bounds`] allow. At the end every
//! history is compared with what the clients were told, and the stores are checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use hyper::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use crate::http::Client;
use crate::server::{self, Server};
use crate::workload::{Clients, Notes, Workload, ensure_sound, faults, histories};

/// Load a server for a while and require memory, open files and latency to be flat.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long, warm-up included
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Clients of each of the two kinds
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Resources that each kind works on
    #[arg(long, default_value_t = 32)]
    resources: u32,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
    /// Repeats the choices of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

const SAMPLE_TIME: Duration = Duration::from_secs(3);

/// What the clients without conditions saw since the last sample and since the start.
struct Watch {
    times: Histogram<u64>,
    statuses: BTreeMap<(&'static str, u16), u64>,
    unexpected: Vec<String>,
}

/// The state of the server at a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    memory_kib: f64,
    files: f64,
    median_us: f64,
    p99_us: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = server::build(arguments.release)?;
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("soak: {} min, 2 x {} clients, seed {seed}", arguments.minutes, arguments.clients);
    let data = tempfile::tempdir()?;
    let server = Server::start(&binary, data.path(), &[])?;
    let notes = Notes::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (samples, churned) = runtime.block_on(load(&server, arguments, seed, &notes))?;
    let told = notes.told();
    let stored = runtime.block_on(histories(server.address, arguments.resources))?;
    server.terminate()?;
    ensure!(server.wait()?.success(), "the server did not stop well");
    ensure_sound(&faults(&told, &stored))?;
    server::check(&binary, data.path())?;
    ensure!(churned.unexpected.is_empty(), "unexpected answers: {:?}", churned.unexpected);
    ensure!(told.unavailable.is_empty() && told.unread == 0, "refused: {:?}", told.unavailable);
    ensure!(!told.stale.is_empty(), "no client met another: the run shows nothing");
    println!(
        "soak: {} acknowledged writes are all there, {} stale ones were refused; others were answered {}",
        told.acknowledged.len(),
        told.stale.len(),
        churned
            .statuses
            .iter()
            .map(|((method, status), count)| format!("{method} {status}: {count}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    judge(&samples)
}

/// Both kinds of clients at work, and a sample every few seconds.
async fn load(
    server: &Server,
    arguments: &Arguments,
    seed: u64,
    notes: &Notes,
) -> Result<(Vec<Sample>, Watch)> {
    let address = server.address;
    let workload = Workload { clients: arguments.clients, resources: arguments.resources };
    let counters = Clients::start(address, "soak", seed, workload, notes);
    let churned = Watch {
        times: Histogram::new_with_bounds(1, 60_000_000, 3)?,
        statuses: BTreeMap::new(),
        unexpected: Vec::new(),
    };
    let churned = Arc::new(Mutex::new(churned));
    let (stop, stopped) = watch::channel(false);
    let churning: Vec<_> = (0..arguments.clients)
        .map(|client| {
            let random = StdRng::seed_from_u64(seed.rotate_left(32) ^ u64::from(client));
            tokio::spawn(churn(address, arguments.resources, random, Arc::clone(&churned), stopped.clone()))
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(arguments.minutes * 60);
    let mut samples = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(SAMPLE_TIME).await;
        let times = {
            let mut churned = churned.lock().unwrap_or_else(PoisonError::into_inner);
            let times = churned.times.clone();
            churned.times.reset();
            times
        };
        let sample = sample(server.id(), &times)?;
        if samples.len() % 10 == 0 {
            println!("  {}", sample.line());
        }
        samples.push(sample);
    }
    // Fails if all have ended already, which the next lines tell.
    let _ = stop.send(true);
    for client in churning {
        client.await??;
    }
    counters.stop().await?;
    let churned = Arc::into_inner(churned).context("a client still runs")?;
    Ok((samples, churned.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// A client that names no version: whatever it does has to be possible.
async fn churn(
    address: SocketAddr,
    resources: u32,
    mut random: StdRng,
    churned: Arc<Mutex<Watch>>,
    stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut client = Client::connect(address).await?;
    while !*stopped.borrow() {
        let id = format!("churn-{}", random.random_range(0..resources));
        let instance = format!("/R4/Basic/{id}");
        let text = "x".repeat(random.random_range(0..2_000));
        let body = format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"_{text}"}}}}"#);
        let (name, method, target, allowed): (_, _, _, &[u16]) = match random.random_range(0..100) {
            0..35 => ("PUT", Method::PUT, instance, &[200, 201]),
            35..45 => ("POST", Method::POST, "/R4/Basic".to_owned(), &[201]),
            45..50 => ("DELETE", Method::DELETE, instance, &[204]),
            50..90 => ("GET", Method::GET, instance, &[200, 404, 410]),
            90..98 => ("history", Method::GET, format!("{instance}/_history?_count=5"), &[200, 404]),
            _ => ("type history", Method::GET, "/R4/Basic/_history?_count=20".to_owned(), &[200]),
        };
        let is_write = matches!(method, Method::PUT | Method::POST);
        let body = if is_write { body } else { String::new() };
        let headers: &[_] = if is_write { &[("content-type", "application/fhir+json")] } else { &[] };
        let began = Instant::now();
        let reply = client.send(method, &target, headers, body).await.context("the connection broke")?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut churned = churned.lock().unwrap_or_else(PoisonError::into_inner);
        churned.times.saturating_record(micros);
        *churned.statuses.entry((name, reply.status)).or_default() += 1;
        if !allowed.contains(&reply.status) && churned.unexpected.len() < 5 {
            let body: String = String::from_utf8_lossy(&reply.body).chars().take(300).collect();
            churned.unexpected.push(format!("{name} {target}: {} {body}", reply.status));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of kibibytes, files and microseconds")]
fn sample(process: u32, times: &Histogram<u64>) -> Result<Sample> {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).context("the server has ended")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|text| text.split_whitespace().next()).context("no VmRSS")?;
    ensure!(!times.is_empty(), "nothing was answered for {SAMPLE_TIME:?}");
    Ok(Sample {
        memory_kib: resident.parse()?,
        files: std::fs::read_dir(format!("/proc/{process}/fd"))?.count() as f64,
        median_us: times.value_at_quantile(0.5) as f64,
        p99_us: times.value_at_quantile(0.99) as f64,
    })
}

impl Sample {
    fn line(&self) -> String {
        format!(
            "{:.0} MiB, {:.0} files, p50 {:.2} ms, p99 {:.2} ms",
            self.memory_kib / 1024.0,
            self.files,
            self.median_us / 1000.0,
            self.p99_us / 1000.0
        )
    }
}

/// How much a figure may rise after the warm-up, along a straight line: a share of its mean and so much besides.
struct Bounds {
    name: &'static str,
    share: f64,
    besides: f64,
}

/// Memory and files are steady by nature. Latency is the neighbours' as well, so only a doubling counts.
const MEMORY: Bounds = Bounds { name: "memory in KiB", share: 0.10, besides: 8.0 * 1024.0 };
const FILES: Bounds = Bounds { name: "open files", share: 0.0, besides: 2.0 };
const MEDIAN: Bounds = Bounds { name: "median in microseconds", share: 1.0, besides: 500.0 };

fn judge(samples: &[Sample]) -> Result<()> {
    let steady = samples.get(samples.len() / 2..).unwrap_or_default();
    ensure!(steady.len() >= 4, "too few samples: the run was too short");
    let figure = |of: fn(&Sample) -> f64| -> Vec<f64> { steady.iter().map(of).collect() };
    for (bounds, values) in [
        (&MEMORY, figure(|sample| sample.memory_kib)),
        (&FILES, figure(|sample| sample.files)),
        (&MEDIAN, figure(|sample| sample.median_us)),
    ] {
        let (mean, rise) = trend(&values);
        let allowed = bounds.share * mean + bounds.besides;
        println!("  {}: mean {mean:.0}, rise {rise:.0} of at most {allowed:.0}", bounds.name);
        ensure!(rise <= allowed, "{} rises by {rise:.0} in half of the run", bounds.name);
    }
    Ok(())
}

/// The mean, and how much a straight line fitted by least squares rises from the first value to the last.
#[expect(clippy::cast_precision_loss, reason = "few samples")]
fn trend(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let middle = (count - 1.0) / 2.0;
    let offsets = (0..values.len()).map(|place| place as f64 - middle);
    let (mut above, mut below) = (0.0, 0.0);
    for (offset, value) in offsets.zip(values) {
        above += offset * (value - mean);
        below += offset * offset;
    }
    (mean, if below == 0.0 { 0.0 } else { above / below * (count - 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory_kib: impl Fn(f64) -> f64, files: impl Fn(f64) -> f64) -> Vec<Sample> {
        let sample = |place: u32| {
            let at = f64::from(place);
            Sample { memory_kib: memory_kib(at), files: files(at), median_us: 900.0, p99_us: 2_000.0 }
        };
        (0..40).map(sample).collect()
    }

    #[test]
    fn a_line_is_found_in_noise() {
        let (mean, rise) = trend(&[1.0, 2.0, 3.0, 4.0]);
        assert!((mean - 2.5).abs() < 1e-9 && (rise - 3.0).abs() < 1e-9);
        let (mean, rise) = trend(&[5.0, 7.0, 7.0, 5.0]);
        assert!((mean - 6.0).abs() < 1e-9 && rise.abs() < 1e-9);
        assert_eq!(trend(&[4.0]), (4.0, 0.0));
    }

    #[test]
    fn what_leaks_is_found_and_what_warms_up_is_not() {
        let steady = |_| 50_000.0;
        assert!(judge(&samples(steady, |_| 40.0)).is_ok());
        assert!(judge(&samples(|at| 50_000.0 + 5_000.0 * at.min(10.0), |_| 40.0)).is_ok());
        assert!(judge(&samples(|at| 50_000.0 + 2_000.0 * at, |_| 40.0)).is_err());
        assert!(judge(&samples(steady, |at| 40.0 + at)).is_err());
        assert!(judge(&[]).is_err());
    }
}
