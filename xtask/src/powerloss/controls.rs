//! The proof that losses are found: the same test with syncs missing, which must lose something when the power goes,
//! and nothing when it stays.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::RngExt;

use super::Bench;
use super::scene::{Scene, WORKLOAD};
use crate::disk::{FailedSync, Survival};
use crate::workload::{Clients, Fault};

/// A way to acknowledge what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    /// `--durability normal`: commits are not synced.
    Normal,
    /// Syncs that say they were done and were not, as a disk that lies.
    Lies,
}

/// What was found after one loss of power.
enum Found {
    /// Acknowledged writes that are gone.
    Lost(usize),
    /// The server did not start, or did not answer.
    Damaged,
    Nothing,
}

pub(super) fn run(bench: &mut Bench, rounds: u32) -> Result<()> {
    for control in [Control::Normal, Control::Lies] {
        let name = match control {
            Control::Normal => "--durability normal",
            Control::Lies => "syncs that lie",
        };
        let (mut lossy, mut damaged, mut lost, mut acknowledged) = (0, 0, 0, 0);
        let scene = Scene::new(bench)?.with_config(&bench.plain_config);
        let kept = round(bench, scene, control, Survival::Everything, &mut 0)?;
        ensure!(
            matches!(kept, Found::Nothing),
            "control \"{name}\" lost something although everything was kept: the run shows nothing"
        );
        for number in 0..rounds {
            let survival = Survival::LOSSES[number as usize % Survival::LOSSES.len()];
            let scene = Scene::new(bench)?.with_config(&bench.plain_config);
            let found = round(bench, scene, control, survival, &mut acknowledged)?;
            match found {
                Found::Lost(writes) => {
                    lossy += 1;
                    lost += writes;
                }
                Found::Damaged => damaged += 1,
                Found::Nothing => ensure!(
                    survival != Survival::Synced,
                    "control \"{name}\" lost nothing although nothing was synced: the run shows nothing"
                ),
            }
        }
        ensure!(lossy > 0, "control \"{name}\" never lost a write: the run shows nothing");
        println!(
            "powerloss: control \"{name}\": {} of {rounds} losses of power were noticed ({lossy} by {lost} of \
             {acknowledged} acknowledged writes that are gone, {damaged} by a store that cannot be read)",
            lossy + damaged,
        );
    }
    Ok(())
}

fn round(
    bench: &mut Bench,
    mut scene: Scene,
    control: Control,
    survival: Survival,
    acknowledged: &mut usize,
) -> Result<Found> {
    let flags: &[&str] = match control {
        Control::Normal => &["--durability", "normal"],
        Control::Lies => &[],
    };
    if control == Control::Lies {
        scene.recorder.lie()?;
    }
    let server = scene.start(bench, flags)?;
    let time = Duration::from_millis(bench.random.random_range(100..300));
    let seed = bench.random.random();
    bench.runtime.block_on(async {
        let clients = Clients::start(server.address, "0", seed, WORKLOAD, &scene.notes);
        tokio::time::sleep(time).await;
        server.kill()?;
        clients.stop().await
    })?;
    scene.absorb(FailedSync::Lost)?;
    scene.lose_power(bench, survival)?;
    *acknowledged += scene.notes.told().acknowledged.len();
    let Ok(server) = scene.start(bench, &[]) else { return Ok(Found::Damaged) };
    let Ok(faults) = scene.faults(bench, &server) else { return Ok(Found::Damaged) };
    Ok(match faults.iter().filter(|fault| matches!(fault, Fault::Acknowledged { .. })).count() {
        0 => Found::Nothing,
        lost => Found::Lost(lost),
    })
}
