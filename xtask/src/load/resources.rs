//! `cargo xtask load resources`: generated patients as single PUTs, for figures of searches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::literal::{self, Single};
use super::report::{histogram, listed, micros, quantiles, rate};
use super::searches;
use super::suite;
use super::target::{Choice, Served, Target};
use super::transactions::suites;
use super::walk::walk;
use super::wire::Wire;

/// What to load.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Clients, each with one request at a time
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// How often each patient is loaded, with uuids of its own
    #[arg(long, default_value_t = 1)]
    copies: u32,
    /// The folder of the published suites [default: ../shared/suites]
    #[arg(long)]
    suites: Option<PathBuf>,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Read everything back and follow every reference
    #[arg(long)]
    verify: bool,
    /// Measure searches when 1 000, 10 000, 100 000 and so on are there, and in the end
    #[arg(long)]
    searches: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = suites(arguments.suites.as_ref()).join("synthea-r4");
    let Some(bundles) = suite::read(&folder)? else {
        println!("load resources: SKIPPED: there is no {}", folder.display());
        return Ok(());
    };
    let singles = literal::singles(&bundles, arguments.copies)?;
    drop(bundles);
    let served = Served::start(&arguments.choice, "/R4")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?;
    runtime.block_on(load(&served, arguments, singles))
}

async fn load(served: &Served, arguments: &Arguments, singles: Vec<Single>) -> Result<()> {
    let target = &served.target;
    let types: BTreeSet<String> =
        singles.iter().filter_map(|single| Some(single.key.split('/').next()?.to_owned())).collect();
    let keys: BTreeSet<String> = singles.iter().map(|single| single.key.clone()).collect();
    ensure!(keys.len() == singles.len(), "two resources have the same type and id");
    println!(
        "load resources: {} as single PUTs, {} clients against http://{}{}",
        singles.len(),
        arguments.clients,
        target.authority,
        target.path
    );
    let (mut times, mut statuses) = (histogram()?, BTreeMap::new());
    let (singles, mut time, mut there) = (Arc::new(singles), Duration::ZERO, 0);
    for end in stops(singles.len(), arguments.searches) {
        let started = Instant::now();
        put_all(target, arguments.clients, &singles, there..end, &mut times, &mut statuses).await?;
        time += started.elapsed();
        there = end;
        if arguments.searches {
            searches::measure(target, &singles[..there]).await?;
        }
    }
    println!("  PUT  {:.0}/s, {}", rate(singles.len(), time), quantiles(&times));
    println!("  statuses  {}", listed(&statuses));
    if arguments.verify {
        let walked = walk(target, &types).await?;
        let missing: Vec<&String> = keys.difference(&walked.keys).take(5).collect();
        ensure!(missing.is_empty(), "acknowledged, and not found: {missing:?}");
        let resolved = walked.ensure_resolved(&keys)?;
        println!("  {resolved} literal references of {} resources resolve", keys.len());
    }
    Ok(())
}

/// Where loading pauses: at powers of ten from 1 000 on if searches are measured, and at the end.
fn stops(count: usize, searches: bool) -> Vec<usize> {
    let powers = (3..9).map(|power| 10_usize.pow(power)).take_while(|stop| searches && *stop < count);
    powers.chain([count]).collect()
}

async fn put_all(
    target: &Target,
    clients: usize,
    singles: &Arc<Vec<Single>>,
    part: Range<usize>,
    times: &mut Histogram<u64>,
    statuses: &mut BTreeMap<u16, u64>,
) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(part.start));
    let tasks: Vec<_> = (0..clients.max(1))
        .map(|_| tokio::spawn(put(target.clone(), Arc::clone(singles), Arc::clone(&next), part.end)))
        .collect();
    for task in tasks {
        let (seen, more) = task.await??;
        times.add(seen)?;
        for (status, count) in more {
            *statuses.entry(status).or_default() += count;
        }
    }
    Ok(())
}

type Seen = (Histogram<u64>, BTreeMap<u16, u64>);

/// A client: it takes the next resource that nobody has taken.
async fn put(target: Target, singles: Arc<Vec<Single>>, next: Arc<AtomicUsize>, end: usize) -> Result<Seen> {
    let mut wire = Wire::connect(&target.authority).await?;
    let (mut times, mut statuses) = (histogram()?, BTreeMap::new());
    while let Some(single) = singles[..end].get(next.fetch_add(1, Ordering::Relaxed)) {
        let request = target.send("PUT", &format!("/{}", single.key), &single.text);
        let begun = Instant::now();
        let seen = wire.send(&request, true).await?;
        times.saturating_record(micros(begun.elapsed()));
        ensure!(matches!(seen.status, 200 | 201), "PUT {}: {} {}", single.key, seen.status, seen.shown());
        *statuses.entry(seen.status).or_default() += 1;
    }
    Ok((times, statuses))
}
