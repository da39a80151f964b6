use super::*;
use crate::{Clause, Coding, Condition, Test, Value, VersionTag};

fn key(id: &str) -> Key {
    Key::new("Flag", id)
}

fn exactly(id: &str, number: u64) -> Guard {
    Guard::Head(key(id), HeadGuard::Exactly(VersionNumber::new(number)))
}

fn absent(id: &str, floor: u64) -> Guard {
    Guard::Head(key(id), HeadGuard::Absent { floor: VersionNumber::new(floor) })
}

fn term(code: &str) -> Term {
    Term::new("code", Value::Token(Coding { code: code.into(), system: None }))
}

fn version(id: &str, number: u64) -> VersionWrite {
    VersionWrite {
        key: key(id),
        next: VersionToken { number: VersionNumber::new(number), tag: VersionTag(9) },
        method: Method::Put,
        body: Some(Body { bytes: "{}".into(), splice: 0 }),
        terms: [].into(),
    }
}

fn put(id: &str, number: u64) -> Write {
    Write::Version(version(id, number))
}

fn claim(value: &'static str) -> Write {
    Write::Claim { scope: Scope(1), value: value.into(), expires: None }
}

fn check(guards: Vec<Guard>, writes: Vec<Write>) -> Result<(), StoreError> {
    WriteSet { request: RequestId([0; 16]), index: IndexGeneration(0), guards, writes }.check()
}

#[test]
fn a_version_needs_the_guard_of_the_version_before() {
    assert_eq!(check(vec![exactly("a", 2)], vec![put("a", 3)]), Ok(()));
    assert_eq!(check(vec![absent("a", 4)], vec![put("a", 5)]), Ok(()));
    let live = Guard::Head(key("a"), HeadGuard::Live);
    for guards in [vec![], vec![exactly("b", 2)], vec![exactly("a", 1)], vec![exactly("a", 3)], vec![live]] {
        assert_eq!(check(guards.clone(), vec![put("a", 3)]), Err(StoreError::Unguarded), "{guards:?}");
    }
    // The first version of a key may pass over numbers, and uses none again.
    assert_eq!(check(vec![absent("a", 4)], vec![put("a", 9)]), Ok(()));
    for number in [0, 3, 4] {
        assert_eq!(check(vec![absent("a", 4)], vec![put("a", number)]), Err(StoreError::Unguarded));
    }
    assert_eq!(check(vec![exactly("a", 4)], vec![put("a", 9)]), Err(StoreError::Unguarded));
    // A guard that only wants the resource to exist may stand beside.
    let live = Guard::Head(key("a"), HeadGuard::Live);
    assert_eq!(check(vec![live, exactly("a", 2)], vec![put("a", 3)]), Ok(()));
}

#[test]
fn the_last_number_has_no_successor() {
    assert_eq!(check(vec![exactly("a", u64::MAX)], vec![put("a", u64::MAX)]), Err(StoreError::Unguarded));
}

#[test]
fn no_key_is_written_twice() {
    let twice = vec![put("a", 3), put("a", 3)];
    assert_eq!(check(vec![exactly("a", 2)], twice), Err(StoreError::Unguarded));
    let both = vec![Write::Purge(key("a")), put("a", 3)];
    assert_eq!(check(vec![exactly("a", 2)], both), Err(StoreError::Unguarded));
    let both = vec![put("a", 3), Write::Terms { key: key("a"), terms: vec![] }];
    assert_eq!(check(vec![exactly("a", 2)], both), Err(StoreError::Unguarded));
}

#[test]
fn purges_and_terms_need_a_newest_version() {
    for write in [Write::Purge(key("a")), Write::Terms { key: key("a"), terms: vec![] }] {
        assert_eq!(check(vec![exactly("a", 2)], vec![write.clone()]), Ok(()));
        assert_eq!(check(vec![absent("a", 2)], vec![write.clone()]), Err(StoreError::Unguarded));
        assert_eq!(check(vec![], vec![write]), Err(StoreError::Unguarded));
    }
}

#[test]
fn exactly_deletions_have_no_body_and_no_terms() {
    let with = |method, body: Option<&'static str>, terms: Vec<Term>| {
        let body = body.map(|bytes| Body { bytes: bytes.into(), splice: 0 });
        let write = VersionWrite { method, body, terms: terms.into(), ..version("a", 3) };
        check(vec![exactly("a", 2)], vec![Write::Version(write)])
    };
    assert_eq!(with(Method::Delete, None, vec![]), Ok(()));
    assert_eq!(with(Method::Put, Some("{}"), vec![term("x")]), Ok(()));
    assert_eq!(with(Method::Put, None, vec![]), Err(StoreError::Unguarded));
    assert_eq!(with(Method::Delete, Some("{}"), vec![]), Err(StoreError::Unguarded));
    assert_eq!(with(Method::Delete, None, vec![term("x")]), Err(StoreError::Unguarded));
}

