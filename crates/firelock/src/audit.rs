//! Audit records, a line of JSON each, written by a thread of their own.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use http_server::{Audit, AuditRecord};

/// So many records may wait for a slow disk; more are counted and not kept, since no request ever
/// waits for its record.
const WAITING_MAX: usize = 64 * 1024;

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    File(PathBuf),
}

impl Target {
    /// `stdout`, or a path.
    pub(crate) fn parse(text: &str) -> Self {
        if text == "stdout" { Self::Stdout } else { Self::File(PathBuf::from(text)) }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

enum Message {
    Record(Box<AuditRecord>),
    End,
}

/// The end that requests hold.
#[derive(Debug)]
struct Sender {
    messages: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Audit for Sender {
    fn record(&self, record: AuditRecord) {
        if self.messages.try_send(Message::Record(Box::new(record))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that writes.
pub(crate) struct AuditLog {
    sender: Arc<Sender>,
    writer: JoinHandle<Result<()>>,
}

impl AuditLog {
    /// Opens the target; a file is continued.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let (messages, received) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&lost);
        let writer = match target {
            Target::Stdout => {
                std::thread::spawn(move || write(&received, std::io::stdout(), &told).map(drop))
            }
            Target::File(path) => {
                let file = open(path)?;
                std::thread::spawn(move || {
                    let file = write(&received, file, &told)?;
                    file.sync_all().context("the audit file")
                })
            }
        };
        Ok(Self { sender: Arc::new(Sender { messages, lost }), writer })
    }

    /// What a server hands its records to.
    pub(crate) fn sender(&self) -> Arc<dyn Audit> {
        self.sender.clone()
    }

    /// Writes everything that was handed over before.
    pub(crate) fn close(self) -> Result<()> {
        // If this fails the thread has ended already, and says why.
        let _ = self.sender.messages.send(Message::End);
        self.writer.join().map_err(|_| anyhow!("the audit writer failed"))?
    }
}

fn open(path: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(path);
    file.with_context(|| format!("cannot open the audit file {}", path.display()))
}

/// Writes records until the end. What was written is passed on as soon as nothing waits.
fn write<W: Write>(messages: &Receiver<Message>, out: W, lost: &AtomicU64) -> Result<W> {
    let mut out = BufWriter::new(out);
    let mut ended = false;
    while !ended && let Ok(first) = messages.recv() {
        for message in std::iter::once(first).chain(messages.try_iter()) {
            match message {
                Message::Record(record) => line(&mut out, &record)?,
                Message::End => ended = true,
            }
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::error!(lost, "audit records were lost: the disk is too slow");
            writeln!(out, "{{\"lost\":{lost}}}").context("the audit file")?;
        }
        out.flush().context("the audit file")?;
    }
    out.into_inner().map_err(|error| anyhow!("the audit file: {}", error.error()))
}

fn line(out: &mut impl Write, record: &AuditRecord) -> Result<()> {
    let mut bytes = record.to_object().to_bytes();
    bytes.push(b'\n');
    out.write_all(&bytes).inspect_err(|error| tracing::error!(%error, "audit records cannot be written"))?;
    Ok(())
}
