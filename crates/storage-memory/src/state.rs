//! What the store holds, and every question answered by looking at all there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use storage_api::{
    Candidate, Commit, Committed, Current, Guard, Head, HistoryPage, HistoryRequest, HistoryScope, Index,
    IndexGeneration, Interval, Key, Lost, Now, Order, Others, Place, Query, REFERRING_MAX, Record, Reference,
    RequestId, Scope, Seq, StoredVersion, Term, Timestamp, Value, VersionNumber, VersionSelector,
    VersionWrite, Write, WriteSet, matches,
};

/// The low 48 bits of a tag.
const TAG48: u64 = (1 << 48) - 1;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) resources: BTreeMap<Key, Resource>,
    /// All versions in commit order.
    commits: BTreeMap<Seq, Arc<StoredVersion>>,
    claims: BTreeMap<(Scope, Bytes), Claim>,
    pub(crate) newest: Seq,
    /// The highest place that was given to a resource.
    places: u64,
    stamped: Timestamp,
    index: Index,
}

/// A key that was ever written.
pub(crate) struct Resource {
    pub(crate) place: Place,
    /// The highest number that was purged.
    floor: VersionNumber,
    /// Oldest first.
    pub(crate) versions: Vec<Arc<StoredVersion>>,
    /// What each of them is found by; a deletion by nothing.
    pub(crate) terms: Vec<Arc<[Term]>>,
}

impl Resource {
    fn above(floor: VersionNumber, place: Place) -> Self {
        Self { place, floor, versions: Vec::new(), terms: Vec::new() }
    }

    /// What it is found by now.
    pub(crate) fn newest_terms(&self) -> &[Term] {
        self.terms.last().map_or(&[], |terms| &**terms)
    }

    /// Its newest version, unless that is a deletion.
    pub(crate) fn live(&self) -> Option<&Arc<StoredVersion>> {
        self.versions.last().filter(|newest| newest.body.is_some())
    }
}

struct Claim {
    seq: Seq,
    expires: Option<Timestamp>,
}

