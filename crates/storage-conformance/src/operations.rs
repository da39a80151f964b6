//! Random operations over a domain so small that they meet.

use proptest::prelude::*;
use proptest::{collection, option, sample};
use storage_api::{
    Clause, Coding, CodingTest, Condition, Current, Guard, HeadGuard, HistoryRequest, HistoryScope, Interval,
    Key, Method, Order, Phrase, Query, Reference, Scope, Seq, SystemTest, Term, Test, Timestamp, Value,
    VersionNumber, VersionWrite, Words, Write,
};

use crate::ManualClock;
use crate::bench::put;

/// One step of a run.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// The clock moves by so many microseconds.
    Advance(i64),
    /// The subject is closed and opened again.
    Reopen,
    /// A commit.
    Commit(Vec<Piece>),
    /// All pages that answer this.
    History(HistoryRequest),
    /// All pages of a search, of so many each.
    Search(Query, usize),
}

/// A guard, or a write with the guard it needs.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// A version: content, or a deletion.
    Version(Key, Slip, Option<u8>, Vec<Term>),
    Terms(Key, Slip, Vec<Term>),
    Purge(Key, Slip),
    /// A guard alone.
    Head(Key, HeadGuard),
    Matches(Query, Guess),
    Unclaimed(u8),
    Claim(u8, Option<i64>),
    Unreferred(Key),
    /// What the index is made by, in the same generation or the next.
    Index {
        begins: bool,
        maker: u8,
        backfill: Option<u8>,
    },
}

/// How a plan misses what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slip {
    None,
    /// The guard names the number before.
    Stale,
    /// The guard takes absent for present, or the other way round.
    Confused,
    /// The version does not follow its guard.
    Unsound,
}

/// How a guess at what a query finds is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guess {
    Right,
    OneLess,
    Nothing,
}

impl Guess {
    pub(crate) fn spoil(self, found: &mut Vec<Key>) {
        match self {
            Self::Right => {}
            Self::OneLess => drop(found.pop()),
            Self::Nothing => found.clear(),
        }
    }
}

impl Piece {
    pub(crate) fn key(&self) -> Option<&Key> {
        match self {
            Self::Version(key, ..) | Self::Terms(key, ..) | Self::Purge(key, _) | Self::Head(key, _) => {
                Some(key)
            }
            Self::Matches(..)
            | Self::Unclaimed(_)
            | Self::Claim(..)
            | Self::Unreferred(_)
            | Self::Index { .. } => None,
        }
    }

    /// Adds what the piece comes to where its key is in the state `current`.
    pub(crate) fn plan(&self, current: &Current, guards: &mut Vec<Guard>, writes: &mut Vec<Write>) {
        let unclaimed = |value: u8| Guard::Unclaimed(Scope(1), vec![value].into());
        match self {
            Self::Version(key, slip, content, terms) => {
                let before = slip.guard(key, current, guards);
                let mut write = put(key, before, &content.unwrap_or_default().to_string());
                if let Slip::Unsound = slip {
                    write.next.number = write.next.number.next();
                }
                if content.is_none() {
                    write = VersionWrite { method: Method::Delete, body: None, ..write };
                } else {
                    write.terms = terms.as_slice().into();
                }
                writes.push(Write::Version(write));
            }
            Self::Terms(key, slip, terms) => {
                slip.guard(key, current, guards);
                writes.push(Write::Terms { key: key.clone(), terms: terms.clone() });
            }
            Self::Purge(key, slip) => {
                slip.guard(key, current, guards);
                writes.push(Write::Purge(key.clone()));
            }
            Self::Head(key, guard) => guards.push(Guard::Head(key.clone(), *guard)),
            Self::Matches(..) | Self::Index { .. } => {}
            Self::Unreferred(key) => guards.push(Guard::Unreferred { key: key.clone(), param: "p".into() }),
            Self::Unclaimed(value) => guards.push(unclaimed(*value)),
            Self::Claim(value, expires) => {
                guards.push(unclaimed(*value));
                let expires = expires.map(|after| Timestamp(ManualClock::START.0 + after));
                writes.push(Write::Claim { scope: Scope(1), value: vec![*value].into(), expires });
            }
        }
    }
}

