//! A walk over the official examples with nothing but the tables: names, arrays, JSON shapes, mandatory elements,
//! required codes and reference targets. What the walk finds is compared with a list of the examples' known faults.
//!
//! Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or `_R5` to a folder of example files (searched at every depth); for
//! each that is not set the test says that it is skipped. `cargo xtask packages --only examples` fetches them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fhir_definitions::{
    Definitions, ElementDef, FhirVersion, Fields, JsonShape, Primitive, TypeKind, TypeRef,
};
use serde_json::{Map, Value};

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

/// Walks all examples of one version; every fault found must be a known one, and every known one in a file that was
/// there must be found.
fn check(version: FhirVersion) {
    let variable = format!("FIRELOCK_EXAMPLES_{version}");
    let Some(folder) = env::var_os(&variable) else {
        println!("SKIPPED: {variable} is not set, so no example of {version} was walked");
        return;
    };
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files);
    let mut walker = Walker::new(version);
    let mut names = BTreeSet::new();
    for file in &files {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
        if value.get("resourceType").is_some() {
            walker.file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            walker.resource(&value, "");
            names.insert(walker.file.clone());
        }
    }
    assert!(names.len() > 500, "{variable}: only {} examples in {}", names.len(), folder.display());
    println!("{version}: {} examples walked, {} faults", names.len(), walker.findings.len());
    assert_eq!(walker.findings, known_faults(version, &names), "{version}: found against known");
}

/// The faults listed in `known-faults.txt` for files that were walked.
fn known_faults(version: FhirVersion, names: &BTreeSet<String>) -> BTreeSet<String> {
    let lines = include_str!("known-faults.txt").lines();
    let of_version = lines.filter_map(|line| line.strip_prefix(version.label())?.strip_prefix(' '));
    let is_there = |fault: &&str| fault.split(':').next().is_some_and(|file| names.contains(file));
    of_version.filter(is_there).map(str::to_owned).collect()
}

/// The walk's own control: one resource that has each fault once.
#[test]
fn the_walk_finds_each_kind_of_fault() {
    let mut walker = Walker::new(FhirVersion::R4);
    let bad = serde_json::json!({
        "resourceType": "Flag",
        "id": 7,
        "status": "dormant",
        "_status": {"id": "a", "note": "x"},
        "code": {"txt": "x"},
        "category": {"text": "not in an array"},
        "subject": [{"reference": "Patient/1"}],
        "author": {"reference": "Flag/1"},
        "language": "en",
        "valueString": "x",
        "contained": [{"resourceType": "Unicorn"}, {"resourceType": "Observation", "code": {}, "valueFlag": 1}]
    });
    walker.resource(&bad, "");
    let expected = [
        "Flag._status: unknown element note",
        "Flag.author: refers to a Flag",
        "Flag.category: one value where an array belongs",
        "Flag.code: unknown element txt",
        "Flag.contained: unknown resource type \"Unicorn\"",
        "Flag.id: no id",
        "Flag.status: the code dormant is not in the required value set",
        "Flag.subject: an array where one value belongs",
        "Flag: unknown element valueString",
        "Observation: status is missing",
        "Observation: unknown element valueFlag",
    ];
    let found: Vec<&str> = walker.findings.iter().filter_map(|finding| finding.strip_prefix(": ")).collect();
    assert_eq!(found, expected);
}

/// The JSON files under `folder`, sorted.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

struct Walker {
    definitions: Definitions,
    file: String,
    /// `file: what is wrong where`.
    findings: BTreeSet<String>,
}

impl Walker {
    fn new(version: FhirVersion) -> Self {
        Self { definitions: Definitions::of(version), file: String::new(), findings: BTreeSet::new() }
    }

    fn report(&mut self, path: &str, what: &str) {
        self.findings.insert(format!("{}: {path}: {what}", self.file));
    }

    fn resource(&mut self, value: &Value, path: &str) {
        let Some(object) = value.as_object() else { return self.report(path, "no object") };
        let name = object.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        match self.definitions.resource_type(name) {
            Some(found) => self.object(found.fields(), object, name),
            None => self.report(path, &format!("unknown resource type {name:?}")),
        }
    }

