//! A transaction that is tried out on an overlay commits exactly if trying it out once more would come to the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use storage_api::{
    Body, Clause, Clock, Coding, CodingTest, Commit, Condition, Current, Guard, HeadGuard, Key, Method,
    Query, RequestId, SearchRequest, Store, SystemTest, Term, Test, Timestamp, Value, VersionNumber,
    VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_memory::MemoryStore;
use transaction_engine::Overlay;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(1_527_264_590_000_000)
    }
}

/// Something that is done to a store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Read(u8),
    /// For resources with this code.
    Search(u8),
    /// Gives a resource this code.
    Put(u8, u8),
    Delete(u8),
}

/// What a step tells.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    /// Whether it is live, and its version.
    Head(bool, u64),
    Keys(BTreeSet<String>),
    Nothing,
}

fn step() -> impl Strategy<Value = Step> {
    let (key, code) = (|| 0..4_u8, || 0..2_u8);
    prop_oneof![
        2 => key().prop_map(Step::Read),
        2 => code().prop_map(Step::Search),
        3 => (key(), code()).prop_map(|(key, code)| Step::Put(key, code)),
        1 => key().prop_map(Step::Delete)
    ]
}

fn key(number: u8) -> Key {
    Key::new("Flag", format!("f{number}"))
}

fn query(code: u8) -> Query {
    let test = Test::Token(CodingTest { code: Some(code.to_string().into()), system: SystemTest::Any });
    let clause = Clause::Term { param: "code".into(), test };
    Query { kind: "Flag".into(), conditions: vec![Condition::any(vec![clause])] }
}

fn number(current: Current) -> (bool, u64) {
    match current {
        Current::Absent { floor } => (false, floor.get()),
        Current::Live(head) => (true, head.version.number.get()),
        Current::Deleted(head) => (false, head.version.number.get()),
    }
}

/// One version more of a resource, or nothing where a deletion has nothing to delete.
fn write(current: Current, number: u8, code: Option<u8>) -> Option<WriteSet> {
    let (is_live, last) = self::number(current);
    if code.is_none() && !is_live {
        return None;
    }
    let guard = match current {
        Current::Absent { floor } => HeadGuard::Absent { floor },
        Current::Live(head) | Current::Deleted(head) => HeadGuard::Exactly(head.version.number),
    };
    let term =
        |code: u8| Term::new("code", Value::Token(Coding { code: code.to_string().into(), system: None }));
    let version = VersionWrite {
        key: key(number),
        next: VersionToken { number: VersionNumber::new(last + 1), tag: VersionTag(last) },
        method: if code.is_some() { Method::Put } else { Method::Delete },
        body: code.map(|code| Body { bytes: vec![code].into(), splice: 0 }),
        terms: code.map(term).into_iter().collect(),
    };
    Some(WriteSet {
        request: RequestId([1; 16]),
        index: storage_api::IndexGeneration::default(),
        guards: vec![Guard::Head(key(number), guard)],
        writes: vec![Write::Version(version)],
    })
}

/// Carries out steps, and says what they told. A resource is written once.
fn carry_out(store: &dyn Store, steps: &[Step]) -> Vec<Seen> {
    pollster::block_on(async {
        let mut written = BTreeSet::new();
        let mut seen = Vec::new();
        for step in steps {
            seen.push(match *step {
                Step::Read(number) => {
                    let (is_live, version) = self::number(store.read(&key(number)).await.unwrap().current);
                    Seen::Head(is_live, version)
                }
                Step::Search(code) => {
                    let page = store.search(&SearchRequest::of(query(code), 100)).await.unwrap();
                    Seen::Keys(page.found.iter().map(|found| found.key.to_string()).collect())
                }
                Step::Put(number, _) | Step::Delete(number) if !written.insert(number) => Seen::Nothing,
                Step::Put(number, _) | Step::Delete(number) => {
                    let code = if let Step::Put(_, code) = *step { Some(code) } else { None };
                    let current = store.read(&key(number)).await.unwrap().current;
                    let (is_live, version) = self::number(current);
                    if let Some(set) = write(current, number, code) {
                        let commit = store.commit(set).await.unwrap();
                        assert!(matches!(commit, Commit::Committed(_)), "{commit:?}");
                    }
                    Seen::Head(is_live, version)
                }
            });
        }
        seen
    })
}

fn try_out(store: &Arc<dyn Store>, steps: &[Step]) -> (Vec<Seen>, WriteSet) {
    let overlay = Overlay::new(store.clone(), Noon.now());
    let seen = carry_out(&overlay, steps);
    assert_eq!(overlay.twice(), None);
    (seen, overlay.take_write_set(RequestId([2; 16])))
}

/// Every resource and every search.
fn all() -> Vec<Step> {
    (0..4).map(Step::Read).chain((0..2).map(Step::Search)).collect()
}

proptest! {
    /// Others write between the trial and the commit. It commits exactly if that changed nothing that the trial saw,
    /// and leaves what carrying it out alone at that moment would have left.
    #[test]
    fn a_trial_commits_exactly_if_it_would_go_the_same_way_again(
        before in vec(step(), 0..6),
        steps in vec(step(), 0..6),
        meanwhile in vec(step(), 0..3),
    ) {
        let [store, alone]: [Arc<dyn Store>; 2] =
            [(); 2].map(|()| Arc::new(MemoryStore::new(Arc::new(Noon))) as Arc<dyn Store>);
        for store in [&store, &alone] {
            carry_out(&**store, &before);
        }
        let untouched = carry_out(&*store, &all());
        let (seen, set) = try_out(&store, &steps);
        prop_assert_eq!(carry_out(&*store, &all()), untouched, "a trial changes nothing");
        for store in [&store, &alone] {
            carry_out(&**store, &meanwhile);
        }
        let changed = carry_out(&*store, &all());
        let (again, _) = try_out(&store, &steps);
        match pollster::block_on(store.commit(set)).unwrap() {
            Commit::Committed(_) => {
                prop_assert_eq!(&seen, &again, "something that was seen has changed");
                prop_assert_eq!(carry_out(&*alone, &steps), seen, "the overlay shows what a store would");
                prop_assert_eq!(carry_out(&*store, &all()), carry_out(&*alone, &all()));
            }
            Commit::Lost(_) => {
                prop_assert_ne!(seen, again, "lost without a reason");
                prop_assert_eq!(carry_out(&*store, &all()), changed, "nothing was written");
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
