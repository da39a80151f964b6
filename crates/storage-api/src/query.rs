//! Questions about terms, and the one function that answers them. An index may find candidates
//! faster; what it finds must be what [`matches()`] says.

use std::collections::BTreeMap;

use compact_str::CompactString;

use crate::{Circle, Coding, Interval, Key, Named, Number, Phrase, Reference, Term, Timestamp, Value, Words};

/// Which live resources of one kind are meant: those for which every condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The kind.
    pub kind: CompactString,
    /// All of them must hold. A guard has at least one; a search without any finds all of the kind.
    pub conditions: Vec<Condition>,
}

/// Holds if one of its alternatives does, or, turned round, if none does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The alternatives. None of none holds.
    pub any: Vec<Clause>,
    /// Whether it holds when no alternative does.
    pub negated: bool,
}

impl Condition {
    /// Holds if one of the alternatives does.
    pub fn any(any: Vec<Clause>) -> Self {
        Self { any, negated: false }
    }

    /// Holds if none of the alternatives does.
    pub fn none(any: Vec<Clause>) -> Self {
        Self { any, negated: true }
    }
}

/// One thing that may hold of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Clause {
    /// One of the resource's terms has this parameter and passes the test.
    Term {
        /// The parameter.
        param: CompactString,
        /// What its value must be.
        test: Test,
    },
    /// The resource has this id.
    Id(CompactString),
    /// Its newest version was committed in this span of time.
    Updated(Interval),
    /// One of its terms with this parameter refers to a resource that the query means.
    Refers {
        /// The parameter.
        param: CompactString,
        /// What is referred to.
        query: Box<Query>,
        /// How references elsewhere name such resources, if they do.
        named: Option<Box<Named>>,
    },
    /// A resource that the query means has a term with this parameter that refers to it.
    Referred {
        /// The parameter of the other resource.
        param: CompactString,
        /// What refers to it.
        query: Box<Query>,
        /// How references elsewhere name this resource, if they do.
        named: Option<Box<Named>>,
    },
    /// All of these hold.
    All(Vec<Condition>),
    /// All of these hold of one part of the resource: of one that a token without system with this parameter names.
    ///
    /// A part is found by the composites that end with its name, and by the name itself. Its name is its id. What
    /// follows references does not hold of it.
    Part {
        /// The parameter whose tokens are names of parts.
        param: CompactString,
        /// What holds of the part.
        conditions: Vec<Condition>,
    },
}

impl Clause {
    /// A clause on terms.
    pub fn term(param: impl Into<CompactString>, test: Test) -> Self {
        Self::Term { param: param.into(), test }
    }
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// Anything but words.
    Present,
    /// A token.
    Token(CodingTest),
    /// A text, to the letter.
    Text {
        /// Normalised as the terms are.
        normal: CompactString,
        /// As it was written.
        original: CompactString,
    },
    /// A text that, normalised, begins like this.
    TextPrefix(CompactString),
    /// A text that, normalised, has this somewhere.
    TextContains(CompactString),
    /// A text that, normalised, is this.
    TextIs(CompactString),
    /// A text that, normalised, ends like this.
    TextEnds(CompactString),
    /// A text that, normalised, has this phrase.
    TextWords(Phrase),
    /// A reference.
    Reference(Reference),
    /// A reference to elsewhere whose text begins like this.
    ReferencePrefix(CompactString),
    /// A span of time that lies within this one.
    Date(Interval),
    /// A span of time by its ends.
    Span {
        /// Where its first moment lies.
        low: Interval,
        /// Where its last moment lies.
        high: Interval,
    },
    /// A number in a range.
    Number(NumberRange),
    /// A number in a range with a unit.
    Quantity {
        /// How many.
        value: NumberRange,
        /// Of what; `None` for any unit or none.
        unit: Option<CodingTest>,
    },
    /// A URI.
    Uri(CompactString),
    /// A URI that is this one or lies below it, by whole path segments.
    UriBelow(CompactString),
    /// A place that lies in this circle.
    Near(Circle),
    /// A URI that has this somewhere.
    UriContains(CompactString),
    /// Components that pass each its test, as many as there are tests.
    Composite(Vec<Test>),
    /// Words that have this phrase.
    Words(Phrase),
}

/// What a coding must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodingTest {
    /// The code; `None` for any.
    pub code: Option<CompactString>,
    /// The system.
    pub system: SystemTest,
}

/// What the system of a coding must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SystemTest {
    /// Any, or none.
    Any,
    /// There must be none.
    None,
    /// This one.
    Is(CompactString),
}

