//! Between a folder and a disk in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::log::Event;
use super::model::Disk;

/// Everything below a folder by relative path: content of files, `None` for folders. A folder stands before what is
/// in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree(pub(super) BTreeMap<String, Option<Vec<u8>>>);

impl Tree {
    /// Puts the folder into this state.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        empty(folder)?;
        for (path, content) in &self.0 {
            let path = folder.join(path);
            match content {
                None => fs::create_dir(&path)?,
                Some(content) => fs::write(&path, content)?,
            }
        }
        Ok(())
    }
}

/// Removes what is in a folder; the folder stays.
fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What is found below a folder.
struct Found {
    path: String,
    inode: u64,
    content: Option<Vec<u8>>,
}

fn walk(folder: &Path, path: &str, found: &mut Vec<Found>) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().ok().context("a name that is not UTF-8")?;
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        let metadata = entry.metadata()?;
        let is_folder = metadata.is_dir();
        let content = if is_folder { None } else { Some(fs::read(entry.path())?) };
        found.push(Found { path: path.clone(), inode: metadata.ino(), content });
        if is_folder {
            walk(&entry.path(), &path, found)?;
        }
    }
    Ok(())
}

fn found(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    Ok(found)
}

impl Disk {
    /// A disk on which everything that is in the folder now is durable.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let mut disk = Self::empty(fs::metadata(folder)?.ino());
        for Found { path, inode, content } in found(folder)? {
            disk.place(&path, inode, content)?;
        }
        Ok(disk)
    }

    /// The changes that lead from what was recorded to what the folder holds. A process that is killed between a
    /// change and its record leaves one; more would mean that the recorder does not see everything. SQLite's index of
    /// its log is changed through a mapping and not compared.
    pub(crate) fn missed(&self, folder: &Path) -> Result<Vec<Event>> {
        let found = found(folder)?;
        let mut live = self.live().0;
        let mut missed = Vec::new();
        for (from, to) in self.missed_renames(&live, &found) {
            let content = live.remove(&from).flatten();
            live.insert(to.clone(), content);
            missed.push(Event::Rename { from, to });
        }
        for Found { path, inode, content } in &found {
            if path.ends_with("-shm") && live.contains_key(path) {
                continue;
            }
            match (live.get(path), content) {
                (Some(before), now) if before == now => {}
                (Some(Some(before)), Some(now)) => missed.push(difference(*inode, before, now)),
                (None, None) => missed.push(Event::MakeFolder { path: path.clone(), inode: *inode }),
                (None, Some(now)) => {
                    missed.push(Event::Create { path: path.clone(), inode: *inode });
                    if !now.is_empty() {
                        missed.push(Event::Write { inode: *inode, place: 0, bytes: now.clone() });
                    }
                }
                (Some(_), _) => bail!("{path} is a file and was a folder, or the other way round"),
            }
        }
        let gone = live.into_keys().filter(|path| found.iter().all(|found| found.path != *path));
        missed.extend(gone.map(|path| Event::Unlink { path }));
        Ok(missed)
    }

    /// Files that have another name than was recorded.
    fn missed_renames(
        &self,
        live: &BTreeMap<String, Option<Vec<u8>>>,
        found: &[Found],
    ) -> Vec<(String, String)> {
        let is_new = |found: &&Found| found.content.is_some() && !live.contains_key(&found.path);
        let is_gone = |path: &String| found.iter().all(|found| found.path != *path);
        let renamed = |found: &Found| {
            let from = self.path_of(found.inode).filter(is_gone)?;
            Some((from, found.path.clone()))
        };
        found.iter().filter(is_new).filter_map(renamed).collect()
    }
}

/// One change that makes `before` to `now`, as far as one change can.
fn difference(inode: u64, before: &[u8], now: &[u8]) -> Event {
    let common = before.iter().zip(now).take_while(|(before, now)| before == now).count();
    if common == now.len() {
        return Event::Truncate { inode, size: now.len() as u64 };
    }
    let longer = now.len() > before.len();
    let differ = |index: usize| before.get(index) != now.get(index);
    let end = if longer {
        now.len()
    } else {
        (common..now.len()).rev().find(|at| differ(*at)).map_or(common, |at| at + 1)
    };
    Event::Write { inode, place: common as u64, bytes: now[common..end].to_vec() }
}
