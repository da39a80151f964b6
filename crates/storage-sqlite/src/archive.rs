//! The file that a backup is: a header, records of every partition, and a digest over all of it.
//!
//! `firelock-backup\n`, the format's number (4 bytes, little endian, as all numbers), then frames: a
//! tag (1 byte), a length (8 bytes), so many bytes. The last frame holds the SHA-256 of everything
//! before it, so that a file that was cut or changed is told from a whole one before it is used.

mod record;

use core::fmt;
use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

pub(crate) use self::record::{
    ClaimRecord, Counts, PartitionRecord, Record, ResourceRecord, SymbolRecord, VersionRecord,
};

const MAGIC: &[u8; 16] = b"firelock-backup\n";

/// What this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The tag of the last frame.
const END: u8 = 0;

/// No record is longer: a content is at most a write set, which is a fraction of this.
const FRAME_BYTES_MAX: u64 = 1 << 30;

/// Why a backup file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// The file is something else.
    NotABackup,
    /// The file was written by a newer version of this program.
    NewerFormat {
        /// The file's format.
        found: u32,
        /// The newest that this program reads.
        supported: u32,
    },
    /// The file ends before its last frame.
    Incomplete,
    /// The content makes no sense, or is not what the digest says.
    Damaged {
        /// How many bytes of the file were read until it showed.
        at: u64,
    },
    /// Reading failed.
    Io(String),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABackup => f.write_str("the file is no Firelock backup"),
            Self::NewerFormat { found, supported } => write!(
                f,
                "the backup has format {found} and this program reads formats up to {supported}; \
                 use the program that wrote it, or a newer one"
            ),
            Self::Incomplete => f.write_str(
                "the backup is incomplete: the file ends early; copy it again, or use another backup",
            ),
            Self::Damaged { at } => write!(
                f,
                "the backup is damaged (seen after {at} bytes): its content is not what its checksum \
                 says; copy it again, or use another backup"
            ),
            Self::Io(what) => write!(f, "the backup cannot be read: {what}"),
        }
    }
}

impl core::error::Error for ArchiveError {}

/// Writes a backup file from its beginning to its digest.
pub struct ArchiveWriter<W: Write> {
    out: W,
    digest: Sha256,
    frame: Vec<u8>,
    bytes: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes the header.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, digest: Sha256::new(), frame: Vec::new(), bytes: 0 };
        writer.put(MAGIC)?;
        writer.put(&FORMAT.to_le_bytes())?;
        Ok(writer)
    }

    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        record.encode(&mut frame);
        let written = self.frame_of(record.tag(), &frame);
        self.frame = frame;
        written
    }

    /// Writes the digest and gives back what was written to, with its length in bytes. Without
    /// this the file is no backup.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        let digest = self.digest.clone().finalize();
        self.frame_of(END, &digest)?;
        self.out.flush()?;
        Ok((self.out, self.bytes))
    }

    fn frame_of(&mut self, tag: u8, payload: &[u8]) -> io::Result<()> {
        self.put(&[tag])?;
        self.put(&(payload.len() as u64).to_le_bytes())?;
        self.put(payload)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// Reads a backup file, and compares its digest at the end.
pub(crate) struct ArchiveReader<R: Read> {
    source: R,
    digest: Sha256,
    bytes: u64,
    payload: Vec<u8>,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the header.
    pub(crate) fn new(source: R) -> Result<Self, ArchiveError> {
        let mut reader = Self { source, digest: Sha256::new(), bytes: 0, payload: Vec::new() };
        let magic = reader.take::<16>().map_err(|error| match error {
            ArchiveError::Incomplete => ArchiveError::NotABackup,
            error => error,
        })?;
        if magic != *MAGIC {
            return Err(ArchiveError::NotABackup);
        }
        let found = u32::from_le_bytes(reader.take()?);
        if found > FORMAT {
            return Err(ArchiveError::NewerFormat { found, supported: FORMAT });
        }
        Ok(reader)
    }

    /// The next record; `None` behind the last one, once the digest was found right.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, ArchiveError> {
        let expected: [u8; 32] = self.digest.clone().finalize().into();
        let [tag] = self.take()?;
        let length = u64::from_le_bytes(self.take()?);
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged());
        }
        self.payload.clear();
        // Grows with what is there, whatever a damaged length says.
        let read = (&mut self.source).take(length).read_to_end(&mut self.payload);
        let read = read.map_err(|error| ArchiveError::Io(error.to_string()))?;
        if read as u64 != length {
            return Err(ArchiveError::Incomplete);
        }
        self.digest.update(&self.payload);
        self.bytes += length;
        if tag == END {
            let behind = self.source.read(&mut [0]).map_err(|error| ArchiveError::Io(error.to_string()))?;
            return if self.payload == expected && behind == 0 { Ok(None) } else { Err(self.damaged()) };
        }
        Record::decode(tag, &self.payload).map(Some).ok_or_else(|| self.damaged())
    }

    pub(crate) fn damaged(&self) -> ArchiveError {
        ArchiveError::Damaged { at: self.bytes }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::Incomplete,
            _ => ArchiveError::Io(error.to_string()),
        })?;
        self.digest.update(bytes);
        self.bytes += N as u64;
        Ok(bytes)
    }
}

/// What a backup file says it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// The partitions' names, in the order of the file.
    pub partitions: Vec<String>,
    /// Versions in all of them.
    pub versions: u64,
}

/// Reads the whole file, and says what it holds if it is whole. Nothing is kept in memory but the
/// record at hand.
pub fn verify<R: Read>(source: R) -> Result<ArchiveSummary, ArchiveError> {
    let mut reader = ArchiveReader::new(source)?;
    let mut summary = ArchiveSummary::default();
    let mut counts = Counts::default();
    let mut is_open = false;
    while let Some(record) = reader.next()? {
        let fits = match &record {
            Record::Partition(partition) => {
                let is_new = !summary.partitions.contains(&partition.name);
                summary.partitions.push(partition.name.clone());
                counts = Counts::default();
                !std::mem::replace(&mut is_open, true) && is_new
            }
            Record::PartitionEnd(said) => {
                summary.versions += counts.versions;
                std::mem::replace(&mut is_open, false) && *said == counts
            }
            record => {
                counts.count(record);
                is_open
            }
        };
        if !fits {
            return Err(reader.damaged());
        }
    }
    if is_open { Err(reader.damaged()) } else { Ok(summary) }
}

#[cfg(test)]
mod tests;
