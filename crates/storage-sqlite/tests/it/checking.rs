//! The check of a store: silent on a whole one, and outspoken about each kind of damage.

use std::path::Path;

use pollster::block_on;
use rusqlite::Connection;
use storage_api::{
    Coding, Current, Guard, Key, Reference, Scope, Store, Term, Value, VersionNumber, Words, Write,
};
use storage_sqlite::{CheckDepth, CheckReport, OpenError, Options, Problem, check};

use crate::{committed, delete, key, next, open, purge, put, set};

fn report(directory: &Path) -> CheckReport {
    check(directory, CheckDepth::Pages, &mut |_| ()).unwrap()
}

/// A store with something of everything. Rows: `a` has 1, 2 and 5, `b` 3 and 4, `p` 6.
pub(crate) fn fill(directory: &Path) {
    let store = open(directory, Options { body_inline_max: 100, ..Options::default() });
    let terms = vec![
        Term::new("code", Value::Token(Coding { code: "x".into(), system: Some("s".into()) })),
        Term::new("subject", Value::Reference(Reference::Local(Key::new("Patient", "never")))),
        Term::new("words", Value::Words(["one two two", "three"].map(Words::of))),
    ];
    committed(block_on(store.commit(next(&key("a"), &Current::NEVER, Some(vec![1]), terms.clone()))));
    put(&store, &key("a"), "2");
    put(&store, &key("b"), vec![b'x'; 200]);
    delete(&store, &key("b"));
    let current = block_on(store.read(&key("a"))).unwrap().current;
    committed(block_on(store.commit(next(&key("a"), &current, Some(vec![3]), terms))));
    put(&store, &key("gone"), "1");
    purge(&store, &key("gone"));
    put(&store, &key("gone"), "2");
    let claim = Write::Claim { scope: Scope(1), value: "k".into(), expires: None };
    committed(block_on(store.commit(set(vec![Guard::Unclaimed(Scope(1), "k".into())], vec![claim]))));
}

#[test]
fn a_whole_store_has_no_faults_and_counts_are_right() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let mut told = Vec::new();
    let found = check(directory.path(), CheckDepth::Rows, &mut |progress| told.push(progress)).unwrap();
    let expected = CheckReport {
        resources: 4,
        versions: 6,
        tombstones: 1,
        terms: 2,
        documents: 1,
        claims: 1,
        files: 1,
        faults: vec![],
        faults_total: 0,
    };
    assert_eq!(found, expected);
    assert!(found.is_whole());
    assert_eq!(told.last().map(|progress| (progress.done, progress.total)), Some((10, 10)));
}

/// What a first version passed over is no gap, also where there was a row for its key already.
#[test]
fn numbers_that_were_passed_over_are_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let store = open(directory.path(), Options::default());
    for key in [key("above"), Key::new("Patient", "never")] {
        let mut set = next(&key, &Current::NEVER, Some(vec![1]), vec![]);
        let Some(Write::Version(version)) = set.writes.first_mut() else { panic!("{set:?}") };
        version.next.number = VersionNumber::new(7);
        committed(block_on(store.commit(set)));
        put(&store, &key, "8");
        assert_eq!(block_on(store.read(&key)).unwrap().current.number().get(), 8);
    }
    let report = report(directory.path());
    assert!(report.is_whole(), "{:?}", report.faults);
}

#[test]
fn a_store_in_use_can_be_checked_and_is_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let store = open(directory.path(), Options::default());
    put(&store, &key("a"), "4");
    assert_eq!((report(directory.path()).versions, report(directory.path()).faults_total), (7, 0));
    put(&store, &key("a"), "5");
    assert_eq!(report(directory.path()).versions, 8);
}

