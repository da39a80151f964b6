//! Why a store could not be opened, and what SQLite's errors mean to callers of the port.

use core::fmt;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use storage_api::StoreError;

/// Why a store could not be opened. The texts are for the person who runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has the store open.
    Locked {
        /// The store's directory.
        directory: PathBuf,
        /// The process that holds it, if the lock file says so.
        holder: Option<u32>,
    },
    /// The file was written by a newer version of this program.
    NewerSchema {
        /// The file's schema version.
        found: usize,
        /// The newest that this program knows.
        supported: usize,
    },
    /// The file has an older schema and must not be changed.
    OlderSchema {
        /// The file's schema version.
        found: usize,
        /// The one that is needed.
        wanted: usize,
    },
    /// The file is no store of ours.
    Foreign,
    /// The operating system refused.
    Io(String),
    /// SQLite refused.
    Sqlite(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { directory, holder } => {
                write!(f, "the store in {} is in use", directory.display())?;
                match holder {
                    Some(pid) => write!(f, " by process {pid}; stop it first, or choose another directory"),
                    None => f.write_str(" by another process"),
                }
            }
            Self::NewerSchema { found, supported } => write!(
                f,
                "the store has schema version {found} and this program knows versions up to {supported}; \
                 use the program that wrote it, or a newer one"
            ),
            Self::OlderSchema { found, wanted } => write!(
                f,
                "the store has schema version {found}, older than {wanted}; \
                 open it once for writing to bring it forward"
            ),
            Self::Foreign => f.write_str("the file is no Firelock store"),
            Self::Io(what) => write!(f, "the store cannot be opened: {what}"),
            Self::Sqlite(what) => write!(f, "the store cannot be opened: SQLite says: {what}"),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return Self::Foreign;
        }
        if let rusqlite::Error::SqliteFailure(failure, _) = &error
            && matches!(failure.code, ErrorCode::SystemIoFailure | ErrorCode::DiskFull)
        {
            let code = failure.extended_code;
            return Self::Io(format!("the disk is full or fails; SQLite says: {error} (code {code})"));
        }
        Self::Sqlite(error.to_string())
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// What an error of SQLite means to the caller of the port.
pub(crate) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => StoreError::Corrupt(error.to_string()),
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(error.to_string())
            }
            _ => StoreError::Io(error.to_string()),
        },
    }
}

/// A stored value that has no meaning.
pub(crate) fn nonsense(column: usize, value: i64) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, value)
}
