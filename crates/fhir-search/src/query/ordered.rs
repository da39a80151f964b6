//! Values that have an order: dates, numbers and quantities with their prefixes.
//!
//! A number stands for the range that its digits leave open, a date for the time it spans (FHIR, search, "prefixes").

use fhir_model::Instant;
use storage_api::{Interval, Number, NumberRange, Timestamp};

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Prefix {
    /// Takes the prefix off a value; without one it is `eq`. None for two letters that are no prefix.
    pub(super) fn take(text: &str) -> Option<(Self, &str)> {
        if !text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
            return Some((Self::Eq, text));
        }
        let prefix = match text.get(..2)? {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "lt" => Self::Lt,
            "ge" => Self::Ge,
            "le" => Self::Le,
            "sa" => Self::Sa,
            "eb" => Self::Eb,
            "ap" => Self::Ap,
            _ => return None,
        };
        Some((prefix, text.get(2..)?))
    }
}

const FIRST: i64 = Instant::MIN.micros();
const LAST: i64 = Instant::MAX.micros();
/// How far from a date an approximate one may lie.
const NEARBY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// The time that a date spans, both ends included.
pub(super) fn date(text: &str) -> Option<Interval> {
    // A plus that was not escaped came as a space, which no date has.
    let written: fhir_model::Interval = text.replace(' ', "+").parse().ok()?;
    Some(span(written.low_micros, written.high_micros - 1))
}

fn span(low: i64, high: i64) -> Interval {
    Interval { low: Timestamp(low), high: Timestamp(high) }
}

/// Where the first and the last moment of a date may lie: any of these.
pub(super) fn spans(prefix: Prefix, date: Interval) -> Vec<(Interval, Interval)> {
    let Interval { low: Timestamp(low), high: Timestamp(high) } = date;
    let any = span(FIRST, LAST);
    let within = (span(low, LAST), span(FIRST, high));
    let ends_later = (any, span(high.saturating_add(1), LAST));
    let begins_earlier = (span(FIRST, low.saturating_sub(1)), any);
    match prefix {
        Prefix::Eq => vec![within],
        Prefix::Ne => vec![ends_later, begins_earlier],
        Prefix::Gt => vec![ends_later],
        Prefix::Lt => vec![begins_earlier],
        Prefix::Ge => vec![ends_later, within],
        Prefix::Le => vec![begins_earlier, within],
        Prefix::Sa => vec![(span(high.saturating_add(1), LAST), any)],
        Prefix::Eb => vec![(any, span(FIRST, low.saturating_sub(1)))],
        Prefix::Ap => {
            let (low, high) = (low.saturating_sub(NEARBY_US), high.saturating_add(NEARBY_US));
            vec![overlapping(span(low, high))]
        }
    }
}

/// Where the first and the last moment lie of what has a moment with this in common.
pub(super) fn overlapping(
    Interval { low: Timestamp(low), high: Timestamp(high) }: Interval,
) -> (Interval, Interval) {
    (span(FIRST, high), span(low, LAST))
}

/// Where those lie of what has all of this in it.
pub(super) fn covering(
    Interval { low: Timestamp(low), high: Timestamp(high) }: Interval,
) -> (Interval, Interval) {
    (span(FIRST, low), span(high, LAST))
}

/// Where a single moment may lie: any of these.
pub(super) fn moments(prefix: Prefix, date: Interval) -> Vec<Interval> {
    let Interval { low: Timestamp(low), high: Timestamp(high) } = date;
    let (before, after) = (span(FIRST, low.saturating_sub(1)), span(high.saturating_add(1), LAST));
    match prefix {
        Prefix::Eq => vec![date],
        Prefix::Ne => vec![before, after],
        Prefix::Gt | Prefix::Sa => vec![after],
        Prefix::Lt | Prefix::Eb => vec![before],
        Prefix::Ge => vec![span(low, LAST)],
        Prefix::Le => vec![span(FIRST, high)],
        Prefix::Ap => vec![span(low.saturating_sub(NEARBY_US), high.saturating_add(NEARBY_US))],
    }
}

/// The ranges that a number may lie in: any of these. None if the text is no number.
pub(super) fn numbers(prefix: Prefix, text: &str) -> Option<Vec<NumberRange>> {
    let digits: fhir_model::json::Number = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    let value = Number::new(digits.to_f64())?.get();
    let half = half_of_last_digit(digits.as_str());
    // A number on the upper edge belongs to the next range.
    let (low, high) = (value - half, if half > 0.0 { (value + half).next_down() } else { value });
    let nearby = value.abs() * 0.1;
    let ranges = match prefix {
        Prefix::Eq => vec![(low, high)],
        Prefix::Ne => vec![(f64::MIN, low.next_down()), (high.next_up(), f64::MAX)],
        Prefix::Gt | Prefix::Sa => vec![(value.next_up(), f64::MAX)],
        Prefix::Lt | Prefix::Eb => vec![(f64::MIN, value.next_down())],
        Prefix::Ge => vec![(value, f64::MAX)],
        Prefix::Le => vec![(f64::MIN, value)],
        Prefix::Ap => vec![(value - nearby.max(half), value + nearby.max(half))],
    };
    let bounded = |edge: f64| Number::new(edge.clamp(f64::MIN, f64::MAX));
    ranges
        .into_iter()
        .map(|(low, high)| Some(NumberRange { low: bounded(low)?, high: bounded(high)? }))
        .collect()
}

