//! The values that FHIRPath itself knows: the `System` types.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;

use crate::quantity::Quantity;
use crate::temporal::{Date, DateTime, Time};

/// A value of one of the FHIRPath system types. Text is borrowed where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum System<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number. The standard asks for 32 bits; 64 also hold FHIR's `integer64`.
    Integer(i64),
    /// A decimal number with up to 28 digits; trailing zeros are kept.
    Decimal(Decimal),
    /// Text.
    String(Cow<'a, str>),
    /// A date.
    Date(Date),
    /// A date with or without time.
    DateTime(DateTime),
    /// A time of day.
    Time(Time),
    /// A number with a unit.
    Quantity(Box<Quantity<'a>>),
}

/// The system types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the type of that name")]
pub enum SystemType {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl SystemType {
    const ALL: [Self; 8] = [
        Self::Boolean,
        Self::Integer,
        Self::Decimal,
        Self::String,
        Self::Date,
        Self::DateTime,
        Self::Time,
        Self::Quantity,
    ];

    /// The name without the namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::Decimal => "Decimal",
            Self::String => "String",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
            Self::Quantity => "Quantity",
        }
    }

    /// The type of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.name() == name)
    }
}

impl<'a> System<'a> {
    /// The type of this value.
    pub const fn system_type(&self) -> SystemType {
        match self {
            Self::Boolean(_) => SystemType::Boolean,
            Self::Integer(_) => SystemType::Integer,
            Self::Decimal(_) => SystemType::Decimal,
            Self::String(_) => SystemType::String,
            Self::Date(_) => SystemType::Date,
            Self::DateTime(_) => SystemType::DateTime,
            Self::Time(_) => SystemType::Time,
            Self::Quantity(_) => SystemType::Quantity,
        }
    }

    /// The same value with its text borrowed from this one.
    pub(crate) fn borrowed(&'a self) -> Self {
        match self {
            Self::String(text) => Self::String(Cow::Borrowed(text)),
            Self::Quantity(quantity) => Self::Quantity(Box::new(quantity.borrowed())),
            other => other.clone(),
        }
    }

    /// The number, if it is one.
    pub(crate) fn to_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Some(Decimal::from(*number)),
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }
}

/// As `toString()` gives it: text without quotes.
impl fmt::Display for System<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::String(text) => f.write_str(text),
            Self::Date(date) => write!(f, "{date}"),
            Self::DateTime(date_time) => write!(f, "{date_time}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Quantity(quantity) => write!(f, "{quantity}"),
        }
    }
}

/// Digits with a sign, a fraction and an exponent, each optional; none if 28 digits do not hold it exactly.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    Decimal::from_str_exact(text).ok()
}

/// The same, rounded to 28 digits; none if it is too large.
pub(crate) fn parse_decimal_rounded(text: &str) -> Option<Decimal> {
    parse_decimal(text).or_else(|| text.parse().ok())
}
