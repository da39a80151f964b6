//! The list of checks, and how they are run.

mod claims;
mod closing;
mod concurrency;
mod guards;
mod histories;
mod index;
mod matching;
mod outcomes;
mod pages;
mod referring;
mod snapshots;
mod stamps;
mod versions;
mod walks;
mod words;
mod write_sets;

use std::sync::Arc;

use crate::broken::BrokenHarness;
use crate::verdict::ensure;
use crate::{Fault, Flaw, Harness, ManualClock, Verdict};

/// One thing that every store must do.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// Looks at fresh stores.
    pub run: fn(&dyn Harness) -> Verdict,
    /// The flaws that it must notice.
    pub notices: &'static [Flaw],
}

/// Every check.
pub const CHECKS: &[Check] = &[
    Check {
        name: "guards: every guard on every state",
        run: guards::truth_table,
        notices: &[Flaw::SkipsGuards],
    },
    Check {
        name: "guards: all that failed are reported",
        run: guards::all_losses_are_reported,
        notices: &[Flaw::ReportsFirstLossOnly, Flaw::SkipsGuards],
    },
    Check {
        name: "guards: without writes",
        run: guards::guards_without_writes,
        notices: &[Flaw::SkipsGuards],
    },
    Check {
        name: "write sets: all or nothing",
        run: write_sets::all_or_nothing,
        notices: &[Flaw::WritesPartially, Flaw::WritesFirstOnly, Flaw::SkipsGuards],
    },
    Check {
        name: "write sets: unguarded writes are refused",
        run: write_sets::unguarded_is_refused,
        notices: &[Flaw::AcceptsUnguarded],
    },
    Check {
        name: "write sets: another index generation is refused",
        run: write_sets::stale_index_is_refused,
        notices: &[Flaw::IgnoresIndexGeneration],
    },
    Check {
        name: "write sets: thousands of entries",
        run: write_sets::thousands_of_entries,
        notices: &[Flaw::WritesFirstOnly],
    },
    Check {
        name: "versions: tombstones",
        run: versions::tombstones,
        notices: &[Flaw::HidesTombstones, Flaw::ServesStale],
    },
    Check {
        name: "versions: numbers are never used again",
        run: versions::numbers_survive_purges,
        notices: &[Flaw::ForgetsFloors],
    },
    Check {
        name: "versions: the first may pass over numbers",
        run: versions::first_passes_over_numbers,
        notices: &[Flaw::ForgetsFloors],
    },
    Check {
        name: "versions: each by its number and tag",
        run: versions::selectors,
        notices: &[Flaw::ServesNewestVersion],
    },
    Check {
        name: "versions: any content, any id",
        run: versions::any_content_and_id,
        notices: &[Flaw::CutsBodies, Flaw::FoldsCase],
    },
    Check {
        name: "histories: order and content in every scope",
        run: histories::order_and_content,
        notices: &[Flaw::ReversesHistory, Flaw::HidesTombstones, Flaw::ForgetsRequests],
    },
    Check { name: "histories: since", run: histories::since, notices: &[Flaw::IgnoresSince] },
    Check { name: "histories: at", run: histories::at, notices: &[Flaw::IgnoresAt] },
    Check {
        name: "pages: limits and cursors",
        run: pages::limits_and_cursors,
        notices: &[Flaw::OverfillsPages, Flaw::ReversesHistory],
    },
    Check {
        name: "pages: stable under writes",
        run: pages::stable_under_writes,
        notices: &[Flaw::PagesByOffset],
    },
    Check { name: "stamps: never decrease", run: stamps::never_decrease, notices: &[Flaw::FollowsTheClock] },
    Check { name: "claims: one holder", run: claims::one_holder, notices: &[Flaw::ForgetsClaims] },
    Check { name: "claims: lapse", run: claims::lapse, notices: &[Flaw::NeverLapses, Flaw::ForgetsClaims] },
    Check {
        name: "matches: exactly what the matcher says",
        run: matching::guards_answer_as_the_matcher,
        notices: &[Flaw::IgnoresMatches, Flaw::SearchesShort],
    },
    Check {
        name: "matches: searches follow references",
        run: matching::searches_follow_references,
        notices: &[Flaw::SearchesShort],
    },
    Check {
        name: "matches: follow every write",
        run: matching::follow_every_write,
        notices: &[Flaw::IgnoresMatches, Flaw::IgnoresNewTerms],
    },
    Check {
        name: "matches: words are asked together",
        run: words::are_asked_together,
        notices: &[Flaw::IgnoresMatches, Flaw::SearchesShort],
    },
    Check {
        name: "walks: keep their order",
        run: walks::keep_their_order,
        notices: &[Flaw::SearchesShort, Flaw::SortsByPlace],
    },
    Check {
        name: "walks: pass everything once",
        run: walks::pass_everything_once,
        notices: &[Flaw::SortsByNow],
    },
    Check { name: "walks: conditions nest", run: walks::conditions_nest, notices: &[Flaw::SearchesShort] },
    Check {
        name: "walks: bring along what is included",
        run: walks::bring_along_what_is_included,
        notices: &[Flaw::IncludesNothing],
    },
    Check {
        name: "walks: bring along what is named",
        run: walks::bring_along_what_is_named,
        notices: &[Flaw::IncludesNothing],
    },
    Check {
        name: "matches: racing conditional creates make one",
        run: matching::one_conditional_create_wins,
        notices: &[Flaw::IgnoresMatches],
    },
    Check {
        name: "index: generations follow one another",
        run: index::generations_follow,
        notices: &[Flaw::IgnoresIndexGeneration, Flaw::ForgetsIndex],
    },
    Check { name: "index: one begins", run: index::one_begins, notices: &[Flaw::IgnoresIndexGeneration] },
    Check {
        name: "referring: follows every write",
        run: referring::follows_every_write,
        notices: &[Flaw::IgnoresReferring, Flaw::IgnoresNewTerms],
    },
    Check {
        name: "referring: together with those that refer",
        run: referring::together_with_those_that_refer,
        notices: &[Flaw::IgnoresReferring, Flaw::WritesFirstOnly],
    },
    Check {
        name: "referring: a reference or a deletion",
        run: referring::reference_or_deletion,
        notices: &[Flaw::IgnoresReferring, Flaw::SkipsGuards],
    },
    Check {
        name: "snapshots: stay as they were",
        run: snapshots::stay_as_they_were,
        notices: &[Flaw::MovesSnapshots],
    },
    Check {
        name: "snapshots: have all of a write set or nothing",
        run: snapshots::have_all_or_nothing,
        notices: &[Flaw::WritesFirstOnly],
    },
    Check {
        name: "outcomes: an unknown one is resolved by the request",
        run: outcomes::unknown_is_resolved,
        notices: &[Flaw::ForgetsRequests],
    },
    Check {
        name: "outcomes: nobody has to wait for them",
        run: outcomes::dropped_futures,
        notices: &[Flaw::LosesCommits],
    },
    Check {
        name: "concurrency: 8 racers, one winner",
        run: concurrency::one_winner,
        notices: &[Flaw::SkipsGuards],
    },
    Check {
        name: "concurrency: no increment is lost",
        run: concurrency::counters,
        notices: &[Flaw::LosesCommits],
    },
    Check {
        name: "concurrency: recorded histories are linearizable",
        run: concurrency::linearizable,
        notices: &[Flaw::SkipsGuards, Flaw::LosesCommits, Flaw::ServesStale, Flaw::WritesFirstOnly],
    },
    Check {
        name: "closing: nothing afterwards",
        run: closing::nothing_afterwards,
        notices: &[Flaw::AnswersWhenClosed],
    },
    Check {
        name: "closing: what was accepted is there after reopening",
        run: closing::everything_is_kept,
        notices: &[Flaw::ForgetsOnReopening],
    },
];

/// Runs every check on stores of `harness`, each after its controls. All faults are collected.
pub fn run(harness: &dyn Harness) -> Result<(), Vec<Fault>> {
    let named = |check: &Check| {
        run_check(check, harness).err().map(|fault| Fault(format!("{}: {fault}", check.name)))
    };
    let faults: Vec<Fault> = CHECKS.iter().filter_map(named).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Runs one check: first on the same stores with each flaw that it must notice, then as they are.
pub fn run_check(check: &Check, harness: &dyn Harness) -> Verdict {
    for &flaw in check.notices {
        // What keeps nothing has nothing to lose.
        if flaw == Flaw::ForgetsOnReopening && !harness.fresh(Arc::new(ManualClock::new())).reopen() {
            continue;
        }
        let noticed = (check.run)(&BrokenHarness { sound: harness, flaw }).is_err();
        ensure!(noticed, "the check did not notice a store that {flaw:?}, so it proves nothing");
    }
    (check.run)(harness)
}
