//! Generated patients, loaded by transactions: how fast, whether all that they refer to is there, and whether what is
//! conditional was created once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::report::{histogram, listed, mib, micros, quantiles, rate};
use super::suite::Bundle;
use super::target::{Served, Target};
use super::transactions::Answer;
use super::walk::{Walked, walk};
use super::wire::{Seen, Wire};

/// A Bundle and the bytes of its request.
struct Job {
    bundle: Bundle,
    request: Vec<u8>,
}

/// A Bundle that was answered.
struct Done {
    time: Duration,
    seen: Seen,
}

/// Loads everything, verifies it, and loads the first copy of everything again.
pub(crate) async fn run(served: &Served, bundles: &[Bundle], clients: usize, copies: u32) -> Result<()> {
    let target = &served.target;
    let (batches, patients): (Vec<_>, Vec<_>) = bundles.iter().partition(|bundle| bundle.is_batch);
    let batches = jobs(target, batches.into_iter().cloned());
    let copies = 0..copies.max(1);
    let patients = jobs(target, copies.flat_map(|copy| patients.iter().map(move |bundle| bundle.copy(copy))));
    served.forget_peak()?;
    let first = load(target, &batches, &patients, clients).await?;
    let all = || batches.iter().chain(patients.iter());
    print(target, clients, &first, &batches, &patients)?;
    println!("  {}", served.memory(all().map(|job| job.bundle.text.len()).max().unwrap_or_default())?);

    let mut keys = BTreeSet::new();
    let mut conditional = BTreeMap::new();
    for (job, done) in all().zip(&first.done) {
        for (place, key) in written(job, done)?.into_iter().enumerate() {
            if let Some((kind, query)) = job.bundle.criteria.get(&place) {
                conditional.insert((kind.clone(), query.clone()), key.clone());
            }
            keys.insert(key);
        }
    }
    let types: BTreeSet<String> = all().flat_map(|job| job.bundle.types.iter().cloned()).collect();
    let walked = walk(target, &types).await?;
    let resolved = verify(served, &walked, &keys, keys.len())?;
    println!("  {resolved} literal references of {} resources resolve", keys.len());
    println!("  resources  {}", listed(&walked.counts()));
    again(
        served,
        &batches,
        &patients[..bundles.len() - batches.len()],
        clients,
        &conditional,
        &types,
        &walked,
    )
    .await
    .context("loaded again")
}

/// Loads everything else, which fills the caches, and then the largest Bundle by itself, `copies` times, and tells the
/// peak of the memory.
pub(crate) async fn memory(served: &Served, bundles: &[Bundle], copies: u32) -> Result<()> {
    let target = &served.target;
    let batches = jobs(target, bundles.iter().filter(|bundle| bundle.is_batch).cloned());
    let patients = bundles.iter().filter(|bundle| !bundle.is_batch);
    let largest = patients.max_by_key(|bundle| bundle.text.len()).context("there is no transaction")?;
    let others =
        jobs(target, bundles.iter().filter(|other| !other.is_batch && other.name != largest.name).cloned());
    for before in [&batches, &others] {
        for (job, done) in before.iter().zip(&send(target, before, 1).await?) {
            written(job, done)?;
        }
    }
    println!(
        "load transactions: behind all others the largest Bundle, {}, {} entries, {} times against http://{}{}",
        largest.name,
        largest.types.len(),
        copies.max(1),
        target.authority,
        target.path
    );
    for copy in 0..copies.max(1) {
        let jobs = jobs(target, [largest.copy(copy)].into_iter());
        served.forget_peak()?;
        for (job, done) in jobs.iter().zip(&send(target, &jobs, 1).await?) {
            written(job, done)?;
            println!("  {:.2} s; {}", done.time.as_secs_f64(), served.memory(job.bundle.text.len())?);
        }
    }
    Ok(())
}

/// Loads everything a second time.
async fn again(
    served: &Served,
    batches: &[Arc<Job>],
    patients: &[Arc<Job>],
    clients: usize,
    conditional: &BTreeMap<(String, String), String>,
    types: &BTreeSet<String>,
    before: &Walked,
) -> Result<()> {
    let target = &served.target;
    let second = load(target, batches, patients, clients).await?;
    let mut created = BTreeSet::new();
    for (job, done) in batches.iter().chain(patients).zip(&second.done) {
        for (place, key) in written(job, done)?.into_iter().enumerate() {
            match job.bundle.criteria.get(&place) {
                Some(criteria) => ensure!(
                    conditional.get(criteria) == Some(&key),
                    "{}?{} created {key} although there was {:?}",
                    criteria.0,
                    criteria.1,
                    conditional.get(criteria)
                ),
                None => ensure!(created.insert(key.clone()), "{key} was created twice"),
            }
        }
    }
    let mut wire = Wire::connect(&target.authority).await?;
    for (kind, query) in conditional.keys() {
        let found = found(&mut wire, target, kind, query).await?;
        ensure!(found == 1, "{kind}?{query} finds {found} resources after it was loaded twice");
    }
    let walked = walk(target, types).await?;
    let resolved = verify(served, &walked, &created, before.keys.len() + created.len())?;
    println!(
        "  loaded again: {} resources in {:.2} s, {} of them with If-None-Exist, none of these twice; \
         {resolved} literal references of the rest resolve",
        second.resources,
        second.time.as_secs_f64(),
        second.resources - created.len()
    );
    Ok(())
}

