//! What histories show.

use storage_api::{
    HistoryRequest, HistoryScope, Interval, Key, Method, Order, StoredVersion, Timestamp, VersionWrite, Write,
};

use crate::bench::{Bench, absent, all_pages, delete, exactly, key, newest_first, put, token};
use crate::verdict::{Fault, ensure_eq};
use crate::{Harness, ManualClock, Verdict};

const SECOND: i64 = 1_000_000;

/// Every version is in the history of its key, of its kind and of everything, complete, in commit
/// order or the other way round.
pub(super) fn order_and_content(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let [a, b, other] = [key("a"), key("b"), Key::new("Patient", "a")];
    let mut expected: Vec<StoredVersion> = Vec::new();
    let steps = [
        (&a, 0, Method::Post),
        (&b, 0, Method::Put),
        (&a, 1, Method::Patch),
        (&other, 0, Method::Put),
        (&a, 2, Method::Delete),
        (&b, 1, Method::Put),
        (&a, 3, Method::Put),
    ];
    for (key, before, method) in steps {
        bench.clock.advance(SECOND);
        let write = match method {
            Method::Delete => delete(key, before),
            method => VersionWrite { method, ..put(key, before, &format!("{key} {before}")) },
        };
        let guard = if before == 0 { absent(key) } else { exactly(key, before) };
        let set = bench.set(vec![guard], vec![Write::Version(write.clone())]);
        let request = set.request;
        let storage_api::Commit::Committed(committed) = pollster::block_on(bench.store.commit(set))? else {
            return Err(Fault(format!("{key} after {before} was not committed")));
        };
        let previous = expected.iter().rfind(|version| version.key == *key);
        expected.push(StoredVersion {
            key: key.clone(),
            version: token(before + 1),
            seq: committed.seq,
            at: committed.at,
            previous_at: previous.map(|version| version.at),
            method,
            request,
            body: write.body,
        });
    }
    let scopes = [
        HistoryScope::All,
        HistoryScope::Kind("Flag".into()),
        HistoryScope::Kind("Patient".into()),
        HistoryScope::Kind("Nothing".into()),
        HistoryScope::Key(a),
        HistoryScope::Key(b),
        HistoryScope::Key(key("never")),
    ];
    for scope in scopes {
        let mut wanted: Vec<StoredVersion> =
            expected.iter().filter(|version| covers(&scope, version)).cloned().collect();
        ensure_eq!(bench.versions(scope.clone())?, wanted, "{scope:?}, oldest first");
        wanted.reverse();
        let newest = all_pages(&*bench.store, newest_first(scope.clone()))?;
        ensure_eq!(newest, wanted, "{scope:?}, newest first");
        for version in &wanted {
            let single = bench.version(&version.key, version.version.number.get())?;
            ensure_eq!(single.as_ref(), Some(version), "{} by its number", version.key);
        }
    }
    Ok(())
}

fn covers(scope: &HistoryScope, version: &StoredVersion) -> bool {
    match scope {
        HistoryScope::All => true,
        HistoryScope::Kind(kind) => version.key.kind == *kind,
        HistoryScope::Key(key) => version.key == *key,
    }
}

/// Four versions: `a` at seconds 1 and 5, `b` at 3, deleted at 7.
fn timeline(bench: &Bench) -> Verdict {
    bench.clock.advance(SECOND);
    bench.put(&key("a"), "1")?;
    bench.clock.advance(2 * SECOND);
    bench.put(&key("b"), "1")?;
    bench.clock.advance(2 * SECOND);
    bench.put(&key("a"), "2")?;
    bench.clock.advance(2 * SECOND);
    bench.delete(&key("b")).map(drop)
}

fn second(second: i64) -> Timestamp {
    Timestamp(ManualClock::START.0 + second * SECOND)
}

