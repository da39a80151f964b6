//! What is on the disk for certain and what is only on its way there, event by event.
//!
//! A file's content becomes durable when a sync of the file returns; a name becomes durable when a sync of its
//! folder returns. Nothing else is promised: not that a synced file has a name, not that writes arrive in order.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::log::Event;

/// Names in a folder.
pub(super) type Names = BTreeMap<String, usize>;

/// A disk below one folder. Files and folders are told apart by their place in `nodes`, because the file system
/// uses inode numbers again.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(super) nodes: Vec<Node>,
    by_inode: BTreeMap<u64, usize>,
    /// Counts changes, so that a sync covers those that were there when it began.
    now: u64,
    /// Syncs that have begun: of what, and when.
    syncs: BTreeMap<u64, (usize, u64)>,
}

/// The folder that everything is below.
pub(super) const ROOT: usize = 0;

#[derive(Debug)]
pub(super) enum Node {
    File(Object<Vec<u8>, Change>),
    Folder(Object<Names, Rename>),
}

/// A state that is durable, and the changes since.
#[derive(Debug)]
pub(super) struct Object<S, C> {
    pub(super) durable: S,
    pub(super) pending: Vec<(u64, C)>,
    /// What running processes see: `durable` with all of `pending`, and with what a failed sync lost.
    pub(super) live: S,
}

/// A change to a file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { place: usize, bytes: Vec<u8> },
    Size(usize),
}

/// A change to a folder; one that moves a name is one step, as journals make it.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    remove: Option<String>,
    set: Option<(String, usize)>,
}

/// What becomes of the writes to a file that a failed sync was to make durable. The system counts them as written, so
/// no later sync writes them again. Names wait for the next sync: they are kept in journals, and a file system whose
/// journal fails takes no further changes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedSync {
    /// None arrived.
    Lost,
    /// All arrived; only the answer went wrong.
    Done,
}

pub(super) trait Apply<C> {
    fn apply(&mut self, change: &C);
}

impl Apply<Change> for Vec<u8> {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { place, bytes } => {
                let end = place + bytes.len();
                if self.len() < end {
                    self.resize(end, 0);
                }
                self[*place..end].copy_from_slice(bytes);
            }
            Change::Size(size) => self.resize(*size, 0),
        }
    }
}

impl Apply<Rename> for Names {
    fn apply(&mut self, change: &Rename) {
        if let Some(name) = &change.remove {
            self.remove(name);
        }
        if let Some((name, node)) = &change.set {
            self.insert(name.clone(), *node);
        }
    }
}

impl<C, S: Apply<C> + Clone> Object<S, C> {
    fn durable(state: S) -> Self {
        Self { live: state.clone(), durable: state, pending: Vec::new() }
    }

    fn change(&mut self, now: u64, change: C) {
        self.live.apply(&change);
        self.pending.push((now, change));
    }

    /// A sync that began at `begun` has ended.
    fn settle(&mut self, begun: u64, are_kept: bool) {
        let later = self.pending.partition_point(|(at, _)| *at <= begun);
        for (_, change) in self.pending.drain(..later) {
            if are_kept {
                self.durable.apply(&change);
            }
        }
    }
}

impl Disk {
    /// An empty disk whose root has this inode.
    pub(super) fn empty(root: u64) -> Self {
        let nodes = vec![Node::Folder(Object::durable(Names::new()))];
        Self { nodes, by_inode: BTreeMap::from([(root, ROOT)]), now: 0, syncs: BTreeMap::new() }
    }

    /// Adds what lies there durably before anything is recorded.
    pub(super) fn place(&mut self, path: &str, inode: u64, content: Option<Vec<u8>>) -> Result<()> {
        let node = content.map_or_else(
            || Node::Folder(Object::durable(Names::new())),
            |content| Node::File(Object::durable(content)),
        );
        let number = self.add(inode, node);
        let (folder, name) = self.split(path)?;
        let Node::Folder(names) = &mut self.nodes[folder] else { bail!("{path} is below a file") };
        names.durable.insert(name.clone(), number);
        names.live.insert(name, number);
        Ok(())
    }

    /// Carries on with what was recorded.
    pub(crate) fn replay(&mut self, events: Vec<Event>, failed: FailedSync) -> Result<()> {
        for event in events {
            self.now += 1;
            self.step(event, failed)?;
        }
        // Whoever waited for these is gone.
        self.syncs.clear();
        Ok(())
    }

