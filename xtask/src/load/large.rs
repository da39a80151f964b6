//! One large transaction beside small PUTs: how long it takes, and how long it makes the others wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::Value;
use tokio::sync::watch;

use super::pairs::{bundle, observation};
use super::report::{histogram, mib, micros, quantiles};
use super::target::{Served, Target};
use super::transactions::Answer;
use super::wire::Wire;

/// How long the small clients write before the transaction is sent and after it was answered.
const ALONE: Duration = Duration::from_secs(1);

/// When the transaction is on its way; small PUTs that begin or end meanwhile count as beside it.
#[derive(Default)]
struct Phase {
    /// Microseconds since the start; 0: not yet.
    sent: AtomicU64,
    answered: AtomicU64,
}

/// What one small client saw.
struct Small {
    alone: Histogram<u64>,
    beside: Histogram<u64>,
    lost: Option<String>,
}

pub(crate) async fn run(served: &Served, clients: usize, entries: usize) -> Result<()> {
    let target = &served.target;
    let phase = Arc::new(Phase::default());
    let (stop, stopped) = watch::channel(false);
    let started = Instant::now();
    let text = transaction(entries);
    let size = text.len();
    let request = target.send("POST", "", &text);
    // Once before, which fills the caches: what is measured is the memory of a transaction.
    let before = Wire::connect(&target.authority).await?.send(&request, true).await?;
    ensure!(before.status == 200, "the first transaction was answered with {}", before.status);
    let tasks: Vec<_> = (0..clients.max(1))
        .map(|client| {
            let (target, phase, stopped) = (target.clone(), Arc::clone(&phase), stopped.clone());
            tokio::spawn(async move { small(&target, client, started, &phase, &stopped).await })
        })
        .collect();
    tokio::time::sleep(ALONE).await;
    served.forget_peak()?;
    let mut wire = Wire::connect(&target.authority).await?;
    let sent = Instant::now();
    phase.sent.store(micros(started.elapsed()), Ordering::Release);
    let seen = wire.send(&request, true).await?;
    phase.answered.store(micros(started.elapsed()), Ordering::Release);
    let time = sent.elapsed();
    let memory = served.memory(size)?;
    tokio::time::sleep(ALONE).await;
    stop.send(true).ok();
    let (mut alone, mut beside) = (histogram()?, histogram()?);
    for task in tasks {
        let small = task.await??;
        alone.add(small.alone)?;
        beside.add(small.beside)?;
        ensure!(small.lost.is_none(), "{}", small.lost.unwrap_or_default());
    }
    let responses = Answer::read(&seen, false, entries)?;
    println!(
        "load transactions: one of {entries} entries, {:.1} MiB, beside {clients} clients with small PUTs \
         against http://{}{}",
        mib(u64::try_from(size)?),
        target.authority,
        target.path
    );
    println!("  the transaction  {:.2} s", time.as_secs_f64());
    println!("  small PUTs alone   {} of them, {}", alone.len(), quantiles(&alone));
    println!("  small PUTs beside  {} of them, {}", beside.len(), quantiles(&beside));
    println!("  {memory}");
    verify(
        target,
        &mut wire,
        &responses.iter().map(super::transactions::Response::key).collect::<Result<Vec<_>>>()?,
    )
    .await
}

/// Observations of one patient that the transaction creates too.
fn transaction(entries: usize) -> String {
    let patient = "urn:uuid:00000000-0000-4000-8000-000000000000";
    let mut all = vec![format!(
        r#"{{"fullUrl":"{patient}","resource":{{"resourceType":"Patient","name":[{{"family":"Large"}}]}},"request":{{"method":"POST","url":"Patient"}}}}"#
    )];
    for number in 1..entries {
        all.push(format!(
            r#"{{"fullUrl":"urn:uuid:00000000-0000-4000-8000-{number:012x}","resource":{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}}]}},"subject":{{"reference":"{patient}"}},"effectiveDateTime":"2018-05-25T16:09:50Z","valueQuantity":{{"value":{number},"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}}}},"request":{{"method":"POST","url":"Observation"}}}}"#
        ));
    }
    bundle(&all)
}

/// A client that counts its own resource up, naming the version it replaces.
async fn small(
    target: &Target,
    client: usize,
    started: Instant,
    phase: &Phase,
    stopped: &watch::Receiver<bool>,
) -> Result<Small> {
    let mut wire = Wire::connect(&target.authority).await?;
    let (mut alone, mut beside) = (histogram()?, histogram()?);
    let id = format!("small-{client}");
    let place = format!("/Observation/{id}");
    let mut value = 0;
    while !*stopped.borrow() {
        let begun = Instant::now();
        let request = target.send("PUT", &place, &observation(&id, value + 1));
        let was_answered = phase.answered.load(Ordering::Acquire) > 0;
        let seen = wire.send(&request, true).await?;
        ensure!(matches!(seen.status, 200 | 201), "a small PUT: {} {}", seen.status, seen.shown());
        value += 1;
        let sent = phase.sent.load(Ordering::Acquire);
        let is_beside = sent > 0 && !was_answered && micros(started.elapsed()) >= sent;
        let times = if is_beside { &mut beside } else { &mut alone };
        times.saturating_record(micros(begun.elapsed()));
    }
    let seen = wire.send(&target.get(&place), true).await?;
    let json: Value = serde_json::from_slice(&seen.body)?;
    let stored = json["valueQuantity"]["value"].as_u64().context("a resource without its number")?;
    let lost = (stored != value).then(|| format!("{id}: acknowledged {value}, stored {stored}"));
    Ok(Small { alone, beside, lost })
}

/// The patient and the first, a middle and the last Observation are there and refer to the patient.
async fn verify(target: &Target, wire: &mut Wire, keys: &[String]) -> Result<()> {
    let patient = keys.first().context("no entry")?;
    for place in [1, keys.len() / 2, keys.len().saturating_sub(1)] {
        let Some(key) = keys.get(place).filter(|key| *key != patient) else { continue };
        let seen = wire.send(&target.get(&format!("/{key}")), true).await?;
        ensure!(seen.status == 200, "GET {key}: {} {}", seen.status, seen.shown());
        let json: Value = serde_json::from_slice(&seen.body)?;
        let reference = json["subject"]["reference"].as_str().unwrap_or_default();
        ensure!(reference == patient, "{key} refers to {reference:?}, not to {patient}");
        ensure!(json["valueQuantity"]["value"] == place, "{key} is not entry {place}");
    }
    Ok(())
}
