//! Claims: bytes that one write set may take.

use storage_api::{Commit, Guard, Lost, Now, Scope, Timestamp, Write};

use crate::bench::{Bench, absent, key, put};
use crate::verdict::{Fault, ensure_eq};
use crate::{Harness, ManualClock, Verdict};

fn unclaimed(scope: u16, value: &'static str) -> Guard {
    Guard::Unclaimed(Scope(scope), value.into())
}

fn claim(scope: u16, value: &'static str, expires: Option<Timestamp>) -> Write {
    Write::Claim { scope: Scope(scope), value: value.into(), expires }
}

fn claimed(outcome: &Commit) -> Result<storage_api::Seq, Fault> {
    match outcome {
        Commit::Lost(lost) => match lost[..] {
            [Lost { guard: 0, now: Now::Claimed(seq) }] => Ok(seq),
            _ => Err(Fault(format!("a claim that is taken answers {lost:?}"))),
        },
        other => Err(Fault(format!("a claim that is taken ends as {other:?}"))),
    }
}

/// What is claimed stays claimed, with the place of the commit that did it, also when the
/// resource it came with is purged, and after reopening.
pub(super) fn one_holder(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let [a, b] = [key("a"), key("b")];
    bench.put(&b, "1")?;
    let with_version = vec![claim(1, "x", None), Write::Version(put(&a, 0, "1"))];
    let holder = bench.must(vec![unclaimed(1, "x"), absent(&a)], with_version)?;
    for round in 0..3 {
        let outcome = bench.commit(vec![unclaimed(1, "x")], vec![claim(1, "x", None)])?;
        ensure_eq!(claimed(&outcome)?, holder.seq, "place of the claim in round {round}");
        match round {
            0 => bench.purge(&a).map(drop)?,
            _ if bench.instance.reopen() => bench.store = bench.instance.store(),
            _ => {}
        }
    }
    // The same bytes in another scope, and other bytes, are free.
    bench.must(vec![unclaimed(2, "x")], vec![claim(2, "x", None)])?;
    bench.must(vec![unclaimed(1, "y")], vec![claim(1, "y", None)])?;
    bench.must(vec![unclaimed(1, "")], vec![claim(1, "", None)])?;
    // A guard alone claims nothing.
    bench.must(vec![unclaimed(3, "x")], vec![])?;
    bench.must(vec![unclaimed(3, "x")], vec![claim(3, "x", None)]).map(drop)
}

/// From its instant on, a claim that expires is as if it had never been made.
pub(super) fn lapse(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let seconds = |seconds: i64| Timestamp(ManualClock::START.0 + seconds * 1_000_000);
    bench.put(&key("a"), "1")?;
    let first = bench.must(vec![unclaimed(1, "x")], vec![claim(1, "x", Some(seconds(10)))])?;
    bench.clock.advance(10_000_000 - 1);
    let outcome = bench.commit(vec![unclaimed(1, "x")], vec![claim(1, "x", None)])?;
    ensure_eq!(claimed(&outcome)?, first.seq, "a claim just before it lapses");
    bench.clock.advance(1);
    bench.put(&key("a"), "2")?;
    let second = bench.must(vec![unclaimed(1, "x")], vec![claim(1, "x", Some(seconds(20)))])?;
    bench.clock.advance(5_000_000);
    let outcome = bench.commit(vec![unclaimed(1, "x")], vec![])?;
    ensure_eq!(claimed(&outcome)?, second.seq, "a claim that was taken over");
    bench.clock.advance(5_000_000);
    bench.must(vec![unclaimed(1, "x")], vec![claim(1, "x", None)])?;
    bench.clock.advance(1_000_000_000_000);
    let outcome = bench.commit(vec![unclaimed(1, "x")], vec![])?;
    claimed(&outcome).map(drop)
}
