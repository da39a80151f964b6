//! Profiles from folders and npm packages, loaded when the server starts.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Value};
use fhir_validate::Profiles;
use flate2::bufread::GzDecoder;

/// Bytes that all profiles of a mount may have, unpacked. The package of all R4 definitions has 120 MB.
const BYTES_MAX: u64 = 1 << 30;

/// Files that a mount may read, and levels of folders.
const FILES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 16;

/// Files of resources by name, with what is left of the limits.
struct Files {
    found: Vec<(String, Vec<u8>)>,
    bytes_left: u64,
}

/// Loads the profiles and value sets in folders and packages (`.tgz`), for one FHIR version. What they ask for and is
/// not checked goes to the log.
pub(crate) fn load(version: FhirVersion, places: &[PathBuf]) -> Result<Profiles> {
    let mut files = Files { found: Vec::new(), bytes_left: BYTES_MAX };
    for place in places {
        let before = files.found.len();
        if place.is_dir() {
            files.add_folder(place, 0)?;
        } else if is_package(place) {
            files.add_package(place, version)?;
        } else {
            bail!("{} is neither a folder nor a package whose name ends in .tgz", place.display());
        }
        ensure!(files.found.len() > before, "{} has no file of JSON or XML", place.display());
    }
    let profiles = Profiles::from_files(Definitions::of(version), files.found)?;
    let count = profiles.urls().count();
    ensure!(places.is_empty() || count > 0, "there is no StructureDefinition that can be used in {places:?}");
    for note in profiles.notes() {
        tracing::info!(fhir = %version, "profiles: {note}");
    }
    if count > 0 {
        tracing::info!(fhir = %version, count, "profiles loaded");
    }
    Ok(profiles)
}

fn is_package(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tgz" || extension == "gz")
}

fn is_resource(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "xml")
}

impl Files {
    /// The files in a folder and in the folders inside of it, sorted, so that every start finds the same.
    fn add_folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        let unreadable = || format!("cannot read {}", folder.display());
        ensure!(depth < DEPTH_MAX, "{} is more than {DEPTH_MAX} folders deep", folder.display());
        let entries = fs::read_dir(folder).with_context(unreadable)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .with_context(unreadable)?;
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self.add_folder(&path, depth + 1)?;
            } else if is_resource(&path) {
                let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
                self.add(path.display().to_string(), file)?;
            }
        }
        Ok(())
    }

    /// The files directly inside `package/` of an npm archive.
    fn add_package(&mut self, archive: &Path, version: FhirVersion) -> Result<()> {
        let unreadable = || format!("cannot read the package {}", archive.display());
        let file = File::open(archive).with_context(unreadable)?;
        let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
        for entry in tar.entries().with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let path = entry.path().with_context(unreadable)?.into_owned();
            let Ok(name) = path.strip_prefix("package") else { continue };
            if name.components().count() != 1 || !is_resource(name) {
                continue;
            }
            let is_manifest = name == Path::new("package.json");
            self.add(format!("{}: {}", archive.display(), name.display()), entry).with_context(unreadable)?;
            if is_manifest && let Some((_, manifest)) = self.found.pop() {
                check_version(&manifest, version).with_context(|| archive.display().to_string())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, file: impl Read) -> Result<()> {
        let mut bytes = Vec::new();
        file.take(self.bytes_left + 1).read_to_end(&mut bytes).with_context(|| name.clone())?;
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.with_context(|| format!("profiles have more than {BYTES_MAX} bytes"))?;
        ensure!(self.found.len() < FILES_MAX, "profiles have more than {FILES_MAX} files");
        self.found.push((name, bytes));
        Ok(())
    }
}

/// The manifest of a package of FHIR says for which versions it is.
fn check_version(manifest: &[u8], version: FhirVersion) -> Result<()> {
    let manifest = json::parse(manifest, &json::Limits::default()).context("package.json is no JSON")?;
    let names = ["fhirVersions", "fhir-version-list"];
    let listed = names.iter().find_map(|name| manifest.get(name)).and_then(Value::as_array);
    let listed: Vec<&str> = listed.unwrap_or_default().iter().filter_map(Value::as_str).collect();
    let release = |number: &str| number.split('.').take(2).collect::<Vec<_>>().join(".");
    let fits = listed.iter().any(|number| release(number) == release(version.number()));
    ensure!(
        listed.is_empty() || fits,
        "the package is for FHIR {}, the mount for {version} ({})",
        listed.join(", "),
        version.number()
    );
    Ok(())
}
