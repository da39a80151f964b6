//! Comparison: two values are compared by the spans of time that they may mean.

use std::cmp::Ordering;

use super::calendar::{days_from_civil, days_in_month};
use super::{Date, DateTime, Time};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_HOUR: i128 = 3600;

/// The first and the last nanosecond that a value may mean.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    low: i128,
    high: i128,
}

impl Span {
    fn widened(self, before_hours: i128, after_hours: i128) -> Self {
        let hour = SECONDS_PER_HOUR * NANOS_PER_SECOND;
        Self { low: self.low - before_hours * hour, high: self.high + after_hours * hour }
    }

    /// The order if it does not depend on where in its span a value lies.
    fn order(self, other: Self) -> Option<Ordering> {
        if self == other {
            Some(Ordering::Equal)
        } else if self.high < other.low {
            Some(Ordering::Less)
        } else if self.low > other.high {
            Some(Ordering::Greater)
        } else {
            None
        }
    }
}

impl Time {
    /// Seconds of the day without fraction, and the seconds that the value covers beyond the first.
    fn seconds(self) -> (i128, i128) {
        let (hour, minute) = (i128::from(self.hour), i128::from(self.minute.unwrap_or(0)));
        let start = hour * SECONDS_PER_HOUR + minute * 60 + i128::from(self.second.unwrap_or(0));
        match (self.minute, self.second) {
            (None, _) => (start, SECONDS_PER_HOUR),
            (_, None) => (start, 60),
            _ => (start, 0),
        }
    }

    fn span(self) -> Span {
        let (start, length) = self.seconds();
        let low = start * NANOS_PER_SECOND + i128::from(self.nanos);
        // A second and its fraction are one precision: a whole second is a point.
        Span { low, high: low + (length * NANOS_PER_SECOND - 1).max(0) }
    }

    /// The order of two times of day, if their precision decides it.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        self.span().order(other.span())
    }
}

impl Date {
    /// The first day and the day after the last one.
    fn days(self) -> (i64, i64) {
        let year = i64::from(self.year);
        match (self.month.map(i64::from), self.day.map(i64::from)) {
            (None, _) => (days_from_civil(year, 1, 1), days_from_civil(year + 1, 1, 1)),
            (Some(month), None) => {
                let start = days_from_civil(year, month, 1);
                (start, start + days_in_month(year, month))
            }
            (Some(month), Some(day)) => {
                let start = days_from_civil(year, month, day);
                (start, start + 1)
            }
        }
    }

    /// The order of two dates, if their precision decides it.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        DateTime::from(self).compare(other.into())
    }
}

impl DateTime {
    /// In UTC if there is an offset, else in local time.
    fn span(self) -> Span {
        let day = 24 * SECONDS_PER_HOUR * NANOS_PER_SECOND;
        let (first, end) = self.date.days();
        let midnight = i128::from(first) * day;
        let span = match self.time {
            None => Span { low: midnight, high: i128::from(end) * day - 1 },
            Some(time) => {
                let time = time.span();
                Span { low: midnight + time.low, high: midnight + time.high }
            }
        };
        let shift = i128::from(self.offset_minutes.unwrap_or(0)) * 60 * NANOS_PER_SECOND;
        Span { low: span.low - shift, high: span.high - shift }
    }

    /// The order of two date-times, if their precision decides it. A value without an offset compared with one that
    /// has an offset may lie anywhere between UTC-12:00 and UTC+14:00.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let (left, right) = (self.span(), other.span());
        match (self.offset_minutes, other.offset_minutes) {
            (None, Some(_)) => left.widened(14, 12).order(right),
            (Some(_), None) => left.order(right.widened(14, 12)),
            _ => left.order(right),
        }
    }
}
