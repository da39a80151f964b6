//! What words cost a create, and how fast older resources are indexed anew.
//!
//! `cargo run --release --example reindex -p benches [resources]`
//!
//! Observations as Synthea writes them, whose only words are those of their codes, without narrative. Creates go to the
//! store in write sets of sixteen, as many as 32 clients bring together, without and with words. Then a service takes over
//! the store without words, once by words and once by everything. Times are those of the processor, all threads together:
//! other programs do not count.
#![allow(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use fhir_definitions::FhirVersion;
use fhir_model::json::{self, Value};
use fhir_search::Extractor;
use fhir_service::{FullText, Ids, Limits, Operation, Preferences, Request, Service, Slice, SystemClock};
use pollster::block_on;
use rulebook::{Caller, FhirRulebook, LockSettings};
use storage_api::{
    Body, Commit, Guard, HeadGuard, Key, Method, RequestId, Store, Term, VersionNumber, VersionTag,
    VersionToken, VersionWrite, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};
use versioning_core::Precondition;

const VERSION: FhirVersion = FhirVersion::R4;
const TOGETHER: usize = 16;

/// Codes with what people read of them.
const CODES: [(&str, &str); 6] = [
    ("8302-2", "Body Height"),
    ("29463-7", "Body Weight"),
    ("8867-4", "Heart rate"),
    ("2093-3", "Total Cholesterol"),
    ("72166-2", "Tobacco smoking status NHIS"),
    ("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),
];

fn observation(number: usize) -> String {
    let (code, display) = CODES[number % CODES.len()];
    let (person, day, value) = (number / 20, number % 28 + 1, number % 90 + 10);
    format!(
        r#"{{"resourceType":"Observation","id":"o{number:08}","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"{display}"}}],"text":"{display}"}},"subject":{{"reference":"Patient/p{person:07}"}},"encounter":{{"reference":"Encounter/e{person:07}"}},"effectiveDateTime":"2019-07-{day:02}T04:12:37+01:00","issued":"2019-07-{day:02}T04:12:37.123+01:00","valueQuantity":{{"value":{value}.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}}}"#
    )
}

/// What the processor has done for this process, in seconds.
fn processor() -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind) = stat.rsplit_once(')').context("no name in /proc/self/stat")?;
    let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

struct Prepared(Vec<(Key, String, Vec<Term>)>);

fn prepared(resources: usize, full_text: bool) -> Result<Prepared> {
    let extractor = Extractor::with_custom(VERSION, vec![]).with_full_text(full_text);
    let one = |number| {
        let text = observation(number);
        let terms = extractor.terms(&json::parse(text.as_bytes(), &json::Limits::default())?, &[])?;
        Ok((Key::new("Observation", format!("o{number:08}")), text, terms))
    };
    Ok(Prepared((0..resources).map(one).collect::<Result<_>>()?))
}

/// Seconds of the processor for each create.
fn fill(store: &SqliteStore, Prepared(resources): &Prepared) -> Result<f64> {
    let began = processor()?;
    for together in resources.chunks(TOGETHER) {
        let (mut guards, mut writes) = (Vec::new(), Vec::new());
        for (key, text, terms) in together {
            let floor = VersionNumber::NONE;
            guards.push(Guard::Head(key.clone(), HeadGuard::Absent { floor }));
            writes.push(Write::Version(VersionWrite {
                key: key.clone(),
                next: VersionToken { number: VersionNumber::FIRST, tag: VersionTag(1) },
                method: Method::Put,
                body: Some(Body { bytes: text.clone().into(), splice: 0 }),
                terms: terms.as_slice().into(),
            }));
        }
        let set = WriteSet { request: RequestId([1; 16]), index: store.index_generation(), guards, writes };
        match block_on(store.commit(set))? {
            Commit::Committed(_) => {}
            other => bail!("a create ended as {other:?}"),
        }
    }
    Ok((processor()? - began) / resources.len() as f64)
}

fn open(directory: &Path) -> Result<Arc<SqliteStore>> {
    Ok(Arc::new(SqliteStore::open(directory, Options::default(), Arc::new(SystemClock))?))
}

fn request(operation: Operation) -> Request {
    Request {
        operation,
        precondition: Precondition::NONE,
        preferences: Preferences::default(),
        idempotency_key: None,
        retries_max: None,
        base: "http://here/R4".to_owned(),
        trace: "".into(),
        caller: Caller::default(),
    }
}

/// How many resources were indexed anew, and how many in a second.
fn complete(service: &Service) -> Result<(u64, f64, f64)> {
    let (before, began, used) = (service.index_progress().reindexed, Instant::now(), processor()?);
    while block_on(service.index_slice()).map_err(|failure| anyhow::anyhow!("{failure}"))? == Slice::More {}
    let count = service.index_progress().reindexed - before;
    let used = processor()? - used;
    Ok((count, count as f64 / began.elapsed().as_secs_f64(), used / count.max(1) as f64))
}

fn found(service: &Service, words: &str) -> Result<String> {
    let parameters =
        vec![("_content".to_owned(), words.to_owned()), ("_summary".to_owned(), "count".to_owned())];
    let scope = fhir_service::SearchScope::Type("Observation".to_owned());
    let answer = block_on(service.handle(request(Operation::Search { scope, parameters })));
    ensure!(answer.status == 200, "the search is answered with {}", answer.status);
    match answer.payload {
        Some(fhir_service::Payload::Json(bytes)) => {
            let bundle = json::parse(&bytes, &json::Limits::default())?;
            Ok(bundle
                .get("total")
                .map(|total| String::from_utf8_lossy(&Value::to_bytes(total)).into_owned())
                .unwrap_or_default())
        }
        _ => bail!("the search has no answer"),
    }
}

fn main() -> Result<()> {
    let resources = std::env::args().nth(1).map_or(Ok(100_000), |number| number.parse())?;
    let folder = tempfile::tempdir()?;
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    for (directory, full_text, what) in [(&without, false, "without words"), (&with, true, "with words")] {
        let store = open(directory)?;
        let prepared = prepared(resources, full_text)?;
        let seconds = fill(&store, &prepared)?;
        let terms: usize = prepared.0.iter().map(|(_, _, terms)| terms.len()).sum();
        block_on(store.close())?;
        let bytes = std::fs::metadata(directory.join("store.db"))?.len();
        println!(
            "{resources} creates {what}: {:.1} microseconds each, {:.1} terms, {:.0} bytes on the disk",
            seconds * 1e6,
            terms as f64 / resources as f64,
            bytes as f64 / resources as f64
        );
    }
    let rulebook = Arc::new(FhirRulebook::new(VERSION, LockSettings::of(VERSION)));
    let service = Service::new(rulebook, open(&without)?, Ids::system(), Limits::default())
        .with_full_text(FullText::On);
    block_on(service.open_index(None)).map_err(|failure| anyhow::anyhow!("{failure}"))?;
    for what in ["a store that did not say", "everything again"] {
        let (count, rate, seconds) = complete(&service)?;
        println!("{what}: {count} indexed anew, {rate:.0} a second, {:.0} microseconds each", seconds * 1e6);
        block_on(service.handle(request(Operation::Reindex { full: true })));
    }
    println!("found by the words heart rate: {}", found(&service, "\"heart rate\"")?);
    Ok(())
}