impl Slip {
    /// Adds the guard and gives the number that it pins.
    fn guard(self, key: &Key, current: &Current, guards: &mut Vec<Guard>) -> u64 {
        let number = current.number().get();
        let number = if let Self::Stale = self { number.saturating_sub(1) } else { number };
        let absent = matches!(current, Current::Absent { .. }) != matches!(self, Self::Confused);
        let pinned = VersionNumber::new(number);
        let guard = if absent { HeadGuard::Absent { floor: pinned } } else { HeadGuard::Exactly(pinned) };
        guards.push(Guard::Head(key.clone(), guard));
        number
    }
}

/// Every key that operations are about.
pub(crate) fn keys() -> Vec<Key> {
    [("Flag", "a"), ("Flag", "b"), ("Flag", "c"), ("Patient", "a")]
        .map(|(kind, id)| Key::new(kind, id))
        .to_vec()
}

fn key() -> impl Strategy<Value = Key> {
    sample::select(keys())
}

fn slip() -> impl Strategy<Value = Slip> {
    prop_oneof![
        12 => Just(Slip::None),
        1 => Just(Slip::Stale),
        1 => Just(Slip::Confused),
        1 => Just(Slip::Unsound),
    ]
}

fn code() -> impl Strategy<Value = Coding> {
    (sample::select(vec!["x", "y"]), option::of(Just("s")))
        .prop_map(|(code, system)| Coding { code: code.into(), system: system.map(Into::into) })
}

fn span() -> impl Strategy<Value = Interval> {
    (0..4_i64, 0..4_i64).prop_map(|(low, len)| Interval { low: Timestamp(low), high: Timestamp(low + len) })
}

fn words() -> impl Strategy<Value = Words> {
    collection::vec(sample::select(vec!["x", "y x", "xy", "x, x y", "."]), 0..3).prop_map(|texts| {
        let mut words = Words::default();
        for text in texts {
            words.push(text);
        }
        words
    })
}

