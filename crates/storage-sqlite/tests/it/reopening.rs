//! What is there after the store was closed and opened again.

use pollster::block_on;
use rusqlite::Connection;
use storage_api::{Commit, Index, IndexGeneration, Store, StoreError, Write, WriteSet};
use storage_sqlite::{OpenError, Options, SqliteStore};

use crate::{Steps, all, key, open, put, try_put};

#[test]
fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    for n in 0..3 {
        put(&store, &key("a"), format!("{{\"n\":{n}}}"));
    }
    let before = block_on(store.history(&all())).unwrap();
    assert_eq!(before.versions.len(), 3);
    block_on(store.close()).unwrap();
    assert_eq!(block_on(store.read(&key("a"))), Err(StoreError::Unavailable("closed".to_owned())));

    let store = open(directory.path(), Options::default());
    assert_eq!(block_on(store.history(&all())).unwrap(), before);
    assert_eq!(put(&store, &key("a"), "4").seq.0, 4);
}

#[test]
fn dropping_the_store_closes_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    put(&store, &key("a"), "1");
    drop(store);
    // Closed in good order: the log is moved into the file and the lock is free.
    assert!(!directory.path().join("store.db-wal").exists());
    open(directory.path(), Options::default());
}

#[test]
fn a_second_opening_is_refused_with_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err();
    let holder = Some(std::process::id());
    assert_eq!(refused, Some(OpenError::Locked { directory: directory.path().to_path_buf(), holder }));
    let sentence = refused.unwrap().to_string();
    assert!(sentence.contains(&format!("in use by process {}", std::process::id())), "{sentence}");
    drop(store);
    open(directory.path(), Options::default());
}

#[test]
fn an_empty_file_becomes_a_store_and_a_newer_one_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    std::fs::write(&file, "").unwrap();
    let store = open(directory.path(), Options::default());
    put(&store, &key("a"), "1");
    drop(store);

    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err().unwrap();
    assert_eq!(refused, OpenError::NewerSchema { found: 99, supported: 3 });
    assert!(refused.to_string().contains("schema version 99"), "{refused}");
}

#[test]
fn a_store_that_was_left_while_it_was_made_is_made_again() {
    let made = tempfile::tempdir().unwrap();
    let connection = Connection::open(made.path().join("store.db")).unwrap();
    // More than the cache holds: some of it is in the file, and the journal says how to take it back.
    let unfinished = "PRAGMA cache_size = 1; BEGIN IMMEDIATE; CREATE TABLE filler (content TEXT);
                      WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT 100)
                      INSERT INTO filler SELECT hex(zeroblob(1000)) FROM n";
    connection.execute_batch(unfinished).unwrap();
    let left = tempfile::tempdir().unwrap();
    for file in ["store.db", "store.db-journal"] {
        std::fs::copy(made.path().join(file), left.path().join(file)).unwrap();
    }
    drop(connection);
    let reader =
        Connection::open_with_flags(left.path().join("store.db"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let read = reader.unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    assert!(read.is_err(), "nothing is left to take back: the test shows nothing");

    let store = open(left.path(), Options::default());
    put(&store, &key("a"), "1");
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    std::fs::write(&file, "to be or not to be, that is the question. ".repeat(100)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err();
    assert_eq!(refused, Some(OpenError::Foreign));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    drop(connection);
    let before = std::fs::read(&file).unwrap();
    let refused = SqliteStore::open(directory.path(), Options::default(), Steps::new()).err();
    assert_eq!(refused, Some(OpenError::Foreign));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn an_existing_store_keeps_its_index_generation() {
    let directory = tempfile::tempdir().unwrap();
    let generation = |number| Options { index_generation: IndexGeneration(number), ..Options::default() };
    drop(open(directory.path(), generation(3)));
    let store = open(directory.path(), generation(4));
    assert_eq!(store.index_generation(), IndexGeneration(3));
    let outcome = try_put(&store, &key("a"), "1");
    assert_eq!(outcome, Ok(Commit::StaleIndex(IndexGeneration(3))));
    let set = WriteSet { index: IndexGeneration(3), ..crate::set(vec![], vec![]) };
    assert!(matches!(block_on(store.commit(set)), Ok(Commit::Committed(_))));
}

/// A store from before its index was described says nothing of it, and keeps everything else.
#[test]
fn an_older_store_does_not_say_what_its_index_is_made_by() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    put(&store, &key("a"), "1");
    let described = Index { generation: IndexGeneration(1), maker: "m".into(), backfill: Some("b".into()) };
    let begin = crate::set(vec![], vec![Write::Index(described.clone())]);
    assert!(matches!(block_on(store.commit(begin)), Ok(Commit::Committed(_))));
    drop(store);
    let store = open(directory.path(), Options::default());
    assert_eq!(block_on(store.index()), Ok(described));
    drop(store);

    let file = Connection::open(directory.path().join("store.db")).unwrap();
    file.execute_batch("DROP TABLE words; DROP TABLE note; PRAGMA user_version = 1").unwrap();
    drop(file);
    let store = open(directory.path(), Options::default());
    let unknown = Index { generation: IndexGeneration(1), ..Index::default() };
    assert_eq!(block_on(store.index()), Ok(unknown));
    assert!(block_on(store.read(&key("a"))).unwrap().body.is_some());
}
