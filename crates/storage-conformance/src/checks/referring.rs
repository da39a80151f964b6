//! Guards that nothing refers to a key.

use std::thread;

use pollster::block_on;
use storage_api::{
    Commit, Guard, HeadGuard, Key, Lost, Now, REFERRING_MAX, Reference, Term, Value, VersionWrite, Write,
};

use crate::bench::{Bench, absent, delete, exactly, key, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

fn refers(param: &str, target: &Key) -> Term {
    Term::new(param, Value::Reference(Reference::Local(target.clone())))
}

fn unreferred(key: &Key) -> Guard {
    Guard::Unreferred { key: key.clone(), param: "to".into() }
}

fn expect(bench: &Bench, target: &Key, expected: &[Key]) -> Verdict {
    let mut expected = expected.to_vec();
    expected.sort();
    match bench.commit(vec![unreferred(target)], vec![])? {
        Commit::Committed(_) => ensure_eq!(expected, [], "who refers to {target}"),
        Commit::Lost(lost) => match &lost[..] {
            [Lost { guard: 0, now: Now::Referred(found) }] => {
                ensure!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?} is no sorted set");
                ensure_eq!(found.len(), expected.len().min(REFERRING_MAX), "how many refer to {target}");
                let stray = found.iter().find(|key| !expected.contains(key));
                ensure_eq!(stray, None, "a key that does not refer to {target}");
            }
            other => return Err(Fault(format!("a lost guard on who refers reports {other:?}"))),
        },
        other => return Err(Fault(format!("a guard on who refers ends as {other:?}"))),
    }
    Ok(())
}

/// Every kind of resource counts, other parameters and the key itself do not, and what is gone refers to nothing.
pub(super) fn follows_every_write(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let (target, other) = (key("target"), Key::new("Patient", "target"));
    expect(&bench, &target, &[])?;
    bench.put_found_by(&target, "{}", vec![refers("to", &target)])?;
    expect(&bench, &target, &[])?;
    let (a, b) = (key("a"), Key::new("Patient", "b"));
    bench.put_found_by(&a, "{}", vec![refers("by", &target), refers("to", &other)])?;
    expect(&bench, &target, &[])?;
    expect(&bench, &other, std::slice::from_ref(&a))?;
    bench.put_found_by(&a, "{}", vec![refers("to", &target)])?;
    bench.put_found_by(&b, "{}", vec![refers("to", &target)])?;
    expect(&bench, &target, &[a.clone(), b.clone()])?;
    expect(&bench, &other, &[])?;
    bench.delete(&a)?;
    expect(&bench, &target, std::slice::from_ref(&b))?;
    bench.put_found_by(&b, "{}", vec![])?;
    expect(&bench, &target, &[])?;
    bench.must(
        vec![exactly(&b, 2)],
        vec![Write::Terms { key: b.clone(), terms: vec![refers("to", &target)] }],
    )?;
    expect(&bench, &target, std::slice::from_ref(&b))?;
    bench.purge(&b)?;
    expect(&bench, &target, &[])?;
    let many: Vec<Key> = (0..2 * REFERRING_MAX).map(|n| key(&format!("many{n}"))).collect();
    for key in &many {
        bench.put_found_by(key, "{}", vec![refers("to", &target)])?;
    }
    expect(&bench, &target, &many)
}

