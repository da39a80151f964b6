//! I/O errors at every write and at every sync of a short run, and of a start.

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::scene::{Scene, WORKLOAD, keeping};
use crate::disk::{FailedSync, Faulty, Survival};
use crate::http::Client;
use crate::server::Server;
use crate::workload::{Update, ensure_sound, update};

/// Updates in a run, over [`WORKLOAD`]'s resources in turn.
const UPDATES: u32 = 9;

pub(super) fn run(bench: &mut Bench, points: Option<u64>) -> Result<()> {
    for what in [Faulty::Writes, Faulty::Syncs] {
        starts(bench, what, points)?;
        runs(bench, what, points)?;
    }
    Ok(())
}

/// Which of `all` points to try.
fn chosen(all: u64, points: Option<u64>) -> impl Iterator<Item = u64> {
    let step = points.map_or(1, |points| all.div_ceil(points.max(1)).max(1));
    (0..all).step_by(usize::try_from(step).unwrap_or(usize::MAX))
}

/// What a failed sync leaves, and what the power leaves.
type Fate = (FailedSync, Survival);

/// How many fates there are.
const FATES: u64 = 2 * Survival::LOSSES.len() as u64;

/// Each point of failure takes the next one.
fn fate(point: u64) -> Fate {
    let failed = if point.is_multiple_of(2) { FailedSync::Lost } else { FailedSync::Done };
    let losses = Survival::LOSSES;
    (failed, usize::try_from(point / 2).map_or(losses[0], |point| losses[point % losses.len()]))
}

/// A fixed sequence of updates by one client. Gives how many were written.
fn updates(bench: &Bench, scene: &Scene, server: &Server) -> Result<u32> {
    bench.runtime.block_on(async {
        let mut client = Client::connect(server.address).await?;
        let mut written = 0;
        for number in 0..UPDATES {
            let id = format!("counter-{}", number % WORKLOAD.resources);
            match update(&mut client, &id, &format!("u-{number}"), &scene.notes).await {
                Update::Written => written += 1,
                Update::Unavailable => {}
                ended @ (Update::Stale | Update::Unanswered | Update::Unexpected) => {
                    let told = scene.notes.told();
                    anyhow::bail!(
                        "update {number} of the only client ended as {ended:?}: {:?}",
                        told.unexpected
                    );
                }
            }
        }
        Ok(written)
    })
}

/// How a failure goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It happens once.
    Once,
    /// It stays until the disk is well again.
    Stays,
    /// It stays until the server is killed. The disk is well when the server starts again, and the machine keeps its
    /// power meanwhile.
    Kills,
}

/// Errors while the server serves.
fn runs(bench: &mut Bench, what: Faulty, points: Option<u64>) -> Result<()> {
    let healthy = Scene::new(bench)?;
    let server = healthy.start(bench, &[])?;
    let before = healthy.recorder.seen(what)?;
    ensure!(updates(bench, &healthy, &server)? == UPDATES, "updates fail on a healthy disk");
    let all = healthy.recorder.seen(what)? - before;
    server.kill()?;
    let (mut tried, mut refused, mut in_doubt) = (0_u64, 0, 0);
    for point in chosen(all, points) {
        for course in [Course::Once, Course::Stays, Course::Kills] {
            let scene = Scene::new(bench)?;
            let (failed, told) = keeping(scene, |scene| {
                let failed = run_with_failure(bench, scene, what, point, course)?;
                Ok((failed, scene.notes.told()))
            })
            .with_context(|| format!("an I/O error at {what:?} {point}: {course:?}"))?;
            // The helper that makes checkpoints does not do so at the same moment in each run.
            tried += u64::from(failed);
            refused += told.unavailable.len();
            in_doubt += told.in_doubt.len();
        }
    }
    ensure!(tried > 0, "nothing failed: the runs show nothing");
    println!(
        "powerloss: {tried} runs of {UPDATES} updates met an I/O error at one of {all} {}: {refused} updates were \
         refused, {in_doubt} left in doubt, none acknowledged and lost, and writes resumed",
        plural(what),
    );
    Ok(())
}

