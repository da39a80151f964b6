//! Guards on queries.

use std::thread;

use pollster::block_on;
use storage_api::{
    Candidate, Circle, Clause, Coding, CodingTest, Commit, Condition, Current, Guard, HistoryScope, Interval,
    Key, Lost, Now, Number, NumberRange, Others, Phrase, Position, Query, Reference, SearchRequest,
    StoreError, SystemTest, Term, Test, Timestamp, Value, VersionWrite, Words, Write, matches,
};

use super::words::phrases;
use crate::bench::{Bench, absent, exactly, key, put};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A store with resources, and the terms they should be found by.
pub(super) struct Shelf {
    pub(super) bench: Bench,
    pub(super) live: Vec<(Key, Vec<Term>)>,
}

/// Everything on a shelf.
struct Shelved<'a>(Vec<Candidate<'a>>);

impl Others for Shelved<'_> {
    fn one(&self, key: &Key, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.0.iter().any(|candidate| candidate.key == key && passes(candidate))
    }

    fn any(&self, kind: &str, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        self.0.iter().any(|candidate| candidate.key.kind == kind && passes(candidate))
    }
}

impl Shelf {
    /// Questions that a search may ask and a guard may not, or that only the row answers.
    fn check_searches_alone(&self, any: &Clause) -> Verdict {
        let conditions = |conditions: Vec<Condition>| Query { kind: "Flag".into(), conditions };
        let id = || Condition::any(vec![Clause::Id("r3".into()), Clause::Id("nobody".into())]);
        let never = Condition::any(vec![Clause::Updated(span(5, 4))]);
        let always = || Condition::any(vec![Clause::Updated(span(i64::MIN, i64::MAX))]);
        for query in [conditions(vec![id()]), conditions(vec![id(), Condition::none(vec![any.clone()])])] {
            self.check(&query)?;
        }
        for query in [
            conditions(vec![]),
            conditions(vec![never]),
            conditions(vec![always()]),
            conditions(vec![always(), Condition::none(vec![any.clone()])]),
            conditions(vec![Condition::none(vec![])]),
            conditions(vec![Condition::none(vec![Clause::Id("r3".into())])]),
            conditions(vec![Condition::any(vec![any.clone(), Clause::Updated(span(0, 0))])]),
        ] {
            self.check_search(&query, &self.expected(&query)?)?;
        }
        Ok(())
    }

