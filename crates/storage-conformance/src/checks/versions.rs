//! The versions of one key.

use bytes::Bytes;
use pollster::block_on;
use storage_api::{
    Body, Commit, Current, HistoryScope, Key, Method, VersionNumber, VersionSelector, VersionTag,
    VersionToken, VersionWrite, Write,
};

use crate::bench::{Bench, absent, key, pin, put, token};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A deletion is a version like any other, without content; a restored key counts on.
pub(super) fn tombstones(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    bench.put(&a, "1")?;
    bench.clock.advance(1_000_000);
    let deleted = bench.delete(&a)?;
    let record = bench.read(&a)?;
    let Current::Deleted(head) = record.current else {
        return Err(Fault(format!("a deleted key is {record:?}")));
    };
    ensure_eq!(head.version, token(2), "name of the tombstone");
    ensure_eq!(head.at, deleted.at, "stamp of the tombstone");
    ensure_eq!(head.previous_at, Some(crate::ManualClock::START), "stamp before the tombstone");
    ensure_eq!(record.body, None, "body of the tombstone");
    let version = bench.version(&a, 2)?;
    let shown = version.as_ref().map(|version| (version.method, version.body.is_none()));
    ensure_eq!(shown, Some((Method::Delete, true)), "the tombstone as a version");

    bench.put(&a, "3")?;
    let record = bench.read(&a)?;
    ensure!(matches!(record.current, Current::Live(_)), "a restored key is {record:?}");
    ensure_eq!(record.current.number().get(), 3, "number of the restored version");
    let numbers = numbers(&bench, HistoryScope::Key(a))?;
    ensure_eq!(numbers, [1, 2, 3], "numbers in the history");
    Ok(())
}

/// A purge removes every version and leaves the floor: numbers and places go on from there, also
/// when the store was opened again in between.
pub(super) fn numbers_survive_purges(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let [a, b] = [key("a"), key("b")];
    bench.put(&b, "1")?;
    bench.put(&a, "1")?;
    bench.clock.advance(1_000_000);
    let newest = bench.put(&a, "2")?;
    bench.clock.advance(-1_000_000);
    bench.purge(&a)?;
    let floor = Current::Absent { floor: VersionNumber::new(2) };
    ensure_eq!(bench.current(&a)?, floor, "state after a purge");
    for number in 1..=3 {
        ensure_eq!(bench.version(&a, number)?, None, "version {number} after a purge");
    }
    ensure_eq!(bench.versions(HistoryScope::Key(a.clone()))?, [], "history of the key after a purge");
    ensure_eq!(bench.versions(HistoryScope::All)?.len(), 1, "history of everything after a purge");

    if bench.instance.reopen() {
        bench.store = bench.instance.store();
        ensure_eq!(bench.current(&a)?, floor, "state after a purge and reopening");
    }
    let next = bench.put(&b, "2")?;
    ensure!(next.seq > newest.seq, "place {:?} was given out again", next.seq);
    ensure!(next.at >= newest.at, "a stamp before {:?}, that of a purged version", newest.at);
    bench.put(&a, "3")?;
    let version = bench.version(&a, 3)?.ok_or_else(|| Fault("no version after a purge".to_owned()))?;
    ensure_eq!(version.previous_at, None, "stamp before the first version after a purge");
    ensure_eq!(numbers(&bench, HistoryScope::Key(a.clone()))?, [3], "numbers after a purge");

    // Once more, so that the floor moves.
    bench.purge(&a)?;
    ensure_eq!(bench.current(&a)?, Current::Absent { floor: VersionNumber::new(3) }, "the second floor");
    Ok(())
}

/// A key may begin above its floor. What was passed over is nobody's, and is never used.
pub(super) fn first_passes_over_numbers(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let a = key("a");
    bench.must(vec![absent(&a)], vec![Write::Version(put(&a, 4, "5"))])?;
    ensure_eq!(bench.current(&a)?.number().get(), 5, "number of a first version");
    for number in 1..=4 {
        ensure_eq!(bench.version(&a, number)?, None, "version {number}, which was passed over");
    }
    let version = bench.version(&a, 5)?.ok_or_else(|| Fault("no first version".to_owned()))?;
    ensure_eq!(version.previous_at, None, "stamp before the first version");
    bench.put(&a, "6")?;
    ensure_eq!(numbers(&bench, HistoryScope::Key(a.clone()))?, [5, 6], "numbers above those passed over");
    let again = bench.commit(vec![absent(&a)], vec![Write::Version(put(&a, 8, "9"))])?;
    ensure!(matches!(again, Commit::Lost(_)), "a key that is there begins once more: {again:?}");
    bench.purge(&a)?;
    if bench.instance.reopen() {
        bench.store = bench.instance.store();
    }
    let floor = Current::Absent { floor: VersionNumber::new(6) };
    ensure_eq!(bench.current(&a)?, floor, "state after a purge");
    // Above a floor as well.
    bench.must(vec![pin(&a, &floor)], vec![Write::Version(put(&a, 8, "9"))])?;
    ensure_eq!(numbers(&bench, HistoryScope::Key(a))?, [9], "numbers above a floor that was passed over");
    Ok(())
}

