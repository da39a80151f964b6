//! `cargo xtask conformance`: what the project does, beside what others publish.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::GzDecoder;

use crate::packages::{self, Package, workspace_root};

/// What `cargo xtask conformance` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(clap::Subcommand)]
enum Suite {
    /// Read and print every official example: JSON byte by byte, and by way of XML.
    Json,
    /// Validate every official example, at both levels; what is found must be what is listed.
    Validate,
    /// Write every official example as XML and validate it with the official schema (needs xmllint).
    Xml,
}

/// Where the examples and the schema of one version come from.
struct Version {
    label: &'static str,
    examples: &'static Package,
    schemas: &'static Package,
    /// The folder of the schemas in their package.
    schema_folder: &'static str,
}

const VERSIONS: [Version; 4] = [
    Version {
        label: "STU3",
        examples: &packages::STU3_DEFINITIONS,
        schemas: &packages::STU3_SCHEMAS,
        schema_folder: "package/schemas/stu3/",
    },
    Version {
        label: "R4",
        examples: &packages::R4_DEFINITIONS,
        schemas: &packages::R4_SCHEMAS,
        schema_folder: "package/xml/",
    },
    Version {
        label: "R4B",
        examples: &packages::R4B_EXAMPLES,
        schemas: &packages::R4B_SCHEMAS,
        schema_folder: "package/xml/",
    },
    Version {
        label: "R5",
        examples: &packages::R5_EXAMPLES,
        schemas: &packages::R5_DEFINITIONS,
        schema_folder: "package/xml/",
    },
];

/// `VERSION FILE: reason`, for examples that their own schema refuses.
const KNOWN_INVALID: &str = include_str!("conformance/known-invalid.txt");

/// Files that one call of xmllint takes: it reads the schema anew each time.
const LINT_FILES_MAX: usize = 500;

/// The published R4 schema lists the versions up to 4.0.0 as the codes of `fhirVersion`; 4.0.1 is missing.
const R4_SCHEMA_LACKS: [&str; 2] =
    [r#"<xs:enumeration value="4.0.0">"#, r#"<xs:enumeration value="4.0.1"/><xs:enumeration value="4.0.0">"#];

/// Runs one suite.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.suite {
        Suite::Json => examples(&["fhir-model"]),
        Suite::Validate => examples(&["fhir-definitions", "fhir-validate"]),
        Suite::Xml => xml(),
    }
}

/// Runs the tests of these crates that walk the examples.
fn examples(crates: &[&str]) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--release"]);
    for name in crates {
        test.args(["--package", name]);
    }
    test.args(["--test", "it", "--", "examples", "--nocapture"]);
    for version in &VERSIONS {
        test.env(format!("FIRELOCK_EXAMPLES_{}", version.label), version.examples()?);
    }
    test.env("FIRELOCK_EXAMPLES", folder("examples"));
    let status = test.status().context("cannot run cargo")?;
    ensure!(status.success(), "an official example is not what it should be");
    Ok(())
}

/// Writes, validates, and compares what is invalid with what is known to be.
fn xml() -> Result<()> {
    let mut differences = Vec::new();
    for version in &VERSIONS {
        let written = version.write_examples()?;
        let files = list(&written.folder, "xml")?;
        let invalid = lint(&version.schema()?, &files)?;
        let found: BTreeSet<String> = written.refused.iter().chain(&invalid).cloned().collect();
        println!(
            "{:<5} {:>5} examples: {:>5} valid as XML, {:>2} not valid, {} not written",
            version.label,
            files.len() + written.refused.len(),
            files.len() - invalid.len(),
            invalid.len(),
            written.refused.len(),
        );
        let known = known_invalid(version.label);
        let unexpected = found.symmetric_difference(&known);
        differences.extend(unexpected.map(|name| format!("{} {name}", version.label)));
    }
    if !differences.is_empty() {
        bail!("not as listed in xtask/src/conformance/known-invalid.txt:\n{}", differences.join("\n"));
    }
    println!("what is not valid is listed in xtask/src/conformance/known-invalid.txt, with reasons");
    Ok(())
}

/// The names listed for a version.
fn known_invalid(label: &str) -> BTreeSet<String> {
    let lines = KNOWN_INVALID.lines().filter_map(|line| line.strip_prefix(label)?.strip_prefix(' '));
    lines.filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
}

/// Examples in XML, and the names of those that could not be written.
struct Written {
    folder: PathBuf,
    refused: BTreeSet<String>,
}

