//! Several clients at once over a store that compares and swaps: every order in which their
//! looks, loads and commits can happen, for every small set of clients. Each drives a real
//! [`Attempt`](versioning_core::Attempt).

mod fold;
mod state;
mod world;

use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};

use versioning_core::{Current, IdenticalUpdate, LockPolicy, VersionNumber};

use fold::Fold;
use state::{Broken, State, Turn};
use world::{Fault, Kind, World, head};

/// What an exploration that found nothing wrong has seen.
#[derive(Debug, Default)]
struct Explored {
    worlds: u64,
    states: u64,
    endings: BTreeSet<(Kind, &'static str)>,
}

/// Depth-first search through every state that the clients of `world` can reach. A state is
/// remembered by 64 bits of its hash: of a million states, two share one once in 30 million runs.
fn explore(world: &World) -> Result<Explored, String> {
    let mut search = Search { world, visited: HashSet::new(), path: Vec::new(), endings: BTreeSet::new() };
    match search.visit(&State::start(world)) {
        Ok(()) => Ok(Explored { worlds: 1, states: search.visited.len() as u64, endings: search.endings }),
        Err(broken) => Err(format!("{broken}\nafter {:?}\nin {world:?}", search.path)),
    }
}

struct Search<'w> {
    world: &'w World,
    visited: HashSet<u64>,
    path: Vec<Turn>,
    endings: BTreeSet<(Kind, &'static str)>,
}

impl<'w> Search<'w> {
    fn visit(&mut self, state: &State<'w>) -> Result<(), Broken> {
        let mut hasher = Fold::default();
        state.hash(&mut hasher);
        if !self.visited.insert(hasher.finish()) {
            return Ok(());
        }
        let next = state.turns(self.world)?;
        if next.is_empty() {
            self.endings.extend(self.world.kinds.iter().copied().zip(state.endings()));
            return state.check_end(self.world);
        }
        for (turn, state) in next {
            self.path.push(turn);
            self.visit(&state)?;
            self.path.pop();
        }
        Ok(())
    }
}

fn starts() -> [Current; 3] {
    let first = head(VersionNumber::FIRST, Current::NEVER);
    let second = head(VersionNumber::new(2), Current::Live(first));
    [Current::NEVER, Current::Live(second), Current::Deleted(second)]
}

/// Every multiset of `size` kinds.
fn crowds(size: usize) -> Vec<Vec<Kind>> {
    let mut crowds = vec![Vec::new()];
    for _ in 0..size {
        let longer = crowds.iter().flat_map(|crowd: &Vec<Kind>| {
            let least = crowd.last().copied();
            Kind::ALL.into_iter().filter(move |kind| Some(*kind) >= least).map(|kind| {
                let mut longer = crowd.clone();
                longer.push(kind);
                longer
            })
        });
        crowds = longer.collect();
    }
    crowds
}

fn fhir(retries_max: u16) -> LockPolicy {
    LockPolicy { retries_max, ..LockPolicy::fhir() }
}

fn spine(retries_max: u16) -> LockPolicy {
    LockPolicy { retries_max, ..LockPolicy::spine() }
}

fn explore_all(crowds: &[Vec<Kind>], policies: &[LockPolicy], lost_replies_max: u8) -> Explored {
    let mut explored = Explored::default();
    for crowd in crowds {
        for policy in policies {
            for start in starts() {
                let world = World::new(crowd, start, *policy).with_lost_replies(lost_replies_max);
                let one = explore(&world).unwrap_or_else(|broken| panic!("{broken}"));
                explored.worlds += one.worlds;
                explored.states += one.states;
                explored.endings.extend(one.endings);
            }
        }
    }
    println!(
        "{} worlds of {} clients, {lost_replies_max} lost replies: {} states",
        explored.worlds,
        crowds.first().map_or(0, Vec::len),
        explored.states
    );
    explored
}

/// Whether the explorer notices the fault, in any crowd of this size.
fn is_noticed(fault: Fault, size: usize, lost_replies_max: u8) -> Option<String> {
    // A second write of the same content would otherwise be kept, and so do no harm.
    let policy = LockPolicy { identical: IdenticalUpdate::NewVersion, ..fhir(1) };
    crowds(size).iter().flat_map(|crowd| starts().map(|start| (crowd, start))).find_map(|(crowd, start)| {
        let world = World::new(crowd, start, policy).with_lost_replies(lost_replies_max).with_fault(fault);
        explore(&world).err()
    })
}

#[track_caller]
fn check_noticed(fault: Fault, size: usize, lost_replies_max: u8, words: &str) {
    assert_eq!(is_noticed(Fault::None, size, lost_replies_max), None);
    let broken = is_noticed(fault, size, lost_replies_max).expect("the fault is noticed");
    assert!(broken.contains(words), "{broken}");
}

/// The positive controls: without them, an explorer that finds nothing says nothing.
#[test]
fn built_in_faults_are_noticed() {
    check_noticed(Fault::GuardIgnored, 2, 0, "follows version");
    check_noticed(Fault::GuardOfOlderLoad, 2, 0, "lost although nobody else won");
    check_noticed(Fault::ContentOfOlderLoad, 2, 0, "overwrote an update it never saw");
    check_noticed(Fault::LossNotDecided, 2, 0, "hears Refused(Contended");
    check_noticed(Fault::UnknownRetried, 1, 1, "wrote twice");
    check_noticed(Fault::PurgedRetried, 2, 1, "wrote twice");
}

#[test]
fn two_clients() {
    let policies = [fhir(0), fhir(1), fhir(2), spine(0), spine(1), spine(2)];
    explore_all(&crowds(2), &policies, 2);
}

#[test]
fn three_clients() {
    explore_all(&crowds(3), &[fhir(0), fhir(1), fhir(2), spine(1)], 0);
}

/// Every ending that a client may have is also reached, and no other.
#[test]
fn three_clients_and_a_lost_reply() {
    let explored = explore_all(&crowds(3), &[fhir(0), fhir(1)], 1);
    let endings = |kind: Kind| {
        let of_kind = explored.endings.iter().filter(|(ended, _)| *ended == kind);
        of_kind.map(|(_, ending)| *ending).collect::<Vec<_>>().join(" ")
    };
    let found = Kind::ALL.map(endings);
    let expected = Kind::ALL.map(|kind| match kind {
        Kind::BlindPut => "contended unknown written",
        Kind::ReadPut | Kind::ReadDelete => "left nothing-to-match stale unknown written",
        Kind::DatedPut => "left modified-since nothing-to-match unknown written",
        Kind::AnyPut => "contended nothing-to-match unknown written",
        Kind::CreateOnce => "contended exists unknown written",
        Kind::Create => "contended id-taken unknown written",
        Kind::Patch => "contended gone not-found unknown written",
        Kind::Delete => "contended kept unknown written",
        Kind::Purge => "left",
    });
    assert_eq!(found, expected);
}

#[test]
fn four_clients() {
    explore_all(&crowds(4), &[fhir(1)], 0);
}

#[test]
fn four_clients_and_a_lost_reply() {
    use Kind::{BlindPut, Create, CreateOnce, DatedPut, Delete, Patch, Purge, ReadDelete, ReadPut};
    let crowds = [
        vec![ReadPut; 4],
        vec![Patch; 4],
        vec![BlindPut, ReadPut, Patch, Purge],
        vec![BlindPut, DatedPut, Delete, Purge],
        vec![ReadPut, ReadDelete, CreateOnce, Patch],
        vec![CreateOnce, CreateOnce, Create, Delete],
    ];
    explore_all(&crowds, &[fhir(2)], 1);
}
