//! Reads the JSON files of an npm archive.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::bufread::GzDecoder;
use serde::de::DeserializeOwned;

/// A file of the archive whose name begins with one of the wanted prefixes.
pub(super) struct Entry {
    /// Name inside `package/`.
    pub(super) name: String,
    bytes: Vec<u8>,
}

impl Entry {
    /// Reads the file as JSON of one shape.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes)
            .with_context(|| format!("{} is not of the expected shape", self.name))
    }
}

/// The files directly inside `package/` whose names begin with one of `prefixes`, sorted by name.
pub(super) fn read(archive: &Path, prefixes: &[&str]) -> Result<Vec<Entry>> {
    let unreadable = || format!("cannot read {}", archive.display());
    let file = File::open(archive).with_context(unreadable)?;
    let mut entries = Vec::new();
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in tar.entries().with_context(unreadable)? {
        let mut entry = entry.with_context(unreadable)?;
        let path = entry.path().with_context(unreadable)?.to_string_lossy().into_owned();
        let Some(name) = path.strip_prefix("package/").filter(|name| is_wanted(name, prefixes)) else {
            continue;
        };
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).with_context(unreadable)?;
        entries.push(Entry { name: name.to_owned(), bytes });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn is_wanted(name: &str, prefixes: &[&str]) -> bool {
    !name.contains('/')
        && name.strip_suffix(".json").is_some()
        && prefixes.iter().any(|prefix| name.starts_with(prefix))
}
