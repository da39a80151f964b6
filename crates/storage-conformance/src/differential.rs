//! Random operations on two stores that must answer alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use pollster::block_on;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use storage_api::{
    Commit, Committed, Current, Guard, HistoryRequest, HistoryScope, Index, Key, Lost, Now, Query, RequestId,
    SearchRequest, Seq, Store, StoreError, StoredVersion, VersionNumber, VersionSelector, Write, WriteSet,
};

use crate::bench::{all_pages, newest_first};
use crate::operations::{Operation, Piece, keys, operations};
use crate::verdict::{ensure, ensure_eq};
use crate::{Fault, Harness, Instance, ManualClock, Verdict};

/// Lets `cases` random runs loose on a store of each harness and compares every answer. The fault
/// tells the shortest run that was found to show it.
///
/// The second is the model: operations are planned on what it has, so that most of them succeed.
/// Places in the commit order may differ, if they differ consistently.
pub fn compare(subject: &dyn Harness, model: &dyn Harness, cases: u32) -> Verdict {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |steps: Vec<Operation>| {
        run_both(subject, model, &steps).map_err(|fault| TestCaseError::fail(fault.to_string()))
    };
    TestRunner::new(config).run(&operations(), run).map_err(|error| Fault(error.to_string()))
}

fn run_both(subject: &dyn Harness, model: &dyn Harness, steps: &[Operation]) -> Verdict {
    let mut pair = Pair { subject: Side::new(subject), model: Side::new(model), places: Places::default() };
    for (number, step) in steps.iter().enumerate() {
        let request = RequestId((number as u128 + 1).to_be_bytes());
        pair.step(step, request).map_err(|fault| Fault(format!("step {number}: {fault}")))?;
    }
    pair.compare_everything()
}

/// One of the two stores.
struct Side {
    instance: Box<dyn Instance>,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
}

impl Side {
    fn new(harness: &dyn Harness) -> Self {
        let clock = Arc::new(ManualClock::new());
        let instance = harness.fresh(clock.clone());
        let store = instance.store();
        Self { instance, store, clock }
    }

    fn current(&self, key: &Key) -> Result<Current, Fault> {
        Ok(block_on(self.store.read(key))?.current)
    }
}

/// Places of the model and the places of the subject that they stand for.
#[derive(Default)]
struct Places(BTreeMap<Seq, Seq>);

impl Places {
    /// Whether these can be the same place: each has one counterpart, in the same order.
    fn same(&mut self, model: Seq, subject: Seq) -> bool {
        if let Some(known) = self.0.get(&model) {
            return *known == subject;
        }
        let before = self.0.range(..model).next_back().is_none_or(|(_, before)| *before < subject);
        let behind = self.0.range(model..).next().is_none_or(|(_, behind)| subject < *behind);
        self.0.insert(model, subject);
        before && behind
    }

    fn of(&self, model: Seq) -> Seq {
        self.0.get(&model).copied().unwrap_or(model)
    }
}

struct Pair {
    subject: Side,
    model: Side,
    places: Places,
}

impl Pair {
    fn step(&mut self, step: &Operation, request: RequestId) -> Verdict {
        match step {
            Operation::Advance(micros) => {
                self.subject.clock.advance(*micros);
                self.model.clock.advance(*micros);
                Ok(())
            }
            Operation::Reopen => {
                // A model that keeps nothing simply goes on.
                if self.subject.instance.reopen() {
                    self.subject.store = self.subject.instance.store();
                }
                Ok(())
            }
            Operation::Commit(pieces) => {
                let set = self.plan(pieces, request)?;
                let model = block_on(self.model.store.commit(set.clone()));
                let subject = block_on(self.subject.store.commit(set.clone()));
                self.compare_outcomes(&set, &model, &subject)
            }
            Operation::History(request) => self.compare_pages(request),
            Operation::Search(query, limit) => self.compare_searches(query, *limit),
        }
    }

    /// Turns pieces into a write set for what the model has.
    fn plan(&self, pieces: &[Piece], request: RequestId) -> Result<WriteSet, Fault> {
        let (mut guards, mut writes) = (Vec::new(), Vec::new());
        for piece in pieces {
            let current = piece.key().map_or(Ok(Current::NEVER), |key| self.model.current(key))?;
            if let Piece::Index { begins, maker, backfill } = piece {
                let now = self.model.store.index_generation();
                writes.push(Write::Index(Index {
                    generation: if *begins { now.next() } else { now },
                    maker: vec![*maker].into(),
                    backfill: backfill.map(|backfill| vec![backfill].into()),
                }));
            } else if let Piece::Matches(query, guess) = piece {
                let mut found = self.matching(query)?;
                guess.spoil(&mut found);
                guards.push(Guard::Matches(query.clone(), found));
            } else {
                piece.plan(&current, &mut guards, &mut writes);
            }
        }
        Ok(WriteSet { request, index: self.model.store.index_generation(), guards, writes })
    }

