//! The state before a transaction with the transaction's own writes on top, as a store.
//!
//! Whatever writes to the store writes to an overlay in the same way, so an entry is decided by the code that
//! decides a single request. Everything that is read through the overlay is remembered as a guard on what lies below:
//! a head for each key, the keys found for each query. What comes out is one write set: it commits exactly if
//! nothing that any entry looked at has changed meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use storage_api::{
    Answer, Candidate, Clause, Commit, Committed, Condition, Current, Guard, HeadGuard, HistoryPage,
    HistoryRequest, Index, IndexGeneration, Key, Lost, Method, Now, Others, Query, Record, RequestId, Scope,
    SearchPage, SearchRequest, Seq, Store, StoreError, StoredVersion, Timestamp, VersionSelector,
    VersionToken, VersionWrite, Write, WriteSet, matches,
};
use versioning_core::Head;

use crate::found_by::FoundBy;

/// What finds more below an overlay cannot be written by: a commit compares all that it found.
const FOUND_MAX: usize = 1000;

/// The low 48 bits of a tag.
const TAG48: u64 = (1 << 48) - 1;

/// A resource that was written twice, which one commit cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twice(pub Key);

/// A store on which a transaction is tried out. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Overlay(Arc<Inner>);

struct Inner {
    below: Arc<dyn Store>,
    /// The time of versions that are not committed yet.
    now: Timestamp,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    /// What is below, as it was when it was first looked at.
    below: BTreeMap<Key, Record>,
    /// What must hold of keys below.
    heads: BTreeMap<Key, HeadGuard>,
    /// Keys that must exist below, each with the first that refers to it.
    live: BTreeMap<Key, Option<Key>>,
    /// What queries find below.
    matched: HashMap<Query, Vec<Key>>,
    /// Guards that are taken over as they are.
    others: Vec<Guard>,
    claimed: BTreeSet<(Scope, Bytes)>,
    claims: Vec<Write>,
    written: BTreeMap<Key, Written>,
    /// What `written` is found by, from the first query on.
    found_by: Option<FoundBy>,
    /// The generation of what was written first.
    index: Option<IndexGeneration>,
    twice: Option<Key>,
    /// Keys that were written and not asked for yet.
    fresh: Vec<Key>,
}

/// What a query finds below.
struct Below {
    found: Vec<StoredVersion>,
    is_all: bool,
}

/// A version that is not committed yet.
#[derive(Clone)]
struct Written {
    version: VersionWrite,
    previous_at: Option<Timestamp>,
}

impl Written {
    fn current(&self, now: Timestamp) -> Current {
        let head = Head { version: self.version.next, at: now, previous_at: self.previous_at };
        if self.version.method == Method::Delete { Current::Deleted(head) } else { Current::Live(head) }
    }

    fn record(&self, now: Timestamp) -> Record {
        Record { current: self.current(now), body: self.version.body.clone() }
    }
}

impl State {
    /// A key as the transaction sees it, as far as it has been looked at.
    fn current(&self, key: &Key, now: Timestamp) -> Option<Current> {
        let written = self.written.get(key).map(|written| written.current(now));
        written.or_else(|| self.below.get(key).map(|record| record.current))
    }

    /// Remembers what is below a key.
    fn seen(&mut self, key: &Key, record: Record) {
        let guard = match record.current {
            Current::Absent { floor } => HeadGuard::Absent { floor },
            Current::Live(head) | Current::Deleted(head) => HeadGuard::Exactly(head.version.number),
        };
        self.heads.entry(key.clone()).or_insert(guard);
        self.below.entry(key.clone()).or_insert(record);
    }

    /// Makes the index of what is written, once a query asks for it: most transactions have none.
    fn index_written(&mut self) {
        if self.found_by.is_some() {
            return;
        }
        let mut found_by = FoundBy::default();
        for (key, written) in &self.written {
            found_by.add(key, &written.version.terms);
        }
        self.found_by = Some(found_by);
    }

