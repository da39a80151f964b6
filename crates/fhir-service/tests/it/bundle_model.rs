//! What a transaction comes to, said plainly: its entries one after the other on a map, all or none.

use std::collections::{BTreeMap, BTreeSet};

/// A resource, as an entry names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// By one of a few ids.
    Id(u8),
    /// By one of a few identifiers.
    Identifier(u8),
}

/// `ifMatch`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    Any,
    Version(u64),
}

/// Another resource, as a resource names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    None,
    /// The resource of the entry at this place, by its fullUrl.
    Entry(usize),
    Id(u8),
    Identifier(u8),
}

/// What an entry sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) identifier: Option<u8>,
    pub(crate) is_active: bool,
    pub(crate) link: Link,
}

/// An entry of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Delete(Name, Tag),
    /// With `ifNoneExist`, or not.
    Create(Option<u8>, Sent),
    Update(Name, Tag, Sent),
    Read(u8),
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) identifier: Option<u8>,
    pub(crate) is_active: bool,
    /// The reference, if there is one.
    pub(crate) link: Option<String>,
}

/// A resource that was written at least once. Deleted, it has no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    pub(crate) content: Option<Content>,
}

/// All resources by what the model calls them.
pub(crate) type State = BTreeMap<String, Stored>;

/// The answer to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Of which resource, where the answer tells.
    pub(crate) id: Option<String>,
    /// Its version, where the entry shows one.
    pub(crate) version: Option<u64>,
}

/// What the model calls the resources with the few ids.
pub(crate) fn named(id: u8) -> String {
    format!("id-{id}")
}

/// The state afterwards and the answers; or the statuses of all that is wrong.
pub(crate) fn transact(
    before: &State,
    name: &str,
    entries: &[Entry],
) -> Result<(State, Vec<Answered>), BTreeSet<u16>> {
    // What references mean depends on everything that is written, but nothing that is found depends on references.
    let mut first = Run::new(before, name, entries);
    first.run();
    let mut second = Run::new(before, name, entries);
    second.links = first.resolved();
    second.wrong = first.link_faults();
    second.run();
    if second.wrong.is_empty() {
        let answers = second.answers.into_iter().map(Option::unwrap).collect();
        Ok((second.state, answers))
    } else {
        Err(second.wrong)
    }
}

struct Run<'a> {
    name: &'a str,
    entries: &'a [Entry],
    state: State,
    /// The resource of each entry, and what entries delete or update.
    keys: BTreeMap<usize, String>,
    claimed: BTreeSet<String>,
    written: BTreeSet<String>,
    /// What the links of entries are.
    links: BTreeMap<usize, Option<String>>,
    answers: Vec<Option<Answered>>,
    wrong: BTreeSet<u16>,
}

impl<'a> Run<'a> {
    fn new(before: &State, name: &'a str, entries: &'a [Entry]) -> Self {
        Self {
            name,
            entries,
            state: before.clone(),
            keys: BTreeMap::new(),
            claimed: BTreeSet::new(),
            written: BTreeSet::new(),
            links: BTreeMap::new(),
            answers: vec![None; entries.len()],
            wrong: BTreeSet::new(),
        }
    }

    fn run(&mut self) {
        let phase = |entry: &Entry| match entry {
            Entry::Delete(..) => 0,
            Entry::Create(..) => 1,
            Entry::Update(..) => 2,
            Entry::Read(_) => 3,
        };
        for now in 0..4 {
            if now == 1 {
                self.check_overlap();
            }
            for (place, entry) in self.entries.iter().enumerate().filter(|(_, entry)| phase(entry) == now) {
                match self.carry_out(place, entry) {
                    Ok(answered) => self.answers[place] = Some(answered),
                    Err(status) => {
                        self.wrong.insert(status);
                    }
                }
            }
        }
    }

    fn matches(&self, identifier: u8) -> Vec<String> {
        let fits = |stored: &Stored| {
            stored.content.as_ref().is_some_and(|content| content.identifier == Some(identifier))
        };
        self.state.iter().filter(|(_, stored)| fits(stored)).map(|(id, _)| id.clone()).collect()
    }

    /// What criteria of updates find before anything is created or updated is theirs already: no other entry may
    /// delete or update it, in whatever order they stand.
    fn check_overlap(&mut self) {
        let mut claimed = self.claimed.clone();
        for entry in self.entries {
            let Entry::Update(name, ..) = entry else { continue };
            let target = match name {
                Name::Id(id) => Some(named(*id)),
                Name::Identifier(identifier) => match &self.matches(*identifier)[..] {
                    [one] => Some(one.clone()),
                    _ => None,
                },
            };
            if target.is_some_and(|target| !claimed.insert(target)) {
                self.wrong.insert(400);
            }
        }
    }