    fn object(&mut self, fields: Fields, object: &Map<String, Value>, path: &str) {
        for (key, value) in object {
            let name = key.strip_prefix('_').unwrap_or(key);
            match fields.resolve_json_name(name) {
                Some((element, type_ref)) => {
                    self.member(element, type_ref, key, value, &format!("{path}.{key}"));
                }
                None if key == "resourceType" && fields.type_def().kind() == TypeKind::Resource => {}
                None => self.report(path, &format!("unknown element {key}")),
            }
        }
        let is_present = |name: &str| object.contains_key(name) || object.contains_key(&format!("_{name}"));
        for element in fields.elements().filter(|element| element.min() > 0) {
            let mut names = fields.json_names().filter(|(_, named, _)| *named == element);
            if !names.any(|(name, _, _)| is_present(name)) {
                self.report(path, &format!("{} is missing", element.name()));
            }
        }
    }

    /// A member of an object: one value, or an array of them if the element repeats.
    fn member(&mut self, element: ElementDef, type_ref: TypeRef, key: &str, value: &Value, path: &str) {
        match value {
            Value::Array(items) if element.is_list() => {
                for item in items {
                    self.value(element, type_ref, key, item, path);
                }
            }
            Value::Array(_) => self.report(path, "an array where one value belongs"),
            _ if element.is_list() => self.report(path, "one value where an array belongs"),
            _ => self.value(element, type_ref, key, value, path),
        }
    }

    fn value(&mut self, element: ElementDef, type_ref: TypeRef, key: &str, value: &Value, path: &str) {
        match (type_ref.type_def().kind(), value) {
            (TypeKind::Primitive(_), Value::Object(object)) if key.starts_with('_') => {
                self.object(type_ref.fields(), object, path);
            }
            (TypeKind::Primitive(_), Value::Null) => {}
            (TypeKind::Primitive(primitive), _) if !key.starts_with('_') => {
                self.primitive(element, primitive, value, path);
            }
            (TypeKind::Resource, _) => self.resource(value, path),
            (TypeKind::Complex, Value::Object(object)) => {
                self.object(element.fields_as(type_ref), object, path);
                self.coded(element, type_ref, object, path);
                self.reference(type_ref, object, path);
            }
            _ => self.report(path, &format!("no {}", type_ref.name())),
        }
    }

    fn primitive(&mut self, element: ElementDef, primitive: Primitive, value: &Value, path: &str) {
        let fits = match primitive.json_shape() {
            JsonShape::Boolean => value.is_boolean(),
            JsonShape::Number => value.is_number(),
            JsonShape::String => value.is_string(),
        };
        if !fits {
            self.report(path, &format!("no {}", primitive.name()));
        }
        let codes = element.binding().and_then(fhir_definitions::BindingDef::required_codes);
        if let (Some(codes), Some(code)) = (codes, value.as_str())
            && !codes.contains(code)
        {
            self.report(path, &format!("the code {code} is not in the required value set"));
        }
    }

    /// A Coding, or the codings of a CodeableConcept, with a required binding: one of them must be in the set.
    fn coded(&mut self, element: ElementDef, type_ref: TypeRef, object: &Map<String, Value>, path: &str) {
        let Some(codes) = element.binding().and_then(fhir_definitions::BindingDef::required_codes) else {
            return;
        };
        let one = [Value::Object(object.clone())];
        let codings: &[Value] = match type_ref.name() {
            "Coding" => &one,
            "CodeableConcept" => object.get("coding").and_then(Value::as_array).map_or(&[], Vec::as_slice),
            _ => return,
        };
        let text = |coding: &Value, key: &str| {
            coding.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fits = |coding: &Value| codes.contains_coding(&text(coding, "system"), &text(coding, "code"));
        if !codings.is_empty() && !codings.iter().any(fits) {
            self.report(path, "no coding is in the required value set");
        }
    }

    /// A literal reference to a type that the element does not allow.
    fn reference(&mut self, type_ref: TypeRef, object: &Map<String, Value>, path: &str) {
        let Some(reference) = object.get("reference").and_then(Value::as_str) else { return };
        let mut steps = reference.rsplit('/').skip(1);
        let target = steps.next().and_then(|name| self.definitions.resource_type(name));
        if let Some(target) = target.filter(|target| !type_ref.accepts_target(*target)) {
            self.report(path, &format!("refers to a {}", target.name()));
        }
    }
}
