//! Searches in an order, over several kinds, with what belongs to what they find.

use std::collections::BTreeSet;

use pollster::block_on;
use storage_api::{
    Clause, Coding, CodingTest, Condition, Direction, Include, Interval, Key, Named, Number, NumberRange,
    Query, Reference, SearchPage, SearchRequest, SortBy, SortKey, SortValue, StoredVersion, SystemTest, Term,
    Test, Timestamp, Value, compare_marks,
};

use crate::bench::{Bench, key};
use crate::verdict::{Fault, ensure, ensure_eq};
use crate::{Harness, Verdict};

/// A resource of the checks with its terms.
type Known = (Key, Vec<Term>);

fn number(value: f64) -> Value {
    Value::Number(Number::new(value).unwrap_or_else(|| unreachable!("the kit's numbers are finite")))
}

fn text(text: &str) -> Value {
    Value::Text { normal: text.to_lowercase().into(), original: text.into() }
}

fn code(code: &str, system: &str) -> Value {
    Value::Token(Coding { code: code.into(), system: Some(system.into()) })
}

fn to(key: Key) -> Value {
    Value::Reference(Reference::Local(key))
}

/// Terms that tie, that are several, or that are missing.
fn terms(n: usize) -> Vec<Term> {
    let mut terms = vec![Term::new("all", code("yes", "s"))];
    let systems = ["z", "a"];
    terms.push(Term::new("token", code(["b", "a", "c"][n % 3], systems[n % 2])));
    if !n.is_multiple_of(4) {
        terms.push(Term::new("number", number([2.0, -1.5, 0.0, 1e9, -1e9][n % 5])));
        terms.push(Term::new("number", number([3.0, 0.5][n % 2])));
    }
    if n % 5 != 1 {
        terms.push(Term::new("text", text(["Ab", "a\0c", "B", "aé", &"long".repeat(40)][n % 5])));
        let (low, high) = ([5, -5, 0][n % 3], [7, 9, 11, 5][n % 4]);
        let span = Interval { low: Timestamp(low), high: Timestamp(high) };
        terms.push(Term::new("date", Value::Date(span)));
        terms.push(Term::new("uri", Value::Uri(["urn:b", "urn:a"][n % 2].into())));
    }
    let value = Number::new([8.0, 1.0, 4.0][n % 3]).unwrap_or_else(|| unreachable!("finite"));
    terms.push(Term::new("quantity", Value::Quantity { value, unit: None }));
    terms.push(Term::new("subject", to(Key::new(["Patient", "Group"][n % 2], ["x", "y", "w"][n % 3]))));
    terms.push(Term::new("pair", Value::Composite(vec![number(1.0)])));
    terms.sort();
    terms.dedup();
    terms
}

fn everything(kind: &str) -> Query {
    let test = Test::Token(CodingTest { code: Some("yes".into()), system: SystemTest::Any });
    Query { kind: kind.into(), conditions: vec![Condition::any(vec![Clause::term("all", test)])] }
}

fn by(params: &[&str], descending: bool) -> SortKey {
    let params = params.iter().map(|param| (*param).into()).collect();
    SortKey { by: SortBy::Params(params), descending }
}

fn orders() -> Vec<Vec<SortKey>> {
    let mut orders = Vec::new();
    for descending in [false, true] {
        let key = |by| SortKey { by, descending };
        for param in ["token", "number", "text", "date", "uri", "quantity", "subject", "pair", "unknown"] {
            orders.push(vec![by(&[param], descending)]);
            orders.push(vec![by(&[param], descending), by(&["number"], !descending)]);
        }
        orders.push(vec![by(&["number", "quantity"], descending)]);
        orders.push(vec![key(SortBy::Id)]);
        orders.push(vec![key(SortBy::Updated)]);
        orders.push(vec![by(&["token"], false), key(SortBy::Updated), key(SortBy::Id)]);
        orders.push(vec![key(SortBy::Updated), by(&["text"], true)]);
    }
    orders
}

fn page(bench: &Bench, request: &SearchRequest) -> Result<SearchPage, Fault> {
    let page = block_on(bench.store.search(request))?;
    ensure!(page.found.len() <= request.limit, "a page of {} has {}", request.limit, page.found.len());
    Ok(page)
}

/// Every page of a search, with something done between them.
fn walk(
    bench: &Bench,
    mut request: SearchRequest,
    mut between: impl FnMut(usize) -> Verdict,
) -> Result<Vec<StoredVersion>, Fault> {
    let mut found = Vec::new();
    for round in 0.. {
        let page = page(bench, &request)?;
        found.extend(page.found);
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
        ensure!(round < 1000, "a walk does not end");
        between(round)?;
    }
    Ok(found)
}

