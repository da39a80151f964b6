//! Whole resources from files: the project's fixtures always; the official examples and the shared
//! suites where they are present.
//!
//! `FIRELOCK_EXAMPLES=DIR cargo test -p fhir-model --release --test it examples` walks every `.json`
//! file below `DIR`, for example the unpacked `hl7.fhir.*.examples` packages of all four versions.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fhir_model::json::{JsonErrorKind, Limits, Value, parse};
use fhir_model::{Reference, Resource};

use crate::splice::check_strip_and_splice;

/// Some Bundles of the definitions are larger than what a server takes by default.
const LIMITS: Limits = Limits { bytes_max: usize::MAX, depth_max: 100, nodes_max: usize::MAX };

#[test]
fn fixtures_are_kept_byte_by_byte() {
    let tally = walk(&workspace().join("fixtures/resources"));
    assert!(tally.faithful >= 8, "{tally:?}");
    assert_eq!(tally.resources, tally.faithful, "every fixture is a resource: {tally:?}");
    assert_eq!((tally.not_json.len(), tally.repeated_names.len()), (0, 0), "{tally:?}");
    tally.assert_faithful();
}

#[test]
fn official_examples_are_kept_byte_by_byte() {
    let Some(directory) = std::env::var_os("FIRELOCK_EXAMPLES") else {
        say("SKIPPED: official examples (FIRELOCK_EXAMPLES names no directory)");
        return;
    };
    let tally = walk(Path::new(&directory));
    assert!(tally.faithful > 0, "no example below {}", Path::new(&directory).display());
    tally.assert_faithful();
}

#[test]
fn shared_suites_are_kept_byte_by_byte() {
    for name in ["suites", "spine-examples"] {
        let directory = workspace().join("../shared").join(name);
        if directory.is_dir() {
            walk(&directory).assert_faithful();
        } else {
            say(&format!("SKIPPED: {} is not there", directory.display()));
        }
    }
}

#[test]
fn the_second_opinion_on_white_space_is_right() {
    let strip = |text: &str| String::from_utf8(without_space(text.as_bytes())).unwrap();
    assert_eq!(strip(" { \"a b\" :\r\n\t[ 1 , \"c \\\" d\" , \"\\\\\" ] } "), r#"{"a b":[1,"c \" d","\\"]}"#);
}

#[derive(Debug, Default)]
struct Tally {
    files: usize,
    bytes: usize,
    faithful: usize,
    /// Of these, those with a `resourceType`.
    resources: usize,
    byte_order_marks: usize,
    references: usize,
    bad_references: usize,
    /// Refused by `serde_json`, too.
    not_json: Vec<PathBuf>,
    /// Refused by us alone, on purpose.
    repeated_names: Vec<PathBuf>,
    faults: Vec<String>,
}

impl Tally {
    #[track_caller]
    fn assert_faithful(&self) {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }

    fn file(&mut self, path: &Path, bytes: &[u8]) {
        self.files += 1;
        self.bytes += bytes.len();
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if text.len() < bytes.len() {
            self.byte_order_marks += 1;
            assert_eq!(parse(bytes, &LIMITS).map_err(|error| error.kind), Err(JsonErrorKind::ByteOrderMark));
        }
        match parse(text, &LIMITS) {
            Ok(tree) => self.tree(path, text, tree),
            Err(error) => {
                let theirs = serde_json::from_slice::<serde_json::Value>(text);
                match error.kind {
                    _ if theirs.is_err() => self.not_json.push(path.to_owned()),
                    JsonErrorKind::DuplicateKey(_) => self.repeated_names.push(path.to_owned()),
                    _ => self.faults.push(format!("{}: {error}", path.display())),
                }
            }
        }
    }

    fn tree(&mut self, path: &Path, text: &[u8], tree: Value) {
        let mut fault = |what: &str| self.faults.push(format!("{}: {what}", path.display()));
        let printed = tree.to_bytes();
        if printed != without_space(text) {
            return fault("printing changes more than white space");
        }
        let mut pretty = Vec::new();
        tree.write_pretty(&mut pretty);
        if without_space(&pretty) != printed {
            return fault("printing with indentation changes more than white space");
        }
        if let Some(object) = tree.as_object()
            && let Err(what) = check_strip_and_splice(object)
        {
            return fault(&what);
        }
        self.faithful += 1;
        self.count_references(&tree);
        if tree.get("resourceType").is_some() {
            match Resource::from_value(tree) {
                Ok(_) => self.resources += 1,
                Err(error) => self.faults.push(format!("{}: {error}", path.display())),
            }
        }
    }

    fn count_references(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.count_references(item)),
            Value::Object(object) => {
                for (name, value) in object.iter() {
                    match value.as_str() {
                        Some(text) if name == "reference" => {
                            self.references += 1;
                            self.bad_references += usize::from(Reference::parse(text).is_err());
                        }
                        _ => self.count_references(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn report(&self, directory: &Path) {
        say(&format!(
            "{}: {} files, {} MB: {} byte-faithful ({} resources), {} with a byte order mark (skipped), \
             {} are no JSON, {} repeat a name; {} references, {} of no known form",
            directory.display(),
            self.files,
            self.bytes / 1_000_000,
            self.faithful,
            self.resources,
            self.byte_order_marks,
            self.not_json.len(),
            self.repeated_names.len(),
            self.references,
            self.bad_references,
        ));
        for path in self.not_json.iter().chain(&self.repeated_names) {
            say(&format!("  refused: {}", path.display()));
        }
    }
}

fn walk(directory: &Path) -> Tally {
    let mut tally = Tally::default();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("the directory can be read");
            waiting.extend(entries.map(|entry| entry.expect("the entry can be read").path()));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            tally.file(&path, &fs::read(&path).expect("the file can be read"));
        }
    }
    tally.report(directory);
    tally
}

/// A second, independent way to drop white space: copies strings whole, and what is no space.
fn without_space(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let mut length = 1;
        if first == b'"' {
            while let Some(&byte) = rest.get(length) {
                length += if byte == b'\\' { 2 } else { 1 };
                if byte == b'"' {
                    break;
                }
            }
            out.extend_from_slice(&rest[..length]);
        } else if !first.is_ascii_whitespace() {
            out.push(first);
        }
        rest = &tail[length - 1..];
    }
    out
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Says something whether or not the test passes: the macros would be captured.
pub(crate) fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
