//! Adding a duration to a date or a time (FHIRPath, "Date/Time Arithmetic").

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::calendar::{civil_from_days, days_from_civil, days_in_month};
use super::{Date, DateTime, Precision, Time};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A length of time in the unit it was given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duration {
    /// Calendar months; years are twelve of them.
    Months(i64),
    /// Whole days; weeks are seven of them.
    Days(i64),
    /// Whole seconds and nanoseconds of the same sign: hours, minutes and seconds.
    Clock { seconds: i64, nanos: i64 },
}

/// The units of time that arithmetic knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Duration {
    /// A number of units. A fraction counts for seconds and milliseconds only. None if it is beyond all dates.
    pub(crate) fn new(value: Decimal, unit: TimeUnit) -> Option<Self> {
        let whole = || value.trunc().to_i64();
        Some(match unit {
            TimeUnit::Year => Self::Months(whole()?.checked_mul(12)?),
            TimeUnit::Month => Self::Months(whole()?),
            TimeUnit::Week => Self::Days(whole()?.checked_mul(7)?),
            TimeUnit::Day => Self::Days(whole()?),
            TimeUnit::Hour => Self::Clock { seconds: whole()?.checked_mul(3600)?, nanos: 0 },
            TimeUnit::Minute => Self::Clock { seconds: whole()?.checked_mul(60)?, nanos: 0 },
            TimeUnit::Second => Self::clock(value)?,
            TimeUnit::Millisecond => Self::clock(value.checked_div(Decimal::ONE_THOUSAND)?)?,
        })
    }

    fn clock(seconds: Decimal) -> Option<Self> {
        let nanos = seconds.fract().checked_mul(Decimal::from(NANOS_PER_SECOND))?;
        Some(Self::Clock { seconds: seconds.trunc().to_i64()?, nanos: nanos.trunc().to_i64()? })
    }

    /// The same length backwards.
    pub(crate) fn negated(self) -> Option<Self> {
        Some(match self {
            Self::Months(months) => Self::Months(months.checked_neg()?),
            Self::Days(days) => Self::Days(days.checked_neg()?),
            Self::Clock { seconds, nanos } => {
                Self::Clock { seconds: seconds.checked_neg()?, nanos: nanos.checked_neg()? }
            }
        })
    }

    /// Whole units of a coarser precision: a month has 30 days here, a year 365.
    fn in_units_of(self, precision: Precision) -> i64 {
        match (self, precision) {
            (Self::Months(months), Precision::Year) => months / 12,
            (Self::Months(months), _) => months,
            (Self::Days(days), Precision::Year) => days / 365,
            (Self::Days(days), Precision::Month) => days / 30,
            (Self::Days(days), _) => days,
            (Self::Clock { seconds, .. }, Precision::Year) => seconds / SECONDS_PER_DAY / 365,
            (Self::Clock { seconds, .. }, Precision::Month) => seconds / SECONDS_PER_DAY / 30,
            (Self::Clock { seconds, .. }, Precision::Day) => seconds / SECONDS_PER_DAY,
            (Self::Clock { seconds, .. }, Precision::Hour) => seconds / 3600,
            (Self::Clock { seconds, .. }, Precision::Minute) => seconds / 60,
            (Self::Clock { seconds, .. }, Precision::Second) => seconds,
        }
    }
}

impl Date {
    /// The date after a duration, with the same precision. None beyond the years 1 to 9999.
    pub(crate) fn plus(self, duration: Duration) -> Option<Self> {
        let precision = self.precision();
        let amount = duration.in_units_of(precision);
        match (precision, duration) {
            (Precision::Year, _) => self.plus_months(amount.checked_mul(12)?),
            (Precision::Month, _) | (_, Duration::Months(_)) => self.plus_months(amount),
            _ => self.plus_days(amount),
        }
    }

