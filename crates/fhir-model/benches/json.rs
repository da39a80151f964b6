//! How many bytes of FHIR JSON are read and printed per second on one core, beside `serde_json`
//! reading the same bytes.
//!
//! `FIRELOCK_EXAMPLES=DIR cargo bench -p fhir-model --bench json` takes every `.json` file under
//! `DIR`; without it the project's own fixtures are taken, which are small.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fhir_model::json::{Limits, Value, parse};

/// Each figure is the best of this many runs over all documents.
const RUNS: usize = 5;

fn main() {
    let directory = std::env::var_os("FIRELOCK_EXAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/resources"),
        PathBuf::from,
    );
    let mut documents = Vec::new();
    collect(&directory, &mut documents);
    let limits = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
    documents.retain(|document| parse(document, &limits).is_ok());
    let bytes: usize = documents.iter().map(Vec::len).sum();
    println!("{} documents, {} MB, {}", documents.len(), bytes / 1_000_000, directory.display());

    report("parse", bytes, || documents.iter().map(|d| usize::from(parse(d, &limits).is_ok())).sum());
    let trees: Vec<Value> = documents.iter().filter_map(|d| parse(d, &limits).ok()).collect();
    let printed: usize = trees.iter().map(|tree| tree.to_bytes().len()).sum();
    let mut out = Vec::new();
    report("print, of what it prints", printed, || {
        trees
            .iter()
            .map(|tree| {
                out.clear();
                tree.write(&mut out);
                out.len()
            })
            .sum()
    });
    drop(trees);
    report("serde_json::Value, parse", bytes, || {
        documents.iter().map(|d| usize::from(serde_json::from_slice::<serde_json::Value>(d).is_ok())).sum()
    });
}

fn report(what: &str, bytes: usize, mut run: impl FnMut() -> usize) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed());
    }
    // Bytes per microsecond are megabytes per second.
    println!("{what}: {} MB/s", bytes as u128 / best.as_micros().max(1));
}

fn collect(directory: &Path, documents: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, documents);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            documents.extend(fs::read(&path));
        }
    }
}
