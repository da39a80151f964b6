//! What searches cost one client, beside how many resources there are.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::literal::Single;
use super::report::{histogram, micros, quantiles};
use super::target::Target;
use super::wire::Wire;

/// How often each search is sent; a tenth of it before, to warm up.
const TIMES: usize = 300;

/// How many resources are asked for.
const COUNT: usize = 10;

/// A search by its name: a value of it from a resource of the type.
struct Search {
    name: &'static str,
    sampled: &'static str,
    query: fn(&Value) -> Option<String>,
}

const SEARCHES: &[Search] = &[
    Search {
        name: "id",
        sampled: "Patient",
        query: |patient| Some(format!("Patient?_id={}", text(patient, "/id")?)),
    },
    Search {
        name: "token, one has it",
        sampled: "Patient",
        query: |patient| {
            Some(format!(
                "Patient?identifier={}",
                token(patient, "/identifier/0/system", "/identifier/0/value")?
            ))
        },
    },
    Search {
        name: "token, many have it",
        sampled: "Observation",
        query: |observation| Some(format!("Observation?code={}", code(observation)?)),
    },
    Search {
        name: "reference",
        sampled: "Observation",
        query: |observation| {
            Some(format!("Observation?subject={}", text(observation, "/subject/reference")?))
        },
    },
    Search {
        name: "token and reference",
        sampled: "Observation",
        query: |observation| {
            Some(format!(
                "Observation?subject={}&code={}",
                text(observation, "/subject/reference")?,
                code(observation)?
            ))
        },
    },
    Search {
        name: "date, a day",
        sampled: "Observation",
        query: |observation| {
            Some(format!("Observation?date={}", text(observation, "/effectiveDateTime")?.get(..10)?))
        },
    },
    Search {
        name: "string, four letters",
        sampled: "Patient",
        query: |patient| Some(format!("Patient?family={}", text(patient, "/name/0/family")?.get(..4)?)),
    },
    Search {
        name: "chain",
        sampled: "Patient",
        query: |patient| {
            let family = text(patient, "/name/0/family")?;
            Some(format!("Observation?subject:Patient.family={}", escaped(family)))
        },
    },
    Search {
        name: "chain by identifier",
        sampled: "Patient",
        query: |patient| {
            let identifier = token(patient, "/identifier/0/system", "/identifier/0/value")?;
            Some(format!("Encounter?patient.identifier={identifier}"))
        },
    },
    Search {
        name: "nothing found",
        sampled: "Patient",
        query: |_| Some("Patient?identifier=urn:none%7C1".to_owned()),
    },
];

fn text<'a>(resource: &'a Value, pointer: &str) -> Option<&'a str> {
    resource.pointer(pointer)?.as_str()
}

fn code(resource: &Value) -> Option<String> {
    token(resource, "/code/coding/0/system", "/code/coding/0/code")
}

fn token(resource: &Value, system: &str, value: &str) -> Option<String> {
    Some(format!("{}%7C{}", escaped(text(resource, system)?), escaped(text(resource, value)?)))
}

/// With every byte escaped that is not plain in the value of a query.
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let escape =
        |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(escape).collect()
}

/// Measures every search on what is there: the resources up to now.
pub(crate) async fn measure(target: &Target, there: &[Single]) -> Result<()> {
    let mut wire = Wire::connect(&target.authority).await?;
    let mut samples: BTreeMap<&str, Vec<&Single>> = BTreeMap::new();
    for single in there {
        samples.entry(single.key.split('/').next().unwrap_or_default()).or_default().push(single);
    }
    println!("  searches of one client, {COUNT} resources wanted, {} there:", there.len());
    for search in SEARCHES {
        let Some(resources) = samples.get(search.sampled) else { continue };
        let mut random = SmallRng::seed_from_u64(there.len() as u64);
        let mut times = histogram()?;
        let mut found = 0;
        for number in 0..TIMES + TIMES / 10 {
            let Some(single) = resources.choose(&mut random) else { continue };
            let resource: Value = serde_json::from_str(&single.text)?;
            let Some(query) = (search.query)(&resource) else { continue };
            let request = target.get(&format!("/{query}&_count={COUNT}"));
            let begun = Instant::now();
            let seen = wire.send(&request, true).await?;
            let time = begun.elapsed();
            ensure!(seen.status == 200, "GET {query}: {} {}", seen.status, seen.shown());
            if number >= TIMES / 10 {
                times.saturating_record(micros(time));
                found += matches(&seen.body)?;
            }
        }
        println!("    {:<22} {:>3} found, {}", search.name, per(found, times.len()), quantiles(&times));
    }
    Ok(())
}

/// How many resources a page has that are what was searched for.
fn matches(body: &[u8]) -> Result<u64> {
    let bundle: Value = serde_json::from_slice(body)?;
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(entries.iter().map(|entry| u64::from(entry["search"]["mode"] == "match")).sum())
}

/// Of each, rounded.
fn per(found: u64, searches: u64) -> u64 {
    (found + searches / 2) / searches.max(1)
}
