//! Random resources under random searches: this store answers as the one in memory, whose answers are those of the one
//! function that says what a query means.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use pollster::block_on;
use proptest::prelude::*;
use storage_api::{
    Body, Circle, Clause, Coding, CodingTest, Condition, Direction, Guard, HeadGuard, Include, Interval, Key,
    Method, Named, Number, NumberRange, Phrase, Position, Query, Reference, RequestId, SearchRequest, SortBy,
    SortKey, Store, SystemTest, Term, Test, Timestamp, Value, VersionNumber, VersionTag, VersionToken,
    VersionWrite, Words, Write, WriteSet,
};
use storage_memory::MemoryStore;
use storage_sqlite::{Options, SqliteStore};

use crate::Steps;

const KEYS: usize = 12;

fn key(n: usize) -> Key {
    Key::new(["Flag", "Group", "List"][n % 3], format!("{n}"))
}

fn param() -> impl Strategy<Value = CompactString> {
    prop::sample::select(vec!["p", "q", "ref"]).prop_map(CompactString::from)
}

fn text() -> impl Strategy<Value = CompactString> {
    prop::sample::select(vec!["", "a", "ab", "b", "a b"]).prop_map(CompactString::from)
}

fn number() -> impl Strategy<Value = Number> {
    (-2..3_i8).prop_filter_map("finite", |n| Number::new(f64::from(n) / 2.0))
}

fn span() -> impl Strategy<Value = Interval> {
    (-3..4_i64, 0..4_i64)
        .prop_map(|(low, length)| Interval { low: Timestamp(low), high: Timestamp(low + length) })
}

fn external() -> impl Strategy<Value = Reference> {
    let texts = vec!["a", "ab", "a|b", "a|ab", "b|", "ab|b"];
    prop::sample::select(texts).prop_map(|text| Reference::External(text.into()))
}

fn place() -> impl Strategy<Value = Position> {
    let latitudes = vec![-90.0, -0.1, 0.0, 0.1, 53.7, 53.8, 90.0];
    let longitudes = vec![-180.0, -179.9, -0.1, 0.0, 0.1, 180.0];
    (prop::sample::select(latitudes), prop::sample::select(longitudes))
        .prop_filter_map("on earth", |(lat, long)| Position::new(lat, long))
}

/// What a part is found by: the last of the values is its name.
fn of_part() -> impl Strategy<Value = Value> {
    let token = |code| Value::Token(Coding { code, system: None });
    let first = prop_oneof![text().prop_map(token), number().prop_map(Value::Number)];
    (first, text()).prop_map(move |(first, name)| Value::Composite(vec![first, token(name)]))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        external().prop_map(Value::Reference),
        place().prop_map(Value::Position),
        of_part(),
        (text(), prop::option::of(text())).prop_map(|(code, system)| Value::Token(Coding { code, system })),
        text().prop_map(|normal| Value::Text { original: normal.clone(), normal }),
        (0..KEYS).prop_map(|n| Value::Reference(Reference::Local(key(n)))),
        span().prop_map(Value::Date),
        number().prop_map(Value::Number),
        text().prop_map(Value::Uri),
        (text(), text()).prop_map(|(first, second)| Value::Words([Words::of(&first), Words::of(&second)])),
    ]
}

fn phrase() -> impl Strategy<Value = Phrase> {
    (text(), any::<bool>(), prop::option::of(0..3_usize)).prop_map(|(text, open, field)| Phrase {
        words: Words::of(&text),
        open,
        field,
    })
}

