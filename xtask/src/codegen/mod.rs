//! `cargo xtask codegen`: the published definitions become the packed tables of `fhir-definitions`.
//!
//! The output depends on the pinned packages and on this code only: everything is sorted or in file order.

mod archive;
mod compartments;
mod expressions;
#[allow(dead_code, reason = "the generator packs, the crate that owns this file unpacks")]
#[path = "../../../crates/fhir-definitions/src/format.rs"]
mod format;
mod model;
mod pack;
mod search;
mod source;
mod strings;
mod structures;
mod value_sets;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::packages::{self, Package};
use model::Model;
use source::Source;
use strings::Strings;

/// What `cargo xtask codegen` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing; fails unless the committed tables are what the packages give.
    #[arg(long)]
    check: bool,
}

/// The packages of one version and the name of its table.
struct Version {
    file: &'static str,
    definitions: Package,
    expansions: Package,
}

const VERSIONS: [Version; 4] = [
    Version {
        file: "stu3.bin",
        definitions: packages::STU3_DEFINITIONS,
        expansions: packages::STU3_EXPANSIONS,
    },
    Version { file: "r4.bin", definitions: packages::R4_DEFINITIONS, expansions: packages::R4_EXPANSIONS },
    Version { file: "r4b.bin", definitions: packages::R4B_DEFINITIONS, expansions: packages::R4B_EXPANSIONS },
    Version { file: "r5.bin", definitions: packages::R5_DEFINITIONS, expansions: packages::R5_EXPANSIONS },
];

/// Generates, then writes or compares.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = packages::workspace_root().join("crates/fhir-definitions/tables");
    let models: Vec<Model> = VERSIONS.iter().map(read).collect::<Result<_>>()?;
    let files = generate(&models)?;
    let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    for (name, bytes) in &files {
        println!("{name:<12} {:>9} bytes", bytes.len());
    }
    println!("{:<12} {total:>9} bytes", "together");
    println!("(strings, if each version had a table of its own: {} bytes)", separate_strings(&models)?);
    if arguments.check { compare(&folder, &files) } else { write(&folder, &files) }
}

/// The table files, by name.
fn generate(models: &[Model]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut strings = Strings::default();
    for model in models {
        pack::pack(model, &mut strings)?;
    }
    strings.complete()?;
    let mut files = Vec::new();
    for (version, model) in VERSIONS.iter().zip(models) {
        files.push((version.file, pack::pack(model, &mut strings)?));
    }
    let (text, offsets) = strings.pack()?;
    files.push(("strings.txt", text.into_bytes()));
    files.push(("strings.bin", offsets));
    Ok(files)
}

/// What the alternative to one shared string table would take.
fn separate_strings(models: &[Model]) -> Result<usize> {
    let mut bytes = 0;
    for model in models {
        let mut strings = Strings::default();
        pack::pack(model, &mut strings)?;
        let (text, offsets) = strings.pack()?;
        bytes += text.len() + offsets.len();
    }
    Ok(bytes)
}

/// Reads one version's packages.
fn read(version: &Version) -> Result<Model> {
    let mut source = Source::default();
    for entry in archive::read(&version.definitions.fetch()?, &source::DEFINITION_PREFIXES)? {
        source.add(&entry)?;
    }
    for entry in archive::read(&version.expansions.fetch()?, &["ValueSet-"])? {
        source.add(&entry)?;
    }
    model(&source).with_context(|| format!("in {}@{}", version.definitions.name, version.definitions.version))
}

fn model(source: &Source) -> Result<Model> {
    let mut model = Model::default();
    structures::add(&mut model, &source.structures)?;
    structures::close(&mut model)?;
    value_sets::add(&mut model, &source.value_sets)?;
    search::add(&mut model, &source.parameters)?;
    compartments::add(&mut model, &source.compartments)?;
    Ok(model)
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn compare(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    let differs = |path: &PathBuf, bytes: &[u8]| fs::read(path).map_or(true, |committed| committed != bytes);
    let different: Vec<String> = files
        .iter()
        .map(|(name, bytes)| (folder.join(name), bytes))
        .filter(|(path, bytes)| differs(path, bytes))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !different.is_empty() {
        bail!("not what the packages give: {}; run `cargo xtask codegen` and commit", different.join(", "));
    }
    println!("the committed tables are what the packages give");
    Ok(())
}
