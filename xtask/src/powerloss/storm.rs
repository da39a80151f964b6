//! Many clients while writes and syncs fail at random, so that whole groups of writes meet the same failure and failures
//! meet checkpoints. Then the power goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::RngExt;

use super::Bench;
use super::scene::{Scene, WORKLOAD, keeping};
use crate::disk::{FailedSync, Faulty, Survival};
use crate::workload::{Clients, ensure_sound};

/// Storms in a run of so many rounds.
const ROUNDS_PER_STORM: u32 = 4;

/// Failures in a storm.
const FAILURES: u32 = 40;

#[derive(Default)]
struct Total {
    acknowledged: usize,
    refused: usize,
    in_doubt: usize,
    unread: u64,
    failures: u64,
}

pub(super) fn run(bench: &mut Bench, rounds: u32) -> Result<()> {
    let storms = rounds.div_ceil(ROUNDS_PER_STORM);
    let mut total = Total::default();
    for number in 0..storms {
        let failed = if number % 2 == 0 { FailedSync::Lost } else { FailedSync::Done };
        let survival = Survival::LOSSES[number as usize / 2 % Survival::LOSSES.len()];
        keeping(Scene::new(bench)?, |scene| {
            total.failures += storm(bench, scene, failed, survival)?;
            let told = scene.notes.told();
            total.acknowledged += told.acknowledged.len();
            total.refused += told.unavailable.len();
            total.in_doubt += told.in_doubt.len();
            total.unread += told.unread;
            Ok(())
        })
        .with_context(|| format!("storm {number}; failed syncs: {failed:?}; left: {survival}"))?;
    }
    println!(
        "powerloss: {storms} storms of {} I/O errors: {} writes were acknowledged, {} refused, {} left in doubt, {} reads \
         refused; none acknowledged and lost, and writes resumed",
        total.failures, total.acknowledged, total.refused, total.in_doubt, total.unread,
    );
    Ok(())
}

/// Gives the number of failures.
fn storm(bench: &mut Bench, scene: &mut Scene, failed: FailedSync, survival: Survival) -> Result<u64> {
    let server = scene.start(bench, &[])?;
    let seed = bench.random.random();
    let clients = {
        let _inside = bench.runtime.enter();
        Clients::start(server.address, "storm", seed, WORKLOAD, &scene.notes)
    };
    for _ in 0..FAILURES {
        let what = if bench.random.random_range(0..3) == 0 { Faulty::Writes } else { Faulty::Syncs };
        let (after, count) = (bench.random.random_range(0..6), bench.random.random_range(1..4));
        scene.recorder.fail(what, after, count)?;
        std::thread::sleep(Duration::from_millis(bench.random.random_range(5..40)));
    }
    scene.recorder.heal()?;
    scene.ensure_writable(bench, &server, "after")?;
    bench.runtime.block_on(clients.stop())?;
    let failures = scene.recorder.injected()?;
    ensure!(failures > 0, "nothing failed: the run shows nothing");
    ensure_sound(&scene.faults(bench, &server)?).context("while the server runs")?;
    server.kill()?;
    scene.absorb(failed)?;
    scene.lose_power(bench, survival)?;
    scene.verify(bench)?;
    Ok(failures)
}
