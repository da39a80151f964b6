//! A data folder on a recorded disk, and the clients' notes about it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::Bench;
use crate::disk::{FailedSync, Recorder, Survival};
use crate::groups::{self, GroupClients};
use crate::http::Client;
use crate::server::{self, Server};
use crate::workload::{
    Clients, Fault, Histories, Notes, Update, Workload, ensure_sound, faults, histories, update,
};

/// What clients do where nothing else is said.
pub(super) const WORKLOAD: Workload = Workload { clients: 8, resources: 4 };

/// How many clients send transactions beside them, where some do.
pub(super) const TRANSACTIONS: u32 = 3;

/// How long a sync takes, as on a common disk: long enough that the power often goes inside one.
const SYNC_DELAY_US: u64 = 500;

/// How long writes may take to come back after a disk does.
const RESUME_MAX: Duration = Duration::from_secs(10);

pub(super) struct Scene {
    /// Holds the data folder, unless that is elsewhere, and the recorder's files.
    folder: TempDir,
    data: PathBuf,
    pub(super) recorder: Recorder,
    pub(super) notes: Notes,
    /// The path of the server's configuration.
    config: String,
    /// Whether clients send transactions too.
    has_transactions: bool,
    /// How many transactions there were at the last look.
    pub(super) transactions: usize,
}

/// What the power took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    /// Changes that were not synced.
    pub(super) unsynced: usize,
}

impl Scene {
    /// An empty disk.
    pub(super) fn new(bench: &Bench) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("disk");
        fs::create_dir(&data)?;
        Self::on(bench, folder, data)
    }

    /// What is in `data`, with the recorder's files in `folder`.
    pub(super) fn on(bench: &Bench, folder: TempDir, data: PathBuf) -> Result<Self> {
        let recorder = bench.preload.record(&data, folder.path())?;
        recorder.set_sync_delay_us(SYNC_DELAY_US)?;
        Ok(Self {
            folder,
            data,
            recorder,
            notes: Notes::default(),
            config: bench.busy_config.clone(),
            has_transactions: false,
            transactions: 0,
        })
    }

    /// The same with another configuration.
    pub(super) fn with_config(self, config: &str) -> Self {
        Self { config: config.to_owned(), ..self }
    }

    /// The same, for clients that send transactions beside single updates.
    pub(super) fn with_transactions(self) -> Self {
        Self { has_transactions: true, ..self }
    }

    /// Lets clients write for a while, and then does something to the server.
    pub(super) async fn write(
        &self,
        address: SocketAddr,
        name: &str,
        seed: u64,
        then: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let clients = Clients::start(address, name, seed, WORKLOAD, &self.notes);
        let count = if self.has_transactions { TRANSACTIONS } else { 0 };
        let groups = GroupClients::start(address, name, !seed, count, &self.notes);
        then().await?;
        groups.stop().await?;
        clients.stop().await
    }

    /// The folder that the server keeps its data in. The server makes it.
    pub(super) fn data(&self) -> PathBuf {
        self.data.join("data")
    }

    /// A command that serves the data, recorded, with its messages in a file.
    pub(super) fn command(&self, bench: &Bench, flags: &[&str]) -> Result<Command> {
        let mut command = server::command(&bench.binary, &self.data(), &["--config", &self.config]);
        command.args(flags);
        self.recorder.attach(&mut command);
        command.stderr(File::options().create(true).append(true).open(self.messages_path())?);
        Ok(command)
    }

    pub(super) fn start(&self, bench: &Bench, flags: &[&str]) -> Result<Server> {
        Server::spawn(self.command(bench, flags)?).with_context(|| self.last_messages())
    }

    fn messages_path(&self) -> PathBuf {
        self.folder.path().join("messages")
    }

    /// What the servers wrote to their logs.
    pub(super) fn messages(&self) -> String {
        fs::read_to_string(self.messages_path()).unwrap_or_default()
    }

    fn last_messages(&self) -> String {
        let messages = self.messages();
        let lines: Vec<_> = messages.lines().rev().take(5).collect();
        format!("the server's last messages: {lines:#?}")
    }

    /// Takes over what a server recorded that has ended.
    pub(super) fn absorb(&mut self, failed: FailedSync) -> Result<()> {
        let missed = self.recorder.absorb(failed)?;
        // A process that is killed may have made one change that it had no time to record.
        ensure!(missed <= 1, "the recorder missed {missed} changes: the run shows nothing");
        Ok(())
    }

    /// The power goes, and what it leaves is the disk from now on.
    pub(super) fn lose_power(&mut self, bench: &mut Bench, survival: Survival) -> Result<Loss> {
        let unsynced = self.recorder.disk().unsynced();
        self.recorder.disk().after_power_loss(survival, &mut bench.random).write(&self.data)?;
        self.recorder = bench.preload.record(&self.data, self.folder.path())?;
        self.recorder.set_sync_delay_us(SYNC_DELAY_US)?;
        Ok(Loss { unsynced })
    }

    /// All that is there.
    fn stored(&self, bench: &Bench, server: &Server) -> Result<Histories> {
        let mut stored = bench.runtime.block_on(histories(server.address, WORKLOAD.resources))?;
        if self.has_transactions {
            stored.extend(bench.runtime.block_on(groups::histories(server.address))?);
        }
        Ok(stored)
    }

    /// What is not as the clients were told.
    pub(super) fn faults(&self, bench: &Bench, server: &Server) -> Result<Vec<Fault>> {
        Ok(faults(&self.notes.told(), &self.stored(bench, server)?))
    }

    /// Fails if not all is as the clients were told, and if only a part of a transaction is there. Gives how many
    /// transactions are.
    pub(super) fn ensure_sound(&self, bench: &Bench, server: &Server) -> Result<usize> {
        let stored = self.stored(bench, server)?;
        ensure_sound(&faults(&self.notes.told(), &stored))?;
        if self.has_transactions { groups::ensure_whole(&stored) } else { Ok(0) }
    }

    /// Starts the server, compares what it has with what clients were told, and ends it.
    pub(super) fn verify(&mut self, bench: &Bench) -> Result<()> {
        let server = self.start(bench, &[])?;
        let sound = self.ensure_sound(bench, &server);
        server.kill()?;
        self.absorb(FailedSync::Lost)?;
        self.transactions = sound?;
        ensure!(!self.messages().contains("panicked"), "the server panicked: {}", self.last_messages());
        server::check(&bench.binary, &self.data())
    }

    /// Writes until a write goes through. Its name starts with `name`.
    pub(super) fn ensure_writable(&self, bench: &Bench, server: &Server, name: &str) -> Result<()> {
        let until = Instant::now() + RESUME_MAX;
        bench.runtime.block_on(async {
            let mut client = Client::connect(server.address).await?;
            for attempt in 0_u64.. {
                let ended = update(&mut client, "counter-0", &format!("{name}-{attempt}"), &self.notes).await;
                if ended == Update::Written {
                    break;
                }
                ensure!(Instant::now() < until, "writes did not resume: the last one was {ended:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
    }

    /// Keeps the files for whoever looks into a failure.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// Runs one step on a scene; if it fails, the files stay and the error says where.
pub(super) fn keeping<T>(scene: Scene, step: impl FnOnce(&mut Scene) -> Result<T>) -> Result<T> {
    let mut scene = scene;
    step(&mut scene).map_err(|error| {
        let kept: PathBuf = scene.keep();
        error.context(format!("the files are kept in {}", Path::display(&kept)))
    })
}
