//! What every search parameter selects in the official examples, beside what an independent FHIRPath engine selects.
//!
//! The lines of the other engine and the STU3 examples are read from the shared suites beside the workspace, the R4
//! examples from `target/packages` (`cargo xtask packages --only r4.examples`). What is not there is skipped, and the
//! test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use fhir_definitions::FhirVersion;
use fhir_model::json::{self, Limits};
use fhir_search::Extractor;
use serde_json::Value;

/// File, parameter and reason of lines that differ.
const EXCEPTIONS: &str = include_str!("golden-exceptions.txt");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn stu3() {
    let folder = root().join("../shared/suites/examples-stu3-pairs/json");
    let read = |files: &BTreeSet<String>| {
        let mut found = BTreeMap::new();
        for file in files {
            found.insert(file.clone(), fs::read(folder.join(file)).ok()?);
        }
        Some(found)
    };
    check(FhirVersion::Stu3, "stu3.ndjson", read);
}

#[test]
fn r4() {
    let archive = root().join("target/packages/hl7.fhir.r4.examples-4.0.1.tgz");
    check(FhirVersion::R4, "r4.ndjson", |files| unpack(&archive, files));
}

fn unpack(archive: &Path, files: &BTreeSet<String>) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).ok()?));
    let mut found = BTreeMap::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let name = entry.path().ok()?.file_name()?.to_string_lossy().into_owned();
        if files.contains(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).ok()?;
            found.insert(name, bytes);
        }
    }
    Some(found)
}

struct Line {
    file: String,
    code: String,
    resource_type: String,
    values: Vec<Value>,
}

impl Line {
    fn parse(text: &str) -> Self {
        let line: Value = serde_json::from_str(text).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let values = line["values"].as_array().unwrap().clone();
        Self { file: text("file"), code: text("code"), resource_type: text("type"), values }
    }
}

fn check(
    version: FhirVersion,
    golden: &str,
    read: impl Fn(&BTreeSet<String>) -> Option<BTreeMap<String, Vec<u8>>>,
) {
    let Ok(golden) = fs::read_to_string(root().join("../shared/suites/search-golden").join(golden)) else {
        println!("SKIPPED: no golden lines of {version} beside the workspace");
        return;
    };
    let lines: Vec<Line> = golden.lines().map(Line::parse).collect();
    let Some(files) = read(&lines.iter().map(|line| line.file.clone()).collect()) else {
        println!("SKIPPED: no examples of {version}");
        return;
    };
    let mut differing = BTreeSet::new();
    for line in &lines {
        let bytes = files.get(&line.file).unwrap_or_else(|| panic!("{} is missing", line.file));
        if let Some(difference) = difference(version, line, bytes) {
            println!("{version} {} {}: {difference}", line.file, line.code);
            differing.insert(format!("{version} {} {}", line.file, line.code));
        }
    }
    println!("{version}: {} of {} lines agree", lines.len() - differing.len(), lines.len());
    let known = EXCEPTIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let known = known.map(|line| line.split(" : ").next().unwrap().to_owned());
    let known: BTreeSet<String> = known.filter(|line| line.starts_with(&format!("{version} "))).collect();
    assert_eq!(differing, known);
}

fn difference(version: FhirVersion, line: &Line, bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let tree = match json::parse(bytes, &Limits::default()) {
        Ok(tree) => tree,
        Err(error) => return Some(error.to_string()),
    };
    let Some(selected) = Extractor::of(version).selected(&tree, &line.code) else {
        return Some(format!("{} has no such parameter", line.resource_type));
    };
    let selected = match selected {
        Ok(selected) => selected,
        Err(error) => return Some(error.to_string()),
    };
    let ours: Vec<Value> =
        selected.iter().map(|value| serde_json::from_slice(&value.to_bytes()).unwrap()).collect();
    let same = ours.len() == line.values.len() && ours.iter().zip(&line.values).all(|(a, b)| same(a, b));
    (!same).then(|| {
        let short =
            |values: &[Value]| serde_json::to_string(values).unwrap().chars().take(300).collect::<String>();
        format!("ours {} theirs {}", short(&ours), short(&line.values))
    })
}

/// Equal values; numbers as doubles, because that is how the other engine reads them.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => ours == theirs,
    }
}