fn fill(bench: &Bench) -> Result<Vec<Known>, Fault> {
    let mut known = Vec::new();
    for n in 0..24 {
        let key = Key::new(["Flag", "Patient"][usize::from(n % 7 == 3)], format!("r{}", (n * 7) % 24));
        bench.put_found_by(&key, "{}", terms(n))?;
        known.push((key, terms(n)));
    }
    // Places and times of the newest version are not in the same order.
    for n in [5, 11, 2] {
        let (key, terms) = &known[n];
        bench.put_found_by(key, "{\"again\":1}", terms.clone())?;
    }
    Ok(known)
}

fn values(order: &[SortKey], known: &[Known], version: &StoredVersion) -> Result<Vec<SortValue>, Fault> {
    let terms = known.iter().find(|(key, _)| *key == version.key).map(|(_, terms)| terms);
    let terms = terms.ok_or_else(|| Fault(format!("{} is not known", version.key)))?;
    Ok(order.iter().map(|key| key.value_of(&version.key.id, version.seq, terms)).collect())
}

/// The whole comes in order, pages of any size put together are the whole, and the total is told.
pub(super) fn keep_their_order(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let known = fill(&bench)?;
    for order in orders() {
        for queries in
            [vec![everything("Flag")], vec![everything("Flag"), everything("Patient"), everything("Never")]]
        {
            let kinds: Vec<_> = queries.iter().map(|query| query.kind.clone()).collect();
            let expected = known.iter().filter(|(key, _)| kinds.contains(&key.kind)).count();
            let order = order.clone();
            let request = SearchRequest { queries, order, limit: 1000, total: true, ..Default::default() };
            let whole = walk(&bench, request.clone(), |_| Ok(()))?;
            ensure_eq!(whole.len(), expected, "found in the order {:?}", request.order);
            for limit in [0, 1, 4] {
                let part = page(&bench, &SearchRequest { limit, ..request.clone() })?;
                ensure_eq!(part.total, Some(expected as u64), "the total of pages of {limit}");
            }
            for pair in whole.windows(2) {
                let left = values(&request.order, &known, &pair[0])?;
                let right = values(&request.order, &known, &pair[1])?;
                let compared = compare_marks(&request.order, (&left, 0), (&right, 0));
                let (left, right) = (&pair[0].key, &pair[1].key);
                ensure!(compared.is_le(), "{left} before {right} in the order {:?}", request.order);
            }
            for limit in [1, 5] {
                let found = walk(&bench, SearchRequest { limit, ..request.clone() }, |_| Ok(()))?;
                ensure_eq!(found, whole, "pages of {limit} in the order {:?}", request.order);
            }
        }
    }
    Ok(())
}

/// What matches all the while is passed once, in the order in which it was, whatever its values become.
pub(super) fn pass_everything_once(harness: &dyn Harness) -> Verdict {
    let some = orders().into_iter().step_by(5);
    for order in some.chain([Vec::new()]) {
        let bench = Bench::new(harness);
        let known = fill(&bench)?;
        let queries = || vec![everything("Flag"), everything("Patient")];
        let request = SearchRequest { queries: queries(), order, limit: 3, ..Default::default() };
        let whole = walk(&bench, SearchRequest { limit: 1000, ..request.clone() }, |_| Ok(()))?;
        let gone = &known[9].0;
        let found = walk(&bench, request.clone(), |round| {
            // Many pages follow the last change.
            let stays = known.iter().enumerate().filter(|(_, (key, _))| key != gone && round < 5);
            for (n, (key, _)) in stays {
                if (n + round) % 2 == 0 {
                    bench.put_found_by(key, "{\"moved\":1}", terms(n + 7 * round + 1))?;
                }
            }
            if round < 5 {
                bench.put_found_by(&key(&format!("new{round}")), "{}", terms(round))?;
            }
            if round == 0 { bench.delete(gone).map(drop) } else { Ok(()) }
        })?;
        let stayed = |keys: Vec<Key>| -> Vec<Key> {
            keys.into_iter().filter(|key| key != gone && !key.id.starts_with("new")).collect()
        };
        let keys = |versions: Vec<StoredVersion>| versions.into_iter().map(|version| version.key).collect();
        let expected = stayed(keys(whole));
        ensure_eq!(
            stayed(keys(found)),
            expected,
            "a walk in the order {:?} while others write",
            request.order
        );
    }
    Ok(())
}