#[test]
fn claims_need_their_guard_once() {
    let unclaimed = |scope, value: &'static str| Guard::Unclaimed(Scope(scope), value.into());
    assert_eq!(check(vec![unclaimed(1, "x")], vec![claim("x")]), Ok(()));
    assert_eq!(check(vec![unclaimed(2, "x")], vec![claim("x")]), Err(StoreError::Unguarded));
    assert_eq!(check(vec![unclaimed(1, "y")], vec![claim("x")]), Err(StoreError::Unguarded));
    assert_eq!(check(vec![unclaimed(1, "x")], vec![claim("x"), claim("x")]), Err(StoreError::Unguarded));
}

#[test]
fn lists_are_sorted_sets() {
    let with = |terms: Vec<Term>| {
        let write = VersionWrite { terms: terms.into(), ..version("a", 3) };
        check(vec![exactly("a", 2)], vec![Write::Version(write)])
    };
    assert_eq!(with(vec![term("x"), term("y")]), Ok(()));
    assert_eq!(with(vec![term("y"), term("x")]), Err(StoreError::Unsorted));
    assert_eq!(with(vec![term("x"), term("x")]), Err(StoreError::Unsorted));

    let uri = Clause::term("url", Test::Uri("u".into()));
    let query = |conditions| Query { kind: "Flag".into(), conditions };
    let by_url = query(vec![Condition::any(vec![uri])]);
    let matches = |keys| check(vec![Guard::Matches(by_url.clone(), keys)], vec![]);
    assert_eq!(matches(vec![key("a"), key("b")]), Ok(()));
    assert_eq!(matches(vec![key("b"), key("a")]), Err(StoreError::Unsorted));
    assert_eq!(check(vec![Guard::Matches(query(vec![]), vec![])], vec![]), Err(StoreError::TooCostly));
}

#[test]
fn twenty_five_thousand_entries_are_checked_quickly() {
    let ids: Vec<String> = (0..25_000).map(|n| format!("{n}")).collect();
    let guards = ids.iter().map(|id| exactly(id, 1)).collect();
    let writes = ids.iter().map(|id| put(id, 2)).collect();
    let start = std::time::Instant::now();
    assert_eq!(check(guards, writes), Ok(()));
    // Comparing every write with every guard would take hundreds of millions of comparisons.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn a_head_guard_holds_of_its_state_only() {
    let head = |number| crate::Head {
        version: VersionToken { number: VersionNumber::new(number), tag: VersionTag(1) },
        at: Timestamp(1),
        previous_at: None,
    };
    let never = Current::NEVER;
    let purged = Current::Absent { floor: VersionNumber::new(3) };
    let states = [never, purged, Current::Live(head(2)), Current::Live(head(3)), Current::Deleted(head(3))];
    let guards = [
        (HeadGuard::Absent { floor: VersionNumber::NONE }, [true, false, false, false, false]),
        (HeadGuard::Absent { floor: VersionNumber::new(3) }, [false, true, false, false, false]),
        (HeadGuard::Exactly(VersionNumber::new(2)), [false, false, true, false, false]),
        (HeadGuard::Exactly(VersionNumber::new(3)), [false, false, false, true, true]),
        (HeadGuard::Live, [false, false, true, true, false]),
    ];
    for (guard, expected) in guards {
        assert_eq!(states.map(|state| guard.holds(&state)), expected, "{guard:?}");
    }
}

#[test]
fn the_index_goes_on_and_is_said_once() {
    let index =
        |generation| Write::Index(Index { generation: IndexGeneration(generation), ..Index::default() });
    let check = |writes| {
        let set = WriteSet { request: RequestId([0; 16]), index: IndexGeneration(3), guards: vec![], writes };
        set.check()
    };
    for (generation, expected) in
        [(2, Err(StoreError::Unguarded)), (3, Ok(())), (4, Ok(())), (u32::MAX, Ok(()))]
    {
        assert_eq!(check(vec![index(generation)]), expected, "{generation}");
    }
    assert_eq!(check(vec![index(3), index(3)]), Err(StoreError::Unguarded));
}
