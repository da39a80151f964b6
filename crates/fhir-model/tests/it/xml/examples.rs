//! Published resources: pairs of JSON and XML, and the official examples of all versions.
//!
//! The pairs are read from `../shared/suites` where they are present. Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or
//! `_R5` to a folder of example files, searched at every depth; `cargo xtask conformance json` does both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Limits, Object, Value};
use fhir_model::xml;

use super::canonical::canonical;
use crate::examples::{say, workspace};

/// Some Bundles of the definitions are larger than what a server takes by default.
const LIMITS: Limits = Limits { bytes_max: usize::MAX, depth_max: 100, nodes_max: usize::MAX };

/// `VERSION FILE: reason`, for what differs although it should not.
const KNOWN: &str = include_str!("known-differences.txt");

#[test]
fn fixtures_survive_json_to_xml_to_json() {
    let r4 = Definitions::of(FhirVersion::R4);
    for file in json_files(&workspace().join("fixtures/resources")) {
        let tree = read_json(&file);
        let name = name_of(&file);
        let expected = match name.as_str() {
            "basic-crlf" => Err("at Basic.extension: an empty array"),
            "patient-escapes" => Err("at Patient.text.div: the narrative is no XHTML, at byte 46"),
            _ => Ok(&tree),
        };
        let again = write(&tree, r4).and_then(|written| read(&written, r4));
        match (again, expected) {
            (Ok(again), Ok(tree)) => assert_eq!(again, *tree, "{name}"),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{name}: {error}"),
            (again, expected) => panic!("{name}: {again:?} is not {expected:?}"),
        }
    }
}

#[test]
fn stu3_pairs_are_the_same_resources() {
    check_pairs(FhirVersion::Stu3, "examples-stu3-pairs");
}

#[test]
fn r4_pairs_are_the_same_resources() {
    check_pairs(FhirVersion::R4, "examples-r4-pairs");
}

#[test]
fn official_examples_survive_json_to_xml_to_json() {
    for version in FhirVersion::ALL {
        let variable = format!("FIRELOCK_EXAMPLES_{version}");
        match std::env::var_os(&variable) {
            Some(folder) => check_examples(version, Path::new(&folder)),
            None => say(&format!("SKIPPED: official examples of {version} ({variable} names no folder)")),
        }
    }
}

/// Every pair: the XML reads as the JSON, and is, written again, what it was.
fn check_pairs(version: FhirVersion, suite: &str) {
    let folder = workspace().join("../shared/suites").join(suite);
    if !folder.is_dir() {
        return say(&format!("SKIPPED: {} is not there", folder.display()));
    }
    let definitions = Definitions::of(version);
    let (mut pairs, mut equal) = (0, 0);
    let mut found = BTreeMap::new();
    for file in json_files(&folder.join("json")) {
        let name = name_of(&file);
        let Ok(xml) = fs::read_to_string(folder.join("xml").join(format!("{name}.xml"))) else { continue };
        pairs += 1;
        match pair_difference(&xml, &read_json(&file), definitions) {
            None => equal += 1,
            Some(difference) => drop(found.insert(name, difference)),
        }
    }
    say(&format!("{version}: {pairs} pairs, {equal} equal; different: {found:#?}"));
    assert!(pairs > 500, "only {pairs} pairs in {}", folder.display());
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), known(&format!("{version}-pair ")));
}

fn pair_difference(xml: &str, json: &Value, definitions: Definitions) -> Option<String> {
    let tree = match read(xml.as_bytes(), definitions) {
        Ok(tree) => tree,
        Err(error) => return Some(error),
    };
    let written = match write(&tree, definitions) {
        Ok(written) => String::from_utf8(written).expect("what is written is UTF-8"),
        Err(error) => return Some(error),
    };
    let (before, after) = (canonical(xml), canonical(&written));
    if let Some((left, right)) = before.iter().zip(&after).find(|(left, right)| left != right) {
        return Some(format!("XML to JSON to XML: {left} became {right}"));
    }
    if before.len() != after.len() {
        return Some("XML to JSON to XML: something was added or lost at the end".to_owned());
    }
    difference(&without_test_label(tree), &without_test_label(json.clone()), "")
}

/// Every example: JSON to XML to JSON gives the same tree, narrative byte by byte.
fn check_examples(version: FhirVersion, folder: &Path) {
    let definitions = Definitions::of(version);
    let (mut examples, mut equal, mut bytes) = (0, 0, 0);
    let mut found = BTreeMap::new();
    for file in json_files(folder) {
        let Some(tree) = try_read_json(&file).filter(|tree| tree.get("resourceType").is_some()) else {
            continue;
        };
        examples += 1;
        let again = write(&tree, definitions).and_then(|written| {
            bytes += written.len();
            read(&written, definitions)
        });
        match again {
            Ok(again) if again == tree => equal += 1,
            Ok(again) => drop(found.insert(name_of(&file), difference(&again, &tree, ""))),
            Err(error) => drop(found.insert(name_of(&file), Some(error))),
        }
    }
    say(&format!(
        "{version}: {examples} examples, {} MB as XML, {equal} equal; different: {found:#?}",
        bytes / 1_000_000
    ));
    assert!(examples > 500, "only {examples} examples in {}", folder.display());
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), known(&format!("{version} ")));
}

