//! Every official example of every version passes, apart from the faults listed in `known-faults.txt`.
//!
//! Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or `_R5` to a folder of example files (searched at every depth); for
//! each that is not set the test says that it is skipped. `cargo xtask packages --only examples` fetches them. It is
//! 450 MB of JSON: use `--release`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_validate::{Finding, Settings, validate};

#[test]
fn stu3() {
    check(FhirVersion::Stu3);
}

#[test]
fn r4() {
    check(FhirVersion::R4);
}

#[test]
fn r4b() {
    check(FhirVersion::R4b);
}

#[test]
fn r5() {
    check(FhirVersion::R5);
}

/// Validates all examples of one version: every fault found must be a known one, and every known one in a file that
/// was there must be found.
fn check(version: FhirVersion) {
    let settings = Settings { findings_max: usize::MAX, ..Settings::default() };
    let mut files = BTreeSet::new();
    let mut found = BTreeSet::new();
    let walked = for_each_example(version, |file, resource| {
        files.insert(file.to_owned());
        let findings = validate(resource, Definitions::of(version), &settings);
        found.extend(findings.iter().map(|finding| line(version, file, finding)));
    });
    if !walked {
        return;
    }
    assert!(files.len() > 500, "{version}: only {} examples", files.len());
    let faulty: BTreeSet<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    say(&format!(
        "{version}: {} examples, {} of them with {} known faults",
        files.len(),
        faulty.len(),
        found.len()
    ));
    let known = known_faults(version, &files);
    let new: Vec<&String> = found.difference(&known).collect();
    let gone: Vec<&String> = known.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "{version}: not known: {new:#?}\nnot found: {gone:#?}");
}

/// Calls `visit` with the name and the tree of each example; false, and a word about it, if there are none.
pub(crate) fn for_each_example(version: FhirVersion, mut visit: impl FnMut(&str, &Value)) -> bool {
    let variable = format!("FIRELOCK_EXAMPLES_{version}");
    let Some(folder) = env::var_os(&variable) else {
        say(&format!("SKIPPED: {variable} is not set, so no official example of {version} was validated"));
        return false;
    };
    let limits = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files);
    for file in files {
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // The packages hold lists and schemas, too, and a few files with a byte order mark.
        let Ok(tree) = parse(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes), &limits) else {
            continue;
        };
        if tree.get("resourceType").is_some() {
            visit(&file.file_name().unwrap_or_default().to_string_lossy(), &tree);
        }
    }
    true
}

/// A finding as it stands in the list: indices left out, so that a fault in every item of a list is one line.
fn line(version: FhirVersion, file: &str, finding: &Finding) -> String {
    let parts = finding.expression.split(']');
    let path: String = parts.map(|part| part.split('[').next().unwrap_or_default()).collect();
    format!("{version} {file}: {path}: {}", finding.rule)
}

/// The faults listed in `known-faults.txt` for files that are there.
fn known_faults(version: FhirVersion, files: &BTreeSet<String>) -> BTreeSet<String> {
    let lines =
        include_str!("known-faults.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let prefix = format!("{version} ");
    let of_version = lines.filter(|line| line.starts_with(&prefix));
    let is_there = |line: &&str| {
        let file = line.strip_prefix(&prefix).and_then(|rest| rest.split(": ").next());
        file.is_some_and(|file| files.contains(file))
    };
    of_version.filter(is_there).map(str::to_owned).collect()
}

/// The JSON files under `folder`, sorted.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

/// Says something whether or not the test passes: the macros would be captured.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
