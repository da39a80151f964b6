//! The scanners against the published patterns, and the values that are easy to get wrong.

use fhir_definitions::{Definitions, FhirVersion, Primitive};
use fhir_model::json::{Number, Value};
use proptest::prelude::*;
use regex::Regex;

use super::*;

/// The published pattern of a primitive, anchored; repaired where it is not what it means to be.
fn pattern(version: FhirVersion, primitive: Primitive) -> Option<Regex> {
    let published = Definitions::of(version).type_named(primitive.name())?.pattern()?;
    let repaired = match (version, primitive) {
        // A brace too many.
        (FhirVersion::R5, Primitive::Decimal) => published.replace("{1,9}})", "{1,9})"),
        // The zone is optional and stands outside of the time; the text says otherwise.
        (FhirVersion::R5, Primitive::DateTime) => published.replace(
            r")?)?)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)?)?)?",
            r")?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?",
        ),
        // Day 00 and white space where the text means none.
        (FhirVersion::Stu3, Primitive::Date) => {
            published.replace("(0[0-9]|[1-2][0-9]|3[0-1])", "(0[1-9]|[1-2][0-9]|3[0-1])")
        }
        _ => published.to_owned(),
    };
    // White space of ASCII: the patterns are of XML Schema and Java.
    let ascii = repaired
        .replace(r"[\s\S]", "(?s:.)")
        .replace(r"[^\s]", r"[^ \t\r\n]")
        .replace(r"\S", r"[^ \t\r\n]")
        .replace(r"\s", r"[ \t\r\n]");
    let ascii = ascii.replace(r"[ \r\n\t[^ \t\r\n]]", "(?s:.)");
    Some(
        Regex::new(&format!(r"\A(?:{ascii})\z"))
            .unwrap_or_else(|error| panic!("{version} {}: {error}", primitive.name())),
    )
}

fn value_of(text: &str, primitive: Primitive) -> Option<Value> {
    match primitive.json_shape() {
        JsonShape::String => Some(Value::from(text)),
        JsonShape::Number => text.parse::<Number>().ok().map(Value::from),
        JsonShape::Boolean => None,
    }
}

/// Texts that nearly have the form of a primitive.
fn nearly(primitive: Primitive) -> BoxedStrategy<String> {
    let pattern = match primitive {
        Primitive::Date | Primitive::DateTime | Primitive::Instant => {
            "-?[0-9]{3,5}(-[0-3][0-9](-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,11})?)?(Z|z|[+-][0-1][0-9](:?[0-6][0-9])?)?)?)?)?"
        }
        Primitive::Time => "[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,11})?)?Z?",
        Primitive::Decimal
        | Primitive::Integer
        | Primitive::PositiveInt
        | Primitive::UnsignedInt
        | Primitive::Integer64 => "[+-]?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,19})?([eE][+-]?[0-9]{1,11})?",
        Primitive::Oid => "urn:oid:[0-4](\\.(0|0?[1-9][0-9]{0,4})){0,4}\\.?",
        Primitive::Uuid => "(urn:uuid:)?[0-9a-fA]{7,8}-[0-9a-f]{4}-?[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        Primitive::Base64Binary => "([A-Za-z0-9+/]{4}){0,3}[A-Za-z0-9+/=]{0,4}[ \\n]?=?[A-C]?",
        Primitive::Id => "[A-Za-z0-9.-]{0,66}_?",
        _ => "[a-c \t\n\u{a0}#:/.]{0,8}",
    };
    pattern.boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The scanners accept what the patterns accept, apart from what the scanners refuse on purpose.
    #[test]
    fn scanners_agree_with_the_published_patterns(
        (primitive, text) in prop::sample::select(&Primitive::ALL[..]).prop_flat_map(|one| (Just(one), nearly(one))),
        version in prop::sample::select(&FhirVersion::ALL[..]),
    ) {
        // A pattern is compiled per case; the cases of one type find it in the cache below.
        let (Some(pattern), Some(value)) = (cached_pattern(version, primitive), value_of(&text, primitive)) else { return Ok(()) };
        let fault = fault_in(&value, primitive, version);
        let allowed = pattern.is_match(&text) && !text.is_empty();
        match fault {
            None | Some(Fault::Blank) => prop_assert!(allowed, "{version} {} accepts {text:?}", primitive.name()),
            // Stricter on purpose: days must exist, numbers must fit.
            Some(Fault::NoSuchDay | Fault::Range) => {}
            // Stricter on purpose: padding stands at the end and only there.
            Some(Fault::Form) if primitive == Primitive::Base64Binary => {}
            Some(_) => prop_assert!(!allowed, "{version} {} refuses {text:?}: {fault:?}", primitive.name()),
        }
    }

    #[test]
    fn no_text_makes_a_scanner_panic(text in "\\PC{0,40}", version in 0..4_usize) {
        for primitive in Primitive::ALL {
            let value = Value::from(text.as_str());
            let version = FhirVersion::ALL[version];
            if let Some(fault) = fault_in(&value, primitive, version) {
                let explained = Explained { fault, value: &value, primitive, version };
                prop_assert!(!explained.to_string().is_empty());
            }
        }
    }
}

