//! In which order entries are carried out, and what their resources are called.

use std::borrow::Cow;
use std::collections::HashMap;

use storage_api::Key;

use crate::entry::{Entry, EntryError, Method};
use crate::links::spelled_once;
use crate::target::Target;

/// When an entry is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// DELETE
    Delete,
    /// POST
    Create,
    /// PUT and PATCH
    Update,
    /// GET and HEAD of a resource: part of what the commit compares.
    Read,
    /// Searches, histories, old versions and statements: they cannot fail on the state of a resource that the
    /// transaction writes, and are answered right after the commit, from one moment.
    Look,
}

/// The entries of a transaction in the order in which they are carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In the order in which they were sent.
    entries: Vec<Entry>,
    /// Places of entries.
    order: Vec<usize>,
}

/// Why entries cannot be one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Entries cannot be read: at least one, all of them in their order.
    Entries(Vec<EntryError>),
    /// Two entries write one resource.
    SameResource {
        /// The resource.
        key: Key,
        /// Their places.
        entries: [usize; 2],
    },
    /// Two entries have the same fullUrl, so references to it mean either.
    SameFullUrl {
        /// The URL.
        full_url: String,
        /// Their places.
        entries: [usize; 2],
    },
}

impl Plan {
    /// Orders the entries, and checks what needs no look at what is stored.
    pub fn new(entries: Vec<Result<Entry, EntryError>>) -> Result<Self, PlanError> {
        if entries.iter().any(Result::is_err) {
            return Err(PlanError::Entries(entries.into_iter().filter_map(Result::err).collect()));
        }
        // In place: there may be a hundred thousand of them.
        let entries: Vec<Entry> = entries.into_iter().filter_map(Result::ok).collect();
        check_written(entries.iter().filter(|entry| !entry.method.is_safe()).filter_map(|entry| {
            match &entry.target {
                Target::Instance(key) => Some((key, entry.index)),
                _ => None,
            }
        }))?;
        let mut named: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for entry in entries.iter().filter(|entry| !entry.method.is_safe()) {
            let Some(full_url) = &entry.full_url else { continue };
            if let Some(first) = named.insert(spelled_once(full_url), entry.index) {
                let full_url = full_url.chars().take(200).collect();
                return Err(PlanError::SameFullUrl { full_url, entries: [first, entry.index] });
            }
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|place| entries.get(*place).map(Entry::phase));
        Ok(Self { entries, order })
    }

    /// The entries as they were sent.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of some phases, in the order in which they are carried out.
    pub fn in_phases(&self, phases: &[Phase]) -> impl Iterator<Item = &Entry> {
        let ordered = self.order.iter().filter_map(|place| self.entries.get(*place));
        ordered.filter(move |entry| phases.contains(&entry.phase()))
    }
}

/// Checks that no resource is written twice. Each key comes with the place of the entry that writes it.
pub(crate) fn check_written<'a>(written: impl Iterator<Item = (&'a Key, usize)>) -> Result<(), PlanError> {
    let mut seen: HashMap<&Key, usize> = HashMap::new();
    for (key, index) in written {
        if let Some(first) = seen.insert(key, index) {
            return Err(PlanError::SameResource { key: key.clone(), entries: [first, index] });
        }
    }
    Ok(())
}

impl Entry {
    /// When it is carried out.
    pub fn phase(&self) -> Phase {
        match (self.method, &self.target) {
            (Method::Delete, _) => Phase::Delete,
            (Method::Post, _) => Phase::Create,
            (Method::Put | Method::Patch, _) => Phase::Update,
            (Method::Get | Method::Head, Target::Instance(_)) => Phase::Read,
            (Method::Get | Method::Head, _) => Phase::Look,
        }
    }
}
