//! What lies where in a store's directory.

use std::path::{Path, PathBuf};

/// The paths of a store. Its lock file stands beside them.
pub(crate) struct Layout {
    /// The database.
    pub(crate) database: PathBuf,
    /// Its log, and the journal of the time before it has one. SQLite makes the names.
    pub(crate) log: PathBuf,
    pub(crate) journal: PathBuf,
    /// The directory of large contents.
    pub(crate) blobs: PathBuf,
}

impl Layout {
    pub(crate) fn of(directory: &Path) -> Self {
        let file = |name| directory.join(name);
        Self {
            database: file("store.db"),
            log: file("store.db-wal"),
            journal: file("store.db-journal"),
            blobs: file("blobs"),
        }
    }
}
