//! Numbers with a unit (FHIRPath, "Quantity", "Time-valued quantities").

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;

use crate::system::parse_decimal;
use crate::temporal::{Duration, TimeUnit};
use crate::units::{Measure, measure};

/// Longest text of a unit that multiplication and division build, in bytes.
const UNIT_BYTES_MAX: usize = 128;

/// A number with a unit (`System.Quantity`).
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity<'a> {
    pub(crate) value: Decimal,
    pub(crate) unit: Unit<'a>,
}

/// A unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit<'a> {
    /// A UCUM code, or whatever else a FHIR Quantity says.
    Ucum(Cow<'a, str>),
    /// A unit of the calendar, written as a word.
    Calendar(TimeUnit),
}

/// The words for each calendar unit, singular and plural.
const CALENDAR: [(&str, &str, TimeUnit); 8] = [
    ("year", "years", TimeUnit::Year),
    ("month", "months", TimeUnit::Month),
    ("week", "weeks", TimeUnit::Week),
    ("day", "days", TimeUnit::Day),
    ("hour", "hours", TimeUnit::Hour),
    ("minute", "minutes", TimeUnit::Minute),
    ("second", "seconds", TimeUnit::Second),
    ("millisecond", "milliseconds", TimeUnit::Millisecond),
];

impl Unit<'_> {
    /// The unit that a word names.
    pub(crate) fn calendar(word: &str) -> Option<Unit<'static>> {
        let found = CALENDAR.iter().find(|(singular, plural, _)| *singular == word || *plural == word);
        found.map(|(.., unit)| Unit::Calendar(*unit))
    }

    /// What the unit is worth.
    fn measure(&self) -> Option<Measure> {
        match self {
            Unit::Ucum(code) => measure(code),
            // A year is no number of days, so years and months measure something that seconds do not.
            Unit::Calendar(TimeUnit::Year) => Some(Measure::calendar_months(Decimal::from(12))),
            Unit::Calendar(TimeUnit::Month) => Some(Measure::calendar_months(Decimal::ONE)),
            Unit::Calendar(unit) => measure(definite_code(*unit)),
        }
    }

    /// The same for equivalence, where a calendar year is a year.
    fn loose_measure(&self) -> Option<Measure> {
        match self {
            Unit::Calendar(unit) => measure(definite_code(*unit)),
            Unit::Ucum(_) => self.measure(),
        }
    }

    fn code(&self) -> &str {
        match self {
            Unit::Ucum(code) => code,
            Unit::Calendar(unit) => definite_code(*unit),
        }
    }
}

/// The UCUM code closest to a calendar unit.
fn definite_code(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Year => "a",
        TimeUnit::Month => "mo",
        TimeUnit::Week => "wk",
        TimeUnit::Day => "d",
        TimeUnit::Hour => "h",
        TimeUnit::Minute => "min",
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
    }
}

impl<'a> Quantity<'a> {
    /// The number.
    pub fn value(&self) -> Decimal {
        self.value
    }

    /// The unit: a UCUM code, or the word for a calendar unit.
    pub fn unit(&self) -> &str {
        match &self.unit {
            Unit::Ucum(code) => code,
            Unit::Calendar(unit) => {
                CALENDAR.iter().find(|(.., found)| found == unit).map_or("", |(singular, ..)| *singular)
            }
        }
    }

    /// A number without a unit.
    pub(crate) fn unity(value: Decimal) -> Self {
        Self { value, unit: Unit::Ucum(Cow::Borrowed("1")) }
    }

    pub(crate) fn borrowed(&'a self) -> Self {
        let unit = match &self.unit {
            Unit::Ucum(code) => Unit::Ucum(Cow::Borrowed(code.as_ref())),
            Unit::Calendar(unit) => Unit::Calendar(*unit),
        };
        Self { value: self.value, unit }
    }

