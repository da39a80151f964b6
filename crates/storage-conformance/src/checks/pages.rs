//! Histories in pages.

use pollster::block_on;
use storage_api::{HistoryRequest, HistoryScope, Order, Seq, StoredVersion};

use crate::bench::{Bench, all_pages, key, newest_first};
use crate::verdict::{ensure, ensure_eq};
use crate::{Harness, Verdict};

/// Pages of every size put together are the whole; cursors lie between versions, wherever they
/// came from.
pub(super) fn limits_and_cursors(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let (a, b) = (key("a"), key("b"));
    for step in 0..7 {
        bench.put(if step % 3 == 1 { &b } else { &a }, &format!("{step}"))?;
    }
    for scope in [HistoryScope::All, HistoryScope::Kind(a.kind.clone()), HistoryScope::Key(a)] {
        for order in [Order::Newest, Order::Oldest] {
            let request = HistoryRequest { order, ..newest_first(scope.clone()) };
            let whole = all_pages(&*bench.store, request.clone())?;
            for limit in 1..=whole.len() + 1 {
                let pages = all_pages(&*bench.store, HistoryRequest { limit, ..request.clone() })?;
                ensure_eq!(pages, whole, "pages of {limit} for {request:?}");
            }
            let page = block_on(bench.store.history(&HistoryRequest { limit: 0, ..request.clone() }))?;
            ensure_eq!((page.versions.len(), page.next), (0, None), "a page of nothing for {request:?}");
            check_cursors(&bench, &request, &whole)?;
        }
    }
    Ok(())
}

/// A cursor continues behind its place, also one at which this scope has no version.
fn check_cursors(bench: &Bench, request: &HistoryRequest, whole: &[StoredVersion]) -> Verdict {
    let cursors = (0..12).map(Seq).chain([Seq(u64::MAX)]);
    for after in cursors {
        let behind = |version: &&StoredVersion| match request.order {
            Order::Newest => version.seq < after,
            Order::Oldest => version.seq > after,
        };
        let expected: Vec<StoredVersion> = whole.iter().filter(behind).cloned().collect();
        let page = HistoryRequest { after: Some(after), ..request.clone() };
        ensure_eq!(all_pages(&*bench.store, page)?, expected, "behind {after:?} for {request:?}");
    }
    Ok(())
}

/// Whoever pages backwards while others write sees what was there at the beginning, each version
/// once; whoever pages forwards sees the new ones at the end.
pub(super) fn stable_under_writes(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let keys = [key("a"), key("b"), key("c")];
    for step in 0..9 {
        bench.put(&keys[step % 3], &format!("{step}"))?;
    }
    for order in [Order::Newest, Order::Oldest] {
        let before = bench.versions(HistoryScope::All)?;
        let mut request = HistoryRequest { order, limit: 2, ..newest_first(HistoryScope::All) };
        let mut seen = Vec::new();
        // Each page is followed by a write, for as long as there were versions to begin with.
        for page in 0..before.len() {
            let answer = block_on(bench.store.history(&request))?;
            seen.extend(answer.versions.iter().map(|version| version.seq));
            bench.put(&keys[page % 3], "meanwhile")?;
            let Some(next) = answer.next else { break };
            request.after = Some(next);
        }
        let mut expected: Vec<Seq> =
            bench.versions(HistoryScope::All)?.iter().map(|version| version.seq).collect();
        match order {
            Order::Newest => {
                expected.truncate(before.len());
                expected.reverse();
                ensure_eq!(seen, expected, "backwards while others write");
            }
            Order::Oldest => {
                expected.truncate(seen.len());
                ensure_eq!(seen, expected, "forwards while others write");
                ensure!(seen.len() >= before.len(), "paging forwards ended early");
            }
        }
    }
    Ok(())
}
