//! Guards on queries.

use std::thread;

use pollster::block_on;
use storage_api::{
    Coding, CodingTest, Commit, Condition, Equality, Guard, HistoryScope, Interval, Key, Lost, Now, Number,
    NumberRange, Query, Reference, StoreError, SystemTest, Term, Test, Timestamp, Value, VersionWrite, Write,
    matches,
};

use crate::bench::{Bench, absent, exactly, key, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A store with resources, and the terms they should be found by.
struct Shelf {
    bench: Bench,
    live: Vec<(Key, Vec<Term>)>,
}

impl Shelf {
    fn put(&mut self, key: &Key, mut terms: Vec<Term>) -> Verdict {
        terms.sort();
        terms.dedup();
        self.bench.put_found_by(key, "{}", terms.clone())?;
        self.live.retain(|(other, _)| other != key);
        self.live.push((key.clone(), terms));
        Ok(())
    }

    fn remove(&mut self, key: &Key) {
        self.live.retain(|(other, _)| other != key);
    }

    /// What the one definition says.
    fn expected(&self, query: &Query) -> Vec<Key> {
        let found = self.live.iter().filter(|(key, terms)| key.kind == query.kind && matches(query, terms));
        let mut keys: Vec<Key> = found.map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    /// The guard holds with exactly these keys, and with no others.
    fn check(&self, query: &Query) -> Verdict {
        let expected = self.expected(query);
        let outcome = self.bench.commit(vec![Guard::Matches(query.clone(), expected.clone())], vec![])?;
        ensure!(
            matches!(outcome, Commit::Committed(_)),
            "{query:?} should match exactly {expected:?}, but: {outcome:?}"
        );
        let mut wrong = vec![Vec::new(), vec![key("nobody")], expected.iter().skip(1).cloned().collect()];
        let mut more = expected.clone();
        more.push(key("nobody"));
        more.sort();
        wrong.push(more);
        for guessed in wrong.into_iter().filter(|guessed| *guessed != expected) {
            let outcome = self.bench.commit(vec![Guard::Matches(query.clone(), guessed.clone())], vec![])?;
            let Commit::Lost(lost) = &outcome else {
                return Err(Fault(format!("{query:?} does not match {guessed:?}, but: {outcome:?}")));
            };
            let [Lost { guard: 0, now: Now::Matched(found) }] = &lost[..] else {
                return Err(Fault(format!("a lost guard on a query reports {lost:?}")));
            };
            let count = expected.len().min(guessed.len() + 1);
            ensure_eq!(found.len(), count, "keys reported for {query:?} instead of {guessed:?}");
            let stray = found.iter().find(|key| !expected.contains(key));
            ensure_eq!(stray, None, "a key that does not match {query:?}");
            ensure!(
                found.windows(2).all(|pair| pair[0] < pair[1]),
                "reported keys are no sorted set: {found:?}"
            );
        }
        Ok(())
    }
}

fn coding(code: &str, system: Option<&str>) -> Coding {
    Coding { code: code.into(), system: system.map(Into::into) }
}

fn number(value: f64) -> Number {
    Number::new(value).unwrap_or_else(|| unreachable!("the kit's numbers are finite"))
}

fn span(low: i64, high: i64) -> Interval {
    Interval { low: Timestamp(low), high: Timestamp(high) }
}

/// Values that are easily mixed up with one another.
fn values() -> Vec<Value> {
    let texts = ["a", "b", "ab", "", "a\0b", "a\u{1}b", "á"];
    let systems = [None, Some("s"), Some("t"), Some("")];
    let codings: Vec<Coding> =
        texts.iter().flat_map(|text| systems.map(|system| coding(text, system))).collect();
    let numbers = [-1e300, -2.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 1e300].map(number);
    let dates = [span(-5, -1), span(-5, 5), span(0, 0), span(0, 9), span(3, 4), span(i64::MIN, i64::MAX)];
    let mut values: Vec<Value> = codings.iter().cloned().map(Value::Token).collect();
    values.extend(texts.iter().flat_map(|normal| {
        ["a", "A"].map(|original| Value::Text { normal: (*normal).into(), original: original.into() })
    }));
    values.extend(texts.map(|text| Value::Uri(text.into())));
    values.extend(texts.map(|text| Value::Reference(Reference::External(text.into()))));
    values.extend(
        [key("a"), key("b"), Key::new("Patient", "a")].map(|key| Value::Reference(Reference::Local(key))),
    );
    values.extend(dates.map(Value::Date));
    values.extend(numbers.map(Value::Number));
    values.extend(numbers.map(|value| Value::Quantity { value, unit: None }));
    values.extend(numbers.map(|value| Value::Quantity { value, unit: Some(coding("mg", Some("s"))) }));
    let parts = [Value::Token(coding("a", Some("s"))), Value::Uri("a".into()), Value::Number(number(1.0))];
    values.push(Value::Composite(parts.to_vec()));
    values.push(Value::Composite(parts[..2].to_vec()));
    values.push(Value::Composite(vec![parts[2].clone(), parts[0].clone()]));
    values
}

/// Tests that pass for some of [`values`] each.
fn tests() -> Vec<Test> {
    let systems = [SystemTest::Any, SystemTest::None, SystemTest::Is("s".into()), SystemTest::Is("x".into())];
    let of_coding =
        |code: &str, system: &SystemTest| CodingTest { code: code.into(), system: system.clone() };
    let mut tests = Vec::new();
    for code in ["a", "ab", "", "a\0b", "a\u{1}b", "nothing"] {
        tests.extend(systems.iter().map(|system| Test::Token(of_coding(code, system))));
        tests.push(Test::Text { normal: code.into(), original: "A".into() });
        tests.push(Test::Uri(code.into()));
        tests.push(Test::Reference(Reference::External(code.into())));
    }
    for target in [key("a"), key("never"), Key::new("Patient", "a"), Key::new("Nothing", "a")] {
        tests.push(Test::Reference(Reference::Local(target)));
    }
    let spans = [span(0, 0), span(-9, 9), span(3, 9), span(i64::MIN, i64::MAX), span(9, 3)];
    tests.extend(spans.map(Test::Date));
    let ranges = [(-1e300, 1e300), (0.0, 0.0), (0.5, 1.0), (-2.0, -0.5), (-0.0, 0.5), (2.0, 1.0), (3.0, 4.0)];
    for (low, high) in ranges {
        let value = NumberRange { low: number(low), high: number(high) };
        tests.push(Test::Number(value));
        tests.push(Test::Quantity { value, unit: None });
        tests.push(Test::Quantity { value, unit: Some(of_coding("mg", &SystemTest::Any)) });
        tests.push(Test::Quantity { value, unit: Some(of_coding("mg", &SystemTest::Is("t".into()))) });
    }
    let parts = [Test::Token(of_coding("a", &SystemTest::Any)), Test::Uri("a".into())];
    tests.push(Test::Composite(parts.to_vec()));
    tests.push(Test::Composite(vec![parts[1].clone(), parts[0].clone()]));
    let wide = NumberRange { low: number(0.5), high: number(1.5) };
    tests.push(Test::Composite(vec![Test::Number(wide), parts[0].clone()]));
    tests.push(Test::Composite(vec![]));
    tests
}

fn equality(param: &str, test: Test) -> Equality {
    Equality { param: param.into(), test }
}

fn query(kind: &str, conditions: Vec<Vec<Equality>>) -> Query {
    Query { kind: kind.into(), conditions: conditions.into_iter().map(|any| Condition { any }).collect() }
}

/// Every kind of value under every kind of test, alone and combined.
pub(super) fn guards_answer_as_the_matcher(harness: &dyn Harness) -> Verdict {
    let mut shelf = Shelf { bench: Bench::new(harness), live: Vec::new() };
    let values = values();
    for (index, value) in values.iter().enumerate() {
        let other = values[(index * 7 + 3) % values.len()].clone();
        shelf.put(&key(&format!("r{index}")), vec![Term::new("p", value.clone()), Term::new("q", other)])?;
    }
    shelf.put(&Key::new("Patient", "r0"), vec![Term::new("p", values[0].clone())])?;
    shelf.put(&key("nothing"), vec![])?;
    let tests = tests();
    for (index, test) in tests.iter().enumerate() {
        let p = || equality("p", test.clone());
        let other = tests[(index * 11 + 5) % tests.len()].clone();
        shelf.check(&query("Flag", vec![vec![p()]]))?;
        shelf.check(&query("Flag", vec![vec![p(), equality("q", other.clone())]]))?;
        shelf.check(&query(
            "Flag",
            vec![vec![p(), equality("q", other)], vec![equality("q", test.clone()), p()]],
        ))?;
    }
    let any = || equality("p", tests[0].clone());
    for odd in [
        query("Patient", vec![vec![any()]]),
        query("Nothing", vec![vec![any()]]),
        query("Flag", vec![vec![any()], vec![equality("unknown", tests[0].clone())]]),
        query("Flag", vec![vec![any()], vec![]]),
    ] {
        shelf.check(&odd)?;
    }
    let unbounded = Guard::Matches(query("Flag", vec![]), vec![]);
    let refused = shelf.bench.commit(vec![unbounded], vec![]);
    ensure_eq!(refused, Err(StoreError::TooCostly), "a query without a condition");
    Ok(())
}

fn tagged(code: &str) -> Term {
    Term::new("tag", Value::Token(coding(code, Some("s"))))
}

fn has_tag(code: &str) -> Query {
    let test = Test::Token(CodingTest { code: code.into(), system: SystemTest::Is("s".into()) });
    query("Flag", vec![vec![equality("tag", test)]])
}

/// What is found follows updates, deletions, restorations, purges and new terms.
pub(super) fn follow_every_write(harness: &dyn Harness) -> Verdict {
    let mut shelf = Shelf { bench: Bench::new(harness), live: Vec::new() };
    let [a, b] = [key("a"), key("b")];
    let look = |shelf: &Shelf| ["x", "y", "z"].iter().try_for_each(|code| shelf.check(&has_tag(code)));
    shelf.put(&a, vec![tagged("x"), tagged("y")])?;
    shelf.put(&b, vec![tagged("y"), tagged("z")])?;
    look(&shelf)?;
    shelf.put(&a, vec![tagged("y"), tagged("z")])?;
    look(&shelf)?;
    shelf.put(&b, vec![])?;
    look(&shelf)?;

    let terms = vec![tagged("x")];
    shelf.bench.must(vec![exactly(&b, 2)], vec![Write::Terms { key: b.clone(), terms: terms.clone() }])?;
    shelf.live.retain(|(key, _)| *key != b);
    shelf.live.push((b.clone(), terms.clone()));
    look(&shelf)?;
    shelf.put(&b, vec![tagged("x"), tagged("z")])?;
    look(&shelf)?;

    shelf.bench.delete(&a)?;
    shelf.remove(&a);
    look(&shelf)?;
    // A tombstone is found by nothing, whatever terms it is given.
    shelf.bench.must(vec![exactly(&a, 3)], vec![Write::Terms { key: a.clone(), terms }])?;
    look(&shelf)?;
    shelf.put(&a, vec![tagged("x")])?;
    look(&shelf)?;
    shelf.bench.purge(&a)?;
    shelf.remove(&a);
    look(&shelf)?;
    shelf.put(&a, vec![tagged("z")])?;
    look(&shelf)?;
    if shelf.bench.instance.reopen() {
        shelf.bench.store = shelf.bench.instance.store();
        look(&shelf)?;
        shelf.put(&a, vec![tagged("x")])?;
        look(&shelf)?;
    }
    Ok(())
}

/// Several clients create what does not exist yet, each under an id of its own: one does.
pub(super) fn one_conditional_create_wins(harness: &dyn Harness) -> Verdict {
    const CLIENTS: usize = 8;
    let bench = Bench::new(harness);
    for round in 0..10 {
        let code = format!("round {round}");
        let create = |client: usize| {
            let key = key(&format!("{round}-{client}"));
            let guards = vec![Guard::Matches(has_tag(&code), vec![]), absent(&key)];
            let write = VersionWrite { terms: vec![tagged(&code)], ..put(&key, 0, "{}") };
            block_on(bench.store.commit(bench.set(guards, vec![Write::Version(write)])))
        };
        let outcomes: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || create(client))).collect();
            clients.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let mut created = 0;
        for outcome in outcomes {
            match outcome.map_err(|_| Fault("a client panicked".to_owned()))?? {
                Commit::Committed(_) => created += 1,
                Commit::Lost(_) => {}
                other => return Err(Fault(format!("a conditional create ended as {other:?}"))),
            }
        }
        ensure_eq!(created, 1, "creates that won round {round}");
        ensure_eq!(bench.versions(HistoryScope::All)?.len(), round + 1, "versions after round {round}");
    }
    Ok(())
}
