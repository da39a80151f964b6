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