/// What a request shows, as `id number`, in commit order; checked in both orders, one by one too.
fn shown(bench: &Bench, request: &HistoryRequest) -> Result<Vec<String>, Fault> {
    let name = |version: &StoredVersion| format!("{} {}", version.key.id, version.version.number);
    let names = |request| -> Result<Vec<String>, Fault> {
        Ok(all_pages(&*bench.store, request)?.iter().map(name).collect())
    };
    let oldest = names(HistoryRequest { order: Order::Oldest, ..request.clone() })?;
    let by_ones = names(HistoryRequest { order: Order::Oldest, limit: 1, ..request.clone() })?;
    ensure_eq!(by_ones, oldest, "oldest first one by one for {request:?}");
    for limit in [request.limit, 1] {
        let mut newest = names(HistoryRequest { order: Order::Newest, limit, ..request.clone() })?;
        newest.reverse();
        ensure_eq!(newest, oldest, "newest first by {limit} for {request:?}");
    }
    Ok(oldest)
}

/// `since` keeps what was committed at that moment or later.
pub(super) fn since(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    timeline(&bench)?;
    let all = ["a 1", "b 1", "a 2", "b 2"];
    let cases = [
        (second(0), HistoryScope::All, &all[..]),
        (second(1), HistoryScope::All, &all[..]),
        (Timestamp(second(1).0 + 1), HistoryScope::All, &all[1..]),
        (second(3), HistoryScope::All, &all[1..]),
        (second(7), HistoryScope::All, &all[3..]),
        (Timestamp(second(7).0 + 1), HistoryScope::All, &[]),
        (Timestamp(i64::MIN), HistoryScope::All, &all[..]),
        (Timestamp(i64::MAX), HistoryScope::All, &[]),
        (second(2), HistoryScope::Key(key("a")), &all[2..3]),
        (second(4), HistoryScope::Kind("Flag".into()), &all[2..]),
        (second(4), HistoryScope::Kind("Patient".into()), &[]),
    ];
    for (since, scope, expected) in cases {
        let request = HistoryRequest { since: Some(since), ..newest_first(scope) };
        ensure_eq!(shown(&bench, &request)?, expected, "{request:?}");
    }
    Ok(())
}

/// `at` keeps what was the newest version of its key at some moment of the span.
pub(super) fn at(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    timeline(&bench)?;
    let all = ["a 1", "b 1", "a 2", "b 2"];
    let flags = || HistoryScope::Kind("Flag".into());
    let cases: [(Timestamp, Timestamp, HistoryScope, &[&str]); 13] = [
        (second(0), Timestamp(second(1).0 - 1), HistoryScope::All, &[]),
        (second(0), second(1), HistoryScope::All, &["a 1"]),
        (second(2), second(2), HistoryScope::All, &["a 1"]),
        (second(3), second(3), HistoryScope::All, &["a 1", "b 1"]),
        (second(4), second(6), HistoryScope::All, &["a 1", "b 1", "a 2"]),
        (second(5), second(6), HistoryScope::All, &["b 1", "a 2"]),
        (second(8), second(9), HistoryScope::All, &["a 2", "b 2"]),
        (Timestamp(i64::MIN), Timestamp(i64::MAX), HistoryScope::All, &all),
        (second(9), second(8), HistoryScope::All, &[]),
        (second(6), second(7), flags(), &["b 1", "a 2", "b 2"]),
        (second(6), second(6), HistoryScope::Key(key("a")), &["a 2"]),
        (second(4), second(5), HistoryScope::Key(key("a")), &["a 1", "a 2"]),
        (second(6), second(6), HistoryScope::Key(key("never")), &[]),
    ];
    for (low, high, scope, expected) in cases {
        let request = HistoryRequest { at: Some(Interval { low, high }), ..newest_first(scope) };
        ensure_eq!(shown(&bench, &request)?, expected, "{request:?}");
    }
    let both = HistoryRequest {
        since: Some(second(4)),
        at: Some(Interval { low: second(4), high: second(5) }),
        ..newest_first(HistoryScope::All)
    };
    ensure_eq!(shown(&bench, &both)?, ["a 2"], "since and at together");
    superseded_at_once(&bench)
}

/// A version that was replaced at the very instant it was written was never the newest.
fn superseded_at_once(bench: &Bench) -> Verdict {
    bench.clock.advance(SECOND);
    bench.put(&key("c"), "1")?;
    bench.put(&key("c"), "2")?;
    let span = Interval { low: second(8), high: second(8) };
    let request = HistoryRequest { at: Some(span), ..newest_first(HistoryScope::Key(key("c"))) };
    ensure_eq!(shown(bench, &request)?, ["c 2"], "versions of one instant");
    Ok(())
}