fn cached_pattern(version: FhirVersion, primitive: Primitive) -> Option<&'static Regex> {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static PATTERNS: LazyLock<HashMap<(FhirVersion, Primitive), Regex>> = LazyLock::new(|| {
        let pairs = FhirVersion::ALL
            .into_iter()
            .flat_map(|version| Primitive::ALL.map(|primitive| (version, primitive)));
        pairs
            .filter_map(|(version, primitive)| Some(((version, primitive), pattern(version, primitive)?)))
            .collect()
    });
    PATTERNS.get(&(version, primitive))
}

/// Every day of the years around a leap year rule, and every minute of a day.
#[test]
fn calendar_and_clock_are_complete() {
    for year in [1900, 1996, 1999, 2000, 2023, 2024] {
        for month in 1..=12_u32 {
            for day in 1..=31_u32 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let days = [31, 28 + u32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
                let expected = (day > days[month as usize - 1]).then_some(Fault::NoSuchDay);
                let text = Value::from(format!("{year}-{month:02}-{day:02}"));
                assert_eq!(fault_in(&text, Primitive::Date, FhirVersion::R4), expected, "{text}");
            }
        }
    }
    for hour in 0..100 {
        for minute in 0..100 {
            let text = Value::from(format!("{hour:02}:{minute:02}:00"));
            let expected = (hour > 23 || minute > 59).then_some(Fault::Form);
            assert_eq!(fault_in(&text, Primitive::Time, FhirVersion::R5), expected, "{text}");
            let text = Value::from(format!("2024-01-01T00:00:00-{hour:02}:{minute:02}"));
            let expected = (hour * 60 + minute > 14 * 60 || minute > 59).then_some(Fault::Form);
            assert_eq!(fault_in(&text, Primitive::Instant, FhirVersion::Stu3), expected, "{text}");
        }
    }
}

#[test]
fn details_that_differ_between_versions() {
    let faults = |text: &str, primitive| {
        FhirVersion::ALL.map(|version| fault_in(&value_of(text, primitive).unwrap(), primitive, version))
    };
    let form = Some(Fault::Form);
    assert_eq!(faults("1e3", Primitive::Decimal), [form, None, None, None]);
    assert_eq!(faults("1234567890123456789", Primitive::Decimal), [None, None, None, form]);
    assert_eq!(faults("-0", Primitive::Integer), [None, None, None, form]);
    assert_eq!(faults("-0", Primitive::UnsignedInt), [form; 4]);
    assert_eq!(faults("23:59:60", Primitive::Time), [form, None, None, None]);
    assert_eq!(faults("2016-12-31T23:59:60Z", Primitive::Instant), [None; 4]);
    assert_eq!(faults("2016-12-31T23:59:59.1234567890Z", Primitive::Instant), [None, None, None, form]);
    assert_eq!(faults("0000", Primitive::Date), [None, form, form, form]);
    assert_eq!(faults("0000", Primitive::DateTime), [form; 4]);
    assert_eq!(faults("-0044-03-15", Primitive::Date), [None, form, form, form]);
    assert_eq!(faults("-0044-03-15T00:00:00Z", Primitive::Instant), [form; 4]);
    assert_eq!(faults("urn:oid:3.1", Primitive::Oid), [None, form, form, form]);
    assert_eq!(faults("urn:oid:1", Primitive::Oid), [None, form, form, form]);
    assert_eq!(faults("a\tb", Primitive::Code), [None, None, None, form]);
    assert_eq!(faults("a  b", Primitive::Code), [form; 4]);
    assert_eq!(faults("2024-01-01T10:00:00", Primitive::DateTime), [form; 4]);
    assert_eq!(faults("2024-01Z", Primitive::DateTime), [form; 4]);
}

#[test]
fn base64_is_read_as_its_rfc_says() {
    let fault = |text: &str| fault_in(&Value::from(text), Primitive::Base64Binary, FhirVersion::R4);
    for right in ["QQ==", "QUI=", "QUJD", "QUJD\r\n QUJD"] {
        assert_eq!(fault(right), None, "{right}");
    }
    for wrong in ["Q===", "Q", "QQ=", "QQ==QQ==", "=QUJ", "QUJD=", "Q\u{e9}==", "-_==", " ", "===="] {
        assert_eq!(fault(wrong), Some(Fault::Form), "{wrong}");
    }
}

#[test]
fn strings_have_a_longest_length_in_characters() {
    let longest = "\u{e9}".repeat(STRING_CHARS_MAX);
    let fault = |text: &str| fault_in(&Value::from(text), Primitive::String, FhirVersion::R4);
    assert_eq!(fault(&longest), None);
    assert_eq!(fault(&format!("{longest}a")), Some(Fault::TooLong));
    assert_eq!(fault("a\u{b}"), Some(Fault::Control('\u{b}')));
    assert_eq!(fault("\u{85}a\u{a0}\r\n\t"), None);
    assert_eq!(fault("\u{a0} \n"), Some(Fault::Blank));
}
