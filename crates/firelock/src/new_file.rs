//! Files that are whole or not there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// A file that appears under its name when it is whole.
pub(crate) struct NewFile {
    path: PathBuf,
    unfinished: PathBuf,
    file: File,
}

impl NewFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        ensure!(!path.exists(), "{} exists; choose another name, or remove it first", path.display());
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        let unfinished = PathBuf::from(name);
        let file = File::create(&unfinished).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), unfinished, file })
    }

    /// Has the file written, brings it onto the disk and gives it its name; or removes it.
    pub(crate) fn write<T>(self, content: impl FnOnce(&File) -> Result<T>) -> Result<T> {
        let Self { path, unfinished, file } = self;
        let written = content(&file).and_then(|written| {
            file.sync_all().and_then(|()| name(&unfinished, &path))?;
            Ok(written)
        });
        if written.is_err() {
            // What remains is named in a way that says what it is.
            let _ = fs::remove_file(&unfinished);
        }
        written.with_context(|| format!("{} was not made", path.display()))
    }
}

/// Nothing that appeared meanwhile is replaced.
fn name(unfinished: &Path, path: &Path) -> std::io::Result<()> {
    fs::hard_link(unfinished, path)?;
    fs::remove_file(unfinished)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