/// A range of numbers, both ends included: the caller's notion of how precise a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// The lowest number in it.
    pub low: Number,
    /// The highest number in it.
    pub high: Number,
}

/// A live resource as queries see it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Which.
    pub key: &'a Key,
    /// When its newest version was committed.
    pub at: Timestamp,
    /// What it is found by.
    pub terms: &'a [Term],
}

/// The live resources beside the one that is looked at, for clauses that follow references.
pub trait Others {
    /// Whether the resource with this key is live and passes.
    fn one(&self, key: &Key, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool;

    /// Whether a live resource of this kind passes.
    fn any(&self, kind: &str, passes: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool;
}

/// No other resources: what a clause says of them does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Others for Alone {
    fn one(&self, _: &Key, _: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        false
    }

    fn any(&self, _: &str, _: &mut dyn FnMut(&Candidate<'_>) -> bool) -> bool {
        false
    }
}

/// Whether a live resource is meant.
pub fn matches(query: &Query, candidate: &Candidate<'_>, others: &dyn Others) -> bool {
    candidate.key.kind == query.kind
        && query.conditions.iter().all(|condition| condition.holds(candidate, others))
}

impl Condition {
    /// Whether it holds of a resource.
    pub fn holds(&self, candidate: &Candidate<'_>, others: &dyn Others) -> bool {
        self.any.iter().any(|clause| clause.holds(candidate, others)) != self.negated
    }
}

impl Clause {
    /// Whether it holds of a resource.
    pub fn holds(&self, candidate: &Candidate<'_>, others: &dyn Others) -> bool {
        match self {
            Self::Term { param, test } => {
                candidate.terms.iter().any(|term| term.param == *param && test.passes(&term.value))
            }
            Self::Id(id) => candidate.key.id == *id,
            Self::Updated(span) => span.contains(candidate.at),
            Self::Refers { param, query, named } => {
                let mut is_meant = |other: &Candidate<'_>| matches(query, other, others);
                let local = |term: &Term| match &term.value {
                    Value::Reference(Reference::Local(key)) => term.param == *param && others.one(key, &mut is_meant),
                    _ => false,
                };
                candidate.terms.iter().any(local)
                    || named.as_ref().is_some_and(|named| {
                        let is_named = |other: &Candidate<'_>| named.is_named(other, candidate, param);
                        others.any(&query.kind, &mut |other| is_named(other) && matches(query, other, others))
                    })
            }
            Self::Referred { param, query, named } => others.any(&query.kind, &mut |other| {
                let refers = |term: &Term| {
                    term.param == *param
                        && matches!(&term.value, Value::Reference(Reference::Local(key)) if key == candidate.key)
                };
                let is_named = || named.as_ref().is_some_and(|named| named.is_named(candidate, other, param));
                (other.terms.iter().any(refers) || is_named()) && matches(query, other, others)
            }),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(candidate, others)),
            Self::Part { param, conditions } => {
                let named = candidate.terms.iter().filter(|term| term.param == *param);
                let mut parts: BTreeMap<&CompactString, Vec<Term>> =
                    named.filter_map(|term| Some((name_of(&term.value)?, Vec::new()))).collect();
                if parts.is_empty() {
                    return false;
                }
                // Once for all parts: there may be as many of them as there are terms.
                for term in candidate.terms {
                    if let Some(own) = part_of(&term.value).and_then(|name| parts.get_mut(name)) {
                        own.push(term.clone());
                    }
                }
                parts.into_iter().any(|(name, terms)| {
                    // No resource has this key, so no reference leads to it.
                    let key = Key::new("", name.clone());
                    let part = Candidate { key: &key, at: candidate.at, terms: &terms };
                    conditions.iter().all(|condition| condition.holds(&part, others))
                })
            }
        }
    }
}

/// The name of a part that a value is.
fn name_of(value: &Value) -> Option<&CompactString> {
    match value {
        Value::Token(Coding { code, system: None }) => Some(code),
        _ => None,
    }
}

/// The name of the part that is found by a value.
fn part_of(value: &Value) -> Option<&CompactString> {
    let last = match value {
        Value::Composite(values) => values.last(),
        other => Some(other),
    };
    last.and_then(name_of)
}

impl Interval {
    /// Whether a moment lies in it.
    pub fn contains(self, moment: Timestamp) -> bool {
        self.low <= moment && moment <= self.high
    }
}

impl Test {
    /// Whether `value` is what the test wants.
    pub fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Present, value) => !matches!(value, Value::Words(_)),
            (Self::Token(test), Value::Token(coding)) => test.passes(coding),
            (Self::Text { normal, original }, Value::Text { normal: n, original: o }) => {
                normal == n && original == o
            }
            (Self::TextPrefix(start), Value::Text { normal, .. }) => normal.starts_with(start.as_str()),
            (Self::TextContains(part), Value::Text { normal, .. }) => normal.contains(part.as_str()),
            (Self::TextIs(whole), Value::Text { normal, .. }) => normal == whole,
            (Self::TextEnds(end), Value::Text { normal, .. }) => normal.ends_with(end.as_str()),
            (Self::TextWords(phrase), Value::Text { normal, .. }) => {
                phrase.is_in(&[Words::of(normal), Words::default()])
            }
            (Self::Words(phrase), Value::Words(document)) => phrase.is_in(document),
            (Self::Reference(wanted), Value::Reference(reference)) => wanted == reference,
            (Self::ReferencePrefix(start), Value::Reference(Reference::External(text))) => {
                text.starts_with(start.as_str())
            }
            (Self::Date(span), Value::Date(date)) => {
                // A span that ends before it begins lies within nothing.
                span.low <= date.low && date.low <= date.high && date.high <= span.high
            }
            (Self::Span { low, high }, Value::Date(date)) => {
                low.contains(date.low) && high.contains(date.high)
            }
            (Self::Number(range), Value::Number(number)) => range.contains(*number),
            (Self::Quantity { value: range, unit: test }, Value::Quantity { value, unit }) => {
                range.contains(*value)
                    && test.as_ref().is_none_or(|test| unit.as_ref().is_some_and(|unit| test.passes(unit)))
            }
            (Self::Uri(wanted), Value::Uri(uri)) => wanted == uri,
            (Self::UriContains(part), Value::Uri(uri)) => uri.contains(part.as_str()),
            (Self::UriBelow(above), Value::Uri(uri)) => is_below(above.as_bytes(), uri.as_bytes()),
            (Self::Near(circle), Value::Position(place)) => circle.contains(*place),
            (Self::Composite(tests), Value::Composite(values)) => {
                tests.len() == values.len()
                    && tests.iter().zip(values).all(|(test, value)| test.passes(value))
            }
            _ => false,
        }
    }
}