fn test() -> impl Strategy<Value = Test> {
    let system = prop_oneof![Just(SystemTest::Any), Just(SystemTest::None), text().prop_map(SystemTest::Is)];
    prop_oneof![
        1 => Just(Test::Present),
        1 => (prop::option::of(text()), system)
            .prop_map(|(code, system)| Test::Token(CodingTest { code, system })),
        1 => external().prop_map(Test::Reference),
        1 => (place(), prop::sample::select(vec![0.0, 15_000.0, 1.1e7])).prop_filter_map(
            "finite",
            |(centre, m)| Some(Test::Near(Circle { centre, metres: Number::new(m)? }))
        ),
        1 => text().prop_map(|code| {
            let code = Test::Token(CodingTest { code: Some(code), system: SystemTest::Any });
            Test::Composite(vec![code, Test::Present])
        }),
        1 => text().prop_map(Test::TextPrefix),
        1 => text().prop_map(Test::TextContains),
        1 => text().prop_map(Test::TextIs),
        1 => text().prop_map(Test::TextEnds),
        1 => text().prop_map(Test::UriBelow),
        1 => phrase().prop_map(Test::TextWords),
        3 => phrase().prop_map(Test::Words),
        1 => (0..KEYS).prop_map(|n| Test::Reference(Reference::Local(key(n)))),
        1 => span().prop_map(Test::Date),
        1 => (number(), number()).prop_map(|(low, high)| Test::Number(NumberRange { low, high })),
    ]
}

fn named() -> impl Strategy<Value = Option<Box<Named>>> {
    let named = (0..3_usize, param(), param())
        .prop_map(|(n, uri, version)| Box::new(Named { kind: key(n).kind, uri, version }));
    prop::option::of(named)
}

fn query() -> impl Strategy<Value = Query> {
    let leaf = prop_oneof![
        6 => (param(), test()).prop_map(|(param, test)| Clause::Term { param, test }),
        1 => (0..KEYS).prop_map(|n| Clause::Id(n.to_string().into())),
    ];
    let conditions = |clause: BoxedStrategy<Clause>| {
        let condition = (prop::collection::vec(clause, 0..3), any::<bool>())
            .prop_map(|(any, negated)| Condition { any, negated });
        prop::collection::vec(condition, 0..3)
    };
    let clause = leaf.prop_recursive(3, 12, 3, move |inner| {
        let query = (0..3_usize, conditions(inner.clone()))
            .prop_map(|(n, conditions)| Box::new(Query { kind: key(n).kind, conditions }));
        prop_oneof![
            conditions(inner.clone()).prop_map(Clause::All),
            (param(), conditions(inner)).prop_map(|(param, conditions)| Clause::Part { param, conditions }),
            (param(), query.clone(), named()).prop_map(|(param, query, named)| Clause::Refers {
                param,
                query,
                named
            }),
            (param(), query, named()).prop_map(|(param, query, named)| Clause::Referred {
                param,
                query,
                named
            }),
        ]
    });
    (0..3_usize, conditions(clause.boxed()))
        .prop_map(|(n, conditions)| Query { kind: key(n).kind, conditions })
}

fn sort_key() -> impl Strategy<Value = SortKey> {
    let by = prop_oneof![
        4 => prop::collection::vec(param(), 1..3).prop_map(SortBy::Params),
        1 => Just(SortBy::Id),
        1 => Just(SortBy::Updated),
    ];
    (by, any::<bool>()).prop_map(|(by, descending)| SortKey { by, descending })
}

fn include() -> impl Strategy<Value = Include> {
    let named = (0..3_usize, param(), param()).prop_map(|(kind, uri, version)| Named {
        kind: key(kind).kind,
        uri,
        version,
    });
    let named = prop::collection::vec(named, 0..3);
    (0..3_usize, param(), prop::option::of(0..3_usize), any::<bool>(), any::<bool>(), named).prop_map(
        |(kind, param, target, forward, iterates, named)| Include {
            kind: key(kind).kind,
            param,
            target: target.map(|n| key(n).kind),
            direction: if forward { Direction::Forward } else { Direction::Backward },
            iterates,
            named,
        },
    )
}