impl State {
    pub(crate) fn of_generation(generation: IndexGeneration) -> Self {
        Self { index: Index { generation, ..Index::default() }, ..Self::default() }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn read(&self, key: &Key) -> Record {
        let body = self.newest_of(key).and_then(|version| version.body.clone());
        Record { current: self.current(key), body }
    }

    pub(crate) fn read_version(&self, key: &Key, selector: VersionSelector) -> Option<StoredVersion> {
        let selected = |version: &&Arc<StoredVersion>| match selector {
            VersionSelector::Number(number) => version.version.number == number,
            VersionSelector::Tag48(tag) => version.version.tag.0 & TAG48 == tag,
        };
        self.versions_of(key).iter().rev().find(selected).map(|version| StoredVersion::clone(version))
    }

    pub(crate) fn history(&self, request: &HistoryRequest) -> HistoryPage {
        let mut found: Vec<&Arc<StoredVersion>> = match &request.scope {
            HistoryScope::Key(key) => self.versions_of(key).iter().collect(),
            HistoryScope::Kind(kind) => {
                self.commits.values().filter(|version| version.key.kind == *kind).collect()
            }
            HistoryScope::All => self.commits.values().collect(),
        };
        found.retain(|version| {
            request.since.is_none_or(|since| since <= version.at)
                && request.at.is_none_or(|span| self.was_newest_within(version, span))
                && request.after.is_none_or(|after| match request.order {
                    Order::Newest => version.seq < after,
                    Order::Oldest => version.seq > after,
                })
        });
        if request.order == Order::Newest {
            found.reverse();
        }
        let more = found.len() > request.limit;
        found.truncate(request.limit);
        let next = found.last().map(|version| version.seq).filter(|_| more);
        HistoryPage {
            versions: found.into_iter().map(|version| StoredVersion::clone(version)).collect(),
            next,
        }
    }

    /// Judges every guard, then writes everything or nothing.
    pub(crate) fn commit(&mut self, set: WriteSet, now: Timestamp) -> Commit {
        if set.index != self.index.generation {
            return Commit::StaleIndex(self.index.generation);
        }
        let at = now.max(self.stamped);
        let guards = set.guards.iter().enumerate();
        let lost: Vec<Lost> =
            guards.filter_map(|(guard, what)| self.judge(what, at).map(|now| Lost { guard, now })).collect();
        if !lost.is_empty() {
            return Commit::Lost(lost);
        }
        self.stamped = at;
        let mut claims = Vec::new();
        for write in set.writes {
            match write {
                Write::Version(version) => self.append(version, set.request, at),
                Write::Terms { key, terms } => self.replace_terms(&key, terms),
                Write::Purge(key) => self.purge(&key),
                Write::Claim { scope, value, expires } => claims.push(((scope, value), expires)),
                Write::Index(index) => self.index = index,
            }
        }
        // A claim is known by the place of the commit that made it, the last one of its set.
        let seq = self.newest;
        self.claims.extend(claims.into_iter().map(|(what, expires)| (what, Claim { seq, expires })));
        Commit::Committed(Committed { seq, at })
    }

    /// What a guard met, if it does not hold.
    fn judge(&self, guard: &Guard, at: Timestamp) -> Option<Now> {
        match guard {
            Guard::Head(key, wanted) => {
                let current = self.current(key);
                (!wanted.holds(&current)).then_some(Now::Head(current))
            }
            Guard::Matches(query, expected) => {
                let mut found = self.matching(query);
                let differs = found != *expected;
                found.truncate(expected.len() + 1);
                differs.then_some(Now::Matched(found))
            }
            Guard::Unclaimed(scope, value) => self
                .claims
                .get(&(*scope, value.clone()))
                .filter(|claim| claim.expires.is_none_or(|expires| at < expires))
                .map(|claim| Now::Claimed(claim.seq)),
            Guard::Unreferred { key, param } => {
                let referring = self.referring(key, param);
                (!referring.is_empty()).then_some(Now::Referred(referring))
            }
        }
    }

    /// Who refers to a key, itself apart. Only what is live has terms.
    fn referring(&self, key: &Key, param: &str) -> Vec<Key> {
        let refers = |term: &Term| {
            term.param == param
                && matches!(&term.value, Value::Reference(Reference::Local(target)) if target == key)
        };
        let others = self.resources.iter().filter(|(other, _)| *other != key);
        let referring = others.filter(|(_, resource)| resource.newest_terms().iter().any(refers));
        referring.map(|(other, _)| other.clone()).take(REFERRING_MAX).collect()
    }

    /// The live resources that match, sorted by key.
    pub(crate) fn found<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = (&'a Key, &'a Resource)> {
        self.resources.iter().filter(|(key, resource)| {
            resource.live().is_some_and(|newest| {
                let candidate = Candidate { key, at: newest.at, terms: resource.newest_terms() };
                matches(query, &candidate, self)
            })
        })
    }

    fn matching(&self, query: &Query) -> Vec<Key> {
        self.found(query).map(|(key, _)| key.clone()).collect()
    }

    fn append(&mut self, write: VersionWrite, request: RequestId, at: Timestamp) {
        self.newest = Seq(self.newest.0 + 1);
        let places = &mut self.places;
        let unused = || {
            *places += 1;
            Resource::above(VersionNumber::NONE, Place(*places))
        };
        let resource = self.resources.entry(write.key.clone()).or_insert_with(unused);
        let version = Arc::new(StoredVersion {
            key: write.key,
            version: write.next,
            seq: self.newest,
            at,
            previous_at: resource.versions.last().map(|previous| previous.at),
            method: write.method,
            request,
            body: write.body,
        });
        resource.terms.push(write.terms);
        resource.versions.push(Arc::clone(&version));
        self.commits.insert(version.seq, version);
    }

    /// A deleted resource is found by nothing, so it gets no terms.
    fn replace_terms(&mut self, key: &Key, terms: Vec<Term>) {
        if matches!(self.current(key), Current::Live(_))
            && let Some(newest) = self.resources.get_mut(key).and_then(|resource| resource.terms.last_mut())
        {
            *newest = terms.into();
        }
    }

    fn purge(&mut self, key: &Key) {
        let floor = self.current(key).number();
        let Some(resource) = self.resources.get_mut(key) else { return };
        let purged = std::mem::replace(resource, Resource::above(floor, resource.place));
        for version in purged.versions {
            self.commits.remove(&version.seq);
        }
    }

    fn current(&self, key: &Key) -> Current {
        let Some(newest) = self.newest_of(key) else {
            let floor = self.resources.get(key).map_or(VersionNumber::NONE, |resource| resource.floor);
            return Current::Absent { floor };
        };
        let head = Head { version: newest.version, at: newest.at, previous_at: newest.previous_at };
        if newest.body.is_some() { Current::Live(head) } else { Current::Deleted(head) }
    }

    fn versions_of(&self, key: &Key) -> &[Arc<StoredVersion>] {
        self.resources.get(key).map_or(&[], |resource| &resource.versions)
    }

    fn newest_of(&self, key: &Key) -> Option<&StoredVersion> {
        self.versions_of(key).last().map(AsRef::as_ref)
    }

    /// Whether some moment of `span` lies between a version's instant and the next one's.
    fn was_newest_within(&self, version: &StoredVersion, span: Interval) -> bool {
        let versions = self.versions_of(&version.key);
        let behind = versions.partition_point(|other| other.version.number <= version.version.number);
        let first = span.low.max(version.at);
        first <= span.high && versions.get(behind).is_none_or(|next| first < next.at)
    }
}

impl Others for State {
    fn one(&self, key: &Key, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        let Some((key, resource)) = self.resources.get_key_value(key) else { return false };
        resource
            .live()
            .is_some_and(|newest| passes(&Candidate { key, at: newest.at, terms: resource.newest_terms() }))
    }

    fn any(&self, kind: &str, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        let mut of_kind = self.resources.keys().filter(|key| key.kind == kind);
        of_kind.any(|key| self.one(key, passes))
    }
}