/// Whether a URI is `above`, or continues it behind a slash.
pub fn is_below(above: &[u8], uri: &[u8]) -> bool {
    uri.strip_prefix(above).is_some_and(|rest| {
        rest.first().is_none_or(|next| *next == b'/') || above.last().is_some_and(|last| *last == b'/')
    })
}

impl CodingTest {
    /// Whether `coding` is what the test wants.
    pub fn passes(&self, coding: &Coding) -> bool {
        self.code.as_ref().is_none_or(|code| *code == coding.code)
            && match &self.system {
                SystemTest::Any => true,
                SystemTest::None => coding.system.is_none(),
                SystemTest::Is(system) => coding.system.as_ref() == Some(system),
            }
    }
}

impl NumberRange {
    /// Whether `number` lies in it.
    pub fn contains(&self, number: Number) -> bool {
        self.low <= number && number <= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Timestamp};

    fn coding(code: &str, system: Option<&str>) -> Coding {
        Coding { code: code.into(), system: system.map(Into::into) }
    }

    fn token(code: &str, system: Option<&str>) -> Value {
        Value::Token(coding(code, system))
    }

    fn token_test(code: &str, system: SystemTest) -> Test {
        Test::Token(CodingTest { code: Some(code.into()), system })
    }

    fn number(value: f64) -> Number {
        Number::new(value).unwrap()
    }

    #[test]
    fn a_token_test_tells_any_none_and_one_system_apart() {
        let bare = token("a", None);
        let in_s = token("a", Some("s"));
        let any = token_test("a", SystemTest::Any);
        let none = token_test("a", SystemTest::None);
        let wants_s = token_test("a", SystemTest::Is("s".into()));
        let wants_t = token_test("a", SystemTest::Is("t".into()));
        let passes = |test: &Test| (test.passes(&bare), test.passes(&in_s));
        assert_eq!(passes(&any), (true, true));
        assert_eq!(passes(&none), (true, false));
        assert_eq!(passes(&wants_s), (false, true));
        assert_eq!(passes(&wants_t), (false, false));
        assert_eq!(passes(&token_test("b", SystemTest::Any)), (false, false));
        // A code is compared whole: `Neal` is not found by `Ne`.
        assert!(!token_test("Ne", SystemTest::Any).passes(&token("Neal", None)));
    }

