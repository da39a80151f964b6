//! HTTP-date (RFC 9110 5.6.7) to seconds since the epoch, in its three forms.

/// A moment with a grain of one second: seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate(pub i64);

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const LONG_DAYS: [&[u8]; 7] =
    [b"Sunday", b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday"];

/// Reads an HTTP-date: `Sun, 06 Nov 1994 08:49:37 GMT`, or one of the two obsolete forms that
/// recipients must accept (`Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`).
///
/// `None` for anything else, an impossible date included. The day of the week has to be a name
/// of one but need not fit the date. Two-digit years below 70 are read as 20xx: the rule of
/// RFC 9110 needs a clock, and this crate has none.
pub fn parse_http_date(bytes: &[u8]) -> Option<HttpDate> {
    let text = bytes.trim_ascii();
    let mut parts = Parts { rest: text };
    if let Some(date) = parts.imf_fixdate() {
        return Some(date);
    }
    let mut parts = Parts { rest: text };
    if let Some(date) = parts.rfc850() {
        return Some(date);
    }
    Parts { rest: text }.asctime()
}

struct Parts<'a> {
    rest: &'a [u8],
}

impl Parts<'_> {
    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.rest.split_at_checked(digits)?;
        let mut value = 0;
        for byte in head {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        self.rest = rest;
        Some(value)
    }

    fn name(&mut self, names: &[&[u8]]) -> Option<i64> {
        let index = names.iter().position(|name| self.rest.starts_with(name))?;
        self.rest = &self.rest[names[index].len()..];
        i64::try_from(index).ok()
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.literal(b":")?;
        let minute = self.number(2)?;
        self.literal(b":")?;
        let second = self.number(2)?;
        // 60 is a leap second; it is read as the second after 59.
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    fn imf_fixdate(&mut self) -> Option<HttpDate> {
        self.name(&DAYS)?;
        self.literal(b", ")?;
        let day = self.number(2)?;
        self.literal(b" ")?;
        let month = self.name(&MONTHS)?;
        self.literal(b" ")?;
        let year = self.number(4)?;
        self.literal(b" ")?;
        let time = self.time()?;
        self.literal(b" GMT")?;
        self.end()?;
        seconds(year, month + 1, day, time)
    }

    fn rfc850(&mut self) -> Option<HttpDate> {
        self.name(&LONG_DAYS)?;
        self.literal(b", ")?;
        let day = self.number(2)?;
        self.literal(b"-")?;
        let month = self.name(&MONTHS)?;
        self.literal(b"-")?;
        let short_year = self.number(2)?;
        self.literal(b" ")?;
        let time = self.time()?;
        self.literal(b" GMT")?;
        self.end()?;
        let year = short_year + if short_year < 70 { 2000 } else { 1900 };
        seconds(year, month + 1, day, time)
    }

    fn asctime(&mut self) -> Option<HttpDate> {
        self.name(&DAYS)?;
        self.literal(b" ")?;
        let month = self.name(&MONTHS)?;
        self.literal(b" ")?;
        let day = if self.rest.first() == Some(&b' ') {
            self.literal(b" ")?;
            self.number(1)?
        } else {
            self.number(2)?
        };
        self.literal(b" ")?;
        let time = self.time()?;
        self.literal(b" ")?;
        let year = self.number(4)?;
        self.end()?;
        seconds(year, month + 1, day, time)
    }
}

/// 1 March of year 0 to 1 January 1970.
const DAYS_FROM_YEAR_0_TO_1970: i64 = 719_468;

/// Seconds since the epoch of a proleptic Gregorian date, or `None` if there is no such day.
fn seconds(year: i64, month: i64, day: i64, time: i64) -> Option<HttpDate> {
    if day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Count from 1 March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    Some(HttpDate((days - DAYS_FROM_YEAR_0_TO_1970) * 86_400 + time))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse_http_date(text.as_bytes()).map(|date| date.0), expected, "{text}");
    }

    #[test]
    fn the_three_forms_of_one_moment() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("  Sun, 06 Nov 1994 08:49:37 GMT ", Some(784_111_777));
    }

    #[test]
    fn the_epoch_and_leap_days() {
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400));
        check("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000));
        check("Thu, 29 Feb 1900 00:00:00 GMT", None);
        check("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1));
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "yesterday",
            "2018-05-25T16:09:50Z",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let mut expected = seconds(1900, 1, 1, 0).map(|date| date.0);
        for year in 1900..=2100 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let Some(date) = seconds(year, month, day, 0) else { continue };
                    assert_eq!(Some(date.0), expected, "{year}-{month}-{day}");
                    expected = Some(date.0 + 86_400);
                }
            }
        }
    }
}
