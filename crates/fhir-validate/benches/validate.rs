//! How many bytes of FHIR JSON and XML are read, validated and printed per second of one core, beside `serde_json`
//! reading the same bytes of JSON.
//!
//! Set `FIRELOCK_EXAMPLES_STU3`, `_R4`, `_R4B` or `_R5` to folders of example files (`cargo xtask packages --only
//! examples` fetches them) and run `cargo bench -p fhir-validate --bench validate`. `FIRELOCK_STEP=validate` runs one
//! step only, for a profiler.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_model::xml;
use fhir_validate::{Level, Settings, validate};

/// Each figure is the best of this many runs over all documents.
const RUNS: usize = 5;

fn main() {
    let only = std::env::var("FIRELOCK_STEP").unwrap_or_default();
    for version in FhirVersion::ALL {
        let Some(folder) = std::env::var_os(format!("FIRELOCK_EXAMPLES_{version}")) else {
            println!("{version}: FIRELOCK_EXAMPLES_{version} is not set");
            continue;
        };
        let mut documents = Vec::new();
        collect(Path::new(&folder), &mut documents);
        measure(version, &documents, &only);
    }
}

fn measure(version: FhirVersion, documents: &[Vec<u8>], only: &str) {
    let limits = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
    let definitions = Definitions::of(version);
    let settings = Settings::default();
    let trees: Vec<Value> = documents.iter().filter_map(|document| parse(document, &limits).ok()).collect();
    let bytes: usize = documents.iter().map(Vec::len).sum();
    println!("{version}: {} documents, {} MB", documents.len(), bytes / 1_000_000);
    let mut out = Vec::new();
    let mut print = |tree: &Value| {
        out.clear();
        tree.write(&mut out);
        out.len()
    };
    let step = |what: &str, run: &mut dyn FnMut() -> usize| {
        if only.is_empty() || only == what {
            report(what, bytes, run);
        }
    };
    let xml_documents: Vec<Vec<u8>> = trees.iter().filter_map(|tree| in_xml(tree, definitions)).collect();
    let xml_bytes = xml_documents.iter().map(Vec::len).sum();
    let whole_xml = |document: &Vec<u8>| {
        let Ok(tree) = xml::parse(document, definitions, &limits) else { return 0 };
        black_box(validate(&tree, definitions, &settings));
        in_xml(&tree, definitions).map_or(0, |document| document.len())
    };
    let what = "XML: parse, validate, print";
    if only.is_empty() || only == what {
        report(what, xml_bytes, &mut || xml_documents.iter().map(whole_xml).sum());
    }
    step("validate", &mut || trees.iter().map(|tree| validate(tree, definitions, &settings).len()).sum());
    let strict = Settings { level: Level::Strict, ..Settings::default() };
    step("validate, strict", &mut || {
        trees.iter().map(|tree| validate(tree, definitions, &strict).len()).sum()
    });
    step("print", &mut || trees.iter().map(&mut print).sum());
    let whole = |document: &Vec<u8>| {
        let Ok(tree) = parse(document, &limits) else { return 0 };
        black_box(validate(&tree, definitions, &settings));
        tree.to_bytes().len()
    };
    step("parse", &mut || documents.iter().map(|d| usize::from(parse(d, &limits).is_ok())).sum());
    step("parse, validate, print", &mut || documents.iter().map(whole).sum());
    step("serde_json::Value, parse", &mut || {
        documents.iter().map(|d| usize::from(serde_json::from_slice::<serde_json::Value>(d).is_ok())).sum()
    });
}

fn in_xml(tree: &Value, definitions: Definitions) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    xml::write(tree.as_object()?, definitions, &mut out).ok()?;
    Some(out)
}

fn report(what: &str, bytes: usize, run: &mut dyn FnMut() -> usize) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = cpu_time();
        black_box(run());
        best = best.min(cpu_time().saturating_sub(start));
    }
    // Bytes per microsecond are megabytes per second.
    println!("  {what}: {} MB/s", bytes as u128 / best.as_micros().max(1));
}

/// Time that this thread has run, where Linux tells it, so that other programs on the machine do not count; else the
/// time that has passed.
fn cpu_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// The documents under `folder` that are resources.
fn collect(folder: &Path, documents: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, documents);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let Ok(document) = fs::read(&path) else { continue };
            let limits = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
            if parse(&document, &limits).is_ok_and(|tree| tree.get("resourceType").is_some()) {
                documents.push(document);
            }
        }
    }
}