impl Version {
    /// The folder with the examples in JSON.
    fn examples(&self) -> Result<PathBuf> {
        let wanted = |path: &str| is_directly_in(path, "package/", ".json");
        unpack(self.examples, &folder("examples").join(self.label), wanted)
    }

    /// The schema of all resources.
    fn schema(&self) -> Result<PathBuf> {
        let wanted = |path: &str| is_directly_in(path, self.schema_folder, ".xsd");
        let schema =
            unpack(self.schemas, &folder("schemas").join(self.label), wanted)?.join("fhir-single.xsd");
        if self.label == "R4" {
            let [published, amended] = R4_SCHEMA_LACKS;
            let text =
                fs::read_to_string(&schema).with_context(|| format!("cannot read {}", schema.display()))?;
            if !text.contains(amended) {
                fs::write(&schema, text.replace(published, amended))?;
            }
        }
        Ok(schema)
    }

    /// Lets fhir-model write the examples.
    fn write_examples(&self) -> Result<Written> {
        let (from, to) = (self.examples()?, folder("xml").join(self.label));
        if to.is_dir() {
            fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
        }
        let output = cargo()
            .args(["run", "--release", "--quiet", "--package", "fhir-model", "--example", "to_xml", "--"])
            .arg(self.label)
            .args([&from, &to])
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "to_xml failed: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout);
        let refused = said.lines().filter_map(|line| line.strip_prefix("refused ")?.split_once(": "));
        Ok(Written { folder: to, refused: refused.map(|(name, _)| name.to_owned()).collect() })
    }
}

/// The names of the files that the schema refuses; every file must be judged.
fn lint(schema: &Path, files: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut invalid = BTreeSet::new();
    let mut valid = 0;
    for batch in files.chunks(LINT_FILES_MAX) {
        let output = Command::new("xmllint")
            .args(["--nonet", "--noout", "--huge", "--schema"])
            .arg(schema)
            .args(batch)
            .output()
            .context("cannot run xmllint (Debian: libxml2-utils)")?;
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            if let Some(file) = line.strip_suffix(" fails to validate") {
                let name = Path::new(file).file_stem().unwrap_or_default();
                invalid.insert(name.to_string_lossy().into_owned());
            }
            valid += usize::from(line.ends_with(".xml validates"));
        }
    }
    ensure!(
        valid + invalid.len() == files.len(),
        "xmllint judged {valid} and {} of {} files",
        invalid.len(),
        files.len()
    );
    Ok(invalid)
}

/// The files of a folder with this extension, sorted.
fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_directly_in(path: &str, folder: &str, suffix: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|name| !name.contains('/') && name.ends_with(suffix))
}

/// Unpacks what is wanted of a package into a folder, unless it is there from this very package. Gives the folder.
fn unpack(package: &Package, folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let stamp = folder.join(".unpacked");
    if fs::read_to_string(&stamp).is_ok_and(|digest| digest == package.sha256) {
        return Ok(folder.to_path_buf());
    }
    let archive = package.fetch()?;
    let unreadable = || format!("cannot unpack {}", archive.display());
    if folder.is_dir() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = fs::File::open(&archive).with_context(unreadable)?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in archive.entries().with_context(unreadable)? {
        let mut entry = entry.with_context(unreadable)?;
        let path = entry.path().with_context(unreadable)?.to_string_lossy().into_owned();
        // Only the last part of the path is used, so nothing is written elsewhere.
        if let Some((_, name)) = path.rsplit_once('/').filter(|_| is_wanted(&path)) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).with_context(unreadable)?;
            fs::write(folder.join(name), bytes)?;
        }
    }
    fs::write(stamp, package.sha256)?;
    Ok(folder.to_path_buf())
}

/// A folder for these suites.
fn folder(name: &str) -> PathBuf {
    workspace_root().join("target").join("conformance").join(name)
}

/// The cargo that runs this program, in the workspace.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_directly_in_a_folder_is_unpacked() {
        assert!(is_directly_in("package/a.json", "package/", ".json"));
        for other in ["package/b/a.json", "other/a.json", "package/a.xsd", "package/../a.json"] {
            assert!(!is_directly_in(other, "package/", ".json"), "{other}");
        }
    }

    #[test]
    fn every_known_fault_has_a_version_a_name_and_a_reason() {
        let lines: Vec<&str> = KNOWN_INVALID.lines().filter(|line| !line.starts_with('#')).collect();
        let known: usize = VERSIONS.iter().map(|version| known_invalid(version.label).len()).sum();
        assert_eq!(known, lines.len());
        assert!(lines.iter().all(|line| line.split_once(": ").is_some_and(|(_, reason)| reason.len() > 5)));
    }
}
