//! Whether what clients were told fits one order of events.
//!
//! In general that is a search. Here the store names the order itself: every version has its
//! place in it. So each commit has a known position, every other operation must fit somewhere
//! between what had ended before it began and what began after it ended, and the earliest fit is
//! the best one. That takes time about linear in the number of events.

use std::collections::{BTreeMap, HashMap};

use storage_api::{
    Body, Commit, Current, Guard, Head, Key, Lost, Now, Record, RequestId, Seq, StoredVersion, Timestamp,
    VersionNumber, Write, WriteSet,
};

use crate::verdict::{Fault, Verdict, ensure, ensure_eq};
use crate::{Event, Operation, Recording};

/// Checks a recording without purges and claims.
///
/// Says what does not fit: a version that nobody wrote or that two wrote, a commit that is
/// missing or half there, one whose guards did not hold at its place, an answer that was not true
/// at any moment between question and answer.
pub fn check_linearizable(recording: &Recording) -> Verdict {
    let order = CommitOrder::of(&recording.versions)?;
    let timeline = Timeline::of(&order)?;
    check_commits(recording, &order, &timeline)?;
    check_real_time(recording, &order, &timeline)
}

/// Write sets in the order in which the store says they were committed.
struct CommitOrder<'a> {
    commits: Vec<Vec<&'a StoredVersion>>,
    places: HashMap<RequestId, usize>,
}

impl<'a> CommitOrder<'a> {
    fn of(versions: &'a [StoredVersion]) -> Result<Self, Fault> {
        let mut commits: Vec<Vec<&StoredVersion>> = Vec::new();
        let mut places = HashMap::new();
        for pair in versions.windows(2) {
            ensure!(pair[0].seq < pair[1].seq, "the history is out of order at {:?}", pair[1].seq);
            ensure!(pair[0].at <= pair[1].at, "stamps decrease at {:?}", pair[1].seq);
        }
        for version in versions {
            match commits.last_mut() {
                Some(last) if last.first().is_some_and(|first| first.request == version.request) => {
                    last.push(version);
                }
                _ => {
                    let before = places.insert(version.request, commits.len());
                    ensure!(before.is_none(), "{:?} was committed twice or in pieces", version.request);
                    commits.push(vec![version]);
                }
            }
        }
        Ok(Self { commits, places })
    }

    /// The newest place after the first `position` commits.
    fn newest_seq(&self, position: usize) -> Seq {
        let last = position.checked_sub(1).and_then(|last| self.commits.get(last));
        last.and_then(|commit| commit.last()).map_or(Seq(0), |version| version.seq)
    }
}

/// The states that keys went through.
struct Timeline {
    /// By key: from which position on it was what, beginning with nothing at 0.
    states: BTreeMap<Key, Vec<(usize, Record)>>,
}

impl Timeline {
    fn of(order: &CommitOrder<'_>) -> Result<Self, Fault> {
        let mut timeline = Self { states: BTreeMap::new() };
        for (place, commit) in order.commits.iter().enumerate() {
            for version in commit {
                timeline.append(place, version)?;
            }
        }
        Ok(timeline)
    }

    fn append(&mut self, place: usize, version: &StoredVersion) -> Verdict {
        let before = self.at(&version.key, place).current;
        let (number, expected) = (version.version.number, before.number().next());
        ensure_eq!(number, expected, "{} has a gap or a double in its versions", version.key);
        let previous_at: Option<Timestamp> = before.head().map(|head| head.at);
        ensure_eq!(version.previous_at, previous_at, "{} version {number}: previous stamp", version.key);
        let head = Head { version: version.version, at: version.at, previous_at };
        let current = if version.body.is_some() { Current::Live(head) } else { Current::Deleted(head) };
        let record = Record { current, body: version.body.clone() };
        self.states.entry(version.key.clone()).or_default().push((place + 1, record));
        Ok(())
    }

    /// What a key was after the first `position` commits.
    fn at(&self, key: &Key, position: usize) -> Record {
        let states = self.states.get(key).map_or(&[][..], Vec::as_slice);
        let behind = states.partition_point(|(since, _)| *since <= position);
        match behind.checked_sub(1).and_then(|last| states.get(last)) {
            Some((_, record)) => record.clone(),
            None => Record { current: Current::NEVER, body: None },
        }
    }

    fn holds(&self, guard: &Guard, position: usize) -> bool {
        match guard {
            Guard::Head(key, wanted) => wanted.holds(&self.at(key, position).current),
            // Recordings have none of them.
            Guard::Matches(..) | Guard::Unclaimed(..) | Guard::Unreferred { .. } => true,
        }
    }

    /// Whether exactly the guards in `lost` fail there, and meet what was reported.
    fn explains(&self, set: &WriteSet, lost: &[Lost], position: usize) -> bool {
        set.guards.iter().enumerate().all(|(index, guard)| {
            let reported = lost.iter().find(|lost| lost.guard == index);
            match (guard, reported) {
                (_, None) => self.holds(guard, position),
                (Guard::Head(key, _), Some(Lost { now: Now::Head(current), .. })) => {
                    !self.holds(guard, position) && self.at(key, position).current == *current
                }
                _ => false,
            }
        })
    }
}

