//! Reading and printing, in the forms that FHIRPath literals and FHIR primitives share.

use std::fmt;

use super::calendar::days_in_month;
use super::{Date, DateTime, Time};

impl Date {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; nothing else, and no day that does not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = parts.next().map(two_digits).transpose().ok()?;
        let day = parts.next().map(two_digits).transpose().ok()?;
        if parts.next().is_some() || year == 0 || month.is_some_and(|month| !(1..=12).contains(&month)) {
            return None;
        }
        if let (Some(month), Some(day)) = (month, day)
            && !(1..=days_in_month(i64::from(year), i64::from(month))).contains(&i64::from(day))
        {
            return None;
        }
        Some(Self { year, month, day })
    }
}

impl Time {
    /// Reads `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`; digits of the fraction beyond nine are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let (clock, fraction) = match text.split_once('.') {
            Some((clock, fraction)) => (clock, Some(fraction)),
            None => (text, None),
        };
        let mut parts = clock.split(':');
        let hour = two_digits(parts.next()?).ok()?;
        let minute = parts.next().map(two_digits).transpose().ok()?;
        let second = parts.next().map(two_digits).transpose().ok()?;
        let in_range = hour < 24 && minute.unwrap_or(0) < 60 && second.unwrap_or(0) <= 60;
        if parts.next().is_some() || !in_range || (fraction.is_some() && second.is_none()) {
            return None;
        }
        let (nanos, fraction_digits) = fraction.map_or(Some((0, 0)), nanos)?;
        Some(Self { hour, minute, second, nanos, fraction_digits })
    }
}

impl DateTime {
    /// Reads a date, or a date, `T` and a time with or without `Z` or an offset; also a date and a bare `T`, as in
    /// FHIRPath literals.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((date, rest)) = text.split_once('T') else { return Date::parse(text).map(Self::from) };
        let date = Date::parse(date)?;
        if rest.is_empty() {
            return Some(Self::from(date));
        }
        let (clock, offset_minutes) = match rest.find(['Z', '+', '-']) {
            Some(at) => (rest.get(..at)?, Some(offset(rest.get(at..)?)?)),
            None => (rest, None),
        };
        date.day?;
        Some(Self { date, time: Some(Time::parse(clock)?), offset_minutes })
    }
}

/// A number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<u16> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Something other than two digits.
struct NotTwoDigits;

fn two_digits(text: &str) -> Result<u8, NotTwoDigits> {
    digits(text, 2).and_then(|number| u8::try_from(number).ok()).ok_or(NotTwoDigits)
}

/// The nanoseconds that the digits of a fraction mean, and how many of them count.
fn nanos(fraction: &str) -> Option<(u32, u8)> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = fraction.len().min(9);
    let number: u32 = fraction.get(..kept)?.parse().ok()?;
    let kept = u8::try_from(kept).ok()?;
    Some((number * 10_u32.pow(u32::from(9 - kept)), kept))
}

/// `Z`, or a sign with hours and minutes up to 14:00.
fn offset(text: &str) -> Option<i16> {
    if text == "Z" {
        return Some(0);
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let minutes = digits(hours, 2)? * 60 + digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    let minutes = i16::try_from(minutes).ok().filter(|minutes| *minutes <= 14 * 60)?;
    Some(if text.starts_with('-') { -minutes } else { minutes })
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.hour)?;
        if let Some(minute) = self.minute {
            write!(f, ":{minute:02}")?;
        }
        if let Some(second) = self.second {
            write!(f, ":{second:02}")?;
        }
        if self.fraction_digits > 0 {
            let kept = 10_u32.pow(9 - u32::from(self.fraction_digits.min(9)));
            write!(f, ".{:0width$}", self.nanos / kept, width = usize::from(self.fraction_digits))?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    /// As in FHIR: a date alone has no `T`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        if let Some(time) = self.time {
            write!(f, "T{time}")?;
        }
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }
}
