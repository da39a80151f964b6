//! Stores that are wrong on purpose. Each check has to notice the flaws that it is for before it
//! is believed about anything else.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compact_str::CompactString;
use pollster::block_on;
use storage_api::{
    Answer, Clock, Commit, Committed, Current, Guard, Head, HistoryPage, HistoryRequest, HistoryScope, Index,
    IndexGeneration, Key, Order, Record, RequestId, SearchPage, SearchRequest, Seq, Store, StoreError,
    StoredVersion, Timestamp, VersionNumber, VersionSelector, Write, WriteSet,
};

use crate::bench::{newest_first, pin};
use crate::{Harness, Instance};

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Commits whatever the guards say: the lost update itself.
    SkipsGuards,
    /// Of a lost write set, commits what its other guards allow.
    WritesPartially,
    /// Of a write set, commits the first write and acknowledges all.
    WritesFirstOnly,
    /// Acknowledges what it never wrote, every fourth time.
    LosesCommits,
    /// Says of a lost write set only the first guard that failed.
    ReportsFirstLossOnly,
    /// Commits what is not guarded at all.
    AcceptsUnguarded,
    /// Takes terms of any generation.
    IgnoresIndexGeneration,
    /// Does not look at guards on queries.
    IgnoresMatches,
    /// Does not carry out [`Write::Terms`].
    IgnoresNewTerms,
    /// Does not look at guards on who refers.
    IgnoresReferring,
    /// Does not keep what the index is made by.
    ForgetsIndex,
    /// Leaves the last resource of a page of a search out.
    SearchesShort,
    /// Passes over the order asked for.
    SortsByPlace,
    /// Sorts each page by the values of its moment.
    SortsByNow,
    /// Brings nothing along.
    IncludesNothing,
    /// Answers snapshots from what is there by then.
    MovesSnapshots,
    /// Does not keep claims.
    ForgetsClaims,
    /// Keeps claims for ever.
    NeverLapses,
    /// Stores another request id than the one it was given.
    ForgetsRequests,
    /// Reads the version before the newest.
    ServesStale,
    /// Reads one version whichever is asked for.
    ServesNewestVersion,
    /// Does not show deletions in histories.
    HidesTombstones,
    /// Gives histories from the wrong end.
    ReversesHistory,
    /// Does not look at `since`.
    IgnoresSince,
    /// Does not look at `at`.
    IgnoresAt,
    /// Puts one more on every page.
    OverfillsPages,
    /// Continues a page by counting what came before, so that writes shift it.
    PagesByOffset,
    /// Stamps backwards when its clock goes backwards.
    FollowsTheClock,
    /// Forgets after a purge which numbers were used.
    ForgetsFloors,
    /// Keeps answering after it was closed.
    AnswersWhenClosed,
    /// Has lost the newest resource after it was opened again.
    ForgetsOnReopening,
    /// Cuts contents at 64 kB.
    CutsBodies,
    /// Takes ids that differ in case for one.
    FoldsCase,
}

impl Flaw {
    /// Every flaw there is.
    pub const ALL: &'static [Self] = &[
        Self::SkipsGuards,
        Self::WritesPartially,
        Self::WritesFirstOnly,
        Self::LosesCommits,
        Self::ReportsFirstLossOnly,
        Self::AcceptsUnguarded,
        Self::IgnoresIndexGeneration,
        Self::IgnoresMatches,
        Self::IgnoresNewTerms,
        Self::IgnoresReferring,
        Self::ForgetsIndex,
        Self::SearchesShort,
        Self::SortsByPlace,
        Self::SortsByNow,
        Self::IncludesNothing,
        Self::MovesSnapshots,
        Self::ForgetsClaims,
        Self::NeverLapses,
        Self::ForgetsRequests,
        Self::ServesStale,
        Self::ServesNewestVersion,
        Self::HidesTombstones,
        Self::ReversesHistory,
        Self::IgnoresSince,
        Self::IgnoresAt,
        Self::OverfillsPages,
        Self::PagesByOffset,
        Self::FollowsTheClock,
        Self::ForgetsFloors,
        Self::AnswersWhenClosed,
        Self::ForgetsOnReopening,
        Self::CutsBodies,
        Self::FoldsCase,
    ];
}

