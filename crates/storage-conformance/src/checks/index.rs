//! What terms are made by, and the change from one generation to the next.

use pollster::block_on;
use storage_api::{Commit, HistoryScope, Index, IndexGeneration, Write};

use crate::bench::{Bench, absent, exactly, key, put};
use crate::verdict::{Fault, ensure_eq};
use crate::{Harness, Verdict};

fn begin(bench: &Bench, index: &Index) -> Result<Commit, Fault> {
    Ok(bench.commit(vec![], vec![Write::Index(index.clone())])?)
}

fn must_begin(bench: &Bench, index: &Index) -> Verdict {
    bench.must(vec![], vec![Write::Index(index.clone())])?;
    expect(bench, index)
}

fn expect(bench: &Bench, index: &Index) -> Verdict {
    ensure_eq!(block_on(bench.store.index())?, index.clone(), "what the index is made by");
    ensure_eq!(bench.store.index_generation(), index.generation, "the generation of the index");
    Ok(())
}

/// A generation begins with a commit, is told, and is kept. Write sets of the one before are refused from then on.
pub(super) fn generations_follow(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let a = key("a");
    bench.put(&a, "1")?;
    let before = bench.store.index_generation();
    let early = bench.set(vec![exactly(&a, 1)], vec![Write::Version(put(&a, 1, "2"))]);
    let mut index = Index { generation: before.next(), maker: "first".into(), backfill: Some("0".into()) };
    must_begin(&bench, &index)?;
    let late = block_on(bench.store.commit(early.clone()))?;
    ensure_eq!(late, Commit::StaleIndex(index.generation), "a write set of the generation before");
    bench.put(&a, "2")?;
    // How far it got is a note of the same generation, and may stand beside other writes.
    for backfill in [Some("1"), Some("1"), Some(""), None] {
        index.backfill = backfill.map(Into::into);
        must_begin(&bench, &index)?;
    }
    let b = key("b");
    index = Index { generation: IndexGeneration(index.generation.0 + 7), maker: "".into(), backfill: None };
    bench.must(vec![absent(&b)], vec![Write::Version(put(&b, 0, "1")), Write::Index(index.clone())])?;
    expect(&bench, &index)?;
    // What is not written changes nothing.
    let lost = bench.commit(vec![exactly(&a, 9)], vec![Write::Index(Index::default())]);
    ensure_eq!(lost, Err(storage_api::StoreError::Unguarded), "a generation that goes back");
    let next = Index { generation: index.generation.next(), maker: "lost".into(), backfill: None };
    let lost = bench.commit(vec![exactly(&a, 9)], vec![Write::Index(next)])?;
    ensure_eq!(matches!(lost, Commit::Lost(_)), true, "a generation with a lost guard");
    expect(&bench, &index)?;
    if bench.instance.reopen() {
        bench.store = bench.instance.store();
        expect(&bench, &index)?;
        let late = block_on(bench.store.commit(early))?;
        ensure_eq!(late, Commit::StaleIndex(index.generation), "a write set of long ago");
        bench.put(&a, "3")?;
    }
    let versions = bench.versions(HistoryScope::Key(a))?.len();
    ensure_eq!(versions >= 2, true, "versions of both generations");
    Ok(())
}

/// Of several that begin the next generation at once one does; the others hear which one it is.
pub(super) fn one_begins(harness: &dyn Harness) -> Verdict {
    const RACERS: usize = 8;
    let bench = Bench::new(harness);
    for _ in 0..10 {
        let next = bench.store.index_generation().next();
        let sets: Vec<_> = (0..RACERS)
            .map(|racer| {
                let index = Index { generation: next, maker: format!("{racer}").into(), backfill: None };
                bench.set(vec![], vec![Write::Index(index)])
            })
            .collect();
        let answers: Vec<_> = sets.into_iter().map(|set| bench.store.commit(set)).collect();
        let mut won = 0;
        for answer in answers {
            match block_on(answer)? {
                Commit::Committed(_) => won += 1,
                Commit::StaleIndex(now) => ensure_eq!(now, next, "the generation that the others hear of"),
                other => return Err(Fault(format!("a generation began as {other:?}"))),
            }
        }
        ensure_eq!(won, 1, "write sets that began generation {next:?}");
        ensure_eq!(begin(&bench, &block_on(bench.store.index())?).is_ok(), true, "the same index again");
    }
    Ok(())
}
