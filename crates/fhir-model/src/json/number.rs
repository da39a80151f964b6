//! Numbers, as digits.

use std::fmt;
use std::str::FromStr;

use compact_str::{CompactString, ToCompactString};

use super::error::NumberFault;
use super::scan::scan_number;

/// A JSON number with its digits exactly as they were written.
///
/// Two numbers are equal when their digits are: `1.0` and `1.00` differ, because the precision of
/// a FHIR `decimal` is part of its value. Up to 24 digits are stored in place.
///
/// ```
/// use fhir_model::json::Number;
///
/// let number: Number = "1.50".parse().unwrap();
/// assert_eq!(number.as_str(), "1.50");
/// assert!("01".parse::<Number>().is_err());
/// assert_eq!(Number::from(3_i64).as_i64(), Some(3));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(CompactString);

impl Number {
    /// Digits that the parser has already checked.
    #[inline]
    pub(super) fn from_checked(digits: &str) -> Self {
        Self(CompactString::new(digits))
    }

    /// The digits as written.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value if it is written as an integer (no fraction, no exponent) and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The value if it is written as a non-negative integer (no fraction, no exponent) and fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The nearest double; infinite where the exponent is beyond its range.
    pub fn to_f64(&self) -> f64 {
        // Every JSON number is also a Rust float literal, so this cannot fail.
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl FromStr for Number {
    type Err = NumberFault;

    /// Checks the grammar of RFC 8259 section 6 and keeps the digits.
    fn from_str(text: &str) -> Result<Self, NumberFault> {
        match scan_number(text.as_bytes(), 0) {
            Ok(end) if end == text.len() => Ok(Self::from_checked(text)),
            Ok(_) => Err(NumberFault::NotANumber),
            Err((fault, _)) => Err(fault),
        }
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Self {
                Self(value.to_compact_string())
            }
        }
    )*};
}

from_integer!(i32, u32, i64, u64, usize);

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