    /// What the model finds, asked by a guess that is always wrong: nobody has that key.
    fn matching(&self, query: &Query) -> Result<Vec<Key>, Fault> {
        let guess: Vec<Key> = (0..keys().len()).map(|n| Key::new("Nobody", format!("{n}"))).collect();
        let set = WriteSet {
            request: RequestId([0xee; 16]),
            index: self.model.store.index_generation(),
            guards: vec![Guard::Matches(query.clone(), guess)],
            writes: Vec::new(),
        };
        match block_on(self.model.store.commit(set)) {
            Ok(Commit::Lost(lost)) => match lost.into_iter().next() {
                Some(Lost { now: Now::Matched(found), .. }) => Ok(found),
                other => Err(Fault(format!("the model meets {other:?} at a guard on a query"))),
            },
            other => Err(Fault(format!("the model ends a guard on a query as {other:?}"))),
        }
    }

    fn compare_outcomes(
        &mut self,
        set: &WriteSet,
        model: &Result<Commit, StoreError>,
        subject: &Result<Commit, StoreError>,
    ) -> Verdict {
        let alike = match (model, subject) {
            (Ok(Commit::Committed(model)), Ok(Commit::Committed(subject))) => {
                let Committed { seq, at } = *model;
                // Before the first version there is no place to be compared.
                at == subject.at && (seq == Seq(0) || self.places.same(seq, subject.seq))
            }
            (Ok(Commit::Lost(model)), Ok(Commit::Lost(subject))) => {
                model.len() == subject.len()
                    && model.iter().zip(subject).all(|(model, subject)| self.same_loss(set, model, subject))
            }
            (model, subject) => model == subject,
        };
        ensure!(alike, "{set:?} ends as {subject:?} instead of {model:?}");
        Ok(())
    }

    fn same_loss(&mut self, set: &WriteSet, model: &Lost, subject: &Lost) -> bool {
        if model.guard != subject.guard {
            return false;
        }
        match (&model.now, &subject.now) {
            (Now::Claimed(model), Now::Claimed(subject)) => {
                *model == Seq(0) || self.places.same(*model, *subject)
            }
            (Now::Matched(all), Now::Matched(found)) => {
                // Of more than were expected, which ones are reported is up to the store.
                let cut = matches!(
                    set.guards.get(model.guard),
                    Some(Guard::Matches(_, expected)) if all.len() > expected.len()
                );
                all == found || (cut && all.len() == found.len())
            }
            (model, subject) => model == subject,
        }
    }

    /// Both answer the same, page by page put together.
    fn compare_pages(&mut self, request: &HistoryRequest) -> Verdict {
        let mut of_subject = request.clone();
        of_subject.after = request.after.map(|after| self.places.of(after));
        let model = all_pages(&*self.model.store, request.clone())?;
        let subject = all_pages(&*self.subject.store, of_subject)?;
        self.compare_versions(&format!("{request:?}"), &model, &subject)
    }

    /// Both find the same, each resource once. The order is that of places, which differ.
    fn compare_searches(&self, query: &Query, limit: usize) -> Verdict {
        let found = |side: &Side| -> Result<Vec<(Key, VersionNumber)>, Fault> {
            let mut request = SearchRequest::of(query.clone(), limit);
            let mut found = Vec::new();
            loop {
                let page = block_on(side.store.search(&request))?;
                ensure!(page.found.len() <= limit, "a page of {limit} has {}", page.found.len());
                found.extend(page.found.into_iter().map(|version| (version.key, version.version.number)));
                request.after = page.next;
                if request.after.is_none() {
                    found.sort();
                    return Ok(found);
                }
            }
        };
        ensure_eq!(found(&self.subject)?, found(&self.model)?, "found by {query:?}");
        Ok(())
    }

    fn compare_everything(&mut self) -> Verdict {
        let index = |side: &Side| block_on(side.store.index());
        ensure_eq!(index(&self.subject)?, index(&self.model)?, "the index in the end");
        let mut scopes = vec![HistoryScope::All, HistoryScope::Kind("Flag".into())];
        for key in keys() {
            let record = |side: &Side| block_on(side.store.read(&key));
            ensure_eq!(record(&self.subject)?, record(&self.model)?, "{key} in the end");
            for number in 0..4 {
                let selector = VersionSelector::Number(VersionNumber::new(number));
                let version = |side: &Side| block_on(side.store.read_version(&key, selector));
                let (model, subject) = (version(&self.model)?, version(&self.subject)?);
                ensure_eq!(subject.is_some(), model.is_some(), "{key} version {number} in the end");
                self.compare_versions("a version", model.as_slice(), subject.as_slice())?;
            }
            scopes.push(HistoryScope::Key(key));
        }
        for scope in scopes {
            self.compare_pages(&newest_first(scope))?;
        }
        Ok(())
    }

    fn compare_versions(
        &mut self,
        what: &str,
        model: &[StoredVersion],
        subject: &[StoredVersion],
    ) -> Verdict {
        let places: Vec<bool> = model
            .iter()
            .zip(subject)
            .map(|(model, subject)| self.places.same(model.seq, subject.seq))
            .collect();
        ensure!(places.iter().all(|same| *same), "{what}: places differ, {subject:?} and {model:?}");
        let placeless = |versions: &[StoredVersion]| -> Vec<StoredVersion> {
            versions.iter().map(|version| StoredVersion { seq: Seq(0), ..version.clone() }).collect()
        };
        ensure_eq!(placeless(subject), placeless(model), "{what}");
        Ok(())
    }
}