/// Every acknowledged commit is in the order, whole; nothing else is.
fn check_commits(recording: &Recording, order: &CommitOrder<'_>, timeline: &Timeline) -> Verdict {
    let mut accounted = vec![false; order.commits.len()];
    for event in &recording.events {
        let Operation::Commit { set, outcome } = &event.operation else { continue };
        let place = order.places.get(&set.request).copied();
        let writes = !set.writes.is_empty();
        match (outcome, place) {
            (Commit::Committed(committed), Some(place)) => {
                ensure_eq!(committed.seq, order.newest_seq(place + 1), "{:?}: place", set.request);
                check_written(set, &order.commits[place], committed.at)?;
            }
            (Commit::Committed(_), None) => {
                ensure!(!writes, "{:?} was acknowledged and is not there", set.request);
            }
            (Commit::Unknown, _) | (_, None) => {}
            (Commit::Lost(_) | Commit::StaleIndex(_), Some(_)) => {
                return Err(Fault(format!("{:?} was refused and is there", set.request)));
            }
        }
        if let Some(place) = place {
            accounted[place] = true;
            let fails = set.guards.iter().find(|guard| !timeline.holds(guard, place));
            ensure!(fails.is_none(), "{:?} was committed although {fails:?} did not hold", set.request);
        }
    }
    let stray = accounted.iter().position(|accounted| !accounted).map(|place| &order.commits[place]);
    ensure!(stray.is_none(), "versions are there that nobody wrote: {stray:?}");
    Ok(())
}

fn check_written(set: &WriteSet, versions: &[&StoredVersion], at: Timestamp) -> Verdict {
    type Written = (Key, VersionNumber, Option<Body>);
    let asked: Vec<Written> = set
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::Version(version) => Some((version.key.clone(), version.next.number, version.body.clone())),
            _ => None,
        })
        .collect();
    let stored: Vec<Written> = versions
        .iter()
        .map(|version| (version.key.clone(), version.version.number, version.body.clone()))
        .collect();
    ensure_eq!(stored, asked, "{:?} wrote something else", set.request);
    ensure!(versions.iter().all(|version| version.at == at), "{:?} has several stamps", set.request);
    Ok(())
}

/// Gives every event the earliest position that explains it.
fn check_real_time(recording: &Recording, order: &CommitOrder<'_>, timeline: &Timeline) -> Verdict {
    let mut by_begin: Vec<&Event> = recording.events.iter().collect();
    by_begin.sort_by_key(|event| event.began);
    let mut by_end: Vec<(u64, usize)> =
        by_begin.iter().enumerate().map(|(index, event)| (event.ended, index)).collect();
    by_end.sort_unstable();
    let mut ended = by_end.into_iter().peekable();
    let mut positions: Vec<usize> = Vec::with_capacity(by_begin.len());
    let mut earliest = 0;
    for event in by_begin {
        // Whatever had ended before this began lies at or before this.
        while let Some((_, index)) = ended.next_if(|(ended, _)| *ended < event.began) {
            earliest = earliest.max(positions[index]);
        }
        let position = place_event(event, earliest, order, timeline)?;
        positions.push(position);
    }
    Ok(())
}

