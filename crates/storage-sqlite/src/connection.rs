//! How connections are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::deadline;
use crate::options::{Durability, Options};

/// How long a statement waits for another connection's lock. Only checkpoints and other
/// programs can hold one.
pub(crate) const BUSY_MS_MAX: u64 = 5_000;

/// The size of the file's pages.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Statements kept prepared per connection; there are about thirty.
const STATEMENTS_MAX: usize = 64;

/// The writer's connection; creates the file.
pub(crate) fn open_writer(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, options)?;
    // The page size counts only before the first table is made, and before WAL mode.
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    set_log_mode(&connection)?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    if let Some(bytes) = options.file_bytes_max {
        let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

/// Where this fails unnoticed, SQLite goes on without a log, and a loss of power can undo its commits.
fn set_log_mode(connection: &Connection) -> rusqlite::Result<()> {
    // The mode is told before it is written: whether that went well shows in the step behind the row.
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let modes: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if modes == ["wal"] {
        return Ok(());
    }
    let failure = ffi::Error::new(ffi::SQLITE_IOERR);
    Err(rusqlite::Error::SqliteFailure(failure, Some(format!("the journal mode is {modes:?}, not WAL"))))
}

/// Lets the connection end without moving the log into the file, even if it is the last one.
pub(crate) fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// A connection that makes checkpoints beside the writer's.
pub(crate) fn open_checkpointer(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, options)?;
    keep_log(&connection)?;
    // The file must be on the disk before the log that it replaces is written over.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    Ok(connection)
}

/// A connection that only reads, while the writer's is open.
pub(crate) fn open_reader(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, options)?;
    keep_log(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    deadline::watch(&mut connection)?;
    Ok(connection)
}

/// A connection that cannot write, whoever else has the file open.
pub(crate) fn open_read_only(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, options)?;
    Ok(connection)
}

fn prepare(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this a statement whose plan might depend on what is bound is prepared anew each
    // time it is bound, which takes longer than the look-up itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A negative size is in KiB.
    let kib = i64::try_from(options.page_cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -kib)
}
