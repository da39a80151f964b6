//! Points and spans of time, as FHIR writes them. No clock: the time now is an argument.

use std::fmt;
use std::str::FromStr;

use crate::civil::{Civil, days_in_month};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999.
///
/// `Display` is the FHIR `instant` with three digits and `Z`; what is beyond milliseconds is cut,
/// so that order is kept: a later instant never prints as an earlier one.
///
/// ```
/// use fhir_model::Instant;
///
/// let at = Instant::from_micros(784_111_777_123_456);
/// assert_eq!(at.to_string(), "1994-11-06T08:49:37.123Z");
/// assert_eq!(at.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
/// assert_eq!("1994-11-06T09:49:37.123456+01:00".parse(), Ok(at));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// The span that a FHIR `date`, `dateTime` or `instant` covers at its precision.
///
/// ```
/// use fhir_model::{Interval, Precision};
///
/// let february: Interval = "2024-02".parse().unwrap();
/// assert_eq!(february.precision, Precision::Month);
/// assert_eq!((february.high_micros - february.low_micros) / 86_400_000_000, 29);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The first microsecond inside, since 1970-01-01T00:00:00Z.
    pub low_micros: i64,
    /// The first microsecond after it.
    pub high_micros: i64,
    /// How precisely it was written.
    pub precision: Precision,
    /// Whether a time zone was written. Without one the text is read as UTC.
    pub zoned: bool,
}

/// How precisely a date or time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2024`
    Year,
    /// `2024-02`
    Month,
    /// `2024-02-29`
    Day,
    /// `2024-02-29T12:30Z`: only in searches (FHIR, search, `date`).
    Minute,
    /// `2024-02-29T12:30:00Z`
    Second,
    /// `2024-02-29T12:30:00.5Z`: this many digits of the second.
    Fraction(u8),
}

/// Why a text is no point or span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstantError {
    /// It does not have the form `YYYY[-MM[-DD[Thh:mm[:ss[.fff]][Z|+hh:mm|-hh:mm]]]]`.
    Form,
    /// There is no such day.
    NoSuchDay,
    /// There is no such time of day.
    NoSuchTime,
    /// There is no such time zone: at most 14 hours from UTC.
    NoSuchZone,
    /// An instant needs date, time with seconds, and zone; one of them is not there.
    NotPrecise,
    /// It lies outside of the years 1 to 9999 in UTC.
    OutOfRange,
}

impl Instant {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(Civil { year: 1, month: 1, day: 1 }.to_days() * MICROS_PER_DAY);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(Civil { year: 10_000, month: 1, day: 1 }.to_days() * MICROS_PER_DAY - 1);

    /// The instant that many microseconds after 1970-01-01T00:00:00Z, or the nearest of
    /// [`Instant::MIN`] and [`Instant::MAX`] if it lies outside of them.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant cut to the millisecond: what `Display` tells of it.
    #[must_use]
    pub const fn cut_to_millis(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000))
    }

    /// This instant cut to the second: what [`Instant::http_date`] tells of it.
    #[must_use]
    pub const fn cut_to_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(MICROS_PER_SECOND))
    }

    /// Appends the FHIR `instant`, 24 bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fhir_bytes());
    }

    /// The HTTP-date (RFC 9110 section 5.6.7, IMF-fixdate), 29 characters.
    pub fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let parts = self.parts();
        let weekday = nth(&DAYS, self.0.div_euclid(MICROS_PER_DAY).rem_euclid(7));
        let Civil { year, month, day } = parts.date;
        let month = nth(&MONTHS, month - 1);
        let (hour, minute, second) = (parts.hour, parts.minute, parts.second);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    fn fhir_bytes(self) -> [u8; 24] {
        let parts = self.parts();
        let mut out = *b"0000-00-00T00:00:00.000Z";
        let fields = [
            (0..4, parts.date.year),
            (5..7, parts.date.month),
            (8..10, parts.date.day),
            (11..13, parts.hour),
            (14..16, parts.minute),
            (17..19, parts.second),
            (20..23, parts.milli),
        ];
        for (place, value) in fields {
            let mut rest = value.unsigned_abs();
            for digit in out.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out
    }

    const fn parts(self) -> Parts {
        let in_day = self.0.rem_euclid(MICROS_PER_DAY);
        let in_minute = in_day % MICROS_PER_MINUTE;
        Parts {
            date: Civil::from_days(self.0.div_euclid(MICROS_PER_DAY)),
            hour: in_day / (60 * MICROS_PER_MINUTE),
            minute: in_day / MICROS_PER_MINUTE % 60,
            second: in_minute / MICROS_PER_SECOND,
            milli: in_minute % MICROS_PER_SECOND / 1_000,
        }
    }
}

/// A point in time taken apart, in UTC.
struct Parts {
    date: Civil,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
}

fn nth<'a>(names: &[&'a str], index: i64) -> &'a str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

impl FromStr for Instant {
    type Err = InstantError;

    /// Reads a FHIR `instant`: seconds and a time zone are needed. Digits beyond microseconds are
    /// cut; the leap second `:60` is the first second of the next minute.
    fn from_str(text: &str) -> Result<Self, InstantError> {
        let interval: Interval = text.parse()?;
        if interval.precision < Precision::Second || !interval.zoned {
            return Err(InstantError::NotPrecise);
        }
        let instant = Self::from_micros(interval.low_micros);
        if instant.0 == interval.low_micros { Ok(instant) } else { Err(InstantError::OutOfRange) }
    }
}