fn place_event(
    event: &Event,
    earliest: usize,
    order: &CommitOrder<'_>,
    timeline: &Timeline,
) -> Result<usize, Fault> {
    let mut positions = earliest..=order.commits.len();
    let found = match &event.operation {
        Operation::Read { key, record } => positions.find(|position| timeline.at(key, *position) == *record),
        Operation::Commit { set, outcome } => match (outcome, order.places.get(&set.request)) {
            (Commit::Unknown, _) => {
                // Its end is not known, so it orders nothing.
                return Ok(0);
            }
            (_, Some(place)) => (*place >= earliest).then_some(place + 1),
            (Commit::Committed(committed), None) => positions.find(|position| {
                committed.seq == order.newest_seq(*position)
                    && set.guards.iter().all(|guard| timeline.holds(guard, *position))
            }),
            (Commit::Lost(lost), None) => positions.find(|position| timeline.explains(set, lost, *position)),
            (Commit::StaleIndex(_), None) => Some(earliest),
        },
    };
    found.ok_or_else(|| {
        Fault(format!("no moment after the first {earliest} commits explains {:?}", event.operation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{absent, exactly, key, put};
    use storage_api::{Committed, IndexGeneration};

    /// The n-th version of one key, committed by request n.
    fn version(number: u64) -> StoredVersion {
        let write = put(&key("a"), number - 1, &number.to_string());
        StoredVersion {
            key: write.key,
            version: write.next,
            seq: Seq(number * 10),
            at: Timestamp(number.cast_signed()),
            previous_at: number
                .checked_sub(1)
                .filter(|before| *before > 0)
                .map(|n| Timestamp(n.cast_signed())),
            method: write.method,
            request: request(number),
            body: write.body,
        }
    }

    fn request(number: u64) -> RequestId {
        RequestId(u128::from(number).to_be_bytes())
    }

    fn state(number: u64) -> Record {
        let version = version(number);
        let head = Head { version: version.version, at: version.at, previous_at: version.previous_at };
        Record { current: Current::Live(head), body: version.body }
    }

    fn set(number: u64, before: u64) -> WriteSet {
        let guard = if before == 0 { absent(&key("a")) } else { exactly(&key("a"), before) };
        let writes = vec![Write::Version(put(&key("a"), before, &(before + 1).to_string()))];
        WriteSet { request: request(number), index: IndexGeneration(0), guards: vec![guard], writes }
    }

    fn write(began: u64, ended: u64, number: u64) -> Event {
        let committed = Committed { seq: Seq(number * 10), at: Timestamp(number.cast_signed()) };
        let outcome = Commit::Committed(committed);
        Event { began, ended, operation: Operation::Commit { set: set(number, number - 1), outcome } }
    }

    fn read(began: u64, ended: u64, record: Record) -> Event {
        Event { began, ended, operation: Operation::Read { key: key("a"), record } }
    }

    fn lost(began: u64, ended: u64, before: u64, now: u64) -> Event {
        let outcome = Commit::Lost(vec![Lost { guard: 0, now: Now::Head(state(now).current) }]);
        Event { began, ended, operation: Operation::Commit { set: set(99, before), outcome } }
    }

    fn check(events: Vec<Event>, versions: u64) -> bool {
        let versions = (1..=versions).map(version).collect();
        check_linearizable(&Recording { events, versions }).is_ok()
    }

    #[test]
    fn writes_one_after_the_other_fit() {
        assert!(check(vec![write(0, 1, 1), write(2, 3, 2), write(4, 5, 3)], 3));
        assert!(check(vec![write(0, 9, 1), write(1, 8, 2)], 2), "at the same time");
    }

    #[test]
    fn a_write_that_ended_before_another_began_comes_before_it() {
        assert!(!check(vec![write(2, 3, 1), write(0, 1, 2)], 2));
    }

    #[test]
    fn a_read_may_see_either_side_of_a_write_under_way_and_only_what_is_newer_afterwards() {
        let writes = || vec![write(0, 1, 1), write(2, 6, 2)];
        for seen in [1, 2] {
            assert!(check([writes(), vec![read(3, 4, state(seen))]].concat(), 2), "{seen} during the write");
        }
        assert!(check([writes(), vec![read(7, 8, state(2))]].concat(), 2));
        assert!(!check([writes(), vec![read(7, 8, state(1))]].concat(), 2), "stale");
        let back = vec![read(3, 4, state(2)), read(5, 6, state(1))];
        assert!(!check([writes(), back].concat(), 2), "back in time");
        let never = Record { current: Current::NEVER, body: None };
        assert!(!check([writes(), vec![read(3, 4, never)]].concat(), 2), "older than what had ended");
    }

    #[test]
    fn a_loser_was_told_what_was_there_at_some_moment_of_its_attempt() {
        let writes = || vec![write(0, 1, 1), write(2, 3, 2), write(4, 9, 3)];
        assert!(check([writes(), vec![lost(5, 6, 1, 2)]].concat(), 3));
        assert!(check([writes(), vec![lost(5, 6, 1, 3)]].concat(), 3));
        assert!(!check([writes(), vec![lost(5, 6, 1, 1)]].concat(), 3), "no longer there");
        assert!(!check([writes(), vec![lost(5, 6, 2, 2)]].concat(), 3), "the guard held");
    }

    #[test]
    fn acknowledged_writes_are_there_and_no_others_are() {
        assert!(!check(vec![write(0, 1, 1), write(2, 3, 2)], 1), "acknowledged and missing");
        assert!(!check(vec![write(0, 1, 1)], 2), "there and unknown");
        let refused = Commit::Lost(vec![Lost { guard: 0, now: Now::Head(Current::NEVER) }]);
        let refused =
            Event { began: 2, ended: 3, operation: Operation::Commit { set: set(2, 1), outcome: refused } };
        assert!(!check(vec![write(0, 1, 1), refused], 2), "refused and there");
        let unknown = |number| {
            let operation = Operation::Commit { set: set(number, number - 1), outcome: Commit::Unknown };
            Event { began: 2, ended: 3, operation }
        };
        assert!(check(vec![write(0, 1, 1), unknown(2)], 2), "unknown and there");
        assert!(check(vec![write(0, 1, 1), unknown(2)], 1), "unknown and not there");
        let event =
            Event { operation: Operation::Commit { set: set(2, 0), outcome: Commit::Unknown }, ..unknown(2) };
        assert!(!check(vec![write(0, 1, 1), event], 2), "its guard did not hold");
    }
}
