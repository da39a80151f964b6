//! What lies where in a store's directory.

use std::path::{Path, PathBuf};

/// The paths of a store. Its lock file stands beside them.
pub(crate) struct Layout {
    /// The database.
    pub(crate) database: PathBuf,
    /// Its log. SQLite makes the name.
    pub(crate) log: PathBuf,
    /// The directory of large contents.
    pub(crate) blobs: PathBuf,
}

impl Layout {
    pub(crate) fn of(directory: &Path) -> Self {
        let file = |name| directory.join(name);
        Self { database: file("store.db"), log: file("store.db-wal"), blobs: file("blobs") }
    }
}