impl FromStr for Interval {
    type Err = InstantError;

    /// Reads a FHIR `date`, `dateTime` or `instant`, or a time to the minute, as in searches.
    fn from_str(text: &str) -> Result<Self, InstantError> {
        let mut rest = Rest(text.as_bytes());
        let mut date = Civil { year: rest.digits(4)?, month: 1, day: 1 };
        let mut precision = Precision::Year;
        if rest.take(b'-') {
            date.month = rest.digits(2)?;
            precision = Precision::Month;
            if rest.take(b'-') {
                date.day = rest.digits(2)?;
                precision = Precision::Day;
            }
        }
        if !date.exists() {
            return Err(InstantError::NoSuchDay);
        }
        let midnight = date.to_days() * MICROS_PER_DAY;
        let days = match precision {
            Precision::Year => Civil { year: date.year + 1, ..date }.to_days() - date.to_days(),
            Precision::Month => days_in_month(date.year, date.month),
            _ => 1,
        };
        let whole = Self { low_micros: midnight, high_micros: midnight, precision, zoned: false };
        if precision == Precision::Day && rest.take(b'T') {
            return time_of_day(whole, rest);
        }
        rest.end()?;
        Ok(Self { high_micros: midnight + days * MICROS_PER_DAY, ..whole })
    }
}

/// Reads what follows the `T` of the day that starts at both ends of `day`.
fn time_of_day(day: Interval, mut rest: Rest<'_>) -> Result<Interval, InstantError> {
    let hour = rest.digits(2)?;
    rest.expect(b':')?;
    let minute = rest.digits(2)?;
    if hour > 23 || minute > 59 {
        return Err(InstantError::NoSuchTime);
    }
    let mut low = day.low_micros + (hour * 60 + minute) * MICROS_PER_MINUTE;
    let (mut width, mut precision) = (MICROS_PER_MINUTE, Precision::Minute);
    if rest.take(b':') {
        let second = rest.digits(2)?;
        if second > 60 {
            return Err(InstantError::NoSuchTime);
        }
        low += second * MICROS_PER_SECOND;
        (width, precision) = (MICROS_PER_SECOND, Precision::Second);
        if rest.take(b'.') {
            let fraction = rest.fraction()?;
            low += fraction.micros;
            (width, precision) = (fraction.width_micros, Precision::Fraction(fraction.digits));
        }
    }
    let zone = rest.zone()?;
    rest.end()?;
    low -= zone.unwrap_or(0) * MICROS_PER_MINUTE;
    Ok(Interval { low_micros: low, high_micros: low + width, precision, zoned: zone.is_some() })
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

struct Fraction {
    micros: i64,
    width_micros: i64,
    digits: u8,
}

impl Rest<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let (found, rest) = match self.0.split_first() {
            Some((&first, rest)) if first == byte => (true, rest),
            _ => (false, self.0),
        };
        self.0 = rest;
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), InstantError> {
        if self.take(byte) { Ok(()) } else { Err(InstantError::Form) }
    }

    fn digit(&mut self) -> Option<i64> {
        let (&first, rest) = self.0.split_first()?;
        let digit = char::from(first).to_digit(10)?;
        self.0 = rest;
        Some(i64::from(digit))
    }

    fn digits(&mut self, count: usize) -> Result<i64, InstantError> {
        (0..count).try_fold(0, |value, _| Ok(value * 10 + self.digit().ok_or(InstantError::Form)?))
    }

    /// One digit or more after the point; from the seventh on they are read and dropped.
    fn fraction(&mut self) -> Result<Fraction, InstantError> {
        let mut fraction = Fraction { micros: 0, width_micros: MICROS_PER_SECOND, digits: 0 };
        while let Some(digit) = self.digit() {
            fraction.digits = fraction.digits.saturating_add(1);
            if fraction.width_micros > 1 {
                fraction.width_micros /= 10;
                fraction.micros += digit * fraction.width_micros;
            }
        }
        if fraction.digits == 0 { Err(InstantError::Form) } else { Ok(fraction) }
    }

    /// `Z` or an offset, in minutes east of UTC.
    fn zone(&mut self) -> Result<Option<i64>, InstantError> {
        if self.take(b'Z') {
            return Ok(Some(0));
        }
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return Ok(None);
        };
        let hours = self.digits(2)?;
        self.expect(b':')?;
        let minutes = self.digits(2)?;
        if minutes > 59 || hours * 60 + minutes > 14 * 60 {
            return Err(InstantError::NoSuchZone);
        }
        Ok(Some(sign * (hours * 60 + minutes)))
    }

    fn end(&self) -> Result<(), InstantError> {
        if self.0.is_empty() { Ok(()) } else { Err(InstantError::Form) }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.fhir_bytes()))
    }
}

impl fmt::Display for InstantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "dates and times are written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00",
            Self::NoSuchDay => "there is no such day",
            Self::NoSuchTime => "there is no such time of day: hours end at 23, minutes at 59",
            Self::NoSuchZone => "there is no such time zone: offsets end at 14:00",
            Self::NotPrecise => "an instant is written with seconds and a time zone: YYYY-MM-DDThh:mm:ss.sssZ",
            Self::OutOfRange => "times lie in the years 0001 to 9999 in UTC",
        })
    }
}

impl std::error::Error for InstantError {}

#[cfg(test)]
mod tests;