#[test]
fn each_kind_of_damage_is_named() {
    let cases = [
        ("DELETE FROM version WHERE seq = 2", Problem::VersionMissing { number: 2, row: 2 }),
        ("UPDATE version SET prev = 3 WHERE seq = 5", Problem::ChainBroken { row: 3 }),
        ("UPDATE version SET prev = 5 WHERE seq = 5", Problem::ChainBroken { row: 5 }),
        ("UPDATE version SET prev = -9 WHERE seq = 5", Problem::VersionMissing { number: 2, row: -9 }),
        ("UPDATE version SET prev = 1 WHERE seq = 5", Problem::NumberGap { expected: 2, found: 1 }),
        ("UPDATE version SET prev = NULL WHERE seq = 5", Problem::NumberGap { expected: 2, found: 0 }),
        ("UPDATE version SET ver = 9 WHERE seq = 2", Problem::NumberGap { expected: 2, found: 9 }),
        ("UPDATE resource SET floor = 2 WHERE id = 'a'", Problem::NumberGap { expected: 0, found: 2 }),
        ("UPDATE resource SET ver = 5 WHERE id = 'never'", Problem::FloorDisagrees),
        ("UPDATE resource SET tag = tag + 1 WHERE id = 'a'", Problem::HeadDisagrees),
        ("UPDATE resource SET at = at + 1 WHERE id = 'a'", Problem::HeadDisagrees),
        ("UPDATE resource SET prev_at = NULL WHERE id = 'a'", Problem::HeadDisagrees),
        ("UPDATE resource SET state = 1 WHERE id = 'b'", Problem::HeadDisagrees),
        ("UPDATE resource SET seq = 2, ver = 2 WHERE id = 'a'", Problem::Stray),
        ("UPDATE resource SET state = 9 WHERE id = 'a'", Problem::Stray),
        ("UPDATE resource SET type = 99 WHERE id = 'b'", Problem::KindUnknown),
        ("UPDATE version SET at = 1 WHERE seq = 5", Problem::StampDecreases),
        ("UPDATE version SET body = NULL WHERE seq = 2", Problem::ContentDisagrees),
        ("UPDATE version SET body = x'00' WHERE seq = 4", Problem::ContentDisagrees),
        ("DELETE FROM version_by_type WHERE seq = 2", Problem::NotListed),
        ("UPDATE version_by_type SET type = 99 WHERE seq = 2", Problem::ListedWrongly),
        (
            "INSERT INTO version_by_type SELECT type, 77 FROM version_by_type WHERE seq = 1",
            Problem::ListedWrongly,
        ),
        ("UPDATE version SET terms = x'ff' WHERE seq = 5", Problem::TermsDamaged),
        ("UPDATE version SET terms = NULL WHERE seq = 5", Problem::TermsLeftOver(2)),
        ("DELETE FROM term WHERE rowid_free = 1", Problem::TermMissing),
        ("DELETE FROM words", Problem::WordsDiffer),
        ("UPDATE words SET first = 'two one two', second = 'three'", Problem::WordsDiffer),
        ("UPDATE words SET first = 'one two', second = 'three'", Problem::WordsDiffer),
        ("UPDATE words SET first = '', second = 'one two two three'", Problem::WordsDiffer),
        ("INSERT INTO words (rowid, first, second) VALUES (1, 'one', '')", Problem::WordsDiffer),
        ("UPDATE blob SET refs = 2", Problem::FileCountDisagrees),
        ("DELETE FROM blob", Problem::FileCountDisagrees),
    ];
    for (damage, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path());
        let file = Connection::open(directory.path().join("store.db")).unwrap();
        // The table of terms has no rowid; its smallest entry goes.
        let damage = damage
            .replace("rowid_free = 1", "(param, value, res) IN (SELECT param, value, res FROM term LIMIT 1)");
        assert_ne!(file.execute(&damage, []), Ok(0), "{damage}");
        drop(file);
        let found = report(directory.path());
        let problems: Vec<&Problem> = found.faults.iter().map(|fault| &fault.problem).collect();
        assert!(problems.contains(&&expected), "{damage}: {problems:?}");
        assert_eq!(found.faults_total, found.faults.len() as u64);
        assert!(!found.is_whole());
    }
}

#[test]
fn a_damaged_page_is_found() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let file = directory.path().join("store.db");
    let connection = Connection::open(&file).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'version_by_type'";
    let page: u64 = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    drop(connection);
    let mut bytes = std::fs::read(&file).unwrap();
    let start = usize::try_from((page - 1) * 4096).unwrap();
    bytes[start..start + 4096].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    // The rows cannot be gone through then; either way somebody says so.
    match check(directory.path(), CheckDepth::Pages, &mut |_| ()) {
        Ok(found) => assert!(!found.is_whole(), "{found:?}"),
        Err(OpenError::Sqlite(what)) => assert!(what.contains("malformed"), "{what}"),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_is_no_store_is_not_checked() {
    let directory = tempfile::tempdir().unwrap();
    assert!(check(directory.path(), CheckDepth::Rows, &mut |_| ()).is_err());
    let connection = Connection::open(directory.path().join("store.db")).unwrap();
    connection.execute_batch("CREATE TABLE notes (text)").unwrap();
    assert_eq!(check(directory.path(), CheckDepth::Rows, &mut |_| ()), Err(OpenError::Foreign));
}