    /// The resource that a deletion or an update is about.
    fn target(&mut self, name: Name, tag: Tag) -> Result<Option<String>, u16> {
        let target = match name {
            Name::Id(id) => named(id),
            Name::Identifier(identifier) => match &self.matches(identifier)[..] {
                [] if tag == Tag::None => return Ok(None),
                [one] => one.clone(),
                _ => return Err(412),
            },
        };
        let is_first = self.claimed.insert(target.clone());
        let stored = self.state.get(&target);
        let holds = match tag {
            Tag::None => true,
            Tag::Any => stored.is_some_and(|stored| stored.content.is_some()),
            Tag::Version(version) => stored.is_some_and(|stored| stored.version == version),
        };
        if !is_first {
            self.wrong.insert(400);
        }
        match holds {
            true if is_first => Ok(Some(target)),
            true => Err(400),
            false => Err(412),
        }
    }

    fn carry_out(&mut self, place: usize, entry: &Entry) -> Result<Answered, u16> {
        match *entry {
            Entry::Delete(name, tag) => {
                let target = self.target(name, tag)?;
                if let Some(id) = target
                    && self.state.get(&id).is_some_and(|stored| stored.content.is_some())
                {
                    self.write(&id, None);
                }
                Ok(Answered { status: 204, id: None, version: None })
            }
            Entry::Create(criterion, sent) => match criterion.map(|criterion| self.matches(criterion)) {
                Some(found) if found.len() > 1 => Err(412),
                Some(found) if found.len() == 1 => {
                    let id = found[0].clone();
                    self.keys.insert(place, id.clone());
                    let version = self.state.get(&id).map(|stored| stored.version);
                    Ok(Answered { status: 200, id: Some(id), version })
                }
                _ => Ok(self.create(place, &sent)),
            },
            Entry::Update(name, tag, sent) => {
                let Some(id) = self.target(name, tag)? else {
                    let created = self.create(place, &sent);
                    self.claimed.extend(created.id.clone());
                    return Ok(created);
                };
                self.keys.insert(place, id.clone());
                let content = Some(self.content(place, &sent));
                let current = self.state.get(&id);
                let is_live = current.is_some_and(|stored| stored.content.is_some());
                if is_live && current.is_some_and(|stored| stored.content == content) {
                    let version = current.map(|stored| stored.version);
                    return Ok(Answered { status: 200, id: None, version });
                }
                if self.written.contains(&id) {
                    return Err(400);
                }
                let version = self.write(&id, content);
                let (status, shown) = if is_live { (200, None) } else { (201, Some(id)) };
                Ok(Answered { status, id: shown, version: Some(version) })
            }
            Entry::Read(id) => match self.state.get(&named(id)) {
                None => Err(404),
                Some(Stored { content: None, .. }) => Err(410),
                Some(stored) => Ok(Answered { status: 200, id: None, version: Some(stored.version) }),
            },
        }
    }

    fn create(&mut self, place: usize, sent: &Sent) -> Answered {
        let id = format!("{}-{place}", self.name);
        self.keys.insert(place, id.clone());
        let content = self.content(place, sent);
        let version = self.write(&id, Some(content));
        Answered { status: 201, id: Some(id), version: Some(version) }
    }

    fn write(&mut self, id: &str, content: Option<Content>) -> u64 {
        let version = self.state.get(id).map_or(0, |stored| stored.version) + 1;
        self.state.insert(id.to_owned(), Stored { version, content });
        self.written.insert(id.to_owned());
        version
    }

    fn content(&self, place: usize, sent: &Sent) -> Content {
        let link = self.links.get(&place).cloned().unwrap_or_default();
        Content { identifier: sent.identifier, is_active: sent.is_active, link }
    }

    fn sent(&self) -> impl Iterator<Item = (usize, Link)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| match entry {
            Entry::Create(_, sent) | Entry::Update(_, _, sent) => Some((place, sent.link)),
            Entry::Delete(..) | Entry::Read(_) => None,
        })
    }

    /// What every link is, now that all is written.
    fn resolved(&self) -> BTreeMap<usize, Option<String>> {
        let resolved = self.sent().map(|(place, link)| {
            let reference = match link {
                Link::None => None,
                Link::Entry(other) => Some(match self.keys.get(&other) {
                    Some(id) => format!("Patient/{id}"),
                    None => format!("urn:uuid:{other}"),
                }),
                Link::Id(id) => Some(format!("Patient/{}", named(id))),
                Link::Identifier(identifier) => {
                    self.matches(identifier).first().map(|id| format!("Patient/{id}"))
                }
            };
            (place, reference)
        });
        resolved.collect()
    }

    /// Conditional references that do not mean exactly one resource.
    fn link_faults(&self) -> BTreeSet<u16> {
        let faults = self.sent().filter_map(|(_, link)| match link {
            Link::Identifier(identifier) => match self.matches(identifier).len() {
                0 => Some(400),
                1 => None,
                _ => Some(412),
            },
            _ => None,
        });
        faults.collect()
    }
}