    pub(super) fn put(&mut self, key: &Key, mut terms: Vec<Term>) -> Verdict {
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
    pub(super) fn expected(&self, query: &Query) -> Result<Vec<Key>, Fault> {
        let mut others = Vec::new();
        for (key, terms) in &self.live {
            let Current::Live(head) = block_on(self.bench.store.read(key))?.current else {
                return Err(Fault(format!("{key} is not live")));
            };
            others.push(Candidate { key, at: head.at, terms });
        }
        let others = Shelved(others);
        let found = others.0.iter().filter(|candidate| matches(query, candidate, &others));
        let mut keys: Vec<Key> = found.map(|candidate| candidate.key.clone()).collect();
        keys.sort();
        Ok(keys)
    }

    /// Searches find the same, in pages of any size, each resource once.
    pub(super) fn check_search(&self, query: &Query, expected: &[Key]) -> Verdict {
        for limit in [1, 3, expected.len().max(1), 1000] {
            let mut request = SearchRequest::of(query.clone(), limit);
            let mut found = Vec::new();
            loop {
                let page = block_on(self.bench.store.search(&request))?;
                ensure!(page.found.len() <= limit, "a page of {limit} has {}", page.found.len());
                found.extend(page.found);
                request.after = page.next;
                if request.after.is_none() {
                    break;
                }
            }
            for version in &found {
                let current = block_on(self.bench.store.read(&version.key))?;
                ensure_eq!(version.body, current.body, "the content of {} found by {query:?}", version.key);
            }
            let mut keys: Vec<Key> = found.into_iter().map(|version| version.key).collect();
            keys.sort();
            ensure_eq!(keys, expected, "found by {query:?} in pages of {limit}");
        }
        Ok(())
    }

    /// The guard holds with exactly these keys, and with no others.
    pub(super) fn check(&self, query: &Query) -> Verdict {
        let expected = self.expected(query)?;
        self.check_search(query, &expected)?;
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

/// At the poles, at the border of the days, and near to each other across a band or more.
const PLACES: [(f64, f64); 9] = [
    (90.0, 0.0),
    (89.9, 180.0),
    (-90.0, 17.0),
    (0.0, 180.0),
    (0.1, -179.9),
    (53.8, -1.5),
    (53.81, -1.49),
    (53.7, -1.6),
    (51.5, -0.1),
];

fn place(latitude: f64, longitude: f64) -> Position {
    Position::new(latitude, longitude).unwrap_or_else(|| unreachable!("the kit's places are on the earth"))
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
    values.extend(PLACES.map(|(lat, long)| Value::Position(place(lat, long))));
    let parts = [Value::Token(coding("a", Some("s"))), Value::Uri("a".into()), Value::Number(number(1.0))];
    values.push(Value::Composite(parts.to_vec()));
    values.push(Value::Composite(parts[..2].to_vec()));
    values.push(Value::Composite(vec![parts[2].clone(), parts[0].clone()]));
    for (first, second) in [("a", ""), ("", "a"), ("a b", "ab"), ("b a", "a b a"), ("á", "Á 1"), ("", "")] {
        values.push(Value::Words([first, second].map(Words::of)));
    }
    let mut broken = Words::of("b a");
    broken.push("b");
    values.push(Value::Words([broken, Words::of(&"a".repeat(500))]));
    values
}

/// Tests that pass for some of [`values`] each.
fn tests() -> Vec<Test> {
    let systems = [SystemTest::Any, SystemTest::None, SystemTest::Is("s".into()), SystemTest::Is("x".into())];
    let of_coding =
        |code: &str, system: &SystemTest| CodingTest { code: Some(code.into()), system: system.clone() };
    let mut tests = Vec::new();
    for code in ["a", "ab", "", "a\0b", "a\u{1}b", "nothing"] {
        tests.extend(systems.iter().map(|system| Test::Token(of_coding(code, system))));
        tests.push(Test::Text { normal: code.into(), original: "A".into() });
        tests.push(Test::Uri(code.into()));
        tests.push(Test::UriBelow(code.into()));
        tests.push(Test::UriContains(code.into()));
        tests.push(Test::TextPrefix(code.into()));
        tests.push(Test::TextContains(code.into()));
        tests.push(Test::TextIs(code.into()));
        tests.push(Test::TextEnds(code.into()));
        tests.push(Test::Reference(Reference::External(code.into())));
        tests.push(Test::ReferencePrefix(code.into()));
    }
    for target in [key("a"), key("never"), Key::new("Patient", "a"), Key::new("Nothing", "a")] {
        tests.push(Test::Reference(Reference::Local(target)));
    }
    let spans = [span(0, 0), span(-9, 9), span(3, 9), span(i64::MIN, i64::MAX), span(9, 3)];
    tests.extend(spans.map(Test::Date));
    tests.extend(spans.map(|low| Test::Span { low, high: span(-1, 9) }));
    tests.push(Test::Present);
    tests.extend(systems.iter().map(|system| Test::Token(CodingTest { code: None, system: system.clone() })));
    let ranges = [(-1e300, 1e300), (0.0, 0.0), (0.5, 1.0), (-2.0, -0.5), (-0.0, 0.5), (2.0, 1.0), (3.0, 4.0)];
    for (low, high) in ranges {
        let value = NumberRange { low: number(low), high: number(high) };
        tests.push(Test::Number(value));
        tests.push(Test::Quantity { value, unit: None });
        tests.push(Test::Quantity { value, unit: Some(of_coding("mg", &SystemTest::Any)) });
        tests.push(Test::Quantity { value, unit: Some(of_coding("mg", &SystemTest::Is("t".into()))) });
    }
    for (lat, long) in PLACES {
        let radii = [0.0, 1_500.0, 20_000.0, 300_000.0, 10_000_000.0].map(number);
        tests.extend(radii.map(|metres| Test::Near(Circle { centre: place(lat, long), metres })));
    }
    let parts = [Test::Token(of_coding("a", &SystemTest::Any)), Test::Uri("a".into())];
    tests.push(Test::Composite(parts.to_vec()));
    tests.push(Test::Composite(vec![parts[1].clone(), parts[0].clone()]));
    let wide = NumberRange { low: number(0.5), high: number(1.5) };
    tests.push(Test::Composite(vec![Test::Number(wide), parts[0].clone()]));
    tests.push(Test::Composite(vec![]));
    tests.extend(phrases().into_iter().map(Test::Words));
    tests.extend(phrases().into_iter().map(Test::TextWords));
    tests
}

pub(super) fn clause(param: &str, test: Test) -> Clause {
    Clause::term(param, test)
}

pub(super) fn query(kind: &str, conditions: Vec<Vec<Clause>>) -> Query {
    Query { kind: kind.into(), conditions: conditions.into_iter().map(Condition::any).collect() }
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
        let p = || clause("p", test.clone());
        let other = tests[(index * 11 + 5) % tests.len()].clone();
        shelf.check(&query("Flag", vec![vec![p()]]))?;
        shelf.check(&query("Flag", vec![vec![p(), clause("q", other.clone())]]))?;
        shelf.check(&query(
            "Flag",
            vec![vec![p(), clause("q", other)], vec![clause("q", test.clone()), p()]],
        ))?;
    }
    let any = || clause("p", tests[0].clone());
    for odd in [
        query("Patient", vec![vec![any()]]),
        query("Nothing", vec![vec![any()]]),
        query("Flag", vec![vec![any()], vec![clause("unknown", tests[0].clone())]]),
        query("Flag", vec![vec![any()], vec![]]),
    ] {
        shelf.check(&odd)?;
    }
    shelf.check_searches_alone(&any())?;
    let unbounded = Guard::Matches(query("Flag", vec![]), vec![]);
    let refused = shelf.bench.commit(vec![unbounded], vec![]);
    ensure_eq!(refused, Err(StoreError::TooCostly), "a query without a condition");
    Ok(())
}

pub(super) fn tagged(code: &str) -> Term {
    Term::new("tag", Value::Token(coding(code, Some("s"))))
}

/// Found by one text and by the words of another.
fn written(code: &str, words: &str) -> Vec<Term> {
    vec![tagged(code), Term::new("words", Value::Words([Words::of(words), Words::of("all have these")]))]
}

fn has_words(text: &str) -> Query {
    let phrase = Phrase { words: Words::of(text), open: false, field: None };
    query("Flag", vec![vec![clause("words", Test::Words(phrase))]])
}

pub(super) fn has_tag(code: &str) -> Query {
    let test = Test::Token(CodingTest { code: Some(code.into()), system: SystemTest::Is("s".into()) });
    query("Flag", vec![vec![clause("tag", test)]])
}

/// What is found follows updates, deletions, restorations, purges and new terms.
pub(super) fn follow_every_write(harness: &dyn Harness) -> Verdict {
    let mut shelf = Shelf { bench: Bench::new(harness), live: Vec::new() };
    let [a, b] = [key("a"), key("b")];
    let look = |shelf: &Shelf| {
        ["x", "y", "z"].iter().try_for_each(|code| shelf.check(&has_tag(code)))?;
        ["old words", "new words", "words", "all have these"]
            .iter()
            .try_for_each(|text| shelf.check(&has_words(text)))
    };
    shelf.put(&a, vec![tagged("x"), tagged("y")])?;
    shelf.put(&b, vec![tagged("y"), tagged("z")])?;
    look(&shelf)?;
    shelf.put(&a, vec![tagged("y"), tagged("z")])?;
    look(&shelf)?;
    shelf.put(&a, written("y", "old words"))?;
    shelf.put(&b, written("z", "old words"))?;
    look(&shelf)?;
    shelf.put(&a, written("y", "new words"))?;
    look(&shelf)?;
    shelf.put(&a, written("z", "new words"))?;
    look(&shelf)?;
    shelf.put(&b, vec![])?;
    look(&shelf)?;

    let terms = written("x", "new words");
    shelf.bench.must(vec![exactly(&b, 3)], vec![Write::Terms { key: b.clone(), terms: terms.clone() }])?;
    shelf.live.retain(|(key, _)| *key != b);
    shelf.live.push((b.clone(), terms.clone()));
    look(&shelf)?;
    shelf.put(&b, vec![tagged("x"), tagged("z")])?;
    look(&shelf)?;

    shelf.bench.delete(&a)?;
    shelf.remove(&a);
    look(&shelf)?;
    // A tombstone is found by nothing, whatever terms it is given.
    shelf.bench.must(vec![exactly(&a, 6)], vec![Write::Terms { key: a.clone(), terms }])?;
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

/// Searches follow references, forwards, backwards and over several steps; guards do not.
pub(super) fn searches_follow_references(harness: &dyn Harness) -> Verdict {
    let mut shelf = Shelf { bench: Bench::new(harness), live: Vec::new() };
    let person = |n: usize| Key::new("Patient", format!("p{n}"));
    let refers = |param: &str, key: Key| Term::new(param, Value::Reference(Reference::Local(key)));
    for n in 0..6_usize {
        let friend = refers("friend", person((n + 1) % 6));
        shelf.put(&person(n), vec![tagged(["x", "y", "z"][n % 3]), friend])?;
    }
    for n in 0..12_usize {
        let mut terms = vec![refers("subject", person(n % 7)), tagged(["u", "v"][n % 2])];
        terms.push(refers("other", key("nowhere")));
        shelf.put(&key(&format!("f{n}")), terms)?;
    }
    shelf.bench.delete(&person(3))?;
    shelf.remove(&person(3));
    let tag = |code: &str| {
        let test = Test::Token(CodingTest { code: Some(code.into()), system: SystemTest::Any });
        Condition::any(vec![clause("tag", test)])
    };
    let of = |kind: &str, conditions: Vec<Condition>| Query { kind: kind.into(), conditions };
    let to = |param: &str, query: Query| Clause::Refers {
        param: param.into(),
        query: Box::new(query),
        named: None,
    };
    let from = |param: &str, query: Query| Clause::Referred {
        param: param.into(),
        query: Box::new(query),
        named: None,
    };
    let any = |clause: Clause| Condition::any(vec![clause]);
    let chained = |code: &str| any(to("subject", of("Patient", vec![tag(code)])));
    let twice = any(to("subject", of("Patient", vec![any(to("friend", of("Patient", vec![tag("y")])))])));
    let back = |code: &str| any(from("subject", of("Flag", vec![tag(code)])));
    for query in [
        of("Flag", vec![chained("x")]),
        of("Flag", vec![chained("x"), tag("u")]),
        of("Flag", vec![chained("never")]),
        of("Flag", vec![Condition::none(chained("y").any)]),
        of("Flag", vec![any(to("subject", of("Patient", vec![])))]),
        of("Flag", vec![any(to("other", of("Flag", vec![])))]),
        of("Flag", vec![twice]),
        of("Patient", vec![back("u")]),
        of("Patient", vec![back("u"), tag("y")]),
        of("Patient", vec![Condition::none(back("v").any)]),
        of("Patient", vec![any(from("friend", of("Patient", vec![back("v")])))]),
        of("Nothing", vec![back("v")]),
    ] {
        shelf.check_search(&query, &shelf.expected(&query)?)?;
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
            let write = VersionWrite { terms: [tagged(&code)].into(), ..put(&key, 0, "{}") };
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