/// A version is found by its number, and by the low 48 bits of its tag.
pub(super) fn selectors(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let a = key("a");
    // The second and the fourth version share the bits that are asked for.
    let tags = [7, 0xffff_0000_0000_0001, 9, 0x0abc_0000_0000_0001];
    for (before, tag) in (0..).zip(tags) {
        let current = bench.current(&a)?;
        let next = VersionToken { number: VersionNumber::new(before + 1), tag: VersionTag(tag) };
        let write = VersionWrite { next, ..put(&a, before, &format!("body {}", before + 1)) };
        bench.must(vec![pin(&a, &current)], vec![Write::Version(write)])?;
    }
    let find = |key: &Key, selector| -> Result<Option<u64>, Fault> {
        let version = block_on(bench.store.read_version(key, selector))?;
        Ok(version.map(|version| version.version.number.get()))
    };
    for number in 0..6 {
        let found = find(&a, VersionSelector::Number(VersionNumber::new(number)))?;
        ensure_eq!(found, Some(number).filter(|number| (1..=4).contains(number)), "version {number}");
    }
    for (tag, number) in [(7, Some(1)), (1, Some(4)), (9, Some(3)), (2, None)] {
        ensure_eq!(find(&a, VersionSelector::Tag48(tag))?, number, "version by tag {tag}");
    }
    ensure_eq!(find(&key("b"), VersionSelector::Tag48(7))?, None, "a version of a key never used");
    let first = bench.version(&a, 1)?.and_then(|version| version.body);
    ensure_eq!(first.map(|body| body.bytes), Some(Bytes::from("body 1")), "content of the first version");
    Ok(())
}

/// Contents of any length and any bytes come back as they are; ids are compared to the letter.
pub(super) fn any_content_and_id(harness: &dyn Harness) -> Verdict {
    let mut bench = Bench::new(harness);
    let ids = ["a", "A", "á", "a ", "a'; DROP TABLE version; --", "a\0b", "", "🜚", &"long".repeat(100)];
    let mut stored = Vec::new();
    for (number, id) in (0..).zip(ids) {
        for kind in ["Flag", "flag", ""] {
            let bytes = Bytes::from(format!("{number} {kind}"));
            stored.push((Key::new(kind, id), Body { bytes, splice: i64::MIN + number }));
        }
    }
    for (number, size) in [0, 1, 4096, 65_537, 3 << 20].into_iter().enumerate() {
        let bytes: Vec<u8> =
            (0..size).map(|n: u32| n.to_le_bytes().into_iter().fold(0, u8::wrapping_add)).collect();
        stored.push((key(&format!("size {number}")), Body { bytes: bytes.into(), splice: i64::MAX }));
    }
    for (key, body) in &stored {
        let write = VersionWrite { body: Some(body.clone()), ..put(key, 0, "") };
        bench.must(vec![absent(key)], vec![Write::Version(write)])?;
    }
    check_bodies(&bench, &stored)?;
    if bench.instance.reopen() {
        bench.store = bench.instance.store();
        check_bodies(&bench, &stored)?;
    }
    Ok(())
}

fn check_bodies(bench: &Bench, stored: &[(Key, Body)]) -> Verdict {
    for (key, body) in stored {
        // Contents may be large, so they are not printed.
        let read = bench.read(key)?.body;
        ensure!(read.as_ref() == Some(body), "{key} has another body than was written");
        let version = bench.version(key, 1)?.and_then(|version| version.body);
        ensure!(version.as_ref() == Some(body), "{key} version 1 has another body than was written");
    }
    Ok(())
}

fn numbers(bench: &Bench, scope: HistoryScope) -> Result<Vec<u64>, Fault> {
    let versions = bench.versions(scope)?;
    Ok(versions.iter().map(|version| version.version.number.get()).collect())
}
