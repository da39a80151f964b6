//! The layout of the file, and the way from older layouts to it.
//!
//! Bodies are appended in commit order, and what is reached in random order stays narrow. There
//! is no index on (resource, version): a version's history follows `prev`.

use rusqlite::Connection;

use crate::OpenError;

/// Marks the file as ours (`PRAGMA application_id`): "Flck".
const APPLICATION_ID: i64 = 0x466c_636b;

/// Step `n` leads from schema version `n` to `n + 1`. Steps are only ever added.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3];

/// - `symbol`: short numbers for texts that repeat: types, parameters, systems.
/// - `version`: every version, append only; `prev` is the seq of the version before it, `codec`
///   says what `body` is (0 none, 1 the bytes, 2 the hash of a file), `terms` what it is found by.
/// - `resource`: the newest state of each key. `state`: 0 never stored (only referred to), 1 live,
///   2 deleted, 3 purged. `ver` is the highest number used; `floor` the highest one purged or passed over.
/// - `term`: what live resources are found by.
/// - `claim`: `seq` is the last version of the write set that claimed, `count` how many it wrote.
/// - `blob`: how many versions have the body in the file of that hash.
/// - `meta`: `newest_seq` and `newest_at` as of the last purge (a purge may remove the rows they
///   could be read from), `index_generation`.
const VERSION_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE symbol (
    sym INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text)
) STRICT;
CREATE TABLE version (
    seq INTEGER PRIMARY KEY, res INTEGER NOT NULL, ver INTEGER NOT NULL, prev INTEGER,
    at INTEGER NOT NULL, tag INTEGER NOT NULL, method INTEGER NOT NULL, request BLOB NOT NULL,
    codec INTEGER NOT NULL, splice INTEGER NOT NULL, terms BLOB, body BLOB
) STRICT;
CREATE TABLE version_by_type (
    type INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (type, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE resource (
    res INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL,
    ver INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, tag INTEGER NOT NULL,
    prev_at INTEGER, floor INTEGER NOT NULL, UNIQUE (id, type)
) STRICT;
CREATE TABLE term (
    param INTEGER NOT NULL, value BLOB NOT NULL, res INTEGER NOT NULL,
    PRIMARY KEY (param, value, res)
) STRICT, WITHOUT ROWID;
CREATE TABLE claim (
    scope INTEGER NOT NULL, value BLOB NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL,
    expires INTEGER, PRIMARY KEY (scope, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE blob (hash BLOB PRIMARY KEY, refs INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// - `note`: `index_maker` and `index_backfill`, as the caller gave them.
const VERSION_2: &str = "
CREATE TABLE note (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// - `words`: what live resources have of words, by parameter and resource. It keeps no texts, and gets words in the form
///   in which they are compared (see `words.rs`). Where nobody asks for words it stays empty and costs nothing.
const VERSION_3: &str = "
CREATE VIRTUAL TABLE words USING fts5 (first, second, content = '', contentless_delete = 1, tokenize = 'ascii');
";

/// Brings the file to the newest schema, creating it if it is empty.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    migrate_by(connection, MIGRATIONS)
}

/// Checks that the file is empty or a store that this program knows, without changing it.
pub(crate) fn expect_ours(connection: &Connection) -> Result<(), OpenError> {
    identify(connection, MIGRATIONS).map(drop)
}

/// Checks that the file has the newest schema without changing it.
pub(crate) fn expect_newest(connection: &Connection) -> Result<(), OpenError> {
    let found = identify(connection, MIGRATIONS)?;
    if found == MIGRATIONS.len() {
        Ok(())
    } else {
        Err(OpenError::OlderSchema { found, wanted: MIGRATIONS.len() })
    }
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let found = identify(connection, migrations)?;
    for (step, sql) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}

/// The schema version of the file, refused if it is newer than `migrations` lead to or if the
/// file holds something else.
fn identify(connection: &Connection, migrations: &[&str]) -> Result<usize, OpenError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_ours = pragma("application_id")? == APPLICATION_ID;
    if tables > 0 && !is_ours {
        return Err(OpenError::Foreign);
    }
    let version = pragma("user_version")?;
    let found = usize::try_from(version).map_err(|_| OpenError::Foreign)?;
    if found > migrations.len() {
        return Err(OpenError::NewerSchema { found, supported: migrations.len() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_empty_file_gets_the_newest_schema_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection), 3);
        connection.execute("INSERT INTO meta VALUES ('kept', 7)", []).unwrap();
        migrate(&mut connection).unwrap();
        let kept: i64 = connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
    }

    #[test]
    fn an_older_file_is_brought_forward_with_its_content() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO meta VALUES ('kept', 7)", []).unwrap();
        let later =
            [MIGRATIONS, &["ALTER TABLE meta ADD COLUMN note TEXT", "UPDATE meta SET note = 'moved'"]];
        let later = later.concat();
        migrate_by(&mut connection, &later).unwrap();
        assert_eq!(version(&connection), 5);
        let row: (i64, String) = connection
            .query_row("SELECT value, note FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, (7, "moved".to_owned()));
        // This build, which knows three steps, keeps away from it.
        assert_eq!(migrate(&mut connection), Err(OpenError::NewerSchema { found: 5, supported: 3 }));
    }

    #[test]
    fn a_step_that_fails_leaves_the_older_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let broken = [MIGRATIONS, &["CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1)"]].concat();
        assert!(matches!(migrate_by(&mut connection, &broken), Err(OpenError::Sqlite(_))));
        assert_eq!(version(&connection), 3);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'";
        assert_eq!(connection.query_row(tables, [], |row| row.get::<_, i64>(0)), Ok(0));
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE notes (text)").unwrap();
        assert_eq!(migrate(&mut connection), Err(OpenError::Foreign));
    }
}