    #[test]
    fn a_date_matches_when_it_lies_within_the_span() {
        let span = |low, high| Interval { low: Timestamp(low), high: Timestamp(high) };
        let test = Test::Date(span(10, 20));
        for (low, high, expected) in [
            (10, 20, true),
            (12, 13, true),
            (9, 20, false),
            (10, 21, false),
            (30, 31, false),
            (13, 12, false),
        ] {
            assert_eq!(test.passes(&Value::Date(span(low, high))), expected, "{low}..={high}");
        }
    }

    #[test]
    fn quantities_compare_value_and_unit() {
        let value = |n, unit| Value::Quantity { value: number(n), unit };
        let range = NumberRange { low: number(4.5), high: number(5.5) };
        let any = Test::Quantity { value: range, unit: None };
        let mg = CodingTest { code: Some("mg".into()), system: SystemTest::Any };
        let in_mg = Test::Quantity { value: range, unit: Some(mg) };
        assert!(any.passes(&value(5.0, None)));
        assert!(any.passes(&value(5.5, Some(coding("g", None)))));
        assert!(!any.passes(&value(5.6, None)));
        assert!(in_mg.passes(&value(5.0, Some(coding("mg", Some("ucum"))))));
        assert!(!in_mg.passes(&value(5.0, Some(coding("g", Some("ucum"))))));
        assert!(!in_mg.passes(&value(5.0, None)));
        assert!(!any.passes(&Value::Number(number(5.0))), "a number is no quantity");
    }

    #[test]
    fn a_composite_matches_component_by_component() {
        let value = Value::Composite(vec![token("a", None), Value::Uri("u".into())]);
        let a = token_test("a", SystemTest::Any);
        let u = Test::Uri("u".into());
        assert!(Test::Composite(vec![a.clone(), u.clone()]).passes(&value));
        assert!(!Test::Composite(vec![u, a.clone()]).passes(&value));
        assert!(!Test::Composite(vec![a]).passes(&value));
    }

    #[test]
    fn all_conditions_must_hold_and_one_alternative_of_each() {
        let clause = |param: &str, code: &str| Clause::term(param, token_test(code, SystemTest::Any));
        let terms = [Term::new("p", token("a", None)), Term::new("q", token("b", None))];
        let key = Key::new("K", "1");
        let holds = |conditions: Vec<Condition>| {
            let candidate = Candidate { key: &key, at: Timestamp(5), terms: &terms };
            matches(&Query { kind: "K".into(), conditions }, &candidate, &Alone)
        };
        let any = |clauses: &[(&str, &str)]| {
            Condition::any(clauses.iter().map(|(param, code)| clause(param, code)).collect())
        };
        assert!(holds(vec![any(&[("p", "a")]), any(&[("q", "b")])]));
        assert!(holds(vec![any(&[("p", "x"), ("q", "b")])]));
        assert!(!holds(vec![any(&[("p", "a")]), any(&[("q", "x")])]));
        assert!(!holds(vec![any(&[("p", "b")])]), "the parameter counts");
        assert!(!holds(vec![any(&[])]));
        assert!(holds(vec![]));
        assert!(holds(vec![Condition::none(vec![])]));
        assert!(!holds(vec![Condition::none(vec![clause("p", "a")])]));
        assert!(holds(vec![Condition::none(vec![clause("p", "b")])]));
        assert!(holds(vec![Condition::any(vec![Clause::term("p", Test::Present)])]));
        assert!(!holds(vec![Condition::any(vec![Clause::term("r", Test::Present)])]));
        assert!(holds(vec![Condition::any(vec![Clause::Id("1".into())])]));
        assert!(!holds(vec![Condition::any(vec![Clause::Id("2".into())])]));
        for (low, high, expected) in [(5, 5, true), (0, 4, false), (6, 9, false), (0, 9, true)] {
            let span = Interval { low: Timestamp(low), high: Timestamp(high) };
            assert_eq!(holds(vec![Condition::any(vec![Clause::Updated(span)])]), expected);
        }
        let both = |code: &str| Clause::All(vec![any(&[("p", "a")]), any(&[("q", code)])]);
        assert!(holds(vec![Condition::any(vec![both("x"), both("b")])]));
        assert!(!holds(vec![Condition::any(vec![both("x")])]));
        assert!(holds(vec![Condition::none(vec![both("x")])]));
        assert!(holds(vec![Condition::any(vec![Clause::All(vec![])])]));
        let other = Candidate { key: &Key::new("L", "1"), at: Timestamp(5), terms: &terms };
        assert!(!matches(&Query { kind: "K".into(), conditions: vec![] }, &other, &Alone), "the kind counts");
    }

