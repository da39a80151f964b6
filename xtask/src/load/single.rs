//! `cargo xtask load put`, `get`, `mix` and `fill`: a closed loop of single requests.
//!
//! Every client owns its resources, so a refused write is the server's doing. Each PUT names the
//! version it replaces and adds one to a number in the resource; at the end the number of every
//! resource is compared with the writes that were acknowledged.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::report::{line, listed};
use super::target::Target;
use super::wire::Wire;

/// How a closed loop of single requests runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients, each with one request at a time
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Resources they work on
    #[arg(long, default_value_t = 10_000)]
    resources: usize,
    /// Time to measure, after a tenth of it to warm up
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Base URL of a FHIR API
    #[arg(long, default_value = "http://127.0.0.1:8080/R4")]
    target: String,
    /// Bytes of text in each resource
    #[arg(long, default_value_t = 700)]
    padding: usize,
    /// Share of reads in `mix`, in percent
    #[arg(long, default_value_t = 80)]
    reads: u32,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The resources are there already, from an earlier run with the same numbers
    #[arg(long)]
    keep: bool,
}

/// What the clients send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// PUT with If-Match
    Put,
    /// GET
    Get,
    /// Both
    Mix,
    /// Only make the resources
    Fill,
}

/// What one client knows of one of its resources.
struct Owned {
    id: String,
    etag: String,
    value: u64,
}

/// What one client saw.
struct Report {
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    lost: Vec<String>,
}

struct Plan {
    target: Target,
    padding: String,
    mode: Mode,
    reads: u32,
    keep: bool,
    warm_up: Duration,
    measured: Duration,
}

