//! What a disk holds after the power went: all that was synced, and a part of the rest.

use std::collections::BTreeMap;
use std::fmt;

use rand::RngExt;
use rand::rngs::StdRng;

use super::folder::Tree;
use super::model::{Apply, Change, Disk, Names, Node, ROOT};

/// Which part of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Survival {
    /// Nothing.
    Synced,
    /// Any set of whole writes, however they were ordered, and of each folder's changes the first few.
    Writes,
    /// Every sector of this many bytes as it was at some moment since the sync, each at its own; sizes and folders
    /// likewise.
    Sectors(usize),
    /// Everything: the process ended, the machine did not.
    Everything,
}

impl Survival {
    /// Each way to lose something.
    pub(crate) const LOSSES: [Self; 4] =
        [Self::Synced, Self::Writes, Self::Sectors(512), Self::Sectors(4096)];
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synced => f.write_str("only what was synced"),
            Self::Writes => f.write_str("a subset of the unsynced writes"),
            Self::Sectors(bytes) => write!(f, "unsynced writes torn at {bytes} bytes"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

impl Disk {
    /// What is found when the power is back.
    pub(crate) fn after_power_loss(&self, survival: Survival, random: &mut StdRng) -> Tree {
        let mut tree = Tree::default();
        self.collect(ROOT, "", survival, random, &mut tree);
        tree
    }

    /// What running processes see.
    pub(crate) fn live(&self) -> Tree {
        let mut tree = Tree::default();
        self.collect_live(ROOT, "", &mut tree);
        tree
    }

    /// Changes that are not durable.
    pub(crate) fn unsynced(&self) -> usize {
        let pending = |node: &Node| match node {
            Node::File(file) => file.pending.len(),
            Node::Folder(folder) => folder.pending.len(),
        };
        self.nodes.iter().map(pending).sum()
    }

    fn collect(&self, node: usize, path: &str, survival: Survival, random: &mut StdRng, tree: &mut Tree) {
        match &self.nodes[node] {
            Node::File(file) => {
                let changes: Vec<&Change> = file.pending.iter().map(|(_, change)| change).collect();
                tree.0.insert(path.to_owned(), Some(content(&file.durable, &changes, survival, random)));
            }
            Node::Folder(folder) => {
                if node != ROOT {
                    tree.0.insert(path.to_owned(), None);
                }
                let kept = match survival {
                    Survival::Synced => 0,
                    Survival::Writes | Survival::Sectors(_) => moment(folder.pending.len(), random),
                    Survival::Everything => folder.pending.len(),
                };
                let mut names: Names = folder.durable.clone();
                for (_, change) in &folder.pending[..kept] {
                    names.apply(change);
                }
                for (name, node) in names {
                    self.collect(node, &join(path, &name), survival, random, tree);
                }
            }
        }
    }

    fn collect_live(&self, node: usize, path: &str, tree: &mut Tree) {
        match &self.nodes[node] {
            Node::File(file) => {
                tree.0.insert(path.to_owned(), Some(file.live.clone()));
            }
            Node::Folder(folder) => {
                if node != ROOT {
                    tree.0.insert(path.to_owned(), None);
                }
                for (name, node) in &folder.live {
                    self.collect_live(*node, &join(path, name), tree);
                }
            }
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// How many of `changes` changes had arrived: often none or all, else any number.
fn moment(changes: usize, random: &mut StdRng) -> usize {
    match random.random_range(0..4) {
        0 => 0,
        1 => changes,
        _ => random.random_range(0..=changes),
    }
}

fn content(durable: &[u8], changes: &[&Change], survival: Survival, random: &mut StdRng) -> Vec<u8> {
    let mut content = durable.to_vec();
    match survival {
        Survival::Synced => {}
        Survival::Everything => changes.iter().for_each(|change| content.apply(change)),
        Survival::Writes => {
            let kept_of_ten = random.random_range(1..10);
            for change in changes {
                if random.random_range(0..10) < kept_of_ten {
                    content.apply(change);
                }
            }
        }
        Survival::Sectors(bytes) => content = torn(content, changes, bytes, random),
    }
    content
}

/// Every sector at a moment of its own.
fn torn(mut content: Vec<u8>, changes: &[&Change], sector_bytes: usize, random: &mut StdRng) -> Vec<u8> {
    let mut moments: BTreeMap<usize, usize> = BTreeMap::new();
    let mut arrived = |sector: usize, change: usize, random: &mut StdRng| {
        change < *moments.entry(sector).or_insert_with(|| moment(changes.len(), random))
    };
    let size_moment = moment(changes.len(), random);
    let mut size = content.len();
    let mut live_size = content.len();
    for (number, change) in changes.iter().enumerate() {
        match change {
            Change::Write { place, bytes } => {
                live_size = live_size.max(place + bytes.len());
                for (start, part) in sectors(*place, bytes, sector_bytes) {
                    if arrived(start / sector_bytes, number, random) {
                        content.apply(&Change::Write { place: start, bytes: part.to_vec() });
                    }
                }
            }
            Change::Size(new_size) => {
                live_size = *new_size;
                for sector in new_size / sector_bytes..content.len().div_ceil(sector_bytes) {
                    let from = (sector * sector_bytes).max(*new_size);
                    let to = ((sector + 1) * sector_bytes).min(content.len());
                    if arrived(sector, number, random) {
                        content[from..to].fill(0);
                    }
                }
            }
        }
        if number < size_moment {
            size = live_size;
        }
    }
    content.resize(size, 0);
    content
}

/// The parts of a write that lie in one sector each, with their places.
fn sectors(place: usize, bytes: &[u8], sector_bytes: usize) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    let mut start = place;
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = sector_bytes - start % sector_bytes;
        let (part, behind) = rest.split_at(room.min(rest.len()));
        parts.push((start, part));
        start += part.len();
        rest = behind;
    }
    parts
}
