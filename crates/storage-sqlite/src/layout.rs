//! What lies where in a store's directory.

use std::path::{Path, PathBuf};

/// The paths of a store. Its lock file stands beside them.
pub(crate) struct Layout {
    /// The database; its log has the same name with `-wal` behind it.
    pub(crate) database: PathBuf,
    /// The directory of large contents.
    pub(crate) blobs: PathBuf,
}

impl Layout {
    pub(crate) fn of(directory: &Path) -> Self {
        Self { database: directory.join("store.db"), blobs: directory.join("blobs") }
    }
}
