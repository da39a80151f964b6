//! When two JSON values are the same to a `test` operation (RFC 6902 section 4.6).

use fhir_model::json::{Number, Object, Value};

/// Whether two values are equal: as [`Value`]s are, but numbers by their value, so that `1`, `1.0` and `10e-1` are
/// the same.
pub(crate) fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => is_same_number(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => is_same_object(left, right),
        (left, right) => left == right,
    }
}

fn is_same_object(left: &Object, right: &Object) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if left.names().eq(right.names()) {
        return left.iter().zip(right.iter()).all(|(left, right)| is_equal(left.1, right.1));
    }
    let (left, right) = (sorted(left), sorted(right));
    left.iter().zip(&right).all(|(left, right)| left.0 == right.0 && is_equal(left.1, right.1))
}

fn sorted(object: &Object) -> Vec<(&str, &Value)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

fn is_same_number(left: &Number, right: &Number) -> bool {
    left == right
        || match (Exact::of(left.as_str()), Exact::of(right.as_str())) {
            (Some(left), Some(right)) => left == right,
            // An exponent that 64 bits do not hold: only the same digits are the same number.
            _ => false,
        }
}

/// A number in the one form that each value has: digits without zeros at either end, and a power of ten.
#[derive(PartialEq)]
struct Exact {
    is_negative: bool,
    digits: String,
    exponent: i128,
}

impl Exact {
    fn of(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
            None => (text, Some(0)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let exponent = i128::from(exponent?) + (digits.len() - significant.len()) as i128;
        Some(Self {
            is_negative,
            digits: significant.to_owned(),
            exponent: exponent - fraction.len() as i128,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir_model::json::{Limits, parse};

    fn check(left: &str, right: &str, expected: bool) {
        let read = |text: &str| parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(is_equal(&read(left), &read(right)), expected, "{left} and {right}");
        assert_eq!(is_equal(&read(right), &read(left)), expected, "{right} and {left}");
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for same in ["1.50", "1.5", "15e-1", "0.15E+1", "150e-2"] {
            check("1.5", same, true);
        }
        for other in ["1.51", "-1.5", "15", "\"1.5\""] {
            check("1.5", other, false);
        }
        check("0", "-0.0e7", true);
        check("0", "0e99999999999999999999", true);
        check("1e99999999999999999999", "1e99999999999999999999", true);
        check("1e99999999999999999999", "10e99999999999999999998", false);
        check("123456789012345678901234567890", "123456789012345678901234567891", false);
    }

    #[test]
    fn the_order_of_members_does_not_count_that_of_items_does() {
        check(r#"{"a":1,"b":[1.0]}"#, r#"{"b":[1],"a":1e0}"#, true);
        check(r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#, false);
        check(r#"{"a":1}"#, r#"{"a":1,"b":1}"#, false);
        check("[1,2]", "[2,1]", false);
        check("null", "false", false);
    }
}