/// A store with a flaw, over one without.
pub struct BrokenStore {
    inner: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    flaw: Flaw,
    memory: Mutex<Memory>,
}

/// What some flaws have to remember.
#[derive(Default)]
struct Memory {
    commits: usize,
    /// By the place a page ended with: how many versions came before.
    offsets: HashMap<Seq, usize>,
    stamps: HashMap<Seq, Timestamp>,
}

impl BrokenStore {
    /// Gives `inner`, which stamps with `clock`, a flaw.
    pub fn new(inner: Arc<dyn Store>, clock: Arc<dyn Clock>, flaw: Flaw) -> Self {
        Self { inner, clock, flaw, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, key: &Key) -> Key {
        match self.flaw {
            Flaw::FoldsCase => Key { kind: key.kind.clone(), id: lower(&key.id) },
            _ => key.clone(),
        }
    }

    fn flawed_read(&self, key: &Key) -> Result<Record, StoreError> {
        let mut record = block_on(self.inner.read(&self.key(key)))?;
        if let (Flaw::ForgetsFloors, Current::Absent { floor }) = (self.flaw, &mut record.current) {
            *floor = VersionNumber::NONE;
        }
        if self.flaw == Flaw::ServesStale {
            let request = newest_first(HistoryScope::Key(key.clone()));
            if let [_, before, ..] = &block_on(self.inner.history(&request))?.versions[..] {
                record = record_of(before);
            }
        }
        Ok(record)
    }

    fn flawed_history(&self, request: &HistoryRequest) -> Result<HistoryPage, StoreError> {
        let mut request = request.clone();
        match self.flaw {
            Flaw::ReversesHistory if request.order == Order::Newest => request.order = Order::Oldest,
            Flaw::ReversesHistory => request.order = Order::Newest,
            Flaw::IgnoresSince => request.since = None,
            Flaw::IgnoresAt => request.at = None,
            Flaw::OverfillsPages => request.limit += 1,
            Flaw::PagesByOffset => return self.page_by_offset(&request),
            _ => {}
        }
        let mut page = block_on(self.inner.history(&request))?;
        if self.flaw == Flaw::HidesTombstones {
            page.versions.retain(|version| version.body.is_some());
        }
        for version in &mut page.versions {
            self.restamp(version);
        }
        Ok(page)
    }

    fn page_by_offset(&self, request: &HistoryRequest) -> Result<HistoryPage, StoreError> {
        let before = request.after.and_then(|after| self.memory().offsets.get(&after).copied());
        let offset = before.unwrap_or_default();
        let limit = request.limit.saturating_add(offset);
        let mut page =
            block_on(self.inner.history(&HistoryRequest { after: None, limit, ..request.clone() }))?;
        page.versions.drain(..offset.min(page.versions.len()));
        if let Some(next) = page.next {
            self.memory().offsets.insert(next, limit);
        }
        Ok(page)
    }

    fn restamp(&self, version: &mut StoredVersion) {
        if let Some(stamp) = self.memory().stamps.get(&version.seq) {
            version.at = *stamp;
        }
    }

    fn flawed_commit(&self, mut set: WriteSet) -> Result<Commit, StoreError> {
        match self.flaw {
            Flaw::SkipsGuards => return self.force(set),
            Flaw::WritesPartially => return self.commit_partially(set),
            Flaw::LosesCommits => {
                let mut memory = self.memory();
                memory.commits += 1;
                if memory.commits.is_multiple_of(4) {
                    set.writes.clear();
                }
            }
            Flaw::WritesFirstOnly => set.writes.truncate(1),
            Flaw::IgnoresIndexGeneration => set.index = self.inner.index_generation(),
            Flaw::IgnoresMatches => {
                set.guards.retain(|guard| !matches!(guard, Guard::Matches(..)));
            }
            Flaw::IgnoresReferring => {
                set.guards.retain(|guard| !matches!(guard, Guard::Unreferred { .. }));
            }
            Flaw::ForgetsRequests => set.request = RequestId([0; 16]),
            _ => {}
        }
        set.writes.retain_mut(|write| self.alter(write));
        set.guards.iter_mut().for_each(|guard| self.alter_guard(guard));
        let outcome = block_on(self.inner.commit(set));
        match (self.flaw, outcome) {
            (Flaw::AcceptsUnguarded, Err(StoreError::Unguarded | StoreError::Unsorted)) => {
                Ok(Commit::Committed(Committed { seq: Seq(0), at: self.clock.now() }))
            }
            (Flaw::ReportsFirstLossOnly, Ok(Commit::Lost(mut lost))) => {
                lost.truncate(1);
                Ok(Commit::Lost(lost))
            }
            (Flaw::FollowsTheClock, Ok(Commit::Committed(committed))) => {
                let at = self.clock.now();
                self.memory().stamps.insert(committed.seq, at);
                Ok(Commit::Committed(Committed { at, ..committed }))
            }
            (_, outcome) => outcome,
        }
    }

    /// Spoils a write, or drops it.
    fn alter(&self, write: &mut Write) -> bool {
        match (self.flaw, write) {
            (Flaw::ForgetsClaims, Write::Claim { .. })
            | (Flaw::IgnoresNewTerms, Write::Terms { .. })
            | (Flaw::ForgetsIndex, Write::Index(_)) => false,
            (Flaw::NeverLapses, Write::Claim { expires, .. }) => {
                *expires = None;
                true
            }
            (Flaw::CutsBodies, Write::Version(version)) => {
                if let Some(body) = &mut version.body {
                    body.bytes.truncate(1 << 16);
                }
                true
            }
            (Flaw::FoldsCase, Write::Version(version)) => {
                version.key = self.key(&version.key);
                true
            }
            _ => true,
        }
    }

    fn alter_guard(&self, guard: &mut Guard) {
        if let Guard::Head(key, _) = guard {
            *key = self.key(key);
        }
    }

    /// Writes over whatever is there.
    fn force(&self, mut set: WriteSet) -> Result<Commit, StoreError> {
        loop {
            set.guards.clear();
            set.writes.retain(|write| !matches!(write, Write::Claim { .. }));
            for write in &mut set.writes {
                let (Write::Version(_) | Write::Purge(_) | Write::Terms { .. }) = write else { continue };
                let key = match write {
                    Write::Version(version) => version.key.clone(),
                    Write::Purge(key) | Write::Terms { key, .. } => key.clone(),
                    Write::Claim { .. } | Write::Index(_) => continue,
                };
                let current = block_on(self.inner.read(&key))?.current;
                if let Write::Version(version) = write {
                    version.next.number = current.number().next();
                }
                set.guards.push(pin(&key, &current));
            }
            match block_on(self.inner.commit(set.clone()))? {
                Commit::Lost(_) => {}
                outcome => return Ok(outcome),
            }
        }
    }

    fn commit_partially(&self, mut set: WriteSet) -> Result<Commit, StoreError> {
        let outcome = block_on(self.inner.commit(set.clone()))?;
        if let Commit::Lost(lost) = &outcome {
            let mut index = 0;
            set.guards.retain(|_| {
                index += 1;
                lost.iter().all(|lost| lost.guard + 1 != index)
            });
            let guarded =
                |key: &Key| set.guards.iter().any(|guard| matches!(guard, Guard::Head(k, _) if k == key));
            set.writes.retain(|write| matches!(write, Write::Version(version) if guarded(&version.key)));
            // What the rest does is not even looked at.
            let _ = block_on(self.inner.commit(set));
        }
        Ok(outcome)
    }
}

fn lower(id: &CompactString) -> CompactString {
    id.to_lowercase()
}

fn record_of(version: &StoredVersion) -> Record {
    let head = Head { version: version.version, at: version.at, previous_at: version.previous_at };
    let current = if version.body.is_some() { Current::Live(head) } else { Current::Deleted(head) };
    Record { current, body: version.body.clone() }
}

impl Store for BrokenStore {
    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(ready(self.flawed_read(key)))
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        let mut found = match self.flaw {
            Flaw::ServesNewestVersion => {
                let request = newest_first(HistoryScope::Key(key.clone()));
                block_on(self.inner.history(&request)).map(|page| page.versions.into_iter().next())
            }
            _ => block_on(self.inner.read_version(&self.key(key), version)),
        };
        if let Ok(Some(version)) = &mut found {
            self.restamp(version);
        }
        Box::pin(ready(found))
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        Box::pin(ready(self.flawed_history(request)))
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        let mut request = request.clone();
        match self.flaw {
            Flaw::SortsByPlace => request.order.clear(),
            Flaw::SortsByNow => {
                request.after.iter_mut().for_each(|mark| mark.began = Seq(i64::MAX.unsigned_abs()));
            }
            Flaw::IncludesNothing => request.includes.clear(),
            _ => {}
        }
        let mut found = block_on(self.inner.search(&request));
        if let (Flaw::SearchesShort, Ok(page)) = (self.flaw, &mut found) {
            page.found.pop();
        }
        Box::pin(ready(found))
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        match self.flaw {
            Flaw::MovesSnapshots => Box::pin(ready(Ok(Arc::clone(&self.inner)))),
            _ => self.inner.snapshot(),
        }
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        Box::pin(ready(self.flawed_commit(set)))
    }