/// A write set may delete what is referred to if it deletes, purges or changes all that refer, and writes nothing that
/// refers anew.
pub(super) fn together_with_those_that_refer(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let (target, next) = (key("target"), key("next"));
    let many: Vec<Key> = (0..2 * REFERRING_MAX).map(|n| key(&format!("many{n:02}"))).collect();
    let (kept, added) = (Key::new("Patient", "kept"), Key::new("Patient", "added"));
    for key in many.iter().chain([&target, &kept]) {
        bench.put_found_by(key, "{}", vec![refers("to", &target)])?;
    }
    let writes = |last: Write| {
        let changed =
            |key: &Key| VersionWrite { terms: vec![refers("to", &next)].into(), ..put(key, 1, "{}") };
        let (purged, rest) = many.split_at(1);
        let (changed, deleted) = (rest[..2].iter().map(changed), rest[2..].iter().map(|key| delete(key, 1)));
        let versions = deleted.chain(changed).chain([delete(&target, 1)]).map(Write::Version);
        let purged = purged.iter().map(|key| Write::Purge(key.clone()));
        versions.chain(purged).chain([last]).collect::<Vec<Write>>()
    };
    let guards = |last: Guard| {
        let heads = many.iter().chain([&target]).map(|key| exactly(key, 1));
        [unreferred(&target)].into_iter().chain(heads).chain([last]).collect::<Vec<Guard>>()
    };
    let refused = |guards: Vec<Guard>, writes: Vec<Write>, by: &Key| {
        let outcome = bench.commit(guards, writes)?;
        let lost = vec![Lost { guard: 0, now: Now::Referred(vec![by.clone()]) }];
        ensure_eq!(outcome, Commit::Lost(lost), "a deletion of what {by} refers to afterwards");
        Ok::<_, Fault>(())
    };
    // One that refers is left out, or written so that it refers still, or a new one does.
    let other = || Write::Version(put(&added, 0, "{}"));
    refused(guards(absent(&added)), writes(other()), &kept)?;
    let still = VersionWrite { terms: vec![refers("to", &target)].into(), ..put(&kept, 1, "{}") };
    refused(guards(exactly(&kept, 1)), writes(Write::Version(still)), &kept)?;
    bench.put_found_by(&kept, "{}", vec![refers("by", &target)])?;
    let anew = VersionWrite { terms: vec![refers("to", &target)].into(), ..put(&added, 0, "{}") };
    refused(guards(absent(&added)), writes(Write::Version(anew)), &added)?;
    // Of a key that was never there as of any other.
    let never = key("never");
    let anew = VersionWrite { terms: vec![refers("to", &never)].into(), ..put(&added, 0, "{}") };
    refused(vec![unreferred(&never), absent(&added)], vec![Write::Version(anew)], &added)?;
    bench.must(guards(absent(&added)), writes(other()))?;
    expect(&bench, &target, &[])?;
    expect(&bench, &next, &many[1..3])?;
    // Two that refer to each other go together.
    let (left, right) = (key("left"), key("right"));
    bench.put_found_by(&left, "{}", vec![refers("to", &right)])?;
    bench.put_found_by(&right, "{}", vec![refers("to", &left)])?;
    let guards = vec![unreferred(&left), unreferred(&right), exactly(&left, 1), exactly(&right, 1)];
    bench.must(guards, vec![Write::Version(delete(&left, 1)), Write::Version(delete(&right, 1))]).map(drop)
}

/// One adds a reference, another deletes what it refers to: never both.
pub(super) fn reference_or_deletion(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    for round in 0..50 {
        let (target, source) = (key(&format!("t{round}")), key(&format!("s{round}")));
        bench.put(&target, "{}")?;
        let refer = || {
            let guards = vec![absent(&source), Guard::Head(target.clone(), HeadGuard::Live)];
            let write = VersionWrite { terms: [refers("to", &target)].into(), ..put(&source, 0, "{}") };
            block_on(bench.store.commit(bench.set(guards, vec![Write::Version(write)])))
        };
        let remove = || {
            let guards = vec![exactly(&target, 1), unreferred(&target)];
            block_on(bench.store.commit(bench.set(guards, vec![Write::Version(delete(&target, 1))])))
        };
        let (added, deleted) = thread::scope(|scope| {
            let (first, second) = (scope.spawn(refer), scope.spawn(remove));
            (first.join(), second.join())
        });
        let won = |outcome: thread::Result<Result<Commit, storage_api::StoreError>>| match outcome {
            Ok(Ok(Commit::Committed(_))) => Ok(true),
            Ok(Ok(Commit::Lost(_))) => Ok(false),
            other => Err(Fault(format!("a racer ended as {other:?}"))),
        };
        let (added, deleted) = (won(added)?, won(deleted)?);
        ensure!(added != deleted, "round {round}: added {added}, deleted {deleted}");
    }
    Ok(())
}
