use std::path::Path;

use storage_api::{
    Body, Clock, Committed, Current, Guard, HeadGuard, IndexGeneration, Key, Method, RequestId, Seq,
    Timestamp, VersionNumber, VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};

use super::*;
use crate::blobs::Blobs;
use crate::options::Options;
use crate::pool::Pool;
use crate::rows::{ResourceRow, State};
use crate::schema;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp(1_527_264_590_000_000)
    }
}

fn shared(directory: &Path) -> (Arc<Shared>, Connection) {
    let path = directory.join("store.db");
    let options = Options::default();
    let mut connection = open_writer(&path, &options).unwrap();
    schema::migrate(&mut connection).unwrap();
    let blobs = Blobs::new(directory.join("blobs"));
    let pool = Pool::open(&path, &options).unwrap();
    (Arc::new(Shared::new(path, blobs, pool, options, Arc::new(Stopped), IndexGeneration(0))), connection)
}

fn create(id: &str) -> WriteSet {
    let key = Key::new("Flag", id);
    WriteSet {
        request: RequestId([1; 16]),
        index: IndexGeneration(0),
        guards: vec![Guard::Head(key.clone(), HeadGuard::Absent { floor: VersionNumber::NONE })],
        writes: vec![Write::Version(VersionWrite {
            key,
            next: VersionToken { number: VersionNumber::FIRST, tag: VersionTag(1) },
            method: Method::Put,
            body: Some(Body { bytes: "{}".into(), splice: 0 }),
            terms: [].into(),
        })],
    }
}

/// What one group of these write sets ends as.
fn write(writer: &mut Writer, sets: &[WriteSet]) -> Vec<Outcome> {
    let prepared: Vec<Prepared> =
        sets.iter().map(|set| writer.shared.prepare(set.clone()).unwrap()).collect();
    writer.write(&prepared)
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM version", [], |row| row.get(0)).unwrap()
}

fn committed(seq: u64) -> Commit {
    Commit::Committed(Committed { seq: Seq(seq), at: Stopped.now() })
}

fn writer(shared: &Arc<Shared>, connection: Connection) -> Writer {
    let position = Position::load(&connection).unwrap();
    Writer::new(Arc::clone(shared), connection, position)
}

#[test]
fn a_commit_that_fails_is_unknown_to_all_and_the_writer_opens_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, mut connection) = shared(directory.path());
    connection.commit_hook(Some(|| true)).unwrap();
    let mut writer = writer(&shared, connection);
    let key = Key::new("Flag", "cached");
    let row = ResourceRow { res: 9, state: State::Live, number: 1, seq: 9, at: 0, tag: 0, previous_at: None };
    shared.heads.fill(&key, row, shared.heads.settled());

    let unknown = write(&mut writer, &[create("a"), create("b")]);
    assert_eq!(unknown, [Ok(Commit::Unknown), Ok(Commit::Unknown)]);
    assert_eq!(shared.counters.reopenings.get(), 0);
    // The connection without the hook, opened by the next group.
    assert_eq!(write(&mut writer, &[create("a")]), [Ok(committed(1))]);
    assert_eq!(shared.counters.reopenings.get(), 1);
    assert_eq!(shared.heads.get(&key), None, "what was cached before is doubted");
    assert_eq!(count(writer.connection.as_ref().unwrap()), 1);
}

#[test]
fn an_append_that_fails_ends_its_whole_group_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, connection) = shared(directory.path());
    let trigger = "CREATE TRIGGER failing BEFORE INSERT ON resource WHEN new.id = 'fails'
                   BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END";
    connection.execute_batch(trigger).unwrap();
    let mut writer = writer(&shared, connection);
    let outcomes = write(&mut writer, &[create("a"), create("fails"), create("b")]);
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        assert!(
            matches!(&outcome, Err(StoreError::Io(what)) if what.contains("the disk is gone")),
            "{outcome:?}"
        );
    }
    assert_eq!(count(writer.connection.as_ref().unwrap()), 0);
    // Symbols, places and cached states of the failed group are forgotten with it.
    assert_eq!(write(&mut writer, &[create("a"), create("b")]), [Ok(committed(1)), Ok(committed(2))]);
}

#[test]
fn sets_of_one_group_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, connection) = shared(directory.path());
    let mut writer = writer(&shared, connection);
    let outcomes = write(&mut writer, &[create("a"), create("a"), create("b")]);
    let Ok(Commit::Lost(lost)) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(matches!(lost[0].now, storage_api::Now::Head(Current::Live(_))), "{lost:?}");
    assert_eq!((&outcomes[0], &outcomes[2]), (&Ok(committed(1)), &Ok(committed(2))));
    assert_eq!(shared.heads.get(&Key::new("Flag", "a")).map(|row| row.seq), Some(1));
}

#[test]
fn a_log_under_suspicion_is_kept_until_it_was_read_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, connection) = shared(directory.path());
    let mut writer = writer(&shared, connection);
    assert_eq!(write(&mut writer, &[create("a")]), [Ok(committed(1))]);
    // A reader of an old state lets only a part of the log be moved.
    let somebody = Connection::open(directory.path().join("store.db")).unwrap();
    somebody.execute_batch("BEGIN; SELECT count(*) FROM version;").unwrap();
    assert_eq!(write(&mut writer, &[create("b")]), [Ok(committed(2))]);
    let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
    writer.connection.as_ref().unwrap().query_row(checkpoint, [], |_| Ok(())).unwrap();
    assert!(moved(writer.connection.as_ref().unwrap()).unwrap() > 0);

    // While it has the file open, SQLite goes on with what it counted.
    somebody.execute_batch("COMMIT").unwrap();
    shared.log.read_anew(1);
    writer.tidy();
    assert!(shared.log.is_suspect());
    keep_log(&somebody).unwrap();
    drop(somebody);

    writer.tidy();
    assert!(!shared.log.is_suspect());
    assert_eq!(moved(writer.connection.as_ref().unwrap()), Ok(0));
    assert_eq!(write(&mut writer, &[create("c")]), [Ok(committed(3))]);
    let reader = shared.pool.get().unwrap();
    assert_eq!(count(reader.as_ref().unwrap()), 3, "reads have connections again");
    drop(reader);

    // A store that ends under suspicion leaves the log to the next start.
    shared.log.read_anew(1);
    shared.pool.close();
    writer.end();
    let log = directory.path().join("store.db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    assert_eq!(count(&open_writer(&shared.path, &shared.options).unwrap()), 3);
    assert!(!log.exists(), "the last connection of a store without suspicion moves it");
}