fn request() -> impl Strategy<Value = SearchRequest> {
    let queries = prop::collection::vec(query(), 1..4).prop_map(|mut queries| {
        let mut kinds = BTreeSet::new();
        queries.retain(|query| kinds.insert(query.kind.clone()));
        queries
    });
    let shape = (prop::collection::vec(sort_key(), 0..3), prop::collection::vec(include(), 0..3), 1..5_usize);
    (queries, shape).prop_map(|(queries, (order, includes, limit))| SearchRequest {
        queries,
        order,
        includes,
        limit,
        total: true,
        after: None,
    })
}

/// Everything is written at once, so that both stores keep it in the same places.
fn write(store: &dyn Store, number: u64, resources: &[(usize, Vec<Term>)]) {
    let guard = match number {
        1 => HeadGuard::Absent { floor: VersionNumber::NONE },
        _ => HeadGuard::Exactly(VersionNumber::new(number - 1)),
    };
    let next = VersionToken { number: VersionNumber::new(number), tag: VersionTag(3) };
    let body = || Some(Body { bytes: "{}".into(), splice: 0 });
    let version = |(n, terms): &(usize, Vec<Term>)| VersionWrite {
        key: key(*n),
        next,
        method: Method::Put,
        body: body(),
        terms: terms.as_slice().into(),
    };
    let set = WriteSet {
        request: RequestId([1; 16]),
        index: store.index_generation(),
        guards: resources.iter().map(|(n, _)| Guard::Head(key(*n), guard)).collect(),
        writes: resources.iter().map(|resource| Write::Version(version(resource))).collect(),
    };
    block_on(store.commit(set)).unwrap();
}

/// Every page: what was found in order, what came along, and the totals.
fn walk(store: &dyn Store, mut request: SearchRequest) -> Vec<(Vec<Key>, BTreeSet<String>, Option<u64>)> {
    let mut pages = Vec::new();
    loop {
        let page = block_on(store.search(&request)).unwrap();
        let found = page.found.into_iter().map(|version| version.key).collect();
        let included = page.included.into_iter().map(|version| version.key.to_string()).collect();
        pages.push((found, included, page.total));
        request.after = page.next;
        if request.after.is_none() {
            return pages;
        }
        assert!(pages.len() < 100, "a walk does not end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_searches_find_what_the_matcher_says(
        resources in prop::collection::vec(prop::collection::vec((param(), value()), 0..4), KEYS),
        later in prop::collection::vec((0..KEYS, prop::collection::vec((param(), value()), 0..4)), 0..4),
        requests in prop::collection::vec(request(), 12),
    ) {
        let terms = |terms: &Vec<(CompactString, Value)>| {
            let mut terms: Vec<Term> =
                terms.iter().map(|(param, value)| Term::new(param.clone(), value.clone())).collect();
            terms.sort();
            terms.dedup();
            terms
        };
        let resources: Vec<(usize, Vec<Term>)> = resources.iter().map(&terms).enumerate().collect();
        let mut changed = BTreeSet::new();
        let later = later.iter().filter(|(n, _)| changed.insert(*n));
        let later: Vec<(usize, Vec<Term>)> = later.map(|(n, own)| (*n, terms(own))).collect();
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(folder.path(), Options::default(), Steps::new()).unwrap();
        let memory = MemoryStore::new(Steps::new());
        let stores: [Arc<dyn Store>; 2] = [Arc::new(sqlite), Arc::new(memory)];
        for store in &stores {
            // The keys first, so that what is referred to has its place whoever refers to it.
            let empty: Vec<(usize, Vec<Term>)> = (0..KEYS).map(|n| (n, Vec::new())).collect();
            write(&**store, 1, &empty);
            write(&**store, 2, &resources);
            write(&**store, 3, &later);
        }
        for request in requests {
            let [found, expected] = stores.each_ref().map(|store| walk(&**store, request.clone()));
            prop_assert_eq!(found, expected, "{:?}", request);
        }
        block_on(stores[0].close()).unwrap();
    }
}
