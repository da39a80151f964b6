//! Large contents.

use std::fs;
use std::path::{Path, PathBuf};

use pollster::block_on;
use storage_api::{Commit, Current, Guard, HeadGuard, Key, Store, StoreError, VersionNumber};
use storage_sqlite::{CheckDepth, Options, Problem, SqliteStore, check};

use crate::{key, next, open, purge, put, set};

const LARGE: usize = 1_000;

fn options() -> Options {
    Options { body_inline_max: LARGE - 1, ..Options::default() }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("blobs")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn content(store: &SqliteStore, key: &Key) -> Option<Vec<u8>> {
    block_on(store.read(key)).unwrap().body.map(|body| body.bytes.to_vec())
}

#[test]
fn a_large_content_is_a_file_that_equal_contents_share() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options());
    put(&store, &key("small"), vec![1; LARGE - 1]);
    assert_eq!(files(directory.path()).len(), 0);
    put(&store, &key("a"), vec![1; LARGE]);
    put(&store, &key("b"), vec![1; LARGE]);
    put(&store, &key("a"), vec![2; LARGE]);
    assert_eq!(files(directory.path()).len(), 2);
    assert_eq!(content(&store, &key("a")), Some(vec![2; LARGE]));
    assert_eq!(content(&store, &key("b")), Some(vec![1; LARGE]));
    drop(store);
    let store = open(directory.path(), options());
    assert_eq!(content(&store, &key("b")), Some(vec![1; LARGE]));
    let report = check(directory.path(), CheckDepth::Rows, &mut |_| ()).unwrap();
    assert_eq!((report.files, report.faults), (2, vec![]));
}

#[test]
fn a_file_goes_with_its_last_version() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options());
    for id in ["a", "b"] {
        put(&store, &key(id), vec![1; LARGE]);
    }
    put(&store, &key("a"), vec![2; LARGE]);
    purge(&store, &key("a"));
    // The writer removes files after it has answered, and answers the next one after that.
    block_on(store.commit(set(vec![], vec![]))).unwrap();
    assert_eq!(files(directory.path()).len(), 1);
    assert_eq!(content(&store, &key("b")), Some(vec![1; LARGE]));
    purge(&store, &key("b"));
    block_on(store.commit(set(vec![], vec![]))).unwrap();
    assert_eq!(files(directory.path()).len(), 0);
}

#[test]
fn a_lost_write_set_leaves_no_file_and_takes_none_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options());
    put(&store, &key("a"), vec![1; LARGE]);
    for fill in [1, 2] {
        let mut lost = next(&key("b"), &Current::NEVER, Some(vec![fill; LARGE]), vec![]);
        lost.guards.push(Guard::Head(key("a"), HeadGuard::Exactly(VersionNumber::new(7))));
        assert!(matches!(block_on(store.commit(lost)), Ok(Commit::Lost(_))));
    }
    block_on(store.commit(set(vec![], vec![]))).unwrap();
    assert_eq!(files(directory.path()).len(), 1);
    assert_eq!(content(&store, &key("a")), Some(vec![1; LARGE]));
}

#[test]
fn leftovers_of_a_crash_are_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options());
    put(&store, &key("a"), vec![1; LARGE]);
    drop(store);
    let blobs = directory.path().join("blobs");
    fs::write(blobs.join("unfinished-1-0"), "half").unwrap();
    fs::write(blobs.join("0".repeat(64)), "nobody's").unwrap();
    let store = open(directory.path(), options());
    assert_eq!(files(directory.path()).len(), 1);
    assert_eq!(content(&store, &key("a")), Some(vec![1; LARGE]));
}

#[test]
fn a_missing_or_damaged_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), options());
    put(&store, &key("a"), vec![1; LARGE]);
    let file = files(directory.path()).remove(0);
    let problem = || check(directory.path(), CheckDepth::Rows, &mut |_| ()).unwrap().faults.remove(0).problem;
    fs::write(&file, "something else").unwrap();
    assert_eq!(problem(), Problem::FileDamaged);
    fs::remove_file(&file).unwrap();
    assert_eq!(problem(), Problem::FileMissing);
    let answer = block_on(store.read(&key("a")));
    assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
}