fn phrase() -> impl Strategy<Value = Phrase> {
    let field = prop_oneof![3 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    (sample::select(vec!["x", "y", "x y", "x x", "z", ""]), any::<bool>(), field)
        .prop_map(|(text, open, field)| Phrase { words: Words::of(text), open, field })
}

fn terms() -> impl Strategy<Value = Vec<Term>> {
    let value = prop_oneof![
        code().prop_map(Value::Token),
        (words(), words()).prop_map(|(first, second)| Value::Words([first, second])),
        key().prop_map(|key| Value::Reference(Reference::Local(key))),
        span().prop_map(Value::Date),
    ];
    let term = (sample::select(vec!["p", "q"]), value).prop_map(|(param, value)| Term::new(param, value));
    let sorted = |mut terms: Vec<Term>| {
        terms.sort();
        terms.dedup();
        terms
    };
    collection::vec(term, 0..4).prop_map(sorted)
}

fn query() -> impl Strategy<Value = Query> {
    let system = prop_oneof![
        Just(SystemTest::Any),
        Just(SystemTest::None),
        Just(SystemTest::Is("s".into())),
        Just(SystemTest::Is("never".into())),
    ];
    let coding = (code(), system).prop_map(|(coding, system)| CodingTest { code: Some(coding.code), system });
    let test = prop_oneof![
        coding.prop_map(Test::Token),
        key().prop_map(|key| Test::Reference(Reference::Local(key))),
        span().prop_map(Test::Date),
        phrase().prop_map(Test::Words),
    ];
    let clause = (sample::select(vec!["p", "q"]), test).prop_map(|(param, test)| Clause::term(param, test));
    let clauses = || collection::vec(clause.clone(), 1..3);
    let conditions = collection::vec(clauses().prop_map(Condition::any), 1..3);
    // One that is turned round narrows what the others find; alone it is no question for a guard.
    let none = option::of(clauses().prop_map(Condition::none));
    (sample::select(vec!["Flag", "Patient"]), conditions, none, any::<bool>()).prop_map(
        |(kind, mut conditions, none, first)| {
            conditions.splice(if first { 0..0 } else { conditions.len()..conditions.len() }, none);
            Query { kind: kind.into(), conditions }
        },
    )
}

/// A query as searches may ask it: also by id and time, along references, and without anything that selects.
fn search() -> impl Strategy<Value = Query> {
    let param = || sample::select(vec!["p", "q"]);
    let instant = || (-1_000_000..6_000_000_i64).prop_map(|after| Timestamp(ManualClock::START.0 + after));
    let clause = prop_oneof![
        2 => key().prop_map(|key| Clause::Id(key.id)),
        1 => (instant(), 0..3_000_000_i64)
            .prop_map(|(low, len)| Clause::Updated(Interval { low, high: Timestamp(low.0 + len) })),
        2 => param().prop_map(|param| Clause::term(param, Test::Present)),
        2 => (param(), query())
            .prop_map(|(param, query)| Clause::Refers { param: param.into(), query: Box::new(query), named: None }),
        2 => (param(), query())
            .prop_map(|(param, query)| Clause::Referred { param: param.into(), query: Box::new(query), named: None }),
    ];
    let conditions = collection::vec((collection::vec(clause, 1..3), any::<bool>()), 0..3);
    (query(), conditions, any::<bool>()).prop_map(|(mut query, conditions, alone)| {
        if alone {
            query.conditions.clear();
        }
        query.conditions.extend(conditions.into_iter().map(|(any, negated)| Condition { any, negated }));
        query
    })
}

fn head_guard() -> impl Strategy<Value = HeadGuard> {
    let number = || (0..4_u64).prop_map(VersionNumber::new);
    prop_oneof![
        number().prop_map(|floor| HeadGuard::Absent { floor }),
        number().prop_map(HeadGuard::Exactly),
        Just(HeadGuard::Live),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let content = prop_oneof![4 => any::<u8>().prop_map(Some), 1 => Just(None)];
    let guess = prop_oneof![4 => Just(Guess::Right), 1 => Just(Guess::OneLess), 1 => Just(Guess::Nothing)];
    let claim = || 0..3_u8;
    prop_oneof![
        8 => (key(), slip(), content, terms()).prop_map(|(key, slip, content, terms)| {
            Piece::Version(key, slip, content, terms)
        }),
        1 => (key(), slip(), terms()).prop_map(|(key, slip, terms)| Piece::Terms(key, slip, terms)),
        1 => (key(), slip()).prop_map(|(key, slip)| Piece::Purge(key, slip)),
        1 => (key(), head_guard()).prop_map(|(key, guard)| Piece::Head(key, guard)),
        2 => (query(), guess).prop_map(|(query, guess)| Piece::Matches(query, guess)),
        1 => claim().prop_map(Piece::Unclaimed),
        2 => key().prop_map(Piece::Unreferred),
        1 => (any::<bool>(), any::<u8>(), option::of(any::<u8>()))
            .prop_map(|(begins, maker, backfill)| Piece::Index { begins, maker, backfill }),
        1 => (claim(), option::of(0..5_000_000_i64)).prop_map(|(value, expires)| Piece::Claim(value, expires)),
    ]
}

fn history() -> impl Strategy<Value = HistoryRequest> {
    let scope = prop_oneof![
        Just(HistoryScope::All),
        Just(HistoryScope::Kind("Flag".into())),
        key().prop_map(HistoryScope::Key),
    ];
    let instant = || (-1_000_000..6_000_000_i64).prop_map(|after| Timestamp(ManualClock::START.0 + after));
    let span =
        (instant(), 0..2_000_000_i64).prop_map(|(low, len)| Interval { low, high: Timestamp(low.0 + len) });
    let order = prop_oneof![Just(Order::Newest), Just(Order::Oldest)];
    (scope, order, option::of((0..12_u64).prop_map(Seq)), option::of(instant()), option::of(span), 1..5_usize)
        .prop_map(|(scope, order, after, since, at, limit)| HistoryRequest {
            scope,
            order,
            after,
            since,
            at,
            limit,
        })
}

/// Runs of operations.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        8 => collection::vec(piece(), 0..4).prop_map(Operation::Commit),
        2 => (-1_000_000..2_000_000_i64).prop_map(Operation::Advance),
        2 => history().prop_map(Operation::History),
        3 => (search(), 1..4_usize).prop_map(|(query, limit)| Operation::Search(query, limit)),
        1 => Just(Operation::Reopen),
    ];
    collection::vec(operation, 1..40)
}
