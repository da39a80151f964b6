//! Audit records, a line of JSON each, written by a thread of their own.

use std::fs::File;
use std::io::{ErrorKind, Write};
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

/// So many bytes wait for a disk that takes none; records that come then are counted and not kept.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// So many bytes are passed on at once.
const PASSED_ON_BYTES: usize = 64 * 1024;

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

/// Writes records until the end. What was written is passed on as soon as nothing waits. A target that cannot take
/// records now is asked again with the next ones, and with the last.
fn write<W: Write>(messages: &Receiver<Message>, out: W, lost: &AtomicU64) -> Result<W> {
    let mut lines = Lines { out, waiting: Vec::new(), fails: false };
    let mut ended = false;
    while !ended && let Ok(first) = messages.recv() {
        for message in std::iter::once(first).chain(messages.try_iter()) {
            match message {
                Message::Record(_) if lines.waiting.len() > WAITING_BYTES_MAX => {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
                Message::Record(record) => lines.add(&record.to_object().to_bytes()),
                Message::End => ended = true,
            }
        }
        lines.pass_on();
        if !lines.fails || ended {
            let lost = lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::error!(lost, "audit records were lost: the disk was too slow or full");
                lines.add(format!("{{\"lost\":{lost}}}").as_bytes());
                lines.pass_on();
            }
        }
    }
    lines.write().context("the audit file")?;
    Ok(lines.out)
}

/// Lines that are on their way. One that was written in part is continued, never begun anew.
struct Lines<W> {
    out: W,
    waiting: Vec<u8>,
    fails: bool,
}

impl<W: Write> Lines<W> {
    fn add(&mut self, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
        if !self.fails && self.waiting.len() >= PASSED_ON_BYTES {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        match self.write() {
            Ok(()) if self.fails => {
                self.fails = false;
                tracing::info!("audit records are written again");
            }
            Err(error) if !self.fails => {
                self.fails = true;
                tracing::error!(%error, "audit records cannot be written and wait");
            }
            Ok(()) | Err(_) => {}
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        let mut rest = self.waiting.as_slice();
        let ended = loop {
            if rest.is_empty() {
                break self.out.flush();
            }
            match self.out.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let written = self.waiting.len() - rest.len();
        self.waiting.drain(..written);
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A disk that is full at every second look, and takes seven bytes at most.
    #[derive(Default)]
    struct Full {
        looks: usize,
        taken: Vec<u8>,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.looks += 1;
            if self.looks.is_multiple_of(2) {
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(7);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn record(trace: &str) -> AuditRecord {
        AuditRecord {
            trace: trace.to_owned(),
            at_us: 0,
            took: Duration::ZERO,
            caller: rulebook::Caller::default(),
            method: "GET".to_owned(),
            url: "/x".to_owned(),
            request_body: None,
            nhs_number: None,
            status: 200,
            response_body: None,
            logical_id: None,
            changes: Vec::new(),
        }
    }

    /// Nothing is lost and nothing is twice, however often the disk is full meanwhile.
    #[test]
    fn a_full_disk_is_asked_again() {
        let mut lines = Lines { out: Full::default(), waiting: Vec::new(), fails: false };
        let mut expected = Vec::new();
        for number in 0..50 {
            let line = record(&format!("message-{number}")).to_object().to_bytes();
            lines.add(&line);
            lines.pass_on();
            expected.extend(line);
            expected.push(b'\n');
        }
        while lines.write().is_err() {}
        assert_eq!(lines.waiting, b"");
        assert_eq!(lines.out.taken, expected);
    }

    /// What cannot be written in the end is told.
    #[test]
    fn a_disk_that_stays_full_is_a_failure() {
        struct Never;
        impl Write for Never {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (messages, received) = sync_channel(8);
        for message in [Message::Record(Box::new(record("a"))), Message::End] {
            messages.send(message).unwrap();
        }
        assert!(write(&received, Never, &AtomicU64::new(0)).is_err());
    }
}
