//! Transactions of two updates, each with If-Match: their rate, and whether both halves of each are there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::sync::Barrier;

use super::report::{histogram, line, listed, micros};
use super::target::{Served, Target};
use super::transactions::Answer;
use super::wire::Wire;

/// Bytes of text in each resource.
const PADDING: usize = 700;

/// What a client knows of two of its resources, which always have the same value.
struct Pair {
    ids: [String; 2],
    etags: [String; 2],
    value: u64,
}

/// What one client saw.
struct Report {
    times: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    lost: Vec<String>,
}

/// Every client owns its pairs, so a refused transaction is the server's doing.
pub(crate) async fn run(served: &Served, clients: usize, resources: usize, seconds: u64) -> Result<()> {
    let pairs = resources / 2;
    ensure!(clients > 0 && pairs >= clients, "each client needs a pair of resources");
    let measured = Duration::from_secs(seconds);
    let ready = Arc::new(Barrier::new(clients));
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let (target, ready) = (served.target.clone(), Arc::clone(&ready));
            let numbers: Vec<usize> = (client..pairs).step_by(clients).collect();
            tokio::spawn(async move { work(&target, client, &numbers, measured, &ready).await })
        })
        .collect();
    let mut whole = Report { times: histogram()?, statuses: BTreeMap::new(), lost: Vec::new() };
    for task in tasks {
        let report = task.await??;
        whole.times.add(report.times)?;
        whole.lost.extend(report.lost);
        for (status, count) in report.statuses {
            *whole.statuses.entry(status).or_default() += count;
        }
    }
    let target = &served.target;
    println!(
        "load transactions: pairs of updates with If-Match, {clients} clients, {pairs} pairs, {seconds} s \
         against http://{}{}",
        target.authority, target.path
    );
    println!("{}", line("transactions", &whole.times, seconds));
    println!("  statuses  {}", listed(&whole.statuses));
    println!("  lost updates  {}", whole.lost.len());
    for lost in whole.lost.iter().take(5) {
        println!("    {lost}");
    }
    ensure!(whole.lost.is_empty(), "updates were lost");
    ensure!(whole.statuses.contains_key(&200), "no transaction succeeded");
    Ok(())
}

async fn work(
    target: &Target,
    client: usize,
    numbers: &[usize],
    measured: Duration,
    ready: &Barrier,
) -> Result<Report> {
    let mut wire = Wire::connect(&target.authority).await?;
    let mut pairs = Vec::with_capacity(numbers.len());
    for number in numbers {
        pairs.push(Pair::make(&mut wire, target, *number).await?);
    }
    let mut random = SmallRng::seed_from_u64(client as u64);
    let mut report = Report { times: histogram()?, statuses: BTreeMap::new(), lost: Vec::new() };
    ready.wait().await;
    for time in [measured / 10, measured] {
        report.times.reset();
        report.statuses.clear();
        let end = Instant::now() + time;
        while Instant::now() < end {
            let count = pairs.len();
            pairs[random.random_range(0..count)].update(&mut wire, target, &mut report).await?;
        }
    }
    for pair in &pairs {
        pair.compare(&mut wire, target, &mut report).await?;
    }
    Ok(report)
}

impl Pair {
    /// Makes both, as they are whatever was there before.
    async fn make(wire: &mut Wire, target: &Target, number: usize) -> Result<Self> {
        let ids = ["left", "right"].map(|side| format!("{side}-{number}"));
        let mut etags = Vec::new();
        for id in &ids {
            let request = target.send("PUT", &format!("/Observation/{id}"), &observation(id, 1));
            let seen = wire.send(&request, true).await?;
            ensure!(matches!(seen.status, 200 | 201), "making {id}: {} {}", seen.status, seen.shown());
            etags.push(seen.etag.context("no ETag")?);
        }
        let etags = <[String; 2]>::try_from(etags).ok().context("two resources")?;
        Ok(Self { ids, etags, value: 1 })
    }

    async fn update(&mut self, wire: &mut Wire, target: &Target, report: &mut Report) -> Result<()> {
        let value = self.value + 1;
        let entries = [0, 1].map(|side| entry(&self.ids[side], value, &self.etags[side]));
        let bundle = bundle(&entries);
        let started = Instant::now();
        let seen = wire.send(&target.send("POST", "", &bundle), true).await?;
        report.times.saturating_record(micros(started.elapsed()));
        *report.statuses.entry(seen.status).or_default() += 1;
        if seen.status != 200 {
            return Ok(());
        }
        let mut responses = Answer::read(&seen, false, 2)?;
        for (etag, response) in self.etags.iter_mut().zip(&mut responses) {
            *etag = response.etag.take().context("an update without an etag")?;
        }
        self.value = value;
        Ok(())
    }

    async fn compare(&self, wire: &mut Wire, target: &Target, report: &mut Report) -> Result<()> {
        for id in &self.ids {
            let seen = wire.send(&target.get(&format!("/Observation/{id}")), true).await?;
            let json: Value = serde_json::from_slice(&seen.body)?;
            let stored = json["valueQuantity"]["value"].as_u64().unwrap_or_default();
            if stored != self.value {
                report.lost.push(format!("{id}: acknowledged {}, stored {stored}", self.value));
            }
        }
        Ok(())
    }
}

/// A transaction of these entries.
pub(crate) fn bundle(entries: &[String]) -> String {
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
}

fn entry(id: &str, value: u64, etag: &str) -> String {
    let etag = etag.replace('"', "\\\"");
    format!(
        r#"{{"resource":{},"request":{{"method":"PUT","url":"Observation/{id}","ifMatch":"{etag}"}}}}"#,
        observation(id, value)
    )
}

/// An Observation as monitors send them.
pub(crate) fn observation(id: &str, value: u64) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}],"text":"{}"}},"subject":{{"reference":"Patient/{id}"}},"effectiveDateTime":"2018-05-25T16:09:50Z","valueQuantity":{{"value":{value},"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}}}}"#,
        "x".repeat(PADDING)
    )
}
