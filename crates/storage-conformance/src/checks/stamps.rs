//! The writer's instants.

use storage_api::{Clock, HistoryScope};

use crate::bench::{Bench, key};
use crate::verdict::{ensure, ensure_eq};
use crate::{Harness, Verdict};

/// Stamps follow the clock forwards, and stand still while it is behind them; also after
/// reopening.
pub(super) fn never_decrease(harness: &dyn Harness) -> Verdict {
    const SECOND: i64 = 1_000_000;
    let mut bench = Bench::new(harness);
    let a = key("a");
    let mut newest = bench.clock.now();
    for step in [0, SECOND, 1, -3600 * SECOND, SECOND, 0, 7200 * SECOND, -1] {
        bench.clock.advance(step);
        let committed = bench.put(&a, "x")?;
        newest = newest.max(bench.clock.now());
        ensure_eq!(committed.at, newest, "stamp after the clock moved by {step} microseconds");
    }
    if bench.instance.reopen() {
        bench.store = bench.instance.store();
        bench.clock.advance(-3600 * SECOND);
        ensure_eq!(bench.put(&a, "x")?.at, newest, "stamp after reopening with a clock that is behind");
    }
    let versions = bench.versions(HistoryScope::All)?;
    for pair in versions.windows(2) {
        ensure!(pair[0].at <= pair[1].at, "stamps decrease from {:?} to {:?}", pair[0].seq, pair[1].seq);
        ensure_eq!(pair[1].previous_at, Some(pair[0].at), "the stamp before");
    }
    Ok(())
}