    fn index_generation(&self) -> IndexGeneration {
        self.inner.index_generation()
    }

    fn index(&self) -> Answer<'_, Index> {
        self.inner.index()
    }

    fn close(&self) -> Answer<'static, ()> {
        match self.flaw {
            Flaw::AnswersWhenClosed => Box::pin(ready(Ok(()))),
            _ => self.inner.close(),
        }
    }
}

/// Stores with a flaw.
pub(crate) struct BrokenHarness<'a> {
    pub(crate) sound: &'a dyn Harness,
    pub(crate) flaw: Flaw,
}

struct BrokenInstance {
    sound: Box<dyn Instance>,
    clock: Arc<dyn Clock>,
    flaw: Flaw,
    store: Arc<dyn Store>,
}

impl Harness for BrokenHarness<'_> {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        let sound = self.sound.fresh(clock.clone());
        let store = Arc::new(BrokenStore::new(sound.store(), clock.clone(), self.flaw));
        Box::new(BrokenInstance { sound, clock, flaw: self.flaw, store })
    }
}

impl BrokenInstance {
    fn forget_newest(&self) -> Option<()> {
        let store = self.sound.store();
        let newest =
            block_on(store.history(&newest_first(HistoryScope::All))).ok()?.versions.into_iter().next()?;
        let current = block_on(store.read(&newest.key)).ok()?.current;
        let set = WriteSet {
            request: RequestId([0xff; 16]),
            index: store.index_generation(),
            guards: vec![pin(&newest.key, &current)],
            writes: vec![Write::Purge(newest.key)],
        };
        block_on(store.commit(set)).ok().map(drop)
    }
}

impl Instance for BrokenInstance {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn reopen(&mut self) -> bool {
        let kept = self.sound.reopen();
        if self.flaw == Flaw::ForgetsOnReopening && kept {
            self.forget_newest();
        }
        self.store = Arc::new(BrokenStore::new(self.sound.store(), self.clock.clone(), self.flaw));
        kept
    }
}
