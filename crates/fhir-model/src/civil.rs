//! Days and civil dates of the proleptic Gregorian calendar.

/// A date of years 1 to 9999 when it comes from a text; arithmetic also takes others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

impl Civil {
    /// The days from 1970-01-01 to this date, which must exist.
    ///
    /// Years are counted from March, so that the leap day is the last of its year and the lengths
    /// of the months before it follow one line: 153 days in five months.
    pub(crate) const fn to_days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month_from_march = (self.month + 9) % 12;
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
    }

    /// The date that many days after 1970-01-01.
    pub(crate) const fn from_days(days: i64) -> Self {
        let days = days + DAYS_TO_EPOCH;
        let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
        // Take out the leap days: one in 4 years (1460 days), none in 100 (36 524), one in 400.
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / (DAYS_PER_ERA - 1);
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }

    /// Whether there is such a day.
    pub(crate) const fn exists(self) -> bool {
        self.year >= 1
            && self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= days_in_month(self.year, self.month)
    }
}

/// The number of days in a month from 1 to 12.
pub(crate) const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before() {
        // A walk by the rules of the calendar, day by day, over all that can be printed.
        let mut date = Civil { year: 1, month: 1, day: 1 };
        let first = date.to_days();
        assert_eq!(first, -719_162);
        let mut days = first;
        while date.year < 10_000 {
            assert!(date.exists());
            assert_eq!((date.to_days(), Civil::from_days(days)), (days, date));
            date.day += 1;
            if !date.exists() {
                date = Civil { day: 1, month: date.month + 1, ..date };
            }
            if !date.exists() {
                date = Civil { year: date.year + 1, month: 1, day: 1 };
            }
            days += 1;
        }
        assert_eq!(days, 2_932_897);
    }

    #[test]
    fn days_that_are_known() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (1900, 3, 1, -25_508),
            (2038, 1, 19, 24_855),
        ] {
            assert_eq!(Civil { year, month, day }.to_days(), days);
        }
        assert!(!Civil { year: 1900, month: 2, day: 29 }.exists());
        assert!(!Civil { year: 0, month: 1, day: 1 }.exists());
    }
}
