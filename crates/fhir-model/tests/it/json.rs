//! The JSON tree on generated input, with `serde_json` as a second opinion.

use fhir_model::json::{JsonErrorKind, Limits, RoundTrip, Value, check_round_trip, parse};
use proptest::prelude::*;

use crate::generate::{damaged, document, token_soup};

/// Says how `serde_json` judges the bytes, or nothing where it differs from us on purpose.
fn second_opinion(bytes: &[u8], ours: &Result<Value, JsonErrorKind>) -> Option<bool> {
    // It keeps the last of two members, and counts levels differently.
    if let Err(JsonErrorKind::DuplicateKey(_) | JsonErrorKind::TooDeep { .. }) = ours {
        return None;
    }
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(_) => Some(true),
        // It turns numbers into doubles, we keep digits.
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(false),
    }
}

fn check_any_bytes(bytes: &[u8]) -> Result<RoundTrip, TestCaseError> {
    let ours = parse(bytes, &Limits::default()).map_err(|error| error.kind);
    if let Some(accepted) = second_opinion(bytes, &ours) {
        prop_assert_eq!(ours.is_ok(), accepted, "{:?}", ours);
    }
    check_round_trip(bytes).map_err(|fault| TestCaseError::fail(format!("{fault:?}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn documents_are_read_and_printed_faithfully(text in document()) {
        prop_assert_eq!(check_any_bytes(text.as_bytes())?, RoundTrip::Faithful);
        let tree = parse(text.as_bytes(), &Limits::default()).unwrap();
        let printed = tree.to_bytes();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&printed).unwrap(), theirs.clone());
        // What they print, which escapes differently, is the same tree to us; numbers aside.
        let theirs = parse(&serde_json::to_vec(&theirs).unwrap(), &Limits::default()).unwrap();
        prop_assert!(same_but_for_numbers(&tree, &theirs), "{tree} is not {theirs}");
    }

    #[test]
    fn nearly_json_is_judged_as_serde_json_does(bytes in token_soup()) {
        check_any_bytes(&bytes)?;
    }

    #[test]
    fn damaged_documents_are_judged_as_serde_json_does(bytes in damaged()) {
        check_any_bytes(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check_any_bytes(&bytes)?;
    }

    #[test]
    fn the_place_of_a_fault_is_the_end_of_what_could_be_right(text in document(), cut in any::<prop::sample::Index>()) {
        // Cutting a document can only be noticed at the cut, at the string or at the word that is cut.
        let mut cut = cut.index(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        if let Err(error) = parse(&text.as_bytes()[..cut], &Limits::default()) {
            prop_assert!(error.offset <= cut);
            let rest = &text[error.offset..cut];
            let token_cut = rest.is_empty() || rest.starts_with(['"', '\\']) || rest.bytes().all(|b| b.is_ascii_alphabetic());
            prop_assert!(token_cut, "{error} leaves {rest:?}");
        }
    }
}

fn same_but_for_numbers(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.to_f64(), right.to_f64());
            (left - right).abs() <= left.abs() * 1e-12
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same_but_for_numbers(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, l)| right.get(name).is_some_and(|r| same_but_for_numbers(l, r)))
        }
        _ => left == right,
    }
}
