//! Dates and times: scanners over ASCII, and a calendar.

use fhir_definitions::FhirVersion;

use super::Fault;

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
pub(super) fn date_fault(text: &str, version: FhirVersion) -> Option<Fault> {
    let mut scanner = Scanner::new(text, version);
    scanner.has_year_zero = scanner.has_era;
    match scanner.date() {
        Some(date) if scanner.rest.is_empty() => date.fault(),
        _ => Some(Fault::Form),
    }
}

/// A date, or a whole date with time and zone.
pub(super) fn date_time_fault(text: &str, version: FhirVersion) -> Option<Fault> {
    let mut scanner = Scanner::new(text, version);
    let Some(date) = scanner.date() else { return Some(Fault::Form) };
    if scanner.rest.is_empty() || (date.day.is_some() && scanner.time_and_zone()) {
        return date.fault();
    }
    Some(Fault::Form)
}

/// A whole date with time and zone.
pub(super) fn instant_fault(text: &str, version: FhirVersion) -> Option<Fault> {
    let mut scanner = Scanner { has_era: false, ..Scanner::new(text, version) };
    match scanner.date() {
        Some(date) if date.day.is_some() && scanner.time_and_zone() => date.fault(),
        _ => Some(Fault::Form),
    }
}

/// `hh:mm:ss`, with a fraction or without.
pub(super) fn time_fault(text: &str, version: FhirVersion) -> Option<Fault> {
    let mut scanner = Scanner::new(text, version);
    // STU3 has leap seconds in `dateTime` and `instant` only.
    let second_max = if version == FhirVersion::Stu3 { 59 } else { 60 };
    super::form(scanner.time(second_max) && scanner.rest.is_empty())
}

/// A date as it was written.
struct Date {
    year: u32,
    month: u32,
    day: Option<u32>,
}

impl Date {
    fn fault(&self) -> Option<Fault> {
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        };
        self.day.filter(|day| *day > days).map(|_| Fault::NoSuchDay)
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
    version: FhirVersion,
    /// Whether a minus before the year is allowed.
    has_era: bool,
    /// Whether there is a year 0000.
    has_year_zero: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, version: FhirVersion) -> Self {
        Self { rest: text.as_bytes(), version, has_era: version == FhirVersion::Stu3, has_year_zero: false }
    }

    /// Takes `expected` if it comes next.
    fn take(&mut self, expected: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == expected => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes two digits that are a number from `low` to `high`.
    fn two(&mut self, low: u32, high: u32) -> Option<u32> {
        let (digits, rest) = self.rest.split_first_chunk::<2>()?;
        let value = number(digits)?;
        self.rest = rest;
        (low..=high).contains(&value).then_some(value)
    }

    fn date(&mut self) -> Option<Date> {
        if self.has_era {
            self.take(b'-');
        }
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        let year = number(digits)?;
        self.rest = rest;
        if year == 0 && !self.has_year_zero {
            return None;
        }
        let mut date = Date { year, month: 1, day: None };
        if self.take(b'-') {
            date.month = self.two(1, 12)?;
            if self.take(b'-') {
                date.day = Some(self.two(1, 31)?);
            }
        }
        Some(date)
    }

    /// `Thh:mm:ss`, zone, and nothing more.
    fn time_and_zone(&mut self) -> bool {
        self.take(b'T') && self.time(60) && self.zone() && self.rest.is_empty()
    }

    fn time(&mut self, second_max: u32) -> bool {
        let is_time = self.two(0, 23).is_some()
            && self.take(b':')
            && self.two(0, 59).is_some()
            && self.take(b':')
            && self.two(0, second_max).is_some();
        is_time && (!self.take(b'.') || self.fraction())
    }

    /// One digit at least; nine at most in R5.
    fn fraction(&mut self) -> bool {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = self.rest.get(length..).unwrap_or_default();
        length > 0 && (length <= 9 || self.version < FhirVersion::R5)
    }

    /// `Z`, or an offset of at most 14 hours.
    fn zone(&mut self) -> bool {
        if self.take(b'Z') {
            return true;
        }
        if !self.take(b'+') && !self.take(b'-') {
            return false;
        }
        let Some(hours) = self.two(0, 14) else { return false };
        self.take(b':') && self.two(0, if hours == 14 { 0 } else { 59 }).is_some()
    }
}

/// The value of ASCII digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}
