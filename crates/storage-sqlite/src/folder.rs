//! The store's directory. A file that is synced is still lost with the power while the names that lead to it are
//! not.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes `directory` and what it lies in, and sees to it that their names last.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    // All of them, made now or not: an earlier start may have made them and been killed.
    directory.canonicalize()?.ancestors().try_for_each(sync)
}

/// Sees to it that the names of the files in `directory` last. SQLite syncs it too, when it makes its log, but does
/// not look whether that went well.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Where this process may not look it made nothing, and some file systems keep names by other means.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => Ok(()),
        done => done,
    }
}
