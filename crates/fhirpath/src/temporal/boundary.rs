//! The earliest and the latest value that a value of some precision may mean (FHIRPath, "lowBoundary",
//! "highBoundary", "precision"). Precision is counted in digits: 4 is a year, 17 a date-time with milliseconds.

use super::calendar::days_in_month;
use super::{Date, DateTime, Time};

/// Which end of the span is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    Low,
    High,
}

impl Boundary {
    fn pick<T>(self, low: T, high: T) -> T {
        match self {
            Self::Low => low,
            Self::High => high,
        }
    }
}

impl Date {
    /// How many digits it has.
    pub(crate) fn digits(self) -> i64 {
        match (self.month, self.day) {
            (None, _) => 4,
            (_, None) => 6,
            _ => 8,
        }
    }

    /// The boundary with 4, 6 or 8 digits; none for any other number.
    pub(crate) fn boundary(self, end: Boundary, digits: i64) -> Option<Self> {
        let month = self.month.unwrap_or(end.pick(1, 12));
        let last = days_in_month(i64::from(self.year), i64::from(month));
        let day = self.day.unwrap_or(end.pick(1, u8::try_from(last).ok()?));
        match digits {
            4 => Some(Self { month: None, day: None, ..self }),
            6 => Some(Self { month: Some(month), day: None, ..self }),
            8 => Some(Self { month: Some(month), day: Some(day), ..self }),
            _ => None,
        }
    }
}

impl Time {
    /// How many digits it has; any fraction counts as milliseconds.
    pub(crate) fn digits(self) -> i64 {
        match (self.minute, self.second, self.fraction_digits) {
            (None, ..) => 2,
            (_, None, _) => 4,
            (.., 0) => 6,
            _ => 9,
        }
    }

    /// The boundary with 2, 4, 6 or 9 digits; none for any other number.
    pub(crate) fn boundary(self, end: Boundary, digits: i64) -> Option<Self> {
        let minute = Some(self.minute.unwrap_or(end.pick(0, 59)));
        let second = Some(self.second.unwrap_or(end.pick(0, 59)));
        let has_fraction = self.fraction_digits > 0;
        let nanos = if has_fraction { self.nanos / 1_000_000 * 1_000_000 } else { end.pick(0, 999_000_000) };
        let coarse = Self { hour: self.hour, minute: None, second: None, nanos: 0, fraction_digits: 0 };
        match digits {
            2 => Some(coarse),
            4 => Some(Self { minute, ..coarse }),
            6 => Some(Self { minute, second, ..coarse }),
            9 => Some(Self { minute, second, nanos, fraction_digits: 3, ..coarse }),
            _ => None,
        }
    }
}

impl DateTime {
    /// How many digits it has; any fraction counts as milliseconds.
    pub(crate) fn digits(self) -> i64 {
        self.time.map_or(self.date.digits(), |time| 8 + time.digits())
    }

    /// The boundary with 4 to 17 digits; none where a part would be cut. Without an offset the earliest moment is
    /// in the zone that is furthest ahead, the latest in the one furthest behind.
    pub(crate) fn boundary(self, end: Boundary, digits: i64) -> Option<Self> {
        if digits <= 8 {
            return self.date.boundary(end, digits).map(Self::from);
        }
        let open = Time { hour: end.pick(0, 23), minute: None, second: None, nanos: 0, fraction_digits: 0 };
        Some(Self {
            date: self.date.boundary(end, 8)?,
            time: Some(self.time.unwrap_or(open).boundary(end, digits - 8)?),
            offset_minutes: Some(self.offset_minutes.unwrap_or(end.pick(14 * 60, -12 * 60))),
        })
    }
}