/// How many resources a search finds.
async fn found(wire: &mut Wire, target: &Target, kind: &str, query: &str) -> Result<usize> {
    let place = format!("/{kind}?{}", query.replace('|', "%7C"));
    let seen = wire.send(&target.get(&place), true).await?;
    ensure!(seen.status == 200, "GET {place}: {} {}", seen.status, seen.shown());
    let bundle: Value = serde_json::from_slice(&seen.body)?;
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(entries.iter().filter(|entry| entry["resource"]["resourceType"] == kind).count())
}

/// The requests of Bundles.
fn jobs(target: &Target, bundles: impl Iterator<Item = Bundle>) -> Vec<Arc<Job>> {
    // The base itself takes Bundles.
    bundles.map(|bundle| Arc::new(Job { request: target.send("POST", "", &bundle.text), bundle })).collect()
}

/// What came of a load.
struct Load {
    /// In the order of the jobs.
    done: Vec<Done>,
    resources: usize,
    time: Duration,
    /// The time of the transactions, a part of `time`.
    transactions: Duration,
}

/// Batches first: patients refer to what is in them.
async fn load(target: &Target, batches: &[Arc<Job>], patients: &[Arc<Job>], clients: usize) -> Result<Load> {
    let started = Instant::now();
    let mut done = send(target, batches, clients).await?;
    let begun = Instant::now();
    done.extend(send(target, patients, clients).await?);
    let resources = batches.iter().chain(patients).map(|job| job.bundle.types.len()).sum();
    Ok(Load { done, resources, time: started.elapsed(), transactions: begun.elapsed() })
}

/// Every client takes the next Bundle that nobody has taken.
async fn send(target: &Target, jobs: &[Arc<Job>], clients: usize) -> Result<Vec<Done>> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..clients.max(1))
        .map(|_| {
            let (next, jobs, target) = (Arc::clone(&next), jobs.to_vec(), target.clone());
            tokio::spawn(async move {
                let mut wire = Wire::connect(&target.authority).await?;
                let mut done = Vec::new();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { return anyhow::Ok(done) };
                    let started = Instant::now();
                    let sent = wire.send(&job.request, true).await;
                    let seen = sent.with_context(|| job.bundle.name.clone())?;
                    done.push((place, Done { time: started.elapsed(), seen }));
                }
            })
        })
        .collect();
    let mut done = BTreeMap::new();
    for task in tasks {
        done.extend(task.await??);
    }
    Ok(done.into_values().collect())
}

/// The `Type/id` of each entry of a Bundle, all of whose entries must have succeeded.
fn written(job: &Job, done: &Done) -> Result<Vec<String>> {
    let bundle = &job.bundle;
    let read = || Answer::read(&done.seen, bundle.is_batch, bundle.types.len());
    let responses = read().with_context(|| bundle.name.clone())?;
    responses.iter().map(|response| response.key().with_context(|| bundle.name.clone())).collect()
}

/// Everything that was acknowledged is found, every reference resolves, and a server that was empty has nothing else.
/// How many references those resources have.
fn verify(served: &Served, walked: &Walked, keys: &BTreeSet<String>, all: usize) -> Result<usize> {
    let missing: Vec<&String> = keys.difference(&walked.keys).take(5).collect();
    ensure!(missing.is_empty(), "acknowledged, and not found: {missing:?}");
    if served.is_own() {
        ensure!(
            walked.keys.len() == all,
            "{all} resources were created, and {} are there",
            walked.keys.len()
        );
    }
    walked.ensure_resolved(keys)
}

fn print(
    target: &Target,
    clients: usize,
    load: &Load,
    batches: &[Arc<Job>],
    patients: &[Arc<Job>],
) -> Result<()> {
    let bytes: usize = batches.iter().chain(patients).map(|job| job.bundle.text.len()).sum();
    let in_patients: usize = patients.iter().map(|job| job.bundle.types.len()).sum();
    println!(
        "load transactions: {} batches and {} transactions, {:.1} MiB, {clients} clients against http://{}{}",
        batches.len(),
        patients.len(),
        mib(u64::try_from(bytes)?),
        target.authority,
        target.path
    );
    let corrected: BTreeSet<_> =
        patients.iter().filter_map(|job| Some((job.bundle.name.as_str(), job.bundle.correction?))).collect();
    for (name, reason) in corrected {
        println!("  corrected: {name}: {reason}");
    }
    println!(
        "  {} resources in {:.2} s: {:.0} resources/s",
        load.resources,
        load.time.as_secs_f64(),
        rate(load.resources, load.time)
    );
    println!(
        "  of these {in_patients} by transactions in {:.2} s: {:.0} resources/s",
        load.transactions.as_secs_f64(),
        rate(in_patients, load.transactions)
    );
    let mut times = histogram()?;
    for done in load.done.iter().skip(batches.len()) {
        times.saturating_record(micros(done.time));
    }
    println!("  each transaction  {}", quantiles(&times));
    Ok(())
}
