//! The recorder: a small library in front of the C library, and the page through which it is told what is to fail.
//! `preload/disk.c` is its other half.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::log;
use super::model::{Disk, FailedSync};
use crate::server;

/// The compiled library.
pub(crate) struct Preload {
    library: PathBuf,
}

impl Preload {
    /// Compiles it with the system's C compiler.
    pub(crate) fn build() -> Result<Self> {
        log::ensure_little_endian()?;
        let source = server::workspace().join("xtask/preload/disk.c");
        let library = server::target().join("xtask-disk.so");
        // Another run may use the one that is there.
        let fresh = server::target().join(format!("xtask-disk-{}.so", std::process::id()));
        let done = Command::new("cc")
            .args(["-std=gnu11", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&fresh, &source])
            .status()
            .context("a C compiler named cc is needed")?;
        ensure!(done.success(), "{} does not compile", source.display());
        fs::rename(fresh, &library)?;
        Ok(Self { library })
    }

    /// A recorder of what happens below `folder` from now on. Its own files go into `beside`, which must not be
    /// below `folder`.
    pub(crate) fn record(&self, folder: &Path, beside: &Path) -> Result<Recorder> {
        let folder = folder.canonicalize()?;
        let page_path = beside.join("control");
        let page = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&page_path)?;
        page.set_len(4096)?;
        let recorder = Recorder {
            library: self.library.clone(),
            disk: Disk::of(&folder)?,
            folder,
            log: beside.join("log"),
            page_path,
            page,
        };
        recorder.set(Field::SpaceLeft, u64::MAX)?;
        Ok(recorder)
    }
}

/// Fields of the page, by their place in it.
#[derive(Clone, Copy)]
enum Field {
    Lie,
    SyncDelay,
    WriteFirst,
    WriteLast,
    SyncFirst,
    SyncLast,
    SpaceLeft,
    Writes,
    Syncs,
    Injected,
}

/// Something that is to fail with an I/O error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faulty {
    Writes,
    Syncs,
}

/// A folder whose changes are recorded, over any number of processes, until its power goes.
pub(crate) struct Recorder {
    library: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    page_path: PathBuf,
    page: File,
    disk: Disk,
}

impl Recorder {
    /// Makes a process record what it does. One at a time.
    pub(crate) fn attach(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FIRELOCK_DISK_ROOT", &self.folder)
            .env("FIRELOCK_DISK_LOG", &self.log)
            .env("FIRELOCK_DISK_CONTROL", &self.page_path);
    }

    /// Takes over what a process recorded that has ended. Gives the number of changes that it made without
    /// recording them.
    pub(crate) fn absorb(&mut self, failed: FailedSync) -> Result<usize> {
        if self.log.exists() {
            self.disk.replay(log::read(&fs::read(&self.log)?)?, failed)?;
            fs::remove_file(&self.log)?;
        }
        let missed = self.disk.missed(&self.folder)?;
        let count = missed.len();
        self.disk.replay(missed, failed)?;
        Ok(count)
    }

    /// What is and what may be on the disk.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Makes syncs say that they were done without doing them.
    pub(crate) fn lie(&self) -> Result<()> {
        self.set(Field::Lie, 1)
    }

    /// How long a sync takes.
    pub(crate) fn set_sync_delay_us(&self, delay: u64) -> Result<()> {
        self.set(Field::SyncDelay, delay)
    }

    /// Lets `count` writes or syncs fail, after `after` more that do not.
    pub(crate) fn fail(&self, what: Faulty, after: u64, count: u64) -> Result<()> {
        let (seen, first, last) = match what {
            Faulty::Writes => (Field::Writes, Field::WriteFirst, Field::WriteLast),
            Faulty::Syncs => (Field::Syncs, Field::SyncFirst, Field::SyncLast),
        };
        let start = self.get(seen)? + after + 1;
        self.set(last, start.saturating_add(count - 1))?;
        self.set(first, start)
    }

    /// Lets nothing fail any more.
    pub(crate) fn heal(&self) -> Result<()> {
        self.set(Field::WriteFirst, 0)?;
        self.set(Field::SyncFirst, 0)?;
        self.set(Field::SpaceLeft, u64::MAX)
    }

    /// Lets files grow by this many bytes and no more.
    pub(crate) fn set_space_left(&self, bytes: u64) -> Result<()> {
        self.set(Field::SpaceLeft, bytes)
    }

    /// How often it happened so far.
    pub(crate) fn seen(&self, what: Faulty) -> Result<u64> {
        self.get(match what {
            Faulty::Writes => Field::Writes,
            Faulty::Syncs => Field::Syncs,
        })
    }

    /// How many failures were made so far.
    pub(crate) fn injected(&self) -> Result<u64> {
        self.get(Field::Injected)
    }

    fn set(&self, field: Field, value: u64) -> Result<()> {
        Ok(self.page.write_all_at(&value.to_le_bytes(), field as u64 * 8)?)
    }

    fn get(&self, field: Field) -> Result<u64> {
        let mut bytes = [0; 8];
        self.page.read_exact_at(&mut bytes, field as u64 * 8)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
