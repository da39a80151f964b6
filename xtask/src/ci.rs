//! `cargo xtask ci`: everything that must hold before a change lands.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::packages;

/// The steps in order, cheap ones first: name, program arguments for cargo.
const STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("crate graph", &["xtask", "tidy"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("tests", &["test", "--workspace", "--locked"]),
    ("test scripts", &["xtask", "testscript"]),
    ("crashes", &["xtask", "crash", "--kills", "5"]),
    ("contention", &["xtask", "contention", "--rounds", "3", "--changes", "5"]),
    (
        "transactions",
        &["xtask", "load", "transactions", "memory", "pairs", "large", "--seconds", "1", "--entries", "500"],
    ),
    ("power loss", &["xtask", "powerloss", "--rounds", "4", "--points", "6"]),
    ("requests", &["xtask", "requests", "--count", "20000"]),
];

/// Steps that need the published packages. They run where these were fetched before: without a network nothing else is
/// held up.
const PACKAGE_STEPS: &[(&str, &[&str])] =
    &[("tables", &["xtask", "codegen", "--check"]), ("examples", &["xtask", "conformance", "json"])];

/// Runs every step and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let mut steps = STEPS.to_vec();
    if packages::are_there() {
        steps.extend(PACKAGE_STEPS);
    } else {
        for (name, _) in PACKAGE_STEPS {
            println!("== {name}: SKIPPED, target/packages is not complete; cargo xtask packages fetches it");
        }
    }
    for (name, arguments) in &steps {
        println!("== {name}: cargo {}", arguments.join(" "));
        let step = Instant::now();
        let status =
            Command::new(env!("CARGO")).args(*arguments).status().with_context(|| format!("cargo {name}"))?;
        ensure!(status.success(), "step \"{name}\" failed: cargo {}", arguments.join(" "));
        println!("== {name}: passed in {} s", step.elapsed().as_secs());
    }
    println!("== all {} steps passed in {} s", steps.len(), started.elapsed().as_secs());
    Ok(())
}
