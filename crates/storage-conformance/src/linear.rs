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
            Guard::Matches(..) | Guard::Unclaimed(..) => true,
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
