//! Outcomes that somebody does not hear of.

use std::sync::Arc;

use pollster::block_on;
use storage_api::{Commit, HistoryScope, Key, Store, Write};

use crate::bench::{Bench, absent, exactly, key, put};
use crate::faulty::{FaultyStore, Loss};
use crate::verdict::{ensure, ensure_eq};
use crate::{Harness, Verdict};

/// Whether an unknown commit happened is told by the request id of the version it would have
/// written: nothing is written twice.
pub(super) fn unknown_is_resolved(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    for (number, loss) in [Loss::Reply, Loss::Request].into_iter().enumerate() {
        let key = key(&format!("{number}"));
        bench.put(&key, "1")?;
        let faulty = FaultyStore::new(Arc::clone(&bench.store), vec![loss]);
        let set = bench.set(vec![exactly(&key, 1)], vec![Write::Version(put(&key, 1, "2"))]);
        ensure_eq!(block_on(faulty.commit(set.clone()))?, Commit::Unknown, "a lost outcome");
        let found = bench.version(&key, 2)?.map(|version| version.request);
        let expected = (loss == Loss::Reply).then_some(set.request);
        ensure_eq!(found, expected, "request of the version that {loss:?} leaves in doubt");

        // Trying again under the same guard can only ever write once.
        let again = block_on(faulty.commit(set))?;
        let committed = matches!(again, Commit::Committed(_));
        ensure_eq!(committed, loss == Loss::Request, "the second attempt after {loss:?}, {again:?}");
        ensure_eq!(bench.current(&key)?.number().get(), 2, "number after both attempts");
    }
    Ok(())
}

/// A commit is accepted when it is called: whoever drops the future has still written.
pub(super) fn dropped_futures(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let keys: Vec<Key> = (0..20).map(|number| key(&format!("{number}"))).collect();
    for key in &keys {
        drop(bench.store.commit(bench.set(vec![absent(key)], vec![Write::Version(put(key, 0, "1"))])));
    }
    // What is committed afterwards comes afterwards.
    bench.put(&key("last"), "1")?;
    let versions = bench.versions(HistoryScope::All)?;
    let written: Vec<&Key> = versions.iter().map(|version| &version.key).collect();
    ensure!(
        written.iter().copied().eq(keys.iter().chain([&key("last")])),
        "of twenty commits that nobody waited for, and one more, these are there: {written:?}"
    );
    Ok(())
}
