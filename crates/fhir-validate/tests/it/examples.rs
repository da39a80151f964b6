//! Every official example of every version passes, apart from the faults listed in `known-faults.txt`, and keeps the
//! rules of level `strict`, apart from those in `known-breaches.txt`.
//!
//! Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or `_R5` to a folder of example files (searched at every depth); for
//! each that is not set the test says that it is skipped. `cargo xtask packages --only examples` fetches them. It is
//! 450 MB of JSON: use `--release`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_validate::{Finding, Level, Rule, Settings, validate};

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
    let settings = Settings { level: Level::Strict, findings_max: usize::MAX, ..Settings::default() };
    let mut files = BTreeSet::new();
    let mut found = BTreeSet::new();
    let mut rules = RuleCount::default();
    let walked = for_each_example(version, |file, resource| {
        files.insert(file.to_owned());
        for finding in validate(resource, Definitions::of(version), &settings) {
            match finding.rule {
                Rule::Invariant | Rule::InvariantUnchecked => rules.add(file, &finding),
                _ => drop(found.insert(line(version, file, &finding))),
            }
        }
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
    compare(version, &known_faults(version, &files), &found);
    compare(version, &lines_of(include_str!("known-breaches.txt"), version), &rules.lines(version));
}

#[track_caller]
fn compare(version: FhirVersion, known: &BTreeSet<String>, found: &BTreeSet<String>) {
    let new: Vec<&String> = found.difference(known).collect();
    let gone: Vec<&String> = known.difference(found).collect();
    assert!(new.is_empty() && gone.is_empty(), "{version}: not known: {new:#?}\nnot found: {gone:#?}");
}

/// The rules in FHIRPath that examples break or that cannot be evaluated, with the files.
#[derive(Default)]
struct RuleCount {
    files: BTreeMap<String, BTreeSet<String>>,
}

impl RuleCount {
    /// Counts errors, and rules without a result; warnings are advice.
    fn add(&mut self, file: &str, finding: &Finding) {
        let key = finding.message.split("rule ").last().and_then(|rest| rest.split([')', ' ']).next());
        let what = match finding.rule {
            Rule::InvariantUnchecked => "not evaluated",
            _ if finding.is_error() => "broken",
            _ => return,
        };
        let line = format!("{} {what}", key.unwrap_or_default());
        self.files.entry(line).or_default().insert(file.to_owned());
    }

    fn lines(&self, version: FhirVersion) -> BTreeSet<String> {
        self.files.iter().map(|(rule, files)| format!("{version} {rule} in {}", files.len())).collect()
    }
}

/// The lines of a list that are about a version.
fn lines_of(list: &str, version: FhirVersion) -> BTreeSet<String> {
    let prefix = format!("{version} ");
    list.lines().filter(|line| line.starts_with(&prefix)).map(str::to_owned).collect()
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
    let is_there = |line: &String| {
        let file = line.split_once(' ').and_then(|(_, rest)| rest.split(": ").next());
        file.is_some_and(|file| files.contains(file))
    };
    lines_of(include_str!("known-faults.txt"), version).into_iter().filter(is_there).collect()
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
