use std::collections::HashMap;

use compact_str::CompactString;
use proptest::prelude::*;
use storage_api::{Interval, Number, Position, Timestamp, sort_value};

use super::*;

/// Numbers as they come.
#[derive(Default)]
struct Table(HashMap<String, i64>);

impl Table {
    fn number(&mut self, text: String) -> i64 {
        let next = i64::try_from(self.0.len()).unwrap() * 100 + 1;
        *self.0.entry(text).or_insert(next)
    }
}

impl Table {
    fn key_text(&self, number: i64) -> String {
        let found = self.0.iter().find(|(_, known)| **known == number);
        found.map(|(text, _)| text[1..].to_owned()).unwrap()
    }
}

impl Names for Table {
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>> {
        Ok(Some(self.number(format!("s{system}"))))
    }

    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        Ok(Some(self.number(format!("r{key}"))))
    }
}

fn text() -> impl Strategy<Value = CompactString> {
    "[ab\\x00\\x01\\x02é]{0,4}".prop_map(CompactString::from)
}

fn coding() -> impl Strategy<Value = Coding> {
    (text(), prop::option::of(text())).prop_map(|(code, system)| Coding { code, system })
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<f64>().prop_filter_map("finite", Number::new),
        (-3..=3_i8).prop_filter_map("finite", |n| Number::new(f64::from(n) / 2.0)),
    ]
}

fn span() -> impl Strategy<Value = Interval> {
    let instant = || prop_oneof![any::<i64>(), -3..=3_i64].prop_map(Timestamp);
    (instant(), instant()).prop_map(|(low, high)| Interval { low, high })
}

fn reference() -> impl Strategy<Value = Reference> {
    let local = (text(), text()).prop_map(|(kind, id)| Reference::Local(Key { kind, id }));
    prop_oneof![local, text().prop_map(Reference::External)]
}

fn words() -> impl Strategy<Value = Words> {
    prop::collection::vec("[abé \\x00]{0,4}", 0..3).prop_map(|texts| {
        let mut words = Words::default();
        for text in texts {
            words.push(&text);
        }
        words
    })
}

fn phrase() -> impl Strategy<Value = Phrase> {
    let field = prop::option::of(0..3_usize);
    ("[abé ]{0,3}", any::<bool>(), field).prop_map(|(text, open, field)| Phrase {
        words: Words::of(&text),
        open,
        field,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        coding().prop_map(Value::Token),
        (text(), text()).prop_map(|(normal, original)| Value::Text { normal, original }),
        reference().prop_map(Value::Reference),
        span().prop_map(Value::Date),
        number().prop_map(Value::Number),
        (number(), prop::option::of(coding())).prop_map(|(value, unit)| Value::Quantity { value, unit }),
        text().prop_map(Value::Uri),
        place().prop_map(Value::Position),
        (words(), words()).prop_map(|(first, second)| Value::Words([first, second])),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::Composite))
}

fn place() -> impl Strategy<Value = Position> {
    let degree = |most: f64| prop_oneof![-most..=most, Just(most), Just(-most), -1.0..1.0];
    (degree(90.0), degree(180.0)).prop_filter_map("on earth", |(lat, long)| Position::new(lat, long))
}

fn circle() -> impl Strategy<Value = Circle> {
    let metres = prop_oneof![0.0..50_000.0, 0.0..21_000_000.0].prop_filter_map("finite", Number::new);
    (place(), metres).prop_map(|(centre, metres)| Circle { centre, metres })
}

fn coding_test() -> impl Strategy<Value = CodingTest> {
    let system = prop_oneof![Just(SystemTest::Any), Just(SystemTest::None), text().prop_map(SystemTest::Is),];
    (prop::option::of(text()), system).prop_map(|(code, system)| CodingTest { code, system })
}

fn range() -> impl Strategy<Value = NumberRange> {
    (number(), number()).prop_map(|(low, high)| NumberRange { low, high })
}

