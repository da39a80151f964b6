//! The log that `preload/disk.c` writes, as events.

use anyhow::{Context, Result, bail, ensure};

/// One change to the folder, or a sync. Paths are relative to the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Create { path: String, inode: u64 },
    MakeFolder { path: String, inode: u64 },
    Write { inode: u64, place: u64, bytes: Vec<u8> },
    Truncate { inode: u64, size: u64 },
    Unlink { path: String },
    Rename { from: String, to: String },
    SyncBegin { inode: u64, sync: u64 },
    SyncDone { sync: u64 },
    SyncFailed { sync: u64 },
}

const HEAD_BYTES: usize = 24;

/// Reads a log. Its last event may be cut short, because the process may end while it writes; what that event says
/// was done, but nobody was told.
pub(crate) fn read(mut log: &[u8]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    while let Some((head, rest)) = log.split_at_checked(HEAD_BYTES) {
        let length = usize::try_from(number(head, 4, 4)?)?;
        let Some((content, rest)) = rest.split_at_checked(length) else { break };
        events.push(event(head, content).with_context(|| format!("event {}", events.len()))?);
        log = rest;
    }
    Ok(events)
}

/// The number of `length` bytes at `start`.
fn number(head: &[u8], start: usize, length: usize) -> Result<u64> {
    let field = head.get(start..start + length).context("a head too short")?;
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(field);
    Ok(u64::from_le_bytes(bytes))
}

fn event(head: &[u8], content: &[u8]) -> Result<Event> {
    let inode = number(head, 8, 8)?;
    let place = number(head, 16, 8)?;
    let path = || String::from_utf8(content.to_vec()).context("a path that is not UTF-8");
    Ok(match number(head, 0, 4)? {
        1 => Event::Create { path: path()?, inode },
        2 => Event::MakeFolder { path: path()?, inode },
        3 => Event::Write { inode, place, bytes: content.to_vec() },
        4 => Event::Truncate { inode, size: place },
        5 => Event::Unlink { path: path()? },
        6 => {
            let both = path()?;
            let (from, to) = both.split_once('\0').context("a rename with one name")?;
            Event::Rename { from: from.to_owned(), to: to.to_owned() }
        }
        7 => Event::SyncBegin { inode, sync: place },
        8 => Event::SyncDone { sync: place },
        9 => Event::SyncFailed { sync: place },
        kind => bail!("a kind of event that is not known: {kind}"),
    })
}

/// Refuses to go on where the two halves of the recorder would misunderstand each other.
pub(crate) fn ensure_little_endian() -> Result<()> {
    ensure!(cfg!(target_endian = "little"), "the recorder is written for little-endian machines");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, inode: u64, place: u64, content: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        bytes.extend(inode.to_le_bytes());
        bytes.extend(place.to_le_bytes());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn events_are_read_until_one_is_incomplete() {
        let whole = [record(1, 7, 0, b"a"), record(3, 7, 2, b"xyz"), record(6, 0, 0, b"a\0b")].concat();
        let expected = [
            Event::Create { path: "a".to_owned(), inode: 7 },
            Event::Write { inode: 7, place: 2, bytes: b"xyz".to_vec() },
            Event::Rename { from: "a".to_owned(), to: "b".to_owned() },
        ];
        let complete = |length: usize| [25, 52, 79].iter().filter(|end| **end <= length).count();
        for length in 0..=whole.len() {
            assert_eq!(read(&whole[..length]).unwrap(), expected[..complete(length)], "cut at {length}");
        }
    }

    #[test]
    fn what_is_no_log_is_refused() {
        assert!(read(&record(99, 0, 0, b"")).is_err());
        assert!(read(&record(6, 0, 0, b"one name")).is_err());
        assert!(read(&record(1, 0, 0, &[0xff])).is_err());
    }
}