    /// The version that the transaction writes, if it is the one that is asked for.
    fn own_version(&self, key: &Key, asked: VersionSelector, now: Timestamp) -> Option<StoredVersion> {
        let written = self.written.get(key)?;
        let is_asked = match asked {
            VersionSelector::Number(number) => number == written.version.next.number,
            VersionSelector::Tag48(tag) => tag == written.version.next.tag.0 & TAG48,
        };
        is_asked.then(|| stored(key, &written.version, now))
    }

    /// The resources of the transaction that match.
    fn own_matches(&self, query: &Query, now: Timestamp) -> Vec<StoredVersion> {
        let fits = |(key, written): &(&Key, &Written)| {
            let candidate = Candidate { key, at: now, terms: &written.version.terms };
            written.version.method != Method::Delete && matches(query, &candidate, &Own { state: self, now })
        };
        let own = |(key, written): (&Key, &Written)| stored(key, &written.version, now);
        if let Some(keys) = self.found_by.as_ref().and_then(|found_by| found_by.candidates(query)) {
            let found = keys.iter().filter_map(|key| self.written.get_key_value(key));
            return found.filter(fits).map(own).collect();
        }
        let first = Key::new(query.kind.clone(), "");
        let of_kind = self.written.range(first..).take_while(|(key, _)| key.kind == query.kind);
        of_kind.filter(fits).map(own).collect()
    }

    /// `by` is what the set writes first.
    fn judge(&mut self, place: usize, guard: &Guard, by: Option<&Key>, now: Timestamp) -> Option<Lost> {
        match guard {
            // What is referred to may be written by a later entry: this is judged when all are written.
            Guard::Head(key, HeadGuard::Live) => {
                self.live.entry(key.clone()).or_insert_with(|| by.cloned());
                None
            }
            Guard::Head(key, wanted) => match self.current(key, now) {
                Some(current) if wanted.holds(&current) => None,
                Some(current) => Some(Lost { guard: place, now: Now::Head(current) }),
                None => {
                    self.heads.insert(key.clone(), *wanted);
                    None
                }
            },
            Guard::Matches(query, expected) => {
                self.index_written();
                let found = self.found(query, now);
                (found != *expected).then_some(Lost { guard: place, now: Now::Matched(found) })
            }
            Guard::Unclaimed(scope, value) => {
                if self.claimed.contains(&(*scope, value.clone())) {
                    return Some(Lost { guard: place, now: Now::Claimed(Seq::default()) });
                }
                self.others.push(guard.clone());
                None
            }
            Guard::Unreferred { .. } => {
                self.others.push(guard.clone());
                None
            }
        }
    }

    /// The keys that match, of a query that was asked below before.
    fn found(&self, query: &Query, now: Timestamp) -> Vec<Key> {
        let below = self.matched.get(query).map(Vec::as_slice);
        let below = below.unwrap_or_default().iter().filter(|key| !self.written.contains_key(*key)).cloned();
        let own = self.own_matches(query, now).into_iter().map(|version| version.key);
        let found: BTreeSet<Key> = below.chain(own).collect();
        found.into_iter().collect()
    }

    fn apply(&mut self, write: Write) -> Result<(), StoreError> {
        match write {
            Write::Version(version) => {
                self.fresh.push(version.key.clone());
                if self.written.contains_key(&version.key) {
                    self.twice = Some(version.key.clone());
                    return Ok(());
                }
                let previous_at =
                    self.below.get(&version.key).and_then(|record| record.current.head().map(|head| head.at));
                if let Some(found_by) = &mut self.found_by {
                    found_by.add(&version.key, &version.terms);
                }
                self.written.insert(version.key.clone(), Written { version, previous_at });
                Ok(())
            }
            Write::Claim { scope, value, expires } => {
                self.claimed.insert((scope, value.clone()));
                self.claims.push(Write::Claim { scope, value, expires });
                Ok(())
            }
            // What a request writes has none of these.
            Write::Terms { .. } | Write::Purge(_) | Write::Index(_) => Err(StoreError::Unguarded),
        }
    }
}

/// The resources of the transaction, for queries that follow references.
struct Own<'a> {
    state: &'a State,
    now: Timestamp,
}