/// Conditions inside of conditions, alone and beside others.
pub(super) fn conditions_nest(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let known = fill(&bench)?;
    let clause = |param: &str, test: Test| Clause::term(param, test);
    let token = |code: &str| {
        clause("token", Test::Token(CodingTest { code: Some(code.into()), system: SystemTest::Any }))
    };
    let low = || Number::new(-2.0).unwrap_or_else(|| unreachable!("finite"));
    let high = || Number::new(2.0).unwrap_or_else(|| unreachable!("finite"));
    let range = || clause("number", Test::Number(NumberRange { low: low(), high: high() }));
    let both =
        |code: &str| Clause::All(vec![Condition::any(vec![token(code)]), Condition::any(vec![range()])]);
    let neither = || Clause::All(vec![Condition::none(vec![token("a"), range()])]);
    for conditions in [
        vec![Condition::any(vec![both("a"), both("b")])],
        vec![Condition::any(vec![both("a"), neither()])],
        vec![Condition::none(vec![both("a")]), Condition::any(vec![range()])],
        vec![Condition::any(vec![Clause::All(vec![Condition::any(vec![both("c"), neither()])])])],
        vec![Condition::any(vec![Clause::All(vec![])])],
        vec![Condition::any(vec![both("unknown"), Clause::Id("r0".into())])],
    ] {
        let query = Query { kind: "Flag".into(), conditions };
        let passes = |(key, terms): &&Known| {
            let candidate = storage_api::Candidate { key, at: Timestamp(0), terms };
            storage_api::matches(&query, &candidate, &storage_api::Alone)
        };
        let expected: BTreeSet<Key> = known.iter().filter(passes).map(|(key, _)| key.clone()).collect();
        let found = walk(&bench, SearchRequest::of(query.clone(), 2), |_| Ok(()))?;
        let found: BTreeSet<Key> = found.into_iter().map(|version| version.key).collect();
        ensure_eq!(found, expected, "found by {query:?}");
    }
    Ok(())
}