    /// Reads a number, perhaps followed by a unit in quotes or by the word for a calendar unit.
    pub(crate) fn parse(text: &str) -> Option<Quantity<'static>> {
        let text = text.trim();
        let digits =
            text.find(|char: char| !matches!(char, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits)?;
        let value = parse_decimal(number).filter(|_| !number.ends_with('.') && !number.starts_with('.'))?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Some(Quantity::unity(value));
        }
        let unit = match unit.strip_prefix('\'') {
            Some(quoted) => {
                let code =
                    quoted.strip_suffix('\'').filter(|code| !code.is_empty() && !code.contains('\''))?;
                Unit::Ucum(Cow::Owned(code.to_owned()))
            }
            None => Unit::calendar(unit)?,
        };
        Some(Quantity { value, unit })
    }

    /// Both values in one unit, if the units measure the same.
    fn common(&self, other: &Self) -> Option<(Decimal, Decimal)> {
        if self.unit == other.unit {
            return Some((self.value, other.value));
        }
        self.unit.measure()?.common(self.value, &other.unit.measure()?, other.value)
    }

    /// The order, if the units measure the same.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        self.common(other).map(|(left, right)| left.cmp(&right))
    }

    /// Whether the values are the same at the precision of the less precise one.
    pub(crate) fn is_equivalent(&self, other: &Self) -> bool {
        if self.unit == other.unit {
            return equivalent_decimals(self.value, other.value);
        }
        let measures = self.unit.loose_measure().zip(other.unit.loose_measure());
        measures.is_some_and(|(left, right)| {
            // In the larger unit, so that 4 'g' ~ 4040 'mg' whichever stands first.
            let Some((left_value, right_value)) = left.in_larger_unit(self.value, &right, other.value) else {
                return false;
            };
            equivalent_decimals(left_value, right_value)
        })
    }

    /// Whether both measure the same.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        self.common(other).is_some()
    }

    /// The sum, in the unit of the left operand.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        let value = self.value.checked_add(other.value_in(&self.unit)?)?;
        Some(Self { value, unit: self.unit.clone() })
    }

    /// The difference, in the unit of the left operand.
    pub(crate) fn minus(&self, other: &Self) -> Option<Self> {
        let value = self.value.checked_sub(other.value_in(&self.unit)?)?;
        Some(Self { value, unit: self.unit.clone() })
    }

    /// The value in another unit.
    pub(crate) fn value_in(&self, unit: &Unit<'_>) -> Option<Decimal> {
        if self.unit == *unit {
            return Some(self.value);
        }
        self.unit.measure()?.convert(self.value, &unit.measure()?)
    }

    /// The same quantity in the unit that a code names.
    pub(crate) fn converted(&self, code: &str) -> Option<Quantity<'static>> {
        let unit = Unit::calendar(code).unwrap_or_else(|| Unit::Ucum(Cow::Owned(code.to_owned())));
        Some(Quantity { value: self.value_in(&unit)?, unit })
    }

    /// The product; its unit is the product of the units.
    pub(crate) fn times(&self, other: &Self) -> Option<Quantity<'static>> {
        let value = self.value.checked_mul(other.value)?;
        let unit = match (self.unit.code(), other.unit.code()) {
            (unit, "1") | ("1", unit) => unit.to_owned(),
            (left, right) => format!("{}.{}", in_parentheses(left), in_parentheses(right)),
        };
        Quantity::built(value, unit)
    }

    /// The quotient; its unit is the quotient of the units. None for a division by zero.
    pub(crate) fn divided_by(&self, other: &Self) -> Option<Quantity<'static>> {
        let value = self.value.checked_div(other.value)?;
        let unit = match (self.unit.code(), other.unit.code()) {
            (left, right) if left == right => "1".to_owned(),
            (left, "1") => left.to_owned(),
            (left, right) => format!("{left}/{}", in_parentheses(right)),
        };
        Quantity::built(value, unit)
    }

    fn built(value: Decimal, unit: String) -> Option<Quantity<'static>> {
        (unit.len() <= UNIT_BYTES_MAX).then_some(Quantity { value, unit: Unit::Ucum(Cow::Owned(unit)) })
    }

    /// The length of time that this is, for adding it to a date. The units of UCUM that are no fixed number of
    /// seconds on a calendar (`a`, `mo`) are none.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let unit = match &self.unit {
            Unit::Calendar(unit) => *unit,
            Unit::Ucum(code) => match code.as_ref() {
                "wk" => TimeUnit::Week,
                "d" => TimeUnit::Day,
                "h" => TimeUnit::Hour,
                "min" => TimeUnit::Minute,
                "s" => TimeUnit::Second,
                "ms" => TimeUnit::Millisecond,
                // The calendar words, in quotes by mistake, can mean nothing else.
                word => match Unit::calendar(word)? {
                    Unit::Calendar(unit) => unit,
                    Unit::Ucum(_) => return None,
                },
            },
        };
        Duration::new(self.value, unit)
    }
}

fn in_parentheses(unit: &str) -> Cow<'_, str> {
    if unit.contains(['/', '.']) { Cow::Owned(format!("({unit})")) } else { Cow::Borrowed(unit) }
}

/// Whether two numbers are the same when rounded to the precision of the less precise one; trailing zeros do not
/// count as precision.
pub(crate) fn equivalent_decimals(left: Decimal, right: Decimal) -> bool {
    let (left, right) = (left.normalize(), right.normalize());
    let places = left.scale().min(right.scale());
    left.round_dp(places) == right.round_dp(places)
}

impl fmt::Display for Quantity<'_> {
    /// As a literal: `1.5 'mg'`, `1 week`, `2 weeks`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Ucum(code) => write!(f, "{} '{code}'", self.value),
            Unit::Calendar(unit) => {
                let words = CALENDAR.iter().find(|(.., found)| found == unit);
                let word = words.map_or(
                    "",
                    |(singular, plural, _)| {
                        if self.value == Decimal::ONE { *singular } else { *plural }
                    },
                );
                write!(f, "{} {word}", self.value)
            }
        }
    }
}
