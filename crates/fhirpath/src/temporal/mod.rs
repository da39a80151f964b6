//! Dates and times that know their precision (FHIRPath, "Time-valued quantities", "Comparison", "Equality").
//!
//! Nothing here reads a clock. Every comparison that the precision leaves open has no answer.

mod arithmetic;
mod boundary;
mod calendar;
mod compare;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use self::arithmetic::{Duration, TimeUnit};
pub(crate) use self::boundary::Boundary;

/// A date: a year, a month of a year, or a day (`System.Date`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// 1 to 9999.
    pub(crate) year: u16,
    /// 1 to 12.
    pub(crate) month: Option<u8>,
    /// 1 to 31; only with a month.
    pub(crate) day: Option<u8>,
}

/// A time of day: an hour, a minute, or a second with or without a fraction (`System.Time`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// 0 to 23.
    pub(crate) hour: u8,
    /// 0 to 59.
    pub(crate) minute: Option<u8>,
    /// 0 to 60 (a leap second); only with a minute.
    pub(crate) second: Option<u8>,
    /// The fraction of the second, below 10^9.
    pub(crate) nanos: u32,
    /// How many digits of the fraction were written, up to 9.
    pub(crate) fraction_digits: u8,
}

/// A date, perhaps with a time, perhaps with an offset from UTC (`System.DateTime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    pub(crate) date: Date,
    /// Only with a day.
    pub(crate) time: Option<Time>,
    /// East of UTC, only with a time.
    pub(crate) offset_minutes: Option<i16>,
}

/// The finest part that a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Date {
    pub(crate) fn precision(self) -> Precision {
        match (self.month, self.day) {
            (None, _) => Precision::Year,
            (_, None) => Precision::Month,
            _ => Precision::Day,
        }
    }
}

impl Time {
    pub(crate) fn precision(self) -> Precision {
        match (self.minute, self.second) {
            (None, _) => Precision::Hour,
            (_, None) => Precision::Minute,
            _ => Precision::Second,
        }
    }
}

impl DateTime {
    /// The date alone.
    pub fn date(self) -> Date {
        self.date
    }

    /// The time of day alone, if there is one.
    pub fn time(self) -> Option<Time> {
        self.time
    }
}

impl From<Date> for DateTime {
    fn from(date: Date) -> Self {
        Self { date, time: None, offset_minutes: None }
    }
}
