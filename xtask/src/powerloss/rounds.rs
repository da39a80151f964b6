//! The power goes at random moments, and nothing that a client was told may change.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::RngExt;

use super::Bench;
use super::scene::{Loss, Scene, keeping};
use crate::disk::{FailedSync, Survival};

/// Rounds on one disk. Histories grow from round to round and are read whole in each.
const ROUNDS_PER_DISK: u32 = 5;

pub(super) fn run(bench: &mut Bench, rounds: u32) -> Result<()> {
    let mut total = Total::default();
    for first in (0..rounds).step_by(ROUNDS_PER_DISK as usize) {
        let last = rounds.min(first + ROUNDS_PER_DISK);
        let is_busy = (first / ROUNDS_PER_DISK).is_multiple_of(2);
        let scene = Scene::new(bench)?.with_transactions();
        let scene = if is_busy { scene } else { scene.with_config(&bench.files_config) };
        keeping(scene, |scene| {
            for number in first..last {
                let survival = Survival::LOSSES[number as usize % Survival::LOSSES.len()];
                let loss = round(bench, scene, number, survival)
                    .with_context(|| format!("round {number}, which left {survival}"))?;
                total.unsynced += loss.unsynced;
                total.rounds_with_losses += u32::from(loss.unsynced > 0);
            }
            let told = scene.notes.told();
            ensure!(
                told.unavailable.is_empty(),
                "writes were refused without a reason: {:?}",
                told.unavailable
            );
            total.acknowledged += told.acknowledged.len();
            total.seen += told.seen.len();
            total.in_doubt += told.in_doubt.len();
            total.transactions += scene.transactions;
            Ok(())
        })?;
    }
    ensure!(total.acknowledged > 0, "no write was acknowledged: the run shows nothing");
    ensure!(total.transactions > 0, "no transaction was acknowledged: the run shows nothing");
    ensure!(total.unsynced > 0, "nothing was ever left to lose: the run shows nothing");
    println!(
        "powerloss: the power went {rounds} times, {} of them with something to lose ({} changes in all): \
         {} acknowledged writes and {} versions read are all there, {} writes were in doubt, {} transactions are \
         each there as a whole",
        total.rounds_with_losses,
        total.unsynced,
        total.acknowledged,
        total.seen,
        total.in_doubt,
        total.transactions,
    );
    Ok(())
}

#[derive(Default)]
struct Total {
    rounds_with_losses: u32,
    unsynced: usize,
    acknowledged: usize,
    seen: usize,
    in_doubt: usize,
    transactions: usize,
}

/// Some lives of the server, the last of which ends with the power; then a look at what is there.
fn round(bench: &mut Bench, scene: &mut Scene, number: u32, survival: Survival) -> Result<Loss> {
    for life in 0..bench.random.random_range(1..=3) {
        live(bench, scene, &format!("{number}-{life}"))?;
    }
    let loss = scene.lose_power(bench, survival)?;
    scene.verify(bench)?;
    Ok(loss)
}

/// One life of the server: it is killed while it starts, while it serves, or while it stops.
fn live(bench: &mut Bench, scene: &mut Scene, name: &str) -> Result<()> {
    let way = bench.random.random_range(0..6);
    if way == 0 {
        let mut starting = scene.command(bench, &[])?.spawn()?;
        std::thread::sleep(Duration::from_millis(bench.random.random_range(0..60)));
        starting.kill()?;
        starting.wait()?;
        return scene.absorb(FailedSync::Lost);
    }
    let server = scene.start(bench, &[])?;
    let time = Duration::from_millis(bench.random.random_range(20..300));
    let stopping = Duration::from_millis(bench.random.random_range(0..20));
    let seed = bench.random.random();
    bench.runtime.block_on(async {
        let address = server.address;
        let end = async move || {
            tokio::time::sleep(time).await;
            if way == 1 {
                server.terminate()?;
                tokio::time::sleep(stopping).await;
            }
            server.kill()
        };
        scene.write(address, name, seed, end).await
    })?;
    scene.absorb(FailedSync::Lost)
}
