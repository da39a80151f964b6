//! The end of a store, and its next beginning.

use pollster::block_on;
use storage_api::{Commit, HistoryScope, Key, StoreError, VersionNumber, VersionSelector, Write};

use crate::bench::{Bench, absent, key, newest_first, put};
use crate::verdict::{ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A closed store answers that it is, to everything; closing twice is fine.
pub(super) fn nothing_afterwards(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    bench.put(&a, "1")?;
    for _ in 0..2 {
        block_on(bench.store.close())?;
    }
    let store = &bench.store;
    let selector = VersionSelector::Number(VersionNumber::FIRST);
    let answers = [
        block_on(store.read(&a)).err(),
        block_on(store.read_version(&a, selector)).err(),
        block_on(store.history(&newest_first(HistoryScope::All))).err(),
        bench.commit(vec![], vec![]).err(),
    ];
    for answer in answers {
        ensure!(matches!(answer, Some(StoreError::Unavailable(_))), "a closed store answers {answer:?}");
    }
    Ok(())
}

/// What was accepted before closing is written, and all of it is there after opening again. A
/// store that keeps nothing passes.
pub(super) fn everything_is_kept(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let keys: Vec<Key> = (0..50).map(|number| key(&format!("{number}"))).collect();
    let answers: Vec<_> = keys
        .iter()
        .map(|key| {
            let write = Write::Version(put(key, 0, &format!("content of {key}")));
            bench.store.commit(bench.set(vec![absent(key)], vec![write]))
        })
        .collect();
    for answer in answers {
        check_committed(&block_on(answer)?)?;
    }
    bench.put(&keys[3], "changed")?;
    bench.delete(&keys[7])?;
    let before = bench.versions(HistoryScope::All)?;
    let records = keys.iter().map(|key| bench.read(key)).collect::<Result<Vec<_>, _>>()?;
    ensure_eq!(before.len(), keys.len() + 2, "versions written");
    let last = key("accepted just before closing");
    let pending =
        bench.store.commit(bench.set(vec![absent(&last)], vec![Write::Version(put(&last, 0, "1"))]));
    block_on(bench.store.close())?;
    check_committed(&block_on(pending)?)?;
    if !bench.instance.reopen() {
        return Ok(());
    }
    bench.store = bench.instance.store();
    let mut after = bench.versions(HistoryScope::All)?;
    ensure_eq!(after.pop().map(|version| version.key), Some(last), "the last version after reopening");
    ensure_eq!(after, before, "versions after reopening");
    for (key, record) in keys.iter().zip(records) {
        ensure_eq!(bench.read(key)?, record, "{key} after reopening");
    }
    Ok(())
}

fn check_committed(outcome: &Commit) -> Verdict {
    ensure!(matches!(outcome, Commit::Committed(_)), "an accepted commit ended as {outcome:?}");
    Ok(())
}