fn test() -> impl Strategy<Value = Test> {
    let leaf = prop_oneof![
        coding_test().prop_map(Test::Token),
        (text(), text()).prop_map(|(normal, original)| Test::Text { normal, original }),
        reference().prop_map(Test::Reference),
        span().prop_map(Test::Date),
        range().prop_map(Test::Number),
        (range(), prop::option::of(coding_test())).prop_map(|(value, unit)| Test::Quantity { value, unit }),
        text().prop_map(Test::Uri),
        Just(Test::Present),
        text().prop_map(Test::TextPrefix),
        text().prop_map(Test::TextContains),
        text().prop_map(Test::TextIs),
        text().prop_map(Test::TextEnds),
        text().prop_map(Test::UriBelow),
        phrase().prop_map(Test::TextWords),
        phrase().prop_map(Test::Words),
        (span(), span()).prop_map(|(low, high)| Test::Span { low, high }),
        circle().prop_map(Test::Near),
        text().prop_map(Test::ReferencePrefix),
        text().prop_map(Test::UriContains),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Test::Composite))
}

/// A test that a value passes, so that passing is not left to chance.
fn test_for(value: &Value) -> Test {
    let exactly = |coding: &Coding| CodingTest {
        code: Some(coding.code.clone()),
        system: coding.system.clone().map_or(SystemTest::None, SystemTest::Is),
    };
    match value {
        Value::Token(coding) => Test::Token(exactly(coding)),
        Value::Text { normal, original } => Test::Text { normal: normal.clone(), original: original.clone() },
        Value::Reference(reference) => Test::Reference(reference.clone()),
        Value::Date(span) => Test::Date(*span),
        Value::Number(number) => Test::Number(NumberRange { low: *number, high: *number }),
        Value::Quantity { value, unit } => Test::Quantity {
            value: NumberRange { low: *value, high: *value },
            unit: unit.as_ref().map(exactly),
        },
        Value::Uri(uri) => Test::Uri(uri.clone()),
        Value::Position(centre) => Test::Near(Circle { centre: *centre, metres: Number::new(0.0).unwrap() }),
        Value::Composite(parts) => Test::Composite(parts.iter().map(test_for).collect()),
        Value::Words(document) => {
            let words = document.iter().filter_map(|words| words.as_str().split(' ').next());
            let first = words.into_iter().find(|word| !word.is_empty()).unwrap_or_default();
            Test::Words(Phrase { words: Words::of(first), open: false, field: None })
        }
    }
}

