//! `cargo xtask testscript`: plays the published TestScripts against the server.
//!
//! The runner is a test of `http-server`, because it needs the FHIR crates, which this one must do without.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Which scripts.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only scripts whose path has this.
    name: Option<String>,
}

/// Plays them; without the suite it says so.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--quiet", "--package", "http-server", "--test", "it"]);
    cargo.args(["published_test_scripts_pass", "--", "--nocapture"]);
    if let Some(name) = &arguments.name {
        cargo.env("TESTSCRIPT", name);
    }
    ensure!(cargo.status().context("cargo test")?.success(), "some test scripts fail");
    Ok(())
}
