//! `cargo xtask tidy`: the layered crate graph, and which crate may name which library.
//!
//! The tables below are the architecture. An edge that is not here fails, and so does a table
//! entry that names a crate which does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Every crate of the workspace with the workspace crates that its library or binary may use.
/// Tests may use more ([`DEV_EDGES`]).
const EDGES: &[(&str, &[&str])] = &[
    ("versioning-core", &[]),
    ("fhir-definitions", &[]),
    ("fhir-model", &["fhir-definitions"]),
    ("storage-api", &["versioning-core"]),
    ("fhirpath", &["fhir-definitions", "fhir-model"]),
    ("fhir-validate", &["fhir-definitions", "fhir-model", "fhirpath"]),
    ("fhir-patch", &["fhir-definitions", "fhir-model", "fhirpath"]),
    ("fhir-search", &["fhir-definitions", "fhir-model", "fhirpath", "storage-api"]),
    ("rulebook", LAYERS_0_1),
    ("transaction-engine", LAYERS_0_1),
    ("storage-memory", &["storage-api", "versioning-core"]),
    ("storage-sqlite", &["storage-api", "versioning-core"]),
    ("storage-conformance", &["storage-api", "versioning-core"]),
    ("fhir-service", LAYERS_0_2),
    ("http-server", LAYERS_0_3),
    ("firelock", EVERYTHING),
    ("xtask", EVERYTHING),
    ("benches", EVERYTHING),
];

const LAYERS_0_1: &[&str] = &[
    "fhir-definitions",
    "fhir-model",
    "fhir-patch",
    "fhir-search",
    "fhir-validate",
    "fhirpath",
    "storage-api",
    "versioning-core",
];

const LAYERS_0_2: &[&str] = &[
    "fhir-definitions",
    "fhir-model",
    "fhir-patch",
    "fhir-search",
    "fhir-validate",
    "fhirpath",
    "rulebook",
    "storage-api",
    "transaction-engine",
    "versioning-core",
];

const LAYERS_0_3: &[&str] = &[
    "fhir-definitions",
    "fhir-model",
    "fhir-patch",
    "fhir-search",
    "fhir-service",
    "fhir-validate",
    "fhirpath",
    "rulebook",
    "storage-api",
    "transaction-engine",
    "versioning-core",
];

const EVERYTHING: &[&str] = &[
    "fhir-definitions",
    "fhir-model",
    "fhir-patch",
    "fhir-search",
    "fhir-service",
    "fhir-validate",
    "fhirpath",
    "http-server",
    "rulebook",
    "storage-api",
    "storage-conformance",
    "storage-memory",
    "storage-sqlite",
    "transaction-engine",
    "versioning-core",
];

/// What tests may use beyond [`EDGES`]: adapters are tested by the kit and against each other,
/// and what drives a store is tested on the one in memory.
const DEV_EDGES: &[(&str, &[&str])] = &[
    ("storage-conformance", &["storage-memory"]),
    ("storage-memory", &["storage-conformance"]),
    ("storage-sqlite", &["storage-conformance", "storage-memory"]),
    ("transaction-engine", &["storage-memory"]),
    ("fhir-service", &["storage-memory"]),
    ("http-server", &["storage-memory"]),
];

/// Libraries that belong to some crates only, whatever the kind of dependency.
const NAMED_ONLY_BY: &[(&str, &[&str])] = &[
    ("rusqlite", &["storage-sqlite", "benches"]),
    ("hyper", &["http-server", "xtask", "benches"]),
    ("hyper-util", &["http-server", "xtask", "benches"]),
    ("rustls", &["http-server"]),
    ("quick-xml", &["fhir-model", "fhir-patch", "fhir-validate"]),
    ("tokio", &["fhir-service", "http-server", "firelock", "xtask", "benches"]),
    ("clap", &["firelock", "xtask"]),
    ("tikv-jemallocator", &["firelock"]),
];

