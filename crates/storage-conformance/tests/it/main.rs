//! The kit looked at with the store in memory.

use std::collections::HashSet;
use std::sync::Arc;

use storage_api::{Clock, Store};
use storage_conformance::{BrokenStore, CHECKS, Flaw, Harness, Instance};
use storage_memory::MemoryStore;

struct Memory;
struct Open(Arc<MemoryStore>);

impl Harness for Memory {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        Box::new(Open(Arc::new(MemoryStore::new(clock))))
    }
}

impl Instance for Open {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

#[test]
fn the_store_in_memory_passes_and_its_broken_kin_do_not() {
    if let Err(faults) = storage_conformance::run(&Memory) {
        panic!("{faults:#?}");
    }
}

#[test]
fn every_flaw_is_noticed_by_some_check() {
    let noticed: HashSet<Flaw> = CHECKS.iter().flat_map(|check| check.notices.iter().copied()).collect();
    let missed: Vec<_> = Flaw::ALL.iter().filter(|flaw| !noticed.contains(flaw)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_store_answers_like_itself() {
    storage_conformance::compare(&Memory, &Memory, 100).unwrap();
}

/// A store with a flaw that single commits show.
struct Broken(Flaw);
struct BrokenOpen(Arc<dyn Store>);

impl Harness for Broken {
    fn fresh(&self, clock: Arc<dyn Clock>) -> Box<dyn Instance> {
        let inner = Arc::new(MemoryStore::new(clock.clone()));
        Box::new(BrokenOpen(Arc::new(BrokenStore::new(inner, clock, self.0))))
    }
}

impl Instance for BrokenOpen {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

#[test]
fn random_runs_find_broken_stores() {
    let flaws = [
        Flaw::SkipsGuards,
        Flaw::WritesPartially,
        Flaw::WritesFirstOnly,
        Flaw::LosesCommits,
        Flaw::ReportsFirstLossOnly,
        Flaw::AcceptsUnguarded,
        Flaw::IgnoresMatches,
        Flaw::IgnoresNewTerms,
        Flaw::ForgetsClaims,
        Flaw::NeverLapses,
        Flaw::ForgetsRequests,
        Flaw::ServesStale,
        Flaw::ServesNewestVersion,
        Flaw::HidesTombstones,
        Flaw::ReversesHistory,
        Flaw::IgnoresSince,
        Flaw::IgnoresAt,
        Flaw::OverfillsPages,
        Flaw::FollowsTheClock,
        Flaw::ForgetsFloors,
    ];
    for flaw in flaws {
        let found = storage_conformance::compare(&Broken(flaw), &Memory, 300);
        assert!(found.is_err(), "{flaw:?} was not found");
    }
}
