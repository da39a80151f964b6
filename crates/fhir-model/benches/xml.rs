//! How many bytes of FHIR XML are read and written per second on one core, beside the same resources in JSON and
//! `serde_json` reading the same JSON.
//!
//! Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or `_R5` to folders of example files in JSON, such as those that
//! `cargo xtask conformance json` unpacks, then `cargo bench -p fhir-model --bench xml`; without them the project's
//! own fixtures are taken, which are small. The XML is what the writer makes of them.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Limits, Object, Value};
use fhir_model::xml;

/// Each figure is the best of this many runs over all documents.
const RUNS: usize = 5;

/// Enough for a figure, few enough to wait for.
const BYTES_MAX: usize = 60_000_000;

const LIMITS: Limits = Limits { bytes_max: usize::MAX, depth_max: 100, nodes_max: usize::MAX };

/// One resource in both formats.
struct Example {
    tree: Object,
    json: Vec<u8>,
    xml: Vec<u8>,
}

fn main() {
    let mut is_any_set = false;
    for version in FhirVersion::ALL {
        if let Some(folder) = std::env::var_os(format!("FIRELOCK_EXAMPLES_{version}")) {
            is_any_set = true;
            measure(version, Path::new(&folder));
        }
    }
    if !is_any_set {
        measure(FhirVersion::R4, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/resources"));
    }
}

fn measure(version: FhirVersion, folder: &Path) {
    let definitions = Definitions::of(version);
    let examples = read(folder, definitions);
    let json_bytes: usize = examples.iter().map(|example| example.json.len()).sum();
    let xml_bytes: usize = examples.iter().map(|example| example.xml.len()).sum();
    println!(
        "{version}: {} resources, {} MB of JSON, {} MB of XML",
        examples.len(),
        json_bytes / 1_000_000,
        xml_bytes / 1_000_000
    );

    let run = |what: &str, bytes: usize, step: &mut dyn FnMut(&Example) -> bool| {
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            let start = Instant::now();
            black_box(examples.iter().filter(|example| step(example)).count());
            best = best.min(start.elapsed());
        }
        // Bytes per microsecond are megabytes per second.
        println!(
            "  {what:<38} {:>5} MB/s {:>7} us",
            bytes as u128 / best.as_micros().max(1),
            best.as_micros()
        );
    };
    let mut out = Vec::new();
    run("XML, parse", xml_bytes, &mut |example| xml::parse(&example.xml, definitions, &LIMITS).is_ok());
    run("XML, write", xml_bytes, &mut |example| {
        out.clear();
        xml::write(&example.tree, definitions, &mut out).is_ok()
    });
    run("XML, tokens only (quick-xml)", xml_bytes, &mut |example| tokens(&example.xml) > 0);
    run("JSON, parse", json_bytes, &mut |example| json::parse(&example.json, &LIMITS).is_ok());
    run("JSON, print", json_bytes, &mut |example| {
        out.clear();
        example.tree.write(&mut out);
        !out.is_empty()
    });
    run("JSON to XML", json_bytes, &mut |example| {
        out.clear();
        xml::from_json(&example.json, definitions, &LIMITS, &mut out).is_ok()
    });
    run("JSON, serde_json::Value, parse", json_bytes, &mut |example| {
        serde_json::from_slice::<serde_json::Value>(&example.json).is_ok()
    });
}

/// What reading costs before anything is made of it.
fn tokens(document: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(document);
    let mut count = 0;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) | Err(_) => return count,
            Ok(event) => count += usize::from(!black_box(event).is_empty()),
        }
    }
}

/// The resources of a folder that XML can hold, JSON without white space.
fn read(folder: &Path, definitions: Definitions) -> Vec<Example> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut examples = Vec::new();
    let mut bytes = 0;
    for file in files {
        let Ok(Value::Object(tree)) = json::parse(&fs::read(&file).unwrap_or_default(), &LIMITS) else {
            continue;
        };
        let mut document = Vec::new();
        // One huge Bundle would measure the memory of the machine.
        if xml::write(&tree, definitions, &mut document).is_err() || document.len() > 2_000_000 {
            continue;
        }
        bytes += document.len();
        examples.push(Example { json: tree.to_bytes(), xml: document, tree });
        if bytes > BYTES_MAX {
            break;
        }
    }
    examples
}
