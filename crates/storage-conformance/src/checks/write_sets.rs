//! Write sets as wholes.

use storage_api::{
    Body, Commit, Guard, HeadGuard, HistoryScope, IndexGeneration, Key, Method, StoreError, Term, Value,
    VersionNumber, VersionWrite, Write,
};

use crate::bench::{Bench, absent, delete, exactly, key, put};
use crate::verdict::{ensure, ensure_eq};
use crate::{Harness, Verdict};

/// Several keys change together, with one stamp and places side by side, or not at all.
pub(super) fn all_or_nothing(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let [old, gone, new] = [key("old"), key("gone"), key("new")];
    bench.put(&old, "1")?;
    bench.put(&gone, "1")?;
    let writes = || {
        vec![
            Write::Version(put(&old, 1, "2")),
            Write::Version(delete(&gone, 1)),
            Write::Version(put(&new, 0, "1")),
        ]
    };
    let guards = |number| vec![exactly(&old, 1), exactly(&gone, number), absent(&new)];

    let before = bench.versions(HistoryScope::All)?;
    for number in [0, 2] {
        let outcome = bench.commit(guards(number), writes());
        let refused = matches!(outcome, Ok(Commit::Lost(_)) | Err(StoreError::Unguarded));
        ensure!(refused, "a write set with a lost guard ended as {outcome:?}");
    }
    // The same with a guard that has no write of its own.
    let mut beside = guards(1);
    beside.push(exactly(&key("other"), 1));
    let outcome = bench.commit(beside, writes())?;
    ensure!(matches!(outcome, Commit::Lost(_)), "a lost guard without a write: {outcome:?}");
    ensure_eq!(bench.versions(HistoryScope::All)?, before, "versions after lost write sets");

    bench.clock.advance(5_000_000);
    let committed = bench.must(guards(1), writes())?;
    let after = bench.versions(HistoryScope::All)?;
    let written = after.get(before.len()..).unwrap_or_default();
    let keys: Vec<Key> = written.iter().map(|version| version.key.clone()).collect();
    ensure_eq!(keys, [old, gone, new], "keys written, in the order of the set");
    ensure!(written.iter().all(|version| version.at == committed.at), "a write set has several stamps");
    ensure_eq!(written.last().map(|version| version.seq), Some(committed.seq), "place of the write set");
    Ok(())
}

/// Writes without the guard that they need are refused as the caller's mistake, and do nothing.
pub(super) fn unguarded_is_refused(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    bench.put(&a, "1")?;
    let before = bench.versions(HistoryScope::All)?;
    let next = || Write::Version(put(&a, 1, "2"));
    let live = Guard::Head(a.clone(), HeadGuard::Live);
    let no_body = VersionWrite { body: None, ..put(&a, 1, "2") };
    let body = Some(Body { bytes: "{}".into(), splice: 0 });
    let with_body = VersionWrite { method: Method::Delete, body, ..put(&a, 1, "2") };
    let claim = Write::Claim { scope: storage_api::Scope(1), value: "x".into(), expires: None };
    let cases = [
        ("no guard", vec![], next()),
        ("the guard of another key", vec![exactly(&key("b"), 1)], next()),
        ("a guard that pins no number", vec![live], next()),
        ("a number that does not follow", vec![exactly(&a, 1)], Write::Version(put(&a, 2, "2"))),
        ("no body", vec![exactly(&a, 1)], Write::Version(no_body)),
        ("a deletion with a body", vec![exactly(&a, 1)], Write::Version(with_body)),
        ("an unguarded purge", vec![], Write::Purge(a.clone())),
        ("an unguarded claim", vec![], claim),
    ];
    for (what, guards, write) in cases {
        ensure_eq!(bench.commit(guards, vec![write]), Err(StoreError::Unguarded), "{what}");
    }
    let twice = bench.commit(vec![exactly(&a, 1)], vec![next(), next()]);
    ensure_eq!(twice, Err(StoreError::Unguarded), "a key written twice");
    let uri = |text: &str| Term::new("url", Value::Uri(text.into()));
    let terms = vec![uri("b"), uri("a")];
    let unsorted = Write::Version(VersionWrite { terms: terms.into(), ..put(&a, 1, "2") });
    ensure_eq!(
        bench.commit(vec![exactly(&a, 1)], vec![unsorted]),
        Err(StoreError::Unsorted),
        "unsorted terms"
    );
    ensure_eq!(bench.versions(HistoryScope::All)?, before, "versions after refused writes");
    Ok(())
}

/// Terms of another generation are refused, whatever the guards, and the right one is named.
pub(super) fn stale_index_is_refused(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    let wanted = bench.store.index_generation();
    for guard in [absent(&a), exactly(&a, 7)] {
        let before = match guard {
            Guard::Head(_, HeadGuard::Exactly(number)) => number,
            _ => VersionNumber::NONE,
        };
        let mut set = bench.set(vec![guard], vec![Write::Version(put(&a, before.get(), "1"))]);
        set.index = IndexGeneration(wanted.0.wrapping_add(1));
        let outcome = pollster::block_on(bench.store.commit(set))?;
        ensure_eq!(outcome, Commit::StaleIndex(wanted), "terms of another generation");
    }
    ensure_eq!(bench.versions(HistoryScope::All)?, [], "versions after a refusal");
    bench.put(&a, "1").map(drop)
}

/// A large write set is one commit as any other.
pub(super) fn thousands_of_entries(harness: &dyn Harness) -> Verdict {
    const ENTRIES: usize = 2_000;
    let bench = Bench::new(harness);
    let keys: Vec<Key> = (0..ENTRIES).map(|number| key(&format!("{number}"))).collect();
    let guards = keys.iter().map(absent).collect();
    let writes = keys.iter().map(|key| Write::Version(put(key, 0, "1"))).collect();
    bench.must(guards, writes)?;
    let versions = bench.versions(HistoryScope::All)?;
    ensure_eq!(versions.len(), ENTRIES, "versions of a large write set");
    ensure!(
        versions.iter().map(|version| &version.key).eq(&keys),
        "a large write set is not in the order it was given"
    );
    Ok(())
}