/// The files that are listed for `subject`.
fn known(subject: &str) -> BTreeSet<String> {
    let lines = KNOWN.lines().filter_map(|line| line.strip_prefix(subject));
    lines.map(|line| line.split_once(':').expect("a reason follows the name").0.to_owned()).collect()
}

/// The first place where two trees differ in meaning. The published JSON forms were made from the XML forms by a tool
/// that turned decimals into doubles and laid out narratives anew: numbers are compared by value, narratives without
/// their white space.
pub(super) fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let names = right.names().find(|name| !left.contains(name));
            if let Some(name) = names {
                return Some(format!("{path}.{name} is missing"));
            }
            left.iter().find_map(|(name, value)| match right.get(name) {
                None => Some(format!("{path}.{name} is new")),
                Some(other) => difference(value, other, &format!("{path}.{name}")),
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| difference(left, right, &format!("{path}[{index}]"))),
        (Value::String(left), Value::String(right)) if path.ends_with(".text.div") => {
            let is_same = without_space(left) == without_space(right);
            (!is_same).then(|| format!("{path}: {left} is not {right}"))
        }
        (Value::Number(left), Value::Number(right)) => {
            let is_same = value_of(left.as_str()) == value_of(right.as_str());
            (!is_same).then(|| format!("{path}: {left} is not {right}"))
        }
        _ => (left != right).then(|| format!("{path}: {left} is not {right}")),
    }
}

/// What a narrative says, apart from white space.
fn without_space(narrative: &str) -> Vec<String> {
    let lines = canonical(narrative).into_iter();
    lines
        .map(|line| line.split_ascii_whitespace().collect())
        .filter(|line: &String| !line.is_empty())
        .collect()
}

/// The value of a decimal, exactly: its digits without zeros around them, and the power of ten that they count.
fn value_of(decimal: &str) -> (String, i32) {
    let (mantissa, exponent) = decimal.split_once(['e', 'E']).unwrap_or((decimal, "0"));
    let exponent: i32 = exponent.parse().expect("exponents in examples are small");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() || kept == "-" {
        return ("0".to_owned(), 0);
    }
    let length = |text: &str| i32::try_from(text.len()).expect("decimals in examples are short");
    let cut = length(&digits) - length(kept) - length(fraction);
    (kept.replace("-0", "-").trim_start_matches('0').to_owned(), exponent + cut)
}

#[test]
fn decimals_are_compared_by_value() {
    for (left, right) in
        [("1.0e0", "1"), ("100", "1E2"), ("-0.50", "-5e-1"), ("0.00", "-0"), ("12.340", "1234e-2")]
    {
        assert_eq!(value_of(left), value_of(right), "{left} {right}");
    }
    assert_ne!(value_of("66.899999999999991"), value_of("66.89999999999999"));
    assert_ne!(value_of("1"), value_of("-1"));
}

/// Leaves out the label "test health data", which the R4 examples have as `meta.security` in one format and as
/// `meta.tag` in the other, and in some resources in only one of them.
fn without_test_label(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_test_label).collect(),
        Value::Object(object) => {
            let members = object.into_iter().map(|(name, value)| (name, without_test_label(value)));
            let mut object: Object = members.collect();
            for label in ["tag", "security"] {
                let is_label = |coding: &Value| coding.get("code").and_then(Value::as_str) == Some("HTEST");
                let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) else { continue };
                let Some(codings) = meta.get_mut(label).and_then(Value::as_array_mut) else { continue };
                codings.retain(|coding| !is_label(coding));
                if codings.is_empty() {
                    meta.remove(label);
                }
            }
            if object.get("meta").and_then(Value::as_object).is_some_and(Object::is_empty) {
                object.remove("meta");
            }
            Value::Object(object)
        }
        other => other,
    }
}

fn read(bytes: &[u8], definitions: Definitions) -> Result<Value, String> {
    xml::parse(bytes, definitions, &LIMITS).map_err(|error| error.to_string())
}

fn write(tree: &Value, definitions: Definitions) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let resource = tree.as_object().ok_or("no object")?;
    xml::write(resource, definitions, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn read_json(file: &Path) -> Value {
    try_read_json(file).unwrap_or_else(|| panic!("{} is no JSON", file.display()))
}

/// The tree in a file, if it is JSON. Some packages have files that start with a byte order mark.
fn try_read_json(file: &Path) -> Option<Value> {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    json::parse(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes), &LIMITS).ok()
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The JSON files below a folder, sorted.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("the folder can be read");
            waiting.extend(entries.map(|entry| entry.expect("the entry can be read").path()));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}
