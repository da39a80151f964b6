//! The public suites, read where they lie beside the workspace.

use std::path::{Path, PathBuf};

/// A file or folder of the suites, or a printed line that says what is skipped.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {name} is not beside the workspace");
    None
}