impl Own<'_> {
    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        let live = self.state.written.iter().filter(|(_, written)| written.version.method != Method::Delete);
        live.map(|(key, written)| Candidate { key, at: self.now, terms: &written.version.terms })
    }
}

impl Others for Own<'_> {
    fn one(&self, key: &Key, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.candidates().any(|candidate| candidate.key == key && passes(&candidate))
    }

    fn any(&self, kind: &str, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.candidates().any(|candidate| candidate.key.kind == kind && passes(&candidate))
    }
}

/// Whether what a query finds depends on other resources than those it finds.
fn follows_references(query: &Query) -> bool {
    fn follows(condition: &Condition) -> bool {
        condition.any.iter().any(|clause| match clause {
            Clause::Refers { .. } | Clause::Referred { .. } => true,
            Clause::All(conditions) | Clause::Part { conditions, .. } => conditions.iter().any(follows),
            Clause::Term { .. } | Clause::Id(_) | Clause::Updated(_) => false,
        })
    }
    query.conditions.iter().any(follows)
}

fn stored(key: &Key, version: &VersionWrite, now: Timestamp) -> StoredVersion {
    StoredVersion {
        key: key.clone(),
        version: version.next,
        seq: Seq::default(),
        at: now,
        previous_at: None,
        method: version.method,
        request: RequestId([0; 16]),
        body: version.body.clone(),
    }
}

