//! Compare and swap: which guard holds of which state.

use storage_api::{Commit, Current, Guard, HeadGuard, HistoryScope, Key, Lost, Now, VersionNumber, Write};

use crate::bench::{Bench, absent, exactly, key, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A way for a key to come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Never,
    Created,
    Updated,
    Deleted,
    Restored,
    Purged,
    PurgedTombstone,
    CreatedAfterPurge,
}

const STORIES: [Story; 8] = [
    Story::Never,
    Story::Created,
    Story::Updated,
    Story::Deleted,
    Story::Restored,
    Story::Purged,
    Story::PurgedTombstone,
    Story::CreatedAfterPurge,
];

impl Story {
    /// Lets it happen, and says the highest number, and whether the key is absent or live.
    fn tell(self, bench: &Bench, key: &Key) -> Result<(u64, bool, bool), Fault> {
        let steps: &[&str] = match self {
            Self::Never => &[],
            Self::Created => &["put"],
            Self::Updated => &["put", "put"],
            Self::Deleted => &["put", "delete"],
            Self::Restored => &["put", "delete", "put"],
            Self::Purged => &["put", "put", "purge"],
            Self::PurgedTombstone => &["put", "delete", "purge"],
            Self::CreatedAfterPurge => &["put", "put", "purge", "put"],
        };
        for step in steps {
            bench.clock.advance(1_000);
            match *step {
                "put" => bench.put(key, step)?,
                "delete" => bench.delete(key)?,
                _ => bench.purge(key)?,
            };
        }
        let number = steps.iter().filter(|step| **step != "purge").count() as u64;
        let last = steps.last().copied().unwrap_or("purge");
        Ok((number, last == "purge", last == "put"))
    }
}

fn guards_to_try() -> Vec<HeadGuard> {
    let numbers = (0..5).map(VersionNumber::new);
    let absent = numbers.clone().map(|floor| HeadGuard::Absent { floor });
    absent.chain(numbers.map(HeadGuard::Exactly)).chain([HeadGuard::Live]).collect()
}

/// Whether a guard holds, told from the story alone.
fn should_hold(guard: HeadGuard, number: u64, is_absent: bool, is_live: bool) -> bool {
    match guard {
        HeadGuard::Absent { floor } => is_absent && floor.get() == number,
        HeadGuard::Exactly(wanted) => !is_absent && wanted.get() == number,
        HeadGuard::Live => is_live,
    }
}

/// One line of the truth table.
struct Trial {
    key: Key,
    story: Story,
    guard: HeadGuard,
    number: u64,
}

/// Every guard on every state, alone and with the write that it allows. Guards that hold come
/// first, so that a store which refuses everything does not pass.
pub(super) fn truth_table(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let mut failing = Vec::new();
    for (row, story) in STORIES.into_iter().enumerate() {
        for (column, guard) in guards_to_try().into_iter().enumerate() {
            let key = key(&format!("{row}-{column}"));
            let (number, is_absent, is_live) = story.tell(&bench, &key)?;
            let trial = Trial { key, story, guard, number };
            if should_hold(guard, number, is_absent, is_live) {
                trial.must_hold(&bench)?;
            } else {
                failing.push(trial);
            }
        }
    }
    failing.iter().try_for_each(|trial| trial.must_fail(&bench))
}

impl Trial {
    /// The write that the guard allows, if it is one that pins a number.
    fn write(&self) -> Option<Write> {
        let before = match self.guard {
            HeadGuard::Absent { floor } => floor,
            HeadGuard::Exactly(number) => number,
            HeadGuard::Live => return None,
        };
        Some(Write::Version(put(&self.key, before.get(), "next")))
    }

    fn guard(&self) -> Vec<Guard> {
        vec![Guard::Head(self.key.clone(), self.guard)]
    }

    fn must_hold(&self, bench: &Bench) -> Verdict {
        let what = format!("{:?} holds on {:?}", self.guard, self.story);
        let found = bench.read(&self.key)?;
        let alone = bench.commit(self.guard(), vec![])?;
        ensure!(matches!(alone, Commit::Committed(_)), "{what}, but ended as {alone:?}");
        ensure_eq!(bench.read(&self.key)?, found, "{what}: state after a guard without a write");
        let Some(write) = self.write() else { return Ok(()) };
        let written = bench.commit(self.guard(), vec![write])?;
        ensure!(matches!(written, Commit::Committed(_)), "{what}, but a write ended as {written:?}");
        ensure_eq!(bench.current(&self.key)?.number().get(), self.number + 1, "{what}: number written");
        Ok(())
    }

    fn must_fail(&self, bench: &Bench) -> Verdict {
        let what = format!("{:?} does not hold on {:?}", self.guard, self.story);
        let found = bench.read(&self.key)?;
        let lost = Commit::Lost(vec![Lost { guard: 0, now: Now::Head(found.current) }]);
        ensure_eq!(bench.commit(self.guard(), vec![])?, lost, "{what}: outcome");
        if let Some(write) = self.write() {
            ensure_eq!(bench.commit(self.guard(), vec![write])?, lost, "{what}: outcome of a write");
        }
        ensure_eq!(bench.read(&self.key)?, found, "{what}: state afterwards");
        Ok(())
    }
}

/// A lost write set names each guard that failed, in order, with what it met.
pub(super) fn all_losses_are_reported(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let [here, gone, never] = [key("here"), key("gone"), key("never")];
    bench.put(&here, "1")?;
    bench.put(&gone, "1")?;
    bench.delete(&gone)?;
    let live = |key: &Key| Guard::Head(key.clone(), HeadGuard::Live);
    let guards = vec![
        live(&here),
        live(&gone),
        exactly(&here, 2),
        exactly(&gone, 2),
        exactly(&never, 1),
        absent(&never),
        absent(&here),
    ];
    let failing = [(1, &gone), (2, &here), (4, &never), (6, &here)];
    let mut lost = Vec::new();
    for (guard, key) in failing {
        lost.push(Lost { guard, now: Now::Head(bench.current(key)?) });
    }
    ensure_eq!(bench.commit(guards, vec![])?, Commit::Lost(lost), "guards that failed");
    Ok(())
}

/// A write set of guards only writes nothing, and answers with the newest place it was judged on.
pub(super) fn guards_without_writes(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let [a, b] = [key("a"), key("b")];
    bench.put(&a, "1")?;
    let newest = bench.put(&b, "1")?;
    let before = bench.versions(HistoryScope::All)?;
    let held = bench.must(vec![exactly(&a, 1), exactly(&b, 1)], vec![])?;
    ensure_eq!(held.seq, newest.seq, "place of a write set without writes");
    let empty = bench.must(vec![], vec![])?;
    ensure_eq!(empty.seq, newest.seq, "place of an empty write set");
    let lost = bench.commit(vec![exactly(&a, 1), exactly(&b, 2)], vec![])?;
    ensure_eq!(
        lost,
        Commit::Lost(vec![Lost { guard: 1, now: Now::Head(bench.current(&b)?) }]),
        "a write set of guards of which one fails"
    );
    ensure_eq!(bench.versions(HistoryScope::All)?, before, "versions after guards without writes");
    ensure_eq!(bench.current(&key("c"))?, Current::NEVER, "a key that nobody used");
    Ok(())
}
