//! `cargo xtask load transactions`: Bundles of every size.
//!
//! Each part runs against an empty server of its own, so that the peak of its memory is that part's.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::target::{Choice, Served};
use super::wire::Seen;
use super::{large, pairs, synthea};
use crate::server;

/// What to load and how.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to do; everything by default
    #[arg(value_enum)]
    parts: Vec<Part>,
    #[command(flatten)]
    choice: Choice,
    /// Clients: 4 by default, 32 for `pairs`
    #[arg(long)]
    clients: Option<usize>,
    /// Time to measure `pairs`, after a tenth of it to warm up
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Resources that `pairs` works on
    #[arg(long, default_value_t = 10_000)]
    resources: usize,
    /// Entries of the transaction of `large`
    #[arg(long, default_value_t = 25_000)]
    entries: usize,
    /// How often each patient is loaded, with uuids of its own
    #[arg(long, default_value_t = 1)]
    copies: u32,
    /// The folder of the published suites [default: ../shared/suites]
    #[arg(long)]
    suites: Option<PathBuf>,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Generated patients of R4: two batches, then a transaction for each patient; then all again
    Synthea,
    /// Generated patients of STU3
    SyntheaStu3,
    /// The largest Bundle of generated patients by itself, for the server's memory
    Memory,
    /// Transactions of two updates with If-Match
    Pairs,
    /// One large transaction beside small PUTs
    Large,
}

/// The folder of the published suites, beside the workspace.
pub(crate) fn suites(chosen: Option<&PathBuf>) -> PathBuf {
    chosen.cloned().unwrap_or_else(|| server::workspace().join("../shared/suites"))
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = [Part::Synthea, Part::SyntheaStu3, Part::Memory, Part::Pairs, Part::Large];
    let parts = if arguments.parts.is_empty() { &all[..] } else { &arguments.parts };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?;
    for part in parts {
        let path = if *part == Part::SyntheaStu3 { "/STU3" } else { "/R4" };
        let folder = match part {
            Part::Synthea | Part::Memory => Some("synthea-r4"),
            Part::SyntheaStu3 => Some("synthea-stu3"),
            Part::Pairs | Part::Large => None,
        };
        if let Some(folder) = folder {
            let suite = suites(arguments.suites.as_ref()).join(folder);
            let Some(bundles) = super::suite::read(&suite)? else {
                println!("load transactions: {folder} is SKIPPED: there is no {}", suite.display());
                continue;
            };
            let served = Served::start(&arguments.choice, path)?;
            let (clients, copies) = (arguments.clients.unwrap_or(4), arguments.copies);
            let done = match part {
                Part::Memory => runtime.block_on(synthea::memory(&served, &bundles, copies)),
                _ => runtime.block_on(synthea::run(&served, &bundles, clients, copies)),
            };
            done.context(folder)?;
            continue;
        }
        let served = Served::start(&arguments.choice, path)?;
        if *part == Part::Pairs {
            let (clients, seconds) = (arguments.clients.unwrap_or(32), arguments.seconds);
            runtime.block_on(pairs::run(&served, clients, arguments.resources, seconds)).context("pairs")?;
        } else {
            let clients = arguments.clients.unwrap_or(4);
            runtime.block_on(large::run(&served, clients, arguments.entries)).context("large")?;
        }
    }
    Ok(())
}

/// A Bundle that answers another.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    response: Response,
}

/// What came of an entry.
#[derive(Deserialize)]
pub(crate) struct Response {
    pub(crate) status: String,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
}

impl Answer {
    /// What came of each entry of a Bundle that had `entries` of them, all of which must have succeeded.
    pub(crate) fn read(seen: &Seen, is_batch: bool, entries: usize) -> Result<Vec<Response>> {
        ensure!(seen.status == 200, "answered with {}: {}", seen.status, seen.shown());
        let answer: Self = serde_json::from_slice(&seen.body)?;
        let kind = if is_batch { "batch-response" } else { "transaction-response" };
        ensure!(answer.kind == kind, "answered with a Bundle of type {}", answer.kind);
        ensure!(
            answer.entry.len() == entries,
            "{} entries were answered with {}",
            entries,
            answer.entry.len()
        );
        let responses: Vec<Response> = answer.entry.into_iter().map(|entry| entry.response).collect();
        for (place, response) in responses.iter().enumerate() {
            ensure!(response.status.starts_with('2'), "entry {place} was answered with {}", response.status);
        }
        Ok(responses)
    }
}

impl Response {
    /// The `Type/id` that was written.
    pub(crate) fn key(&self) -> Result<String> {
        let location = self.location.as_deref().context("an entry without a location")?;
        let path = location.split("/_history/").next().unwrap_or_default();
        let mut parts = path.rsplit('/');
        let (id, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        ensure!(!id.is_empty() && !kind.is_empty(), "{location} is the location of no resource");
        Ok(format!("{kind}/{id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Vec<String>, String> {
        let seen = Seen { status, body: body.as_bytes().to_vec(), ..Seen::default() };
        let responses = Answer::read(&seen, false, 1).map_err(|error| error.to_string())?;
        responses.iter().map(|response| response.key().map_err(|error| error.to_string())).collect()
    }

    fn answer(kind: &str, status: &str, location: &str) -> String {
        format!(
            r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{{"response":{{"status":"{status}","location":"{location}"}}}}]}}"#
        )
    }

    #[test]
    fn an_answer_names_what_was_written() {
        for location in ["http://h/R4/Patient/1/_history/2", "Patient/1/_history/2", "Patient/1"] {
            let told = read(200, &answer("transaction-response", "201 Created", location));
            assert_eq!(told, Ok(vec!["Patient/1".to_owned()]), "{location}");
        }
    }

    #[test]
    fn an_answer_that_is_not_a_whole_success_fails() {
        let good = answer("transaction-response", "201", "Patient/1");
        let none = r#"{"resourceType":"Bundle","type":"transaction-response"}"#.to_owned();
        for (status, body) in [
            (412, good),
            (200, answer("batch-response", "201", "Patient/1")),
            (200, answer("transaction-response", "409 Conflict", "Patient/1")),
            (200, answer("transaction-response", "201", "1")),
            (200, none),
        ] {
            assert!(read(status, &body).is_err(), "{status} {body}");
        }
    }
}
