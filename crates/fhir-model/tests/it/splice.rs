//! Taking version meta out and putting it in, on generated resources.

use fhir_model::json::{Limits, Object, Value, parse};
use fhir_model::{Instant, Splice, StoredBody, splice, strip};
use proptest::prelude::*;

use crate::generate::document;

/// A resource: members in any order, among them, or not, type, id and a `meta` of all sorts.
fn resource() -> impl Strategy<Value = Object> {
    let any_value = || {
        document().prop_map(|text| {
            parse(text.as_bytes(), &Limits::default()).expect("generated documents are valid")
        })
    };
    let meta = prop::collection::vec((meta_name(), any_value()), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    let member = prop_oneof![
        (Just("resourceType"), Just(Value::from("Flag"))),
        (Just("id"), Just(Value::from("1"))),
        (Just("meta"), meta),
        (prop::sample::select(vec!["a", "b", "_meta", "versionId", "contained"]), any_value()),
    ];
    prop::collection::vec(member, 0..7).prop_map(|members| members.into_iter().collect())
}

fn meta_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "versionId",
        "lastUpdated",
        "_versionId",
        "_lastUpdated",
        "id",
        "extension",
        "profile",
        "security",
        "tag",
    ])
}

/// The whole property, for one resource; shared with the walk over the official examples.
pub(crate) fn check_strip_and_splice(resource: &Object) -> Result<(), String> {
    let stored = StoredBody::from_tree(resource).map_err(|error| error.to_string())?;
    let mut stripped = resource.clone();
    strip(&mut stripped).map_err(|error| error.to_string())?;
    if stripped.to_bytes() != stored.bytes {
        return Err("stripping the tree and printing without version meta differ".into());
    }
    let packed = Splice::from_i64(stored.splice.to_i64()).map_err(|error| error.to_string())?;
    let at = Instant::from_micros(1_700_000_000_123_456);
    let spliced = splice(&stored.bytes, packed, "25777f7d-27bc", at).map_err(|error| error.to_string())?;
    let unlimited = Limits { bytes_max: usize::MAX, nodes_max: usize::MAX, ..Limits::default() };
    let Ok(Value::Object(read)) = parse(&spliced, &unlimited) else {
        return Err("what was spliced is no object".into());
    };
    let meta = read.get("meta").and_then(Value::as_object).ok_or("no meta was put in")?;
    let text = |name: &str| meta.get(name).and_then(Value::as_str).map(str::to_owned);
    if text("versionId").as_deref() != Some("25777f7d-27bc") || text("lastUpdated") != Some(at.to_string()) {
        return Err("version meta is not what was put in".into());
    }
    if StoredBody::from_tree(&read).as_ref() != Ok(&stored) {
        return Err("stripping what was spliced gives something else".into());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn stripping_what_was_spliced_gives_what_was_stored(resource in resource()) {
        check_strip_and_splice(&resource).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn no_offset_makes_splicing_panic(body in prop::collection::vec(any::<u8>(), 0..40), packed in 0..100_i64) {
        let splice_at = Splice::from_i64(packed).unwrap();
        if let Ok(out) = splice(&body, splice_at, "1", Instant::from_micros(0)) {
            prop_assert!(out.len() > body.len() && out.starts_with(&body[..usize::try_from(splice_at.at()).unwrap()]));
        }
    }
}
