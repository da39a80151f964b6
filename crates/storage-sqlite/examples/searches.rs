//! What searches and guards on queries cost, with few resources and with many.
//!
//! `cargo run --release --example searches -p storage-sqlite [resources ...]`
//!
//! Every resource has eleven terms. Each selective search finds ten of them, whatever the size of the store, so its
//! figure should stay. The search below them passes over all that the first of its two conditions finds.
#![allow(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use compact_str::{CompactString, format_compact};
use pollster::block_on;
use storage_api::{
    Body, Clause, Clock, Coding, CodingTest, Commit, Condition, Guard, HeadGuard, Interval, Key, Method,
    Number, Query, Reference, RequestId, SearchRequest, Store, StoreError, SystemTest, Term, Test, Timestamp,
    Value, VersionNumber, VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_sqlite::{Options, SqliteStore};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const KIND: &str = "Observation";
/// Resources that share a value.
const SHARED: u64 = 10;
const REPEATS: u32 = 300;

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

fn token(code: impl Into<CompactString>) -> Value {
    Value::Token(Coding { code: code.into(), system: Some("http://loinc.org".into()) })
}

fn day(number: u64) -> Interval {
    let low = i64::try_from(number).unwrap_or_default() * 86_400_000_000;
    Interval { low: Timestamp(low), high: Timestamp(low + 86_399_999_999) }
}

/// Eleven terms: one of a value of its own, six of values that [`SHARED`] resources have, four of values that very many have.
fn terms(number: u64) -> Vec<Term> {
    let group = number / SHARED;
    let name = format_compact!("name {group:08}");
    let term = |param: &str, value| Term::new(format_compact!("{KIND}.{param}"), value);
    let mut terms = vec![
        term("identifier", token(format_compact!("id-{group}"))),
        term("subject", Value::Reference(Reference::Local(Key::new("Patient", format_compact!("p{group}"))))),
        term(
            "encounter",
            Value::Reference(Reference::Local(Key::new("Encounter", format_compact!("e{group}")))),
        ),
        term("date", Value::Date(day(group))),
        term("name", Value::Text { normal: name.clone(), original: name }),
        term("method", token(format_compact!("m-{group}"))),
        term("code", token(format_compact!("c-{}", number % 20))),
        term("unique", token(format_compact!("u-{number}"))),
        term("category", token("vital-signs")),
        term("status", token("final")),
    ];
    terms.extend(Number::new((number % 100) as f64).map(|value| {
        let unit = Some(Coding { code: "mg".into(), system: Some("http://unitsofmeasure.org".into()) });
        term("value-quantity", Value::Quantity { value, unit })
    }));
    terms.sort();
    terms
}

fn fill(store: &SqliteStore, resources: u64) -> Result<f64, Failure> {
    let began = Instant::now();
    for start in (0..resources).step_by(600) {
        let (mut guards, mut writes) = (Vec::new(), Vec::new());
        for number in start..resources.min(start + 600) {
            let key = Key::new(KIND, format_compact!("o{number:08}"));
            let next = VersionToken { number: VersionNumber::FIRST, tag: VersionTag(number) };
            guards.push(Guard::Head(key.clone(), HeadGuard::Absent { floor: VersionNumber::NONE }));
            let body = Some(Body { bytes: vec![b'x'; 1_024].into(), splice: 0 });
            writes.push(Write::Version(VersionWrite {
                key,
                next,
                method: Method::Post,
                body,
                terms: terms(number).into(),
            }));
        }
        commit(store, guards, writes)?;
    }
    Ok(resources as f64 / began.elapsed().as_secs_f64())
}

fn commit(store: &SqliteStore, guards: Vec<Guard>, writes: Vec<Write>) -> Result<Commit, StoreError> {
    let request = RequestId([1; 16]);
    block_on(store.commit(WriteSet { request, index: store.index_generation(), guards, writes }))
}

fn query(clauses: Vec<(&str, Test)>) -> Query {
    let condition =
        |(param, test)| Condition::any(vec![Clause::term(format_compact!("{KIND}.{param}"), test)]);
    Query { kind: KIND.into(), conditions: clauses.into_iter().map(condition).collect() }
}

fn code(code: CompactString) -> Test {
    Test::Token(CodingTest { code: Some(code), system: SystemTest::Is("http://loinc.org".into()) })
}

/// Name, what is found, and the query for a group of resources.
type Case = (&'static str, Option<u64>, fn(u64) -> Query);

const CASES: [Case; 7] = [
    ("token", Some(SHARED), |group| query(vec![("identifier", code(format_compact!("id-{group}")))])),
    ("reference", Some(SHARED), |group| {
        let target = Key::new("Patient", format_compact!("p{group}"));
        query(vec![("subject", Test::Reference(Reference::Local(target)))])
    }),
    ("date", Some(SHARED), |group| query(vec![("date", Test::Date(day(group)))])),
    ("string prefix", Some(SHARED), |group| {
        query(vec![("name", Test::TextPrefix(format_compact!("name {group:08}")))])
    }),
    ("common token and reference", Some(SHARED), |group| {
        let target = Key::new("Patient", format_compact!("p{group}"));
        let status = code("final".into());
        query(vec![("status", status), ("subject", Test::Reference(Reference::Local(target)))])
    }),
    ("nothing", Some(0), |group| query(vec![("identifier", code(format_compact!("none-{group}")))])),
    ("two common tokens, first 10", None, |group| {
        let first = code(format_compact!("c-{}", group % 20));
        query(vec![("code", first), ("category", code("vital-signs".into()))])
    }),
];

fn measure(store: &SqliteStore, resources: u64) -> Result<(), Failure> {
    let groups = resources / SHARED;
    let group = |round: u32| (u64::from(round) * 7_919) % groups;
    for (name, expected, query) in CASES {
        let mut times = Vec::new();
        for round in 0..REPEATS {
            let request = SearchRequest::of(query(group(round)), 10);
            let began = Instant::now();
            let page = block_on(store.search(&request))?;
            times.push(began.elapsed());
            if expected.is_some_and(|expected| page.found.len() as u64 != expected) {
                return Err(format!("{name} found {}", page.found.len()).into());
            }
        }
        times.sort();
        let at = |share: usize| times[times.len() * share / 100].as_micros();
        println!("| {resources} | {name} | {} | {} |", at(50), at(99));
    }
    Ok(())
}

/// Guards on equalities.
fn measure_guards(store: &SqliteStore, resources: u64) -> Result<(), Failure> {
    const GUARDS: u64 = 1_000;
    let cost = |guards: Vec<Guard>| -> Result<f64, Failure> {
        let mut best = f64::MAX;
        for _ in 0..10 {
            let began = Instant::now();
            let outcome = commit(store, guards.clone(), vec![])?;
            if !matches!(outcome, Commit::Committed(_)) {
                return Err(format!("{outcome:?}").into());
            }
            best = best.min(began.elapsed().as_secs_f64() * 1e6);
        }
        Ok(best)
    };
    let none = |number: u64| {
        Guard::Matches(query(vec![("identifier", code(format_compact!("none-{number}")))]), vec![])
    };
    let ten = |number: u64| {
        let group = number * 7_919 % (resources / SHARED);
        let keys = (0..SHARED).map(|n| Key::new(KIND, format_compact!("o{:08}", group * SHARED + n)));
        Guard::Matches(query(vec![("identifier", code(format_compact!("id-{group}")))]), keys.collect())
    };
    let nothing = cost(vec![])?;
    let per_guard = |total: f64| (total - nothing) / GUARDS as f64;
    println!(
        "| {resources} | guard, none matches | {:.1} | |",
        per_guard(cost((0..GUARDS).map(none).collect())?)
    );
    println!(
        "| {resources} | guard, ten match | {:.1} | |",
        per_guard(cost((0..GUARDS).map(ten).collect())?)
    );
    let one = |number: u64| {
        let number = number * 7_919 % resources;
        let unique = query(vec![("unique", code(format_compact!("u-{number}")))]);
        Guard::Matches(unique, vec![Key::new(KIND, format_compact!("o{number:08}"))])
    };
    println!(
        "| {resources} | guard, one matches | {:.1} | |",
        per_guard(cost((0..GUARDS).map(one).collect())?)
    );
    let two = |number: u64| {
        let number = number * 7_919 % resources;
        let unique = ("unique", code(format_compact!("u-{number}")));
        let query = query(vec![("status", code("final".into())), unique]);
        Guard::Matches(query, vec![Key::new(KIND, format_compact!("o{number:08}"))])
    };
    println!(
        "| {resources} | guard, one matches, two parameters | {:.1} | |",
        per_guard(cost((0..GUARDS).map(two).collect())?)
    );
    Ok(())
}

/// Criteria that cost as much as they can: two values that very many resources have, and none has both of, asked in the
/// ways that the index answers and that it does not. Alone in their write sets, they are refused.
fn measure_worst(store: &SqliteStore, resources: u64) {
    let any_system = |code: &str| CodingTest { code: Some(code.into()), system: SystemTest::Any };
    let none = |test: Test| Condition::none(vec![Clause::term(format_compact!("{KIND}.status"), test)]);
    let common = || query(vec![("category", code("vital-signs".into()))]);
    let with = |condition: Condition| {
        let mut query = common();
        query.conditions.push(condition);
        query
    };
    let wide = |number: usize| {
        let test = |value| Clause::term(format_compact!("{KIND}.code"), Test::Token(any_system(value)));
        Condition::none((0..number).map(|_| test("c-none")).chain([test("c-1")]).collect())
    };
    let mut narrow = common();
    narrow.conditions.extend((0..60).map(|_| none(code("final".into()))));
    for (name, query) in [
        ("worst: asked of the index", with(none(code("final".into())))),
        ("worst: asked of the index sixty times", narrow),
        ("worst: looked at", with(none(Test::Token(any_system("final"))))),
        ("worst: looked at for 200 values", {
            let mut query = with(wide(200));
            query.conditions.push(none(Test::Token(any_system("final"))));
            query
        }),
    ] {
        let mut worst = 0.0_f64;
        let mut refused = 0;
        for _ in 0..50 {
            let began = Instant::now();
            let outcome = commit(store, vec![Guard::Matches(query.clone(), vec![])], vec![]);
            worst = worst.max(began.elapsed().as_secs_f64() * 1e6);
            refused += u64::from(outcome == Err(StoreError::TooCostly));
        }
        println!("| {resources} | {name}, refused {refused} of 50 times | at most {worst:.0} | |");
    }
}

fn main() -> Result<(), Failure> {
    let mut sizes: Vec<u64> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    println!("| resources | search | p50, microseconds | p99 |\n|---|---|---|---|");
    for resources in sizes {
        let directory = tempfile::tempdir()?;
        let store = SqliteStore::open(directory.path(), Options::default(), Arc::new(System))?;
        let created = fill(&store, resources)?;
        println!("| {resources} | creates per second, 600 per commit | {created:.0} | |");
        measure(&store, resources)?;
        measure_guards(&store, resources)?;
        measure_worst(&store, resources);
    }
    Ok(())
}
