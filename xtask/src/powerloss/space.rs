//! A full disk: writes are refused and say why, reads go on, and writes resume when there is space.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use tempfile::TempDir;

use super::Bench;
use super::scene::{Scene, WORKLOAD, keeping};
use crate::disk::{FailedSync, Survival};
use crate::server::Server;
use crate::workload::{Clients, ensure_sound};

/// The size of the small file system.
const DISK_BYTES: usize = 16 << 20;

/// How long clients work, with space and without.
const WORK_TIME: Duration = Duration::from_millis(400);

/// How often clients try to fill what is left.
const ATTEMPTS_MAX: u32 = 25;

/// How the disk is filled.
enum Filling {
    /// The recorder refuses growth.
    Injected,
    /// A file takes what a small file system has left.
    Ballast(PathBuf),
}

pub(super) fn run(bench: &mut Bench) -> Result<()> {
    keeping(Scene::new(bench)?, |scene| fill(bench, scene, &Filling::Injected))
        .context("a full disk, injected")?;
    let folder = tempfile::tempdir()?;
    let mounted = SmallDisk::mount()?;
    let Some(small) = mounted else {
        println!("powerloss: a small file system: skipped, mounting a tmpfs is not permitted here");
        return Ok(());
    };
    let data = small.folder.path().join("disk");
    fs::create_dir(&data)?;
    let ballast = Filling::Ballast(small.folder.path().join("ballast"));
    keeping(Scene::on(bench, folder, data)?, |scene| fill(bench, scene, &ballast))
        .context("a full file system")
}

/// A tmpfs, unmounted when dropped.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where mounting is not permitted.
    fn mount() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let options = format!("size={DISK_BYTES},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        Ok(mounted.is_ok_and(|status| status.success()).then_some(Self { folder }))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Best effort: what stays mounted ends with the machine.
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

impl Filling {
    fn fill(&self, scene: &Scene) -> Result<()> {
        match self {
            Self::Injected => scene.recorder.set_space_left(10_000),
            Self::Ballast(path) => take_all(path),
        }
    }

    fn free(&self, scene: &Scene) -> Result<()> {
        match self {
            Self::Injected => scene.recorder.heal(),
            Self::Ballast(path) => Ok(fs::remove_file(path)?),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Injected => "a full disk, injected by the recorder",
            Self::Ballast(_) => "a full file system, a real tmpfs of 16 MiB",
        }
    }
}

/// Writes a file until there is no space.
fn take_all(path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    for block in [vec![0; 1 << 16], vec![0; 512]] {
        while file.write_all(&block).is_ok() {
            let size = file.metadata()?.len();
            ensure!(size <= DISK_BYTES as u64, "the small file system is larger than it was made");
        }
    }
    Ok(())
}

fn fill(bench: &mut Bench, scene: &mut Scene, filling: &Filling) -> Result<()> {
    let server = scene.start(bench, &[])?;
    work(bench, scene, &server, "roomy")?;
    let before = scene.notes.told();
    ensure!(before.unavailable.is_empty(), "writes were refused while there was space");
    filling.fill(scene)?;
    let mut full = before.clone();
    for attempt in 0..ATTEMPTS_MAX {
        work(bench, scene, &server, &format!("full{attempt}"))?;
        full = scene.notes.told();
        if !full.unavailable.is_empty() {
            break;
        }
    }
    ensure!(!full.unavailable.is_empty(), "no write was refused: the run shows nothing");
    ensure!(full.unread == 0, "reads were refused while the disk was full");
    ensure!(full.seen.len() > before.seen.len(), "no read went on while the disk was full");
    let others: Vec<_> = full.unavailable.values().filter(|code| *code != "store-full").collect();
    ensure!(
        others.is_empty() && full.in_doubt.is_empty(),
        "a full disk was called {others:?}, {:?}",
        full.in_doubt
    );
    ensure_sound(&scene.faults(bench, &server)?).context("while the disk is full")?;
    // A server that starts on a full disk reads what there is.
    server.kill()?;
    let server = scene.start(bench, &[]).context("a start on a full disk")?;
    ensure_sound(&scene.faults(bench, &server)?).context("after a start on a full disk")?;
    filling.free(scene)?;
    scene.ensure_writable(bench, &server, "after")?;
    server.kill()?;
    scene.absorb(FailedSync::Lost)?;
    scene.lose_power(bench, Survival::Synced)?;
    scene.verify(bench)?;
    println!(
        "powerloss: {}: {} writes were refused as store-full and none left in doubt, {} reads went on, writes resumed; \
         {} acknowledged writes are all there",
        filling.name(),
        full.unavailable.len(),
        full.seen.len() - before.seen.len(),
        scene.notes.told().acknowledged.len(),
    );
    Ok(())
}

/// Lets clients write for a while.
fn work(bench: &mut Bench, scene: &Scene, server: &Server, name: &str) -> Result<()> {
    let seed = bench.random.random();
    bench.runtime.block_on(async {
        let clients = Clients::start(server.address, name, seed, WORKLOAD, &scene.notes);
        tokio::time::sleep(WORK_TIME).await;
        clients.stop().await
    })
}