/// Crates whose library part has no dependency at all.
const BARE: &[&str] = &["versioning-core", "fhir-definitions"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Dependency {
    fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// Checks the workspace this is run in.
pub(crate) fn run() -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let mut faults = faults(&metadata.packages);
    faults.extend(absent(&metadata.packages));
    for fault in &faults {
        println!("tidy: {fault}");
    }
    ensure!(faults.is_empty(), "{} faults in the crate graph; xtask/src/tidy.rs has the rules", faults.len());
    println!("tidy: {} crates are as the architecture has them", metadata.packages.len());
    Ok(())
}

fn faults(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let edges: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let dev_edges: BTreeMap<&str, &[&str]> = DEV_EDGES.iter().copied().collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(allowed) = edges.get(name) else {
            faults.push(format!("{name} has no layer: add it to EDGES"));
            continue;
        };
        if !package.manifest_path.contains(&format!("/{name}/Cargo.toml")) {
            faults.push(format!("{name} is not in a folder of its name"));
        }
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            let extra =
                if dependency.is_dev() { dev_edges.get(name).copied().unwrap_or_default() } else { &[] };
            if ours.contains(used) && !allowed.contains(&used) && !extra.contains(&used) {
                faults.push(format!("{name} must not use {used}"));
            }
            if BARE.contains(&name) && !dependency.is_dev() {
                faults.push(format!("{name} has no dependencies, {used} included"));
            }
            let owners = NAMED_ONLY_BY.iter().find(|(library, _)| *library == used);
            // A test may drive anything that can be driven without a network or a disk.
            let test_runtime = dependency.is_dev() && used == "tokio";
            if let Some((_, owners)) = owners
                && !owners.contains(&name)
                && !test_runtime
            {
                faults.push(format!("{name} must not name {used}: {} do", owners.join(", ")));
            }
        }
    }
    faults
}

/// Entries of the tables that are about no crate.
fn absent(packages: &[Package]) -> Vec<String> {
    let users = EDGES.iter().chain(DEV_EDGES).chain(NAMED_ONLY_BY);
    let of_edges = EDGES.iter().chain(DEV_EDGES).map(|(name, _)| *name);
    let named = users.flat_map(|(_, names)| names.iter().copied()).chain(of_edges);
    let missing = named.filter(|name| packages.iter().all(|package| package.name != *name));
    missing.collect::<BTreeSet<_>>().into_iter().map(|name| format!("there is no crate {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_name_crates_that_are_there() {
        let names = EDGES.iter().map(|(name, _)| *name);
        let all: Vec<Package> = names.map(|name| package(name, &[])).collect();
        assert_eq!(absent(&all), [""; 0]);
        assert_eq!(absent(&all[1..]), ["there is no crate versioning-core"]);
    }

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: format!("/w/crates/{name}/Cargo.toml"),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
                .collect(),
        }
    }

    fn check(packages: &[Package], expected: &[&str]) {
        let found = faults(packages);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found:?}");
        }
    }

    #[test]
    fn edges_of_the_graph_pass_and_others_do_not() {
        check(&[package("storage-api", &[("versioning-core", None)]), package("versioning-core", &[])], &[]);
        check(
            &[package("storage-sqlite", &[("fhir-model", None)]), package("fhir-model", &[])],
            &["storage-sqlite must not use fhir-model"],
        );
        check(
            &[
                package("http-server", &[("storage-memory", Some("dev"))]),
                package("storage-memory", &[("storage-api", None)]),
                package("storage-api", &[]),
            ],
            &[],
        );
    }

    #[test]
    fn libraries_stay_where_they_belong() {
        check(&[package("fhir-service", &[("hyper", None)])], &["must not name hyper"]);
        check(&[package("versioning-core", &[("smallvec", None)])], &["no dependencies"]);
        check(&[package("rulebook", &[("tokio", Some("dev"))])], &[]);
        check(&[package("newcomer", &[])], &["no layer"]);
    }
}