    fn plus_months(self, months: i64) -> Option<Self> {
        let month = i64::from(self.month.unwrap_or(1)) - 1;
        let total = (i64::from(self.year) * 12 + month).checked_add(months)?;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        // The last day of a month stands in for a day that it does not have.
        let day = self.day.map(|day| i64::from(day).min(days_in_month(year, month)));
        Self::from_civil(year, self.month.map(|_| month), day)
    }

    fn plus_days(self, days: i64) -> Option<Self> {
        let (month, day) = (i64::from(self.month?), i64::from(self.day?));
        let (year, month, day) =
            Self::civil_at(days_from_civil(i64::from(self.year), month, day).checked_add(days)?)?;
        Self::from_civil(year, Some(month), Some(day))
    }

    /// Refuses what lies far beyond all dates before the calendar sees it.
    fn civil_at(days: i64) -> Option<(i64, i64, i64)> {
        (days.abs() < 4_000_000).then(|| civil_from_days(days))
    }

    fn from_civil(year: i64, month: Option<i64>, day: Option<i64>) -> Option<Self> {
        let part = |number: Option<i64>| match number {
            None => Some(None),
            Some(number) => u8::try_from(number).ok().map(Some),
        };
        let year = u16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
        Some(Self { year, month: part(month)?, day: part(day)? })
    }
}

impl Time {
    fn nanos_of_day(self) -> i64 {
        let (minute, second) = (i64::from(self.minute.unwrap_or(0)), i64::from(self.second.unwrap_or(0)));
        let seconds = i64::from(self.hour) * 3600 + minute * 60 + second;
        seconds * NANOS_PER_SECOND + i64::from(self.nanos)
    }

    /// The time after a duration, round the clock, and the days that went by.
    fn plus_with_days(self, duration: Duration) -> Option<(Self, i64)> {
        let (seconds, nanos) = match (duration, self.precision()) {
            (Duration::Clock { seconds, nanos }, Precision::Second) => (seconds, nanos),
            (Duration::Clock { .. }, Precision::Minute) => (duration.in_units_of(Precision::Minute) * 60, 0),
            (Duration::Clock { .. }, _) => (duration.in_units_of(Precision::Hour) * 3600, 0),
            _ => return Some((self, 0)),
        };
        let days = seconds / SECONDS_PER_DAY;
        let nanos = (seconds % SECONDS_PER_DAY) * NANOS_PER_SECOND + nanos + self.nanos_of_day();
        let nanos_per_day = SECONDS_PER_DAY * NANOS_PER_SECOND;
        let days = days + nanos.div_euclid(nanos_per_day);
        let time = self.at_nanos(nanos.rem_euclid(nanos_per_day))?;
        Some((time, days))
    }

    /// Another time of day with the same precision, or a finer fraction where one is needed.
    fn at_nanos(self, nanos: i64) -> Option<Self> {
        let seconds = nanos / NANOS_PER_SECOND;
        let nanos = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
        let part = |number: i64| u8::try_from(number).ok();
        let needed = if nanos == 0 { 0 } else { 3 };
        Some(Self {
            hour: part(seconds / 3600)?,
            minute: self.minute.and(part(seconds / 60 % 60)),
            second: self.second.and(part(seconds % 60)),
            nanos,
            fraction_digits: self.fraction_digits.max(needed),
        })
    }

    /// The time after a duration, round the clock, with the same precision.
    pub(crate) fn plus(self, duration: Duration) -> Option<Self> {
        self.plus_with_days(duration).map(|(time, _)| time)
    }
}

impl DateTime {
    /// The date-time after a duration, with the same precision and offset. None beyond the years 1 to 9999.
    pub(crate) fn plus(self, duration: Duration) -> Option<Self> {
        match (self.time, duration) {
            (Some(time), Duration::Clock { .. }) => {
                let (time, days) = time.plus_with_days(duration)?;
                Some(Self { date: self.date.plus(Duration::Days(days))?, time: Some(time), ..self })
            }
            _ => Some(Self { date: self.date.plus(duration)?, ..self }),
        }
    }
}
