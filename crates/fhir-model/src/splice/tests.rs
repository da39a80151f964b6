use super::*;
use crate::json::{Limits, parse};
use crate::object;

fn object(text: &str) -> Object {
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Value::Object(object)) => object,
        other => panic!("{text}: {other:?}"),
    }
}

const EPOCH: &str = r#""versionId":"3","lastUpdated":"1970-01-01T00:00:00.000Z""#;

/// `^` marks in `stored` where version meta goes: a whole `meta`, or `*` for its two members.
#[track_caller]
fn check(text: &str, stored: &str) {
    let at = u32::try_from(stored.find(['^', '*']).unwrap()).unwrap();
    let splice = if stored.contains('^') { Splice::Meta { at } } else { Splice::Members { at } };
    let bytes = stored.replace(['^', '*'], "").into_bytes();
    let expected = StoredBody { bytes, splice };

    let tree = object(text);
    let body = StoredBody::from_tree(&tree).unwrap();
    assert_eq!(String::from_utf8_lossy(&body.bytes), String::from_utf8_lossy(&expected.bytes));
    assert_eq!(body, expected);
    let mut stripped = tree;
    strip(&mut stripped).unwrap();
    assert_eq!(stripped.to_bytes(), body.bytes, "stripping the tree gives the same body");

    let spliced = body.spliced("3", Instant::from_micros(0)).unwrap();
    let meta = if stored.contains('^') { format!(r#""meta":{{{EPOCH}}}"#) } else { EPOCH.to_owned() };
    let position = usize::try_from(at).unwrap();
    let (before, after) = std::str::from_utf8(&body.bytes).unwrap().split_at(position);
    let comma_before = if before.ends_with('{') { "" } else { "," };
    let comma_after = if before.ends_with('{') && !after.starts_with('}') { "," } else { "" };
    assert_eq!(
        String::from_utf8(spliced.clone()).unwrap(),
        format!("{before}{comma_before}{meta}{comma_after}{after}")
    );

    let again = object(std::str::from_utf8(&spliced).unwrap());
    assert_eq!(StoredBody::from_tree(&again), Ok(body));
}

#[test]
fn without_meta_it_goes_behind_type_and_id() {
    check(
        r#"{"resourceType":"Flag","id":"1","status":"active"}"#,
        r#"{"resourceType":"Flag","id":"1"^,"status":"active"}"#,
    );
    check(r#"{"resourceType":"Flag","status":"active"}"#, r#"{"resourceType":"Flag"^,"status":"active"}"#);
    check(r#"{"id":"1","resourceType":"Flag"}"#, r#"{"id":"1","resourceType":"Flag"^}"#);
    check(r#"{"status":"active","resourceType":"Flag"}"#, r#"{^"status":"active","resourceType":"Flag"}"#);
    check("{}", "{^}");
}

#[test]
fn a_meta_that_becomes_empty_keeps_its_place() {
    check(r#"{"a":1,"meta":{},"b":2}"#, r#"{"a":1^,"b":2}"#);
    check(r#"{"a":1,"meta":{"versionId":"x"},"b":2}"#, r#"{"a":1^,"b":2}"#);
    check(r#"{"a":1,"b":2,"meta":{"lastUpdated":"x","versionId":"y"}}"#, r#"{"a":1,"b":2^}"#);
    check(r#"{"meta":{"versionId":"x"},"a":1}"#, r#"{^"a":1}"#);
    check(r#"{"meta":{"versionId":5}}"#, "{^}");
}

#[test]
fn among_other_members_of_meta_it_keeps_its_place() {
    check(
        r#"{"resourceType":"Flag","meta":{"versionId":"1","lastUpdated":"x","profile":["p"]},"a":1}"#,
        r#"{"resourceType":"Flag","meta":{*"profile":["p"]},"a":1}"#,
    );
    check(r#"{"meta":{"profile":["p"]}}"#, r#"{"meta":{*"profile":["p"]}}"#);
    check(
        r#"{"meta":{"id":"m","extension":[],"tag":[]}}"#,
        r#"{"meta":{"id":"m","extension":[]*,"tag":[]}}"#,
    );
    check(r#"{"meta":{"id":"m"},"a":1}"#, r#"{"meta":{"id":"m"*},"a":1}"#);
    check(r#"{"meta":{"tag":[],"lastUpdated":"x"}}"#, r#"{"meta":{"tag":[]*}}"#);
    check(
        r#"{"meta":{"tag":[],"lastUpdated":"x","source":"s","versionId":"1"}}"#,
        r#"{"meta":{"tag":[]*,"source":"s"}}"#,
    );
}

#[test]
fn only_the_two_members_of_the_top_level_are_taken() {
    check(
        r#"{"contained":[{"meta":{"versionId":"1"}}],"meta":{"versionId":"1","_versionId":{"id":"a"}}}"#,
        r#"{"contained":[{"meta":{"versionId":"1"}}],"meta":{*"_versionId":{"id":"a"}}}"#,
    );
    check(
        r#"{"meta":{"_lastUpdated":{"id":"a"},"lastUpdated":"x"},"_meta":1,"versionId":"v"}"#,
        r#"{"meta":{"_lastUpdated":{"id":"a"}*},"_meta":1,"versionId":"v"}"#,
    );
}

#[test]
fn a_meta_that_is_no_object_is_an_error() {
    for (value, kind) in [
        (Value::Null, Kind::Null),
        (Value::from("meta"), Kind::String),
        (Value::Array(vec![]), Kind::Array),
        (Value::from(1), Kind::Number),
        (Value::from(true), Kind::Bool),
    ] {
        let mut resource = object! { "resourceType": "Flag", "meta": value };
        assert_eq!(StoredBody::from_tree(&resource), Err(StripError::MetaNotAnObject(kind)));
        assert_eq!(strip(&mut resource), Err(StripError::MetaNotAnObject(kind)));
        assert_eq!(resource.len(), 2);
    }
}

#[test]
fn a_splice_packs_into_a_number_and_back() {
    for at in [0, 1, 2, 1_000, u32::MAX] {
        for splice in [Splice::Meta { at }, Splice::Members { at }] {
            assert_eq!(Splice::from_i64(splice.to_i64()), Ok(splice));
        }
    }
    for packed in 0..100 {
        assert_eq!(Splice::from_i64(packed).unwrap().to_i64(), packed);
    }
    for packed in [-1, -2, i64::MIN, i64::MAX, (i64::from(u32::MAX) + 1) * 2] {
        assert_eq!(Splice::from_i64(packed), Err(SpliceError::NotASplice(packed)));
    }
}

#[test]
fn a_place_where_no_members_meet_is_an_error() {
    let body = br#"{"a":{},"b":[1,"x"]}"#;
    let fits = |at: u32| splice(body, Splice::Meta { at }, "1", Instant::from_micros(0));
    for at in (0..30).chain([u32::MAX]) {
        // Inside of an array the bytes look alike; such offsets are never written.
        let place_for_member = matches!(at, 1 | 6 | 7 | 14 | 19);
        assert_eq!(fits(at).is_ok(), place_for_member, "at {at}");
        if !place_for_member {
            let mut out = b"kept".to_vec();
            let error = splice_into(&mut out, body, Splice::Members { at }, "1", Instant::from_micros(0));
            assert_eq!((error, out), (Err(SpliceError::NoPlace { at }), b"kept".to_vec()));
        }
    }
    assert_eq!(
        splice(b"", Splice::Meta { at: 0 }, "1", Instant::from_micros(0)),
        Err(SpliceError::NoPlace { at: 0 })
    );
}

#[test]
fn splicing_allocates_what_it_needs_at_once() {
    let body =
        StoredBody::from_tree(&object(r#"{"resourceType":"Flag","id":"1","status":"active"}"#)).unwrap();
    let spliced = body.spliced("25777f7d-27bc", Instant::from_micros(0)).unwrap();
    assert_eq!(spliced.len(), spliced.capacity());
    let quoted = body.spliced("a\"b", Instant::from_micros(0)).unwrap();
    assert_eq!(
        object(std::str::from_utf8(&quoted).unwrap()).get("meta").unwrap().get("versionId"),
        Some(&Value::from("a\"b"))
    );
}