pub(crate) fn run(arguments: &Arguments, mode: Mode) -> Result<()> {
    ensure!(
        arguments.clients > 0 && arguments.resources >= arguments.clients,
        "each client needs a resource"
    );
    let measured = Duration::from_secs(arguments.seconds);
    let plan = Plan {
        target: Target::parse(&arguments.target)?,
        padding: "x".repeat(arguments.padding),
        mode,
        reads: match mode {
            Mode::Put | Mode::Fill => 0,
            Mode::Get => 100,
            Mode::Mix => arguments.reads.min(100),
        },
        keep: arguments.keep,
        warm_up: measured / 10,
        measured,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?;
    let reports = runtime.block_on(drive(plan, arguments))?;
    report(arguments, reports)
}

async fn drive(plan: Plan, arguments: &Arguments) -> Result<Vec<Report>> {
    let plan = std::sync::Arc::new(plan);
    let ready = std::sync::Arc::new(tokio::sync::Barrier::new(arguments.clients));
    let clients: Vec<_> = (0..arguments.clients)
        .map(|client| {
            let plan = std::sync::Arc::clone(&plan);
            let ready = std::sync::Arc::clone(&ready);
            let share = (client..arguments.resources).step_by(arguments.clients);
            let ids: Vec<String> = share.map(|number| format!("load-{number}")).collect();
            tokio::spawn(async move { plan.client(client, ids, &ready).await })
        })
        .collect();
    let mut reports = Vec::new();
    for client in clients {
        reports.push(client.await??);
    }
    Ok(reports)
}

impl Plan {
    async fn client(&self, number: usize, ids: Vec<String>, ready: &tokio::sync::Barrier) -> Result<Report> {
        let mut wire = Wire::connect(&self.target.authority).await?;
        let mut owned = Vec::with_capacity(ids.len());
        for id in ids {
            owned.push(self.take(&mut wire, id).await?);
        }
        let mut report = Report::new()?;
        ready.wait().await;
        if self.mode != Mode::Fill {
            let mut random = SmallRng::seed_from_u64(number as u64);
            self.work(&mut wire, &mut owned, &mut report, self.warm_up, &mut random).await?;
            report = Report::new()?;
            self.work(&mut wire, &mut owned, &mut report, self.measured, &mut random).await?;
        }
        for resource in &owned {
            self.compare(&mut wire, resource, &mut report).await?;
        }
        Ok(report)
    }

    /// Makes a resource, or learns what it is from an earlier run.
    async fn take(&self, wire: &mut Wire, id: String) -> Result<Owned> {
        if self.keep {
            let seen = wire.send(self.get(&id).as_bytes(), true).await?;
            if seen.status == 200 {
                return Ok(Owned { id, etag: seen.etag.context("no ETag")?, value: value_of(&seen.body)? });
            }
        }
        let seen = wire.send(self.put(&id, 1, None).as_bytes(), false).await?;
        ensure!(matches!(seen.status, 200 | 201), "making {id}: {}", seen.status);
        Ok(Owned { id, etag: seen.etag.context("no ETag")?, value: 1 })
    }

    async fn work(
        &self,
        wire: &mut Wire,
        owned: &mut [Owned],
        report: &mut Report,
        time: Duration,
        random: &mut SmallRng,
    ) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            let started = Instant::now();
            if started >= end {
                return Ok(());
            }
            let count = owned.len();
            let resource = &mut owned[random.random_range(0..count)];
            let read = random.random_range(0..100) < self.reads;
            let seen = if read {
                wire.send(self.get(&resource.id).as_bytes(), false).await?
            } else {
                let request = self.put(&resource.id, resource.value + 1, Some(&resource.etag));
                wire.send(request.as_bytes(), false).await?
            };
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            let histogram = if read { &mut report.reads } else { &mut report.writes };
            histogram.saturating_record(micros);
            *report.statuses.entry(seen.status).or_default() += 1;
            if !read && matches!(seen.status, 200 | 201) {
                resource.value += 1;
                resource.etag = seen.etag.context("a success without an ETag")?;
            }
        }
    }

    async fn compare(&self, wire: &mut Wire, resource: &Owned, report: &mut Report) -> Result<()> {
        if self.mode == Mode::Get {
            return Ok(());
        }
        let seen = wire.send(self.get(&resource.id).as_bytes(), true).await?;
        let stored = if seen.status == 200 { value_of(&seen.body)? } else { 0 };
        if stored != resource.value {
            report.lost.push(format!("{}: acknowledged {}, stored {stored}", resource.id, resource.value));
        }
        Ok(())
    }

    fn get(&self, id: &str) -> String {
        format!(
            "GET {}/Observation/{id} HTTP/1.1\r\nhost: {}\r\naccept: application/fhir+json\r\n\r\n",
            self.target.path, self.target.authority
        )
    }

    fn put(&self, id: &str, value: u64, etag: Option<&str>) -> String {
        let body = format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"{id}\",\"status\":\"final\",\
             \"code\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"8867-4\"}}],\"text\":\"{}\"}},\
             \"subject\":{{\"reference\":\"Patient/{id}\"}},\"effectiveDateTime\":\"2018-05-25T16:09:50Z\",\
             \"valueQuantity\":{{\"value\":{value},\"unit\":\"beats/minute\",\
             \"system\":\"http://unitsofmeasure.org\",\"code\":\"/min\"}}}}",
            self.padding
        );
        let condition = etag.map(|etag| format!("if-match: {etag}\r\n")).unwrap_or_default();
        format!(
            "PUT {}/Observation/{id} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/fhir+json\r\n\
             prefer: return=minimal\r\n{condition}content-length: {}\r\n\r\n{body}",
            self.target.path,
            self.target.authority,
            body.len()
        )
    }
}

fn value_of(body: &[u8]) -> Result<u64> {
    let json: serde_json::Value = serde_json::from_slice(body)?;
    json["valueQuantity"]["value"].as_u64().context("a resource without its number")
}

impl Report {
    fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        Ok(Self { reads: histogram.clone(), writes: histogram, statuses: BTreeMap::new(), lost: Vec::new() })
    }
}

fn report(arguments: &Arguments, reports: Vec<Report>) -> Result<()> {
    let mut whole = Report::new()?;
    for report in reports {
        whole.reads.add(report.reads)?;
        whole.writes.add(report.writes)?;
        whole.lost.extend(report.lost);
        for (status, count) in report.statuses {
            *whole.statuses.entry(status).or_default() += count;
        }
    }
    println!(
        "load: {} clients, {} resources, {} s against {}",
        arguments.clients, arguments.resources, arguments.seconds, arguments.target
    );
    for (name, histogram) in [("PUT", &whole.writes), ("GET", &whole.reads)] {
        if !histogram.is_empty() {
            println!("{}", line(name, histogram, arguments.seconds));
        }
    }
    println!("  statuses  {}", listed(&whole.statuses));
    println!("  lost updates  {}", whole.lost.len());
    for lost in whole.lost.iter().take(5) {
        println!("    {lost}");
    }
    ensure!(whole.lost.is_empty(), "updates were lost");
    Ok(())
}