/// Whether a failure happened.
fn run_with_failure(
    bench: &mut Bench,
    scene: &mut Scene,
    what: Faulty,
    point: u64,
    course: Course,
) -> Result<bool> {
    let (failed, survival) = fate(point);
    scene.recorder.set_sync_delay_us(0)?;
    let mut server = scene.start(bench, &[])?;
    scene.recorder.fail(what, point, if course == Course::Once { 1 } else { u64::MAX })?;
    let written = updates(bench, scene, &server)?;
    let injected = scene.recorder.injected()?;
    if course != Course::Once && point == 0 {
        ensure!(written == 0, "{written} updates were acknowledged by a dead disk");
    }
    if course == Course::Kills {
        server.kill()?;
        scene.absorb(failed)?;
        scene.recorder.heal()?;
        server = scene.start(bench, &[])?;
    }
    scene.recorder.heal()?;
    scene.ensure_writable(bench, &server, "after")?;
    ensure_sound(&scene.faults(bench, &server)?).context("while the server runs")?;
    ensure!(scene.notes.told().unread == 0, "reads were refused");
    server.kill()?;
    scene.absorb(failed)?;
    scene.lose_power(bench, survival)?;
    scene.verify(bench).with_context(|| format!("after the power left {survival}"))?;
    Ok(injected > 0)
}

/// Errors while the server starts, on an empty disk and on one that a killed server left: it starts all the same, or
/// ends with a sentence, and starts once the disk is well again.
fn starts(bench: &mut Bench, what: Faulty, points: Option<u64>) -> Result<()> {
    let (mut tried, mut refused) = (0, 0);
    for is_used in [false, true] {
        let mut healthy = Scene::new(bench)?;
        if is_used {
            use_disk(bench, &mut healthy)?;
        }
        let before = healthy.recorder.seen(what)?;
        healthy.start(bench, &[])?.kill()?;
        for point in chosen(healthy.recorder.seen(what)? - before, points) {
            // Failed syncs are few and easily passed over, so each meets every fate.
            let fates: Vec<_> = match what {
                Faulty::Writes => vec![fate(point)],
                Faulty::Syncs => (0..FATES).map(fate).collect(),
            };
            for fate in fates {
                let scene = Scene::new(bench)?;
                let started =
                    keeping(scene, |scene| start_with_failure(bench, scene, what, point, is_used, fate))
                        .with_context(|| {
                            format!("an I/O error at {what:?} {point} of a start, used: {is_used}")
                        })?;
                tried += 1;
                refused += u32::from(!started);
            }
        }
    }
    println!(
        "powerloss: {tried} starts met an I/O error at one of their {}: {refused} were refused with a sentence, and \
         all went well on a healthy disk",
        plural(what),
    );
    Ok(())
}

/// Lets a server write, and kills it.
fn use_disk(bench: &Bench, scene: &mut Scene) -> Result<()> {
    scene.recorder.set_sync_delay_us(0)?;
    let server = scene.start(bench, &[])?;
    updates(bench, scene, &server)?;
    server.kill()?;
    scene.absorb(FailedSync::Lost)
}

/// Whether the server started in spite of the failure.
fn start_with_failure(
    bench: &mut Bench,
    scene: &mut Scene,
    what: Faulty,
    point: u64,
    is_used: bool,
    (failed, survival): Fate,
) -> Result<bool> {
    if is_used {
        use_disk(bench, scene)?;
    }
    scene.recorder.set_sync_delay_us(0)?;
    scene.recorder.fail(what, point, 1)?;
    let server = scene.start(bench, &[]).ok();
    let started = server.is_some();
    if let Some(server) = server {
        scene.ensure_writable(bench, &server, "started")?;
        server.kill()?;
    } else {
        let messages = scene.messages();
        ensure!(messages.contains("firelock: "), "the server ended without a sentence: {messages:?}");
    }
    scene.recorder.heal()?;
    scene.absorb(failed)?;
    scene.lose_power(bench, survival)?;
    scene.verify(bench).with_context(|| format!("after the power left {survival}"))?;
    Ok(started)
}

fn plural(what: Faulty) -> &'static str {
    match what {
        Faulty::Writes => "writes",
        Faulty::Syncs => "syncs",
    }
}