impl Overlay {
    /// Nothing written yet. Versions carry the time `now` until they are committed.
    pub fn new(below: Arc<dyn Store>, now: Timestamp) -> Self {
        Self(Arc::new(Inner { below, now, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource that was written twice, if one was.
    pub fn twice(&self) -> Option<Twice> {
        self.state().twice.clone().map(Twice)
    }

    /// The keys that were written since this was asked for the last time, also those that were written already.
    pub fn take_fresh(&self) -> Vec<Key> {
        std::mem::take(&mut self.state().fresh)
    }

    /// Resources that must exist, and that the transaction deletes or does not find.
    pub fn missing(&self) -> Vec<Key> {
        let state = self.state();
        let gone = |key: &&Key| !matches!(state.current(key, self.0.now), None | Some(Current::Live(_)));
        state.live.keys().filter(gone).cloned().collect()
    }

    /// The resource of the transaction that refers to a key and wants it to exist.
    pub fn referring(&self, key: &Key) -> Option<Key> {
        self.state().live.get(key).cloned().flatten()
    }

    /// The version that the transaction gives a resource, if it writes it.
    pub fn version(&self, key: &Key) -> Option<VersionToken> {
        self.state().written.get(key).map(|written| written.version.next)
    }

    /// Takes all of it as one write set, sorted by key, of the generation that its terms were made with. What is left
    /// knows who refers to what must exist below.
    pub fn take_write_set(&self, request: RequestId) -> WriteSet {
        let mut state = self.state();
        let all = std::mem::take(&mut *state);
        // A head that is pinned, or that the transaction writes, needs no second guard.
        state.live = all.live.into_iter().filter(|(key, _)| !all.heads.contains_key(key)).collect();
        let live: Vec<Guard> =
            state.live.keys().map(|key| Guard::Head(key.clone(), HeadGuard::Live)).collect();
        drop(state);
        let index = all.index.unwrap_or_else(|| self.0.below.index_generation());
        let heads = all.heads.into_iter().map(|(key, guard)| Guard::Head(key, guard));
        let matched = all.matched.into_iter().map(|(query, keys)| Guard::Matches(query, keys));
        let guards = heads.chain(live).chain(matched).chain(all.others).collect();
        let versions = all.written.into_values().map(|written| Write::Version(written.version));
        WriteSet { request, index, guards, writes: versions.chain(all.claims).collect() }
    }

    async fn read_below(&self, key: &Key) -> Result<Record, StoreError> {
        {
            let state = self.state();
            if let Some(written) = state.written.get(key) {
                return Ok(written.record(self.0.now));
            }
            if let Some(record) = state.below.get(key) {
                return Ok(record.clone());
            }
        }
        let record = self.0.below.read(key).await?;
        self.state().seen(key, record.clone());
        Ok(record)
    }

    /// What a query finds below, remembered with everything that it depends on. What finds too much is not remembered,
    /// and gives a part.
    async fn search_below(&self, query: &Query) -> Result<Below, StoreError> {
        if follows_references(query) && !self.state().written.is_empty() {
            // The state in between exists nowhere: neither below nor here.
            return Err(StoreError::TooCostly);
        }
        let mut found: Vec<StoredVersion> = Vec::new();
        let mut request = SearchRequest::of(query.clone(), 100);
        loop {
            let page = self.0.below.search(&request).await?;
            found.extend(page.found);
            if found.len() > FOUND_MAX {
                return Ok(Below { found, is_all: false });
            }
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        let keys: BTreeSet<Key> = found.iter().map(|version| version.key.clone()).collect();
        let mut state = self.state();
        state.matched.entry(query.clone()).or_insert_with(|| keys.into_iter().collect());
        Ok(Below { found, is_all: true })
    }

    async fn commit_here(self, set: WriteSet) -> Result<Commit, StoreError> {
        let generation = self.0.below.index_generation();
        if set.index != generation {
            return Ok(Commit::StaleIndex(generation));
        }
        for guard in &set.guards {
            if let Guard::Matches(query, _) = guard
                && !self.state().matched.contains_key(query)
            {
                let below = self.search_below(query).await?;
                if !below.is_all {
                    return Err(StoreError::TooCostly);
                }
            }
        }
        let now = self.0.now;
        let mut state = self.state();
        let by = set.writes.iter().find_map(|write| match write {
            Write::Version(version) => Some(&version.key),
            _ => None,
        });
        let guards = set.guards.iter().enumerate();
        let lost: Vec<Lost> =
            guards.filter_map(|(place, guard)| state.judge(place, guard, by, now)).collect();
        if !lost.is_empty() {
            return Ok(Commit::Lost(lost));
        }
        // If another generation begins between two entries, the store refuses both.
        state.index.get_or_insert(set.index);
        for write in set.writes {
            state.apply(write)?;
        }
        Ok(Commit::Committed(Committed { seq: Seq::default(), at: now }))
    }
}

impl Store for Overlay {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(self.read_below(key))
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        let own = self.state().own_version(key, version, self.0.now);
        match own {
            Some(own) => Box::pin(async { Ok(Some(own)) }),
            None => self.0.below.read_version(key, version),
        }
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        self.0.below.history(request)
    }

    /// All that match on one page: what is below and not written, then what is written.
    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        Box::pin(async move {
            if request.after.is_some() {
                return Ok(SearchPage::default());
            }
            let mut found = Vec::new();
            for query in &request.queries {
                let below = self.search_below(query).await?;
                let mut state = self.state();
                state.index_written();
                let start = found.len();
                let kept = |version: &StoredVersion| !state.written.contains_key(&version.key);
                found.extend(below.found.into_iter().filter(kept));
                found.extend(state.own_matches(query, self.0.now));
                // Of a part no more is certain than that there are several.
                if !below.is_all && found.len() < start + 2 {
                    return Err(StoreError::TooCostly);
                }
            }
            let total = request.total.then_some(found.len() as u64);
            Ok(SearchPage { found, total, ..SearchPage::default() })
        })
    }

    /// An overlay of its own, over a snapshot of what lies below.
    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async move {
            let (below, now) = (self.0.below.snapshot().await?, self.0.now);
            let state = Mutex::new(self.state().clone());
            let snapshot: Arc<dyn Store> = Arc::new(Self(Arc::new(Inner { below, now, state })));
            Ok(snapshot)
        })
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        Box::pin(self.clone().commit_here(set))
    }

    fn index_generation(&self) -> IndexGeneration {
        self.0.below.index_generation()
    }

    fn index(&self) -> Answer<'_, Index> {
        self.0.below.index()
    }

    fn close(&self) -> Answer<'static, ()> {
        Box::pin(async { Ok(()) })
    }
}