fn check(test: &Test, value: &Value) -> bool {
    let mut names = Table::default();
    let bytes = encode(value, &mut names).unwrap().unwrap();
    let pattern = Pattern::of(test, &mut names).unwrap();
    let passes = test.passes(value);
    assert_eq!(pattern.passes(&bytes), passes, "{pattern:?} on {bytes:?}");
    if passes {
        let (low, high) = pattern.range().unwrap();
        assert!(low <= bytes && bytes < high, "{bytes:?} passes outside of {low:?} .. {high:?}");
        let ranges = pattern.ranges();
        assert!(
            ranges.iter().any(|(low, high)| *low <= bytes && bytes < *high),
            "{bytes:?} outside of {ranges:?}"
        );
    }
    passes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn patterns_pass_what_tests_pass_and_ranges_hold_it(test in test(), value in value()) {
        check(&test, &value);
        prop_assert!(check(&test_for(&value), &value) || !has_own(&value), "{value:?} fails its own test");
    }

    #[test]
    fn a_circle_is_found_in_its_ranges(circle in circle(), near in (-0.3..0.3, -0.3..0.3), edge: bool) {
        let (lat, long) = (circle.centre.latitude().get() + near.0, circle.centre.longitude().get() + near.1);
        if let Some(place) = Position::new(lat, long) {
            let metres = Number::new(circle.centre.metres_to(place)).unwrap();
            let circle = if edge { Circle { metres, ..circle } } else { circle };
            prop_assert!(check(&Test::Near(circle), &Value::Position(place)) || !edge);
        }
    }

    #[test]
    fn names_of_parts_are_told_from_their_bytes(name in text(), value in value(), other in text()) {
        let mut names = Table::default();
        let token = |code: &CompactString| Value::Token(Coding { code: code.clone(), system: None });
        let mut bytes = |value: &Value| encode(value, &mut names).unwrap().unwrap();
        let own = bytes(&token(&name));
        prop_assert_eq!(name_of(&own), Some(name.to_string()));
        let with = |last: &CompactString| Value::Composite(vec![value.clone(), token(last)]);
        prop_assert!(*part_of(&bytes(&with(&name))) == *own);
        prop_assert_eq!(*part_of(&bytes(&with(&other))) == *own, other == name);
        prop_assert_eq!(*part_of(&bytes(&token(&other))) == *own, other == name);
    }

    #[test]
    fn equal_bytes_mean_equal_values(left in value(), right in value()) {
        let mut names = Table::default();
        let [l, r] = [&left, &right].map(|value| encode(value, &mut names).unwrap());
        prop_assert_eq!(l == r, left == right);
    }

    #[test]
    fn bytes_are_ordered_as_dates_and_numbers_are(left in number(), right in number(), a in span(), b in span()) {
        let mut names = Table::default();
        let mut bytes = |value| encode(&value, &mut names).unwrap();
        prop_assert_eq!(bytes(Value::Number(left)).cmp(&bytes(Value::Number(right))), left.cmp(&right));
        prop_assert_eq!(bytes(Value::Date(a)).cmp(&bytes(Value::Date(b))), a.cmp(&b));
    }

    #[test]
    fn packing_is_undone_by_unpacking(
        entries in prop::collection::vec((0..i64::MAX, prop::collection::vec(any::<u8>(), 0..300)), 0..5),
    ) {
        let packed = pack(&entries);
        prop_assert_eq!(packed.is_none(), entries.is_empty());
        prop_assert_eq!(unpack(packed.as_deref().unwrap_or_default()), Some(entries));
    }

    #[test]
    fn damaged_bytes_are_no_entries_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(entries) = unpack(&bytes) {
            prop_assert!(entries.iter().map(|(_, value)| value.len() + 2).sum::<usize>() <= bytes.len());
        }
    }
}

/// Whether its dates end after they begin: other spans lie within nothing, themselves included. Nor has anything no words.
fn has_own(value: &Value) -> bool {
    match value {
        Value::Composite(parts) => parts.iter().all(has_own),
        Value::Words(document) => document.iter().any(|words| !words.is_empty()),
        Value::Date(span) => span.low <= span.high,
        _ => true,
    }
}

#[test]
fn a_name_without_a_number_is_never_found() {
    struct Nothing;
    impl Names for Nothing {
        fn system(&mut self, _: &str) -> rusqlite::Result<Option<i64>> {
            Ok(None)
        }

        fn target(&mut self, _: &Key) -> rusqlite::Result<Option<i64>> {
            Ok(None)
        }
    }
    let in_system = Test::Token(CodingTest { code: Some("a".into()), system: SystemTest::Is("s".into()) });
    let local = Test::Reference(Reference::Local(Key::new("Flag", "a")));
    for test in [in_system, local] {
        let pattern = Pattern::of(&test, &mut Nothing).unwrap();
        assert_eq!((pattern.range(), pattern.passes(&[])), (None, false), "{test:?}");
    }
}

proptest! {
    #[test]
    fn encoded_values_are_sorted_by_the_same_bytes(value in value(), descending: bool) {
        let mut names = Table::default();
        let bytes = encode(&value, &mut names).unwrap().unwrap();
        let sorted = sort_bytes(&bytes, descending, |number| Ok::<_, ()>(names.key_text(number))).unwrap();
        prop_assert_eq!(sorted, sort_value(&value, descending));
    }
}