/// Both ends of references, of some kinds or all, once or for as long as they lead on.
pub(super) fn bring_along_what_is_included(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let person = |n: usize| Key::new("Patient", format!("p{n}"));
    let group = |n: usize| Key::new("Group", format!("g{n}"));
    for n in 0..3 {
        let friend = Term::new("friend", to(person(n + 1)));
        bench.put_found_by(&person(n), "{}", vec![friend])?;
        bench.put_found_by(&group(n), "{}", vec![Term::new("member", to(person(n)))])?;
    }
    bench.put(&person(5), "{}")?;
    bench.delete(&person(5))?;
    for (n, target) in [person(0), group(0), person(5), person(9), person(0)].into_iter().enumerate() {
        let mut terms = vec![Term::new("subject", to(target)), Term::new("flag", code("yes", "s"))];
        terms.sort();
        bench.put_found_by(&key(&format!("f{n}")), "{}", terms)?;
    }
    let forward = |kind: &str, param: &str, target: Option<&str>, iterates| Include {
        kind: kind.into(),
        param: param.into(),
        target: target.map(Into::into),
        direction: Direction::Forward,
        iterates,
        named: Vec::new(),
    };
    let backward = |include: Include| Include { direction: Direction::Backward, ..include };
    let subject = |target| forward("Flag", "subject", target, false);
    let friends = |iterates| forward("Patient", "friend", None, iterates);
    let members = |iterates| backward(forward("Group", "member", Some("Patient"), iterates));
    let patients = Query { kind: "Patient".into(), conditions: vec![] };
    let flags = Query { kind: "Flag".into(), conditions: vec![] };
    let cases: [(&Query, Vec<Include>, &[&str]); 11] = [
        (&flags, vec![], &[]),
        (&flags, vec![subject(None)], &["Group/g0", "Patient/p0"]),
        (&flags, vec![subject(Some("Patient"))], &["Patient/p0"]),
        (&flags, vec![subject(Some("Nothing"))], &[]),
        (&flags, vec![subject(None), friends(false)], &["Group/g0", "Patient/p0"]),
        (&flags, vec![subject(None), friends(true)], &["Group/g0", "Patient/p0", "Patient/p1", "Patient/p2"]),
        (&flags, vec![subject(Some("Patient")), members(true)], &["Group/g0", "Patient/p0"]),
        (&flags, vec![friends(true)], &[]),
        (&patients, vec![backward(subject(None))], &["Flag/f0", "Flag/f4"]),
        (&patients, vec![members(false), friends(false)], &["Group/g0", "Group/g1", "Group/g2"]),
        (&patients, vec![backward(subject(Some("Group")))], &[]),
    ];
    for (query, includes, expected) in cases {
        let request = SearchRequest { includes, ..SearchRequest::of(query.clone(), 1000) };
        let (mut keys, mut request) = (BTreeSet::new(), request);
        loop {
            let page = page(&bench, &request)?;
            for version in &page.included {
                ensure!(version.body.is_some(), "{} has no content", version.key);
                ensure!(!page.found.iter().any(|found| found.key == version.key), "{} twice", version.key);
            }
            ensure!(!page.included_cut, "a few are too many for {:?}", request.includes);
            keys.extend(page.included.into_iter().map(|version| version.key.to_string()));
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        // On pages of its own a match may come along with another one.
        let of_query = |key: &String| key.starts_with(query.kind.as_str());
        let expected: BTreeSet<String> = expected.iter().map(|key| (*key).to_owned()).collect();
        keys.retain(|key| expected.contains(key) || !of_query(key));
        ensure_eq!(keys, expected, "brought along by {:?} from {}", request.includes, query.kind);
    }
    Ok(())
}

/// References to elsewhere that name what is here, with and without a version.
pub(super) fn bring_along_what_is_named(harness: &dyn Harness) -> Verdict {
    let bench = Bench::new(harness);
    let elsewhere = |texts: &[&str]| {
        texts.iter().map(|text| Value::Reference(Reference::External((*text).into()))).collect()
    };
    let put = |kind: &str, id: &str, param: &str, values: Vec<Value>, version: Option<&str>| {
        let mut terms: Vec<Term> = values.into_iter().map(|value| Term::new(param, value)).collect();
        terms.extend(version.map(|version| Term::new("version", code(version, ""))));
        terms.sort();
        bench.put_found_by(&Key::new(kind, id), "{}", terms)
    };
    let uri = |text: &str| vec![Value::Uri(text.into())];
    put("Group", "a1", "uri", uri("a"), Some("1"))?;
    put("Group", "a2", "uri", uri("a"), Some("2"))?;
    put("Group", "b", "uri", uri("b"), None)?;
    put("Patient", "a", "uri", uri("a"), None)?;
    put("Flag", "any", "by", elsewhere(&["a"]), None)?;
    put("Flag", "one", "by", elsewhere(&["a", "a|1"]), None)?;
    put("Flag", "three", "by", elsewhere(&["a", "a|3"]), None)?;
    put("Flag", "b", "by", elsewhere(&["b", "c"]), None)?;
    let named = |kind: &str| Named { kind: kind.into(), uri: "uri".into(), version: "version".into() };
    let include = |direction, target: Option<&str>| Include {
        kind: "Flag".into(),
        param: "by".into(),
        target: target.map(Into::into),
        direction,
        iterates: false,
        named: vec![named("Group"), named("Patient"), named("Nothing")],
    };
    let (forward, backward) = (Direction::Forward, Direction::Backward);
    for (kind, id, include, expected) in [
        ("Flag", "any", include(forward, None), &["Group/a1", "Group/a2", "Patient/a"][..]),
        ("Flag", "any", include(forward, Some("Patient")), &["Patient/a"]),
        ("Flag", "one", include(forward, None), &["Group/a1"]),
        ("Flag", "three", include(forward, None), &[]),
        ("Flag", "b", include(forward, None), &["Group/b"]),
        ("Group", "a1", include(backward, None), &["Flag/any", "Flag/one"]),
        ("Group", "a2", include(backward, None), &["Flag/any"]),
        ("Group", "a2", include(backward, Some("Patient")), &[]),
        ("Group", "b", include(backward, Some("Group")), &["Flag/b"]),
        ("Patient", "a", include(backward, None), &["Flag/any"]),
    ] {
        let query =
            Query { kind: kind.into(), conditions: vec![Condition::any(vec![Clause::Id(id.into())])] };
        let request = SearchRequest { includes: vec![include], ..SearchRequest::of(query, 10) };
        let found = page(&bench, &request)?.included;
        let found: BTreeSet<String> = found.into_iter().map(|version| version.key.to_string()).collect();
        let expected: BTreeSet<String> = expected.iter().map(|key| (*key).to_owned()).collect();
        ensure_eq!(found, expected, "brought along by {:?} from {kind}/{id}", request.includes);
    }
    Ok(())
}
