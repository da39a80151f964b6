//! Audit records, a line of JSON each, written by a thread of their own.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use http_server::{Audit, AuditRecord};

/// So many records may wait for a slow disk; more are counted and not kept, since no request ever
/// waits for its record.
const WAITING_MAX: usize = 64 * 1024;

/// And so many bytes of URLs and bodies.
const WAITING_BYTES_MAX: usize = 64 << 20;

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
    /// With its weight.
    Record(Box<AuditRecord>, usize),
    End,
}

/// The end that requests hold.
#[derive(Debug)]
struct Sender {
    messages: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
}

impl Audit for Sender {
    fn record(&self, record: AuditRecord) {
        let body = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let bytes = record.url.len() + body(&record.request_body) + body(&record.response_body);
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let is_taken = before <= WAITING_BYTES_MAX
            && self.messages.try_send(Message::Record(Box::new(record), bytes)).is_ok();
        if !is_taken {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that writes.
pub(crate) struct AuditLog {
    sender: Arc<Sender>,
    writer: JoinHandle<Result<()>>,
}

/// Records are handed to the disk in pieces of about this size, where so many wait.
const BATCH_BYTES_MAX: usize = 1 << 20;

impl AuditLog {
    /// Opens the target; a file is continued.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let (messages, received) = sync_channel(WAITING_MAX);
        let (lost, waiting) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let (told, written) = (Arc::clone(&lost), Arc::clone(&waiting));
        let writer = match target {
            Target::Stdout => std::thread::spawn(move || {
                Journal::new(std::io::stdout()).write(&received, (&told, &written));
                Ok(())
            }),
            Target::File(path) => {
                let file = open(path)?;
                std::thread::spawn(move || {
                    let mut journal = Journal::new(file);
                    journal.write(&received, (&told, &written));
                    journal.out.sync_all().context("the audit file")
                })
            }
        };
        Ok(Self { sender: Arc::new(Sender { messages, lost, waiting }), writer })
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

/// What records are appended to.
struct Journal<W> {
    out: W,
    /// What is there may end in the middle of a line.
    is_cut: bool,
}

impl<W: Write> Journal<W> {
    fn new(out: W) -> Self {
        Self { out, is_cut: false }
    }

    /// Writes records until the end, as many at once as there are. What cannot be written is counted, like what came
    /// too fast, and told behind the next that can: a disk that was full does not end the audit.
    fn write(&mut self, messages: &Receiver<Message>, (lost, waiting): (&AtomicU64, &AtomicUsize)) {
        let mut ended = false;
        while !ended && let Ok(first) = messages.recv() {
            let (mut lines, mut count) = (Vec::new(), 0);
            for message in std::iter::once(first).chain(messages.try_iter()) {
                match message {
                    Message::Record(record, bytes) => {
                        waiting.fetch_sub(bytes, Ordering::Relaxed);
                        lines.extend(record.to_object().to_bytes());
                        lines.push(b'\n');
                        count += 1;
                    }
                    Message::End => ended = true,
                }
                if lines.len() >= BATCH_BYTES_MAX {
                    break;
                }
            }
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                tracing::error!(lost = missing, "audit records were lost");
                lines.extend(format!("{{\"lost\":{missing}}}\n").into_bytes());
            }
            if let Err(error) = self.append(&lines) {
                tracing::error!(%error, "audit records cannot be written");
                lost.fetch_add(missing + count, Ordering::Relaxed);
            }
        }
    }

    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if std::mem::replace(&mut self.is_cut, true) {
            self.out.write_all(b"\n")?;
        }
        self.out.write_all(lines)?;
        self.out.flush()?;
        self.is_cut = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A disk that is full for a while: what it takes of each write, nothing of which is an error. Then it takes all.
    struct Disk {
        text: Vec<u8>,
        takes: VecDeque<usize>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = match self.takes.pop_front() {
                None => bytes.len(),
                Some(0) => return Err(std::io::ErrorKind::StorageFull.into()),
                Some(some) => some,
            };
            self.text.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn records_go_on_when_the_disk_has_space_again() {
        let lost = AtomicU64::new(0);
        let mut journal = Journal::new(Disk { text: Vec::new(), takes: [10, 0, 0].into() });
        for status in [200, 201, 202, 203] {
            let (messages, received) = sync_channel(8);
            messages.send(Message::Record(Box::new(record(status)), 0)).unwrap();
            messages.send(Message::End).unwrap();
            journal.write(&received, (&lost, &AtomicUsize::new(0)));
        }
        let text = String::from_utf8(journal.out.text).unwrap();
        let whole: Vec<&str> = text.lines().filter(|line| line.ends_with('}')).collect();
        assert_eq!(whole.len(), 3, "{text}");
        assert!(
            whole[0].contains("202") && whole[1] == r#"{"lost":2}"# && whole[2].contains("203"),
            "{text}"
        );
    }

    fn record(status: u16) -> AuditRecord {
        AuditRecord {
            trace: "t".to_owned(),
            at_us: 0,
            took: std::time::Duration::ZERO,
            caller: rulebook::Caller::default(),
            method: "GET".to_owned(),
            url: "/flags/STU3/Flag".to_owned(),
            request_body: None,
            nhs_number: None,
            status,
            response_body: None,
            logical_id: None,
            changes: Vec::new(),
        }
    }
}