    #[test]
    fn conditions_on_a_part_hold_of_the_same_part() {
        let named = |param: &str, code: &str, name: &str| {
            Term::new(param, Value::Composite(vec![token(code, None), token(name, None)]))
        };
        let terms = [
            Term::new("parts", token("x", None)),
            Term::new("parts", token("y", None)),
            named("p", "a", "x"),
            named("q", "b", "x"),
            named("p", "c", "y"),
            named("p", "d", "z"),
        ];
        let test = |param: &str, code: &str| {
            Clause::term(param, Test::Composite(vec![token_test(code, SystemTest::Any), Test::Present]))
        };
        let any = |clause: Clause| Condition::any(vec![clause]);
        let key = Key::new("K", "x");
        let holds = |conditions: Vec<Condition>| {
            let part = Clause::Part { param: "parts".into(), conditions };
            part.holds(&Candidate { key: &key, at: Timestamp(5), terms: &terms }, &Alone)
        };
        assert!(holds(vec![]));
        assert!(holds(vec![any(test("p", "a")), any(test("q", "b"))]));
        assert!(!holds(vec![any(test("p", "c")), any(test("q", "b"))]), "two parts are not one");
        assert!(!holds(vec![any(test("p", "d"))]), "z is not named");
        assert!(holds(vec![Condition::none(vec![test("q", "b")])]), "y has none");
        assert!(holds(vec![any(Clause::Id("y".into())), any(test("p", "c"))]));
        assert!(!holds(vec![any(Clause::Id("y".into())), any(test("p", "a"))]));
        let own = Clause::term("parts", token_test("x", SystemTest::Any));
        assert!(holds(vec![any(own.clone()), any(test("p", "a"))]), "the name is the part's own");
        assert!(!holds(vec![any(own), any(test("p", "c"))]));
    }

    #[test]
    fn texts_begin_and_contain_and_uris_lie_below() {
        let text = Value::Text { normal: "abc d".into(), original: "ABC d".into() };
        for (start, part, expected) in
            [("", "", (true, true)), ("ab", "c d", (true, true)), ("b", "x", (false, false))]
        {
            let passes =
                (Test::TextPrefix(start.into()).passes(&text), Test::TextContains(part.into()).passes(&text));
            assert_eq!(passes, expected, "{start} {part}");
        }
        for (part, expected) in
            [("abc d", (true, true)), ("c d", (false, true)), ("", (false, true)), ("ABC d", (false, false))]
        {
            let passes = (Test::TextIs(part.into()).passes(&text), Test::TextEnds(part.into()).passes(&text));
            assert_eq!(passes, expected, "{part}");
        }
        for (above, expected) in [
            ("http://a/b", true),
            ("http://a", true),
            ("http://a/", true),
            ("http://a/b/c", false),
            ("http", false),
        ] {
            assert_eq!(
                Test::UriBelow(above.into()).passes(&Value::Uri("http://a/b".into())),
                expected,
                "{above}"
            );
        }
    }

    #[test]
    fn uris_contain_to_the_letter() {
        for (part, expected) in [("", true), ("/b", true), ("/B", false), ("http://a/b", true), ("b/", false)]
        {
            assert_eq!(
                Test::UriContains(part.into()).passes(&Value::Uri("http://a/b".into())),
                expected,
                "{part}"
            );
        }
    }

    #[test]
    fn a_span_is_tested_by_both_ends() {
        let span = |low, high| Interval { low: Timestamp(low), high: Timestamp(high) };
        let test = Test::Span { low: span(0, 10), high: span(5, 20) };
        for (low, high, expected) in
            [(0, 5, true), (10, 20, true), (-1, 5, false), (0, 4, false), (11, 12, false)]
        {
            assert_eq!(test.passes(&Value::Date(span(low, high))), expected, "{low}..={high}");
        }
    }

    #[test]
    fn a_system_alone_is_enough() {
        let test = Test::Token(CodingTest { code: None, system: SystemTest::Is("s".into()) });
        assert!(test.passes(&token("a", Some("s"))) && test.passes(&token("", Some("s"))));
        assert!(!test.passes(&token("a", None)) && !test.passes(&token("a", Some("t"))));
    }

    #[test]
    fn references_are_local_or_not() {
        let local = Reference::Local(Key::new("Patient", "1"));
        let external = Reference::External("Patient/1".into());
        assert!(Test::Reference(local.clone()).passes(&Value::Reference(local.clone())));
        let begins = |start: &str| Test::ReferencePrefix(start.into());
        assert!(begins("Patient/").passes(&Value::Reference(external.clone())));
        assert!(!begins("atient").passes(&Value::Reference(external.clone())));
        assert!(!begins("Patient/").passes(&Value::Reference(local.clone())));
        assert!(!Test::Reference(local).passes(&Value::Reference(external)));
    }
}