/// Half of what the last digit that is written is worth: 0.5 for `100`, 0.005 for `1.00`, 5 for `1e2`.
fn half_of_last_digit(digits: &str) -> f64 {
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let written = mantissa.split_once('.').map(|(_, decimals)| decimals.len());
    // The standard's own example reads 1e2 as 95 to 105, which is two digits.
    let decimals = written.unwrap_or(usize::from(mantissa.len() < digits.len()));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let power = exponent.saturating_sub(i64::try_from(decimals).unwrap_or(i64::MAX));
    // Read as a literal it is the double nearest to it, which a power computed is not.
    format!("5e{}", power.saturating_sub(1)).parse().ok().filter(|half: &f64| half.is_finite()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(prefix: &str, wanted: &str, value: &str) -> bool {
        let (prefix, wanted) =
            Prefix::take(&format!("{prefix}{wanted}")).map(|(p, w)| (p, w.to_owned())).unwrap();
        let value = date(value).unwrap();
        let spans = spans(prefix, date(&wanted).unwrap());
        spans.iter().any(|(low, high)| low.contains(value.low) && high.contains(value.high))
    }

    #[test]
    fn dates_compare_by_the_time_they_span() {
        // Prefix, and whether it holds for a year before, the month in it, the year itself, the day after, a century.
        for (prefix, expected) in [
            ("", [false, true, true, false]),
            ("eq", [false, true, true, false]),
            ("ne", [true, false, false, true]),
            ("gt", [false, false, false, true]),
            ("lt", [true, false, false, false]),
            ("ge", [false, true, true, true]),
            ("le", [true, true, true, false]),
            ("sa", [false, false, false, true]),
            ("eb", [true, false, false, false]),
            ("ap", [true, true, true, true]),
        ] {
            let found = ["2012", "2013-05", "2013", "2014-01-01"].map(|value| holds(prefix, "2013", value));
            assert_eq!(found, expected, "{prefix}");
        }
        assert_eq!(date("2013-05-25T10:00:00 01:00"), date("2013-05-25T09:00:00Z"));
        assert_eq!((date("2013 05"), date(" 2013"), date("2013 ")), (None, None, None));
        assert!(holds("ap", "2013", "2012-12-31") && !holds("ap", "2013", "2012-12-30"));
    }

    #[test]
    fn numbers_are_as_precise_as_they_are_written() {
        let holds = |text: &str, value: f64| {
            let (prefix, digits) = Prefix::take(text).unwrap();
            let value = Number::new(value).unwrap();
            numbers(prefix, digits).unwrap().iter().any(|range| range.contains(value))
        };
        for (text, inside, outside) in [
            ("100", &[99.5, 100.0, 100.49][..], &[99.49, 100.5][..]),
            ("100.00", &[99.995, 100.0049], &[99.99, 100.005]),
            ("1e2", &[95.0, 104.9], &[94.9, 105.0]),
            ("-5", &[-5.5, -4.51], &[-5.51, -4.5]),
            ("ne100", &[99.4, 100.5], &[100.0, 99.5]),
            ("gt100", &[100.01, 1e300], &[100.0, 99.0]),
            ("lt100", &[99.99, -1e300], &[100.0]),
            ("ge100", &[100.0], &[99.99]),
            ("le100", &[100.0], &[100.01]),
            ("ap100", &[91.0, 109.0], &[89.0, 111.0]),
        ] {
            for value in inside {
                assert!(holds(text, *value), "{text} {value}");
            }
            for value in outside {
                assert!(!holds(text, *value), "{text} {value}");
            }
        }
        for text in ["", "x", "1x", "--1", "1e999", "0x10", "NaN", "1,0"] {
            assert_eq!(numbers(Prefix::Eq, text), None, "{text}");
        }
    }

    #[test]
    fn two_letters_are_a_prefix_or_nothing() {
        assert_eq!(Prefix::take("2013"), Some((Prefix::Eq, "2013")));
        assert_eq!(Prefix::take("sa2013"), Some((Prefix::Sa, "2013")));
        for text in ["xx2013", "x", "GT5", "né5"] {
            assert_eq!(Prefix::take(text), None, "{text}");
        }
    }
}
