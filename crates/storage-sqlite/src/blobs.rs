//! Large contents as files named after their hash, synced before the commit that refers to them.
//!
//! The table `blob` counts the versions that have a content. A file goes when its count is gone
//! and nobody is about to commit it; what a crash leaves behind goes at the next start.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// The SHA-256 of a content.
pub(crate) type Hash = [u8; 32];

/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished-";

/// The directory of large contents.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    /// Contents that somebody is about to commit, and how many do.
    pinned: Mutex<HashMap<Hash, usize>>,
}

/// Keeps a content's file from being removed.
#[derive(Debug)]
pub(crate) struct Pin {
    blobs: Arc<Blobs>,
    pub(crate) hash: Hash,
}

impl Blobs {
    /// The directory beside the database; it is made when it is needed.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, pinned: Mutex::default() }
    }

    /// Writes a content, unless it is there, and returns when it is on the disk.
    pub(crate) fn store(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Pin> {
        let hash: Hash = Sha256::digest(bytes).into();
        // Pinned first: then the file cannot go between finding it and committing it.
        let pin = self.pin(hash);
        let path = self.path(&hash);
        if !path.try_exists()? {
            fs::create_dir_all(&self.directory)?;
            self.write_whole(&path, bytes)?;
        }
        // Whoever wrote the file may not have come to this yet.
        File::open(&self.directory)?.sync_all()?;
        Ok(pin)
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = tempfile(&self.directory)?;
        let (mut file, name) = unfinished;
        let written =
            file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&name, path));
        if written.is_err() {
            // Otherwise it stays until the next start.
            let _ = fs::remove_file(&name);
        }
        written
    }

    /// Reads a content; `None` if there is no file.
    pub(crate) fn load(&self, hash: &Hash) -> io::Result<Option<Bytes>> {
        match fs::read(self.path(hash)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a content's file if no version has it and nobody is about to commit it.
    pub(crate) fn remove_unused(&self, connection: &Connection, hash: &Hash) -> rusqlite::Result<()> {
        let pinned = self.lock();
        if !pinned.contains_key(hash) && !is_referred_to(connection, hash)? {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(self.path(hash));
        }
        Ok(())
    }

    /// Removes whatever no version has. For the start, before anybody else has the store.
    pub(crate) fn remove_leftovers(&self, connection: &Connection) -> io::Result<()> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let wanted: HashSet<String> = all_hashes(connection).map_err(io::Error::other)?;
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self, hash: &Hash) -> PathBuf {
        self.directory.join(file_name(hash))
    }

    fn pin(self: &Arc<Self>, hash: Hash) -> Pin {
        *self.lock().entry(hash).or_default() += 1;
        Pin { blobs: Arc::clone(self), hash }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, usize>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.blobs.lock();
        if let Some(count) = pinned.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                pinned.remove(&self.hash);
            }
        }
    }
}

fn file_name(hash: &[u8]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut name, byte| {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// A new file under a name that nobody has.
fn tempfile(directory: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 0_u32;
    loop {
        let path = directory.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn is_referred_to(connection: &Connection, hash: &Hash) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blob WHERE hash = ?1")?;
    Ok(statement.query_row([hash], |_| Ok(())).optional()?.is_some())
}

fn all_hashes(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    let mut statement = connection.prepare("SELECT hash FROM blob")?;
    statement.query_map([], |row| Ok(file_name(row.get_ref(0)?.as_blob()?)))?.collect()
}

/// Counts one more version with this content.
pub(crate) fn refer(connection: &Connection, hash: &Hash) -> rusqlite::Result<()> {
    let sql = "INSERT INTO blob (hash, refs) VALUES (?1, 1)
               ON CONFLICT (hash) DO UPDATE SET refs = refs + 1";
    connection.prepare_cached(sql)?.execute([hash]).map(drop)
}

/// Counts one version less; says whether it was the last.
pub(crate) fn release(connection: &Connection, hash: &Hash) -> rusqlite::Result<bool> {
    let sql = "UPDATE blob SET refs = refs - 1 WHERE hash = ?1";
    connection.prepare_cached(sql)?.execute([hash])?;
    let sql = "DELETE FROM blob WHERE hash = ?1 AND refs <= 0";
    Ok(connection.prepare_cached(sql)?.execute([hash])? > 0)
}
