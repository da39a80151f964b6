//! What is there after the store was closed, or not closed, and opened again.

use pollster::block_on;
use storage_api::*;
use storage_sqlite::{OpenError, Options, SqliteStore};

use crate::{Steps, put};

#[test]
fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let key = Key::new("Flag", "a");
    let store = SqliteStore::open(directory.path(), Options::default(), Steps::new()).unwrap();
    for before in 0..3 {
        let commit = block_on(store.commit(put(&key, before, &format!("{{\"n\":{before}}}")))).unwrap();
        assert!(matches!(commit, Commit::Committed(_)), "{commit:?}");
    }
    let request = HistoryRequest {
        scope: HistoryScope::All,
        order: Order::Newest,
        after: None,
        since: None,
        at: None,
        limit: 10,
    };
    let before = block_on(store.history(&request)).unwrap();
    assert_eq!(before.versions.len(), 3);
    block_on(store.close()).unwrap();
    assert_eq!(block_on(store.read(&key)), Err(StoreError::Unavailable("closed".to_owned())));

    let store = SqliteStore::open(directory.path(), Options::default(), Steps::new()).unwrap();
    assert_eq!(block_on(store.history(&request)).unwrap(), before);
    let lost = block_on(store.commit(put(&key, 2, "{}"))).unwrap();
    assert!(matches!(lost, Commit::Lost(_)), "{lost:?}");
    assert!(matches!(block_on(store.commit(put(&key, 3, "{}"))), Ok(Commit::Committed(_))));
}

#[test]
fn a_second_opening_is_refused_with_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path(), Options::default(), Steps::new()).unwrap();
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err();
    let holder = Some(std::process::id());
    assert_eq!(refused, Some(OpenError::Locked { directory: directory.path().to_path_buf(), holder }));
    let sentence = refused.unwrap().to_string();
    assert!(sentence.contains(&format!("in use by process {}", std::process::id())), "{sentence}");
    drop(store);
    SqliteStore::open(directory.path(), Options::default(), Steps::new()).unwrap();
}