    fn step(&mut self, event: Event, failed: FailedSync) -> Result<()> {
        match event {
            Event::Create { path, inode } => {
                let node = self.add(inode, Node::File(Object::durable(Vec::new())));
                self.name(&path, Some(node))?;
            }
            Event::MakeFolder { path, inode } => {
                let node = self.add(inode, Node::Folder(Object::durable(Names::new())));
                self.name(&path, Some(node))?;
            }
            Event::Write { inode, place, bytes } => {
                let place = usize::try_from(place)?;
                self.change(inode, Change::Write { place, bytes })?;
            }
            Event::Truncate { inode, size } => self.change(inode, Change::Size(usize::try_from(size)?))?,
            Event::Unlink { path } => self.name(&path, None)?,
            Event::Rename { from, to } => self.rename(&from, &to)?,
            Event::SyncBegin { inode, sync } => {
                self.syncs.insert(sync, (self.node(inode)?, self.now));
            }
            Event::SyncDone { sync } => self.settle(sync, true)?,
            Event::SyncFailed { sync } => self.settle(sync, failed == FailedSync::Done)?,
        }
        Ok(())
    }

    fn add(&mut self, inode: u64, node: Node) -> usize {
        self.nodes.push(node);
        self.by_inode.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn node(&self, inode: u64) -> Result<usize> {
        self.by_inode.get(&inode).copied().with_context(|| format!("inode {inode} was never recorded"))
    }

    /// Where a file is for running processes.
    pub(super) fn path_of(&self, inode: u64) -> Option<String> {
        self.path_below(ROOT, "", self.node(inode).ok()?)
    }

    fn path_below(&self, folder: usize, path: &str, wanted: usize) -> Option<String> {
        self.names(folder).ok()?.iter().find_map(|(name, node)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if *node == wanted { Some(path) } else { self.path_below(*node, &path, wanted) }
        })
    }

    fn change(&mut self, inode: u64, change: Change) -> Result<()> {
        let node = self.node(inode)?;
        let Node::File(file) = &mut self.nodes[node] else { bail!("inode {inode} is a folder") };
        file.change(self.now, change);
        Ok(())
    }

    fn settle(&mut self, sync: u64, are_kept: bool) -> Result<()> {
        let (node, begun) = self.syncs.remove(&sync).context("a sync that never began")?;
        match &mut self.nodes[node] {
            Node::File(file) => file.settle(begun, are_kept),
            Node::Folder(folder) if are_kept => folder.settle(begun, true),
            Node::Folder(_) => {}
        }
        Ok(())
    }

    /// The folder and the name that a path ends in.
    fn split(&self, path: &str) -> Result<(usize, String)> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = ROOT;
        for step in folders.split('/').filter(|step| !step.is_empty()) {
            at = self.names(at)?.get(step).copied().with_context(|| format!("no folder for {path}"))?;
        }
        Ok((at, name.to_owned()))
    }

    fn names(&self, node: usize) -> Result<&Names> {
        match &self.nodes[node] {
            Node::Folder(folder) => Ok(&folder.live),
            Node::File(_) => bail!("a file where a folder belongs"),
        }
    }

    fn name(&mut self, path: &str, node: Option<usize>) -> Result<()> {
        let (folder, name) = self.split(path)?;
        let change = match node {
            Some(node) => Rename { remove: None, set: Some((name, node)) },
            None => Rename { remove: Some(name), set: None },
        };
        self.change_folder(folder, change)
    }

    fn change_folder(&mut self, folder: usize, change: Rename) -> Result<()> {
        let Node::Folder(folder) = &mut self.nodes[folder] else { bail!("a file where a folder belongs") };
        folder.change(self.now, change);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let (from_folder, from_name) = self.split(from)?;
        let (to_folder, to_name) = self.split(to)?;
        let moved = self.names(from_folder)?.get(&from_name).copied().context("a rename of nothing")?;
        let set = Some((to_name, moved));
        if from_folder == to_folder {
            return self.change_folder(from_folder, Rename { remove: Some(from_name), set });
        }
        self.change_folder(to_folder, Rename { remove: None, set })?;
        self.change_folder(from_folder, Rename { remove: Some(from_name), set: None })
    }
}
