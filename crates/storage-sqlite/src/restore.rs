//! A store from a backup.

use core::fmt;
use std::io::Read;
use std::path::Path;

use storage_api::{Timestamp, VersionTag};

use crate::OpenError;
use crate::archive::{ArchiveError, ArchiveReader, PartitionRecord, Record};
use crate::bulk::{Bulk, Raise};

/// How a restore goes about it.
pub struct RestoreOptions<'a> {
    /// Every key's number is raised by this many, so that numbers which were given to clients after
    /// the backup, and are lost, do not come back for other contents. Keys with versions get a
    /// version like their newest. 0 for none.
    pub margin: u32,
    /// When the versions are written that this takes.
    pub now: Timestamp,
    /// Draws their tags.
    pub tag: &'a mut dyn FnMut() -> VersionTag,
}

/// A partition that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredPartition {
    /// Its name: the folder that it is in.
    pub name: String,
    /// Keys whose number was raised.
    pub raised: u64,
}

/// Why a backup was not restored. What was made until then is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The file cannot be used.
    Archive(ArchiveError),
    /// The store cannot be written.
    Store(OpenError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RestoreError {}

impl From<ArchiveError> for RestoreError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<OpenError> for RestoreError {
    fn from(error: OpenError) -> Self {
        Self::Store(error)
    }
}

/// Makes a store of every partition of a backup, each in a folder of its name below `directory`.
///
/// Wants a file that [`verify`](crate::verify) found whole: of another one some partitions may be
/// made before it shows.
pub fn restore<R: Read>(
    source: R,
    directory: &Path,
    options: &mut RestoreOptions<'_>,
) -> Result<Vec<RestoredPartition>, RestoreError> {
    let mut reader = ArchiveReader::new(source)?;
    let mut restored = Vec::new();
    let mut open: Option<(PartitionRecord, Bulk)> = None;
    while let Some(record) = reader.next()? {
        match (record, &mut open) {
            (Record::Partition(partition), None) => {
                let bulk = Bulk::create(&directory.join(&partition.name))?;
                open = Some((partition, bulk));
            }
            (Record::PartitionEnd(_), Some(_)) => {
                let Some((partition, bulk)) = open.take() else { continue };
                let raise = Raise { margin: options.margin.into(), now: options.now, tag: options.tag };
                let raised = bulk.finish(&partition, (options.margin > 0).then_some(raise))?;
                restored.push(RestoredPartition { name: partition.name, raised });
            }
            (Record::Content { hash, bytes }, Some((_, bulk))) => {
                if !bulk.content(&hash, &bytes)? {
                    return Err(reader.damaged().into());
                }
            }
            (Record::Version(row), Some((_, bulk))) => bulk.version(&row)?,
            (Record::Resource(row), Some((_, bulk))) => bulk.resource(&row)?,
            (Record::Symbol(row), Some((_, bulk))) => bulk.symbol(&row)?,
            (Record::Claim(row), Some((_, bulk))) => bulk.claim(&row)?,
            _ => return Err(reader.damaged().into()),
        }
    }
    if open.is_some() { Err(reader.damaged().into()) } else { Ok(restored) }
}
