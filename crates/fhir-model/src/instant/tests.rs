use super::*;

fn interval(text: &str) -> Result<(i64, i64), InstantError> {
    text.parse::<Interval>().map(|interval| (interval.low_micros, interval.high_micros))
}

fn instant(text: &str) -> Result<i64, InstantError> {
    text.parse::<Instant>().map(Instant::micros)
}

#[test]
fn every_day_from_1900_to_2100_prints_what_it_is_read_from() {
    let first = Civil { year: 1900, month: 1, day: 1 }.to_days();
    let last = Civil { year: 2100, month: 12, day: 31 }.to_days();
    for (days, millis) in (first..=last).zip((0..86_400_000).step_by(997_003).cycle()) {
        let at = Instant::from_micros(days * MICROS_PER_DAY + millis * 1_000);
        let printed = at.to_string();
        assert_eq!(instant(&printed), Ok(at.micros()), "{printed}");
        let (low, high) = interval(&printed[..10]).unwrap();
        assert_eq!((low, high), (days * MICROS_PER_DAY, (days + 1) * MICROS_PER_DAY));
        let http_date = at.http_date();
        assert_eq!(http_date.len(), 29);
        assert_eq!((&http_date[5..7], &http_date[12..16]), (&printed[8..10], &printed[..4]));
        assert_eq!(http_date[17..25], printed[11..19]);
    }
}

#[test]
fn points_that_are_known() {
    for (text, seconds, http_date) in [
        ("1970-01-01T00:00:00.000Z", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("1969-12-31T23:59:59.000Z", -1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("1994-11-06T08:49:37.000Z", 784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("2001-09-09T01:46:40.000Z", 1_000_000_000, "Sun, 09 Sep 2001 01:46:40 GMT"),
        ("2024-02-29T12:00:00.000Z", 1_709_208_000, "Thu, 29 Feb 2024 12:00:00 GMT"),
        ("2038-01-19T03:14:08.000Z", 2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
        ("0001-01-01T00:00:00.000Z", -62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ("9999-12-31T23:59:59.000Z", 253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let at = Instant::from_micros(seconds * MICROS_PER_SECOND);
        assert_eq!(at.to_string(), text);
        assert_eq!(at.http_date(), http_date);
        assert_eq!(instant(text), Ok(at.micros()));
    }
}

#[test]
fn printing_cuts_towards_the_past_and_never_beyond_its_range() {
    let print = |micros| Instant::from_micros(micros).to_string();
    assert_eq!(print(1_999), "1970-01-01T00:00:00.001Z");
    assert_eq!(print(-1), "1969-12-31T23:59:59.999Z");
    assert_eq!(print(-1_001), "1969-12-31T23:59:59.998Z");
    assert_eq!(print(i64::MIN), "0001-01-01T00:00:00.000Z");
    assert_eq!(print(i64::MAX), "9999-12-31T23:59:59.999Z");
    assert_eq!(Instant::from_micros(-1).cut_to_millis().micros(), -1_000);
    assert_eq!(Instant::from_micros(-1).cut_to_seconds().micros(), -1_000_000);
    assert_eq!(Instant::from_micros(1_999_999).cut_to_seconds().micros(), 1_000_000);
}

#[test]
fn intervals_are_as_wide_as_what_was_written() {
    let day = MICROS_PER_DAY;
    assert_eq!(interval("1970"), Ok((0, 365 * day)));
    assert_eq!(interval("1972"), Ok((730 * day, 1096 * day)));
    assert_eq!(interval("1970-02"), Ok((31 * day, 59 * day)));
    assert_eq!(interval("1970-12"), Ok((334 * day, 365 * day)));
    assert_eq!(interval("1970-01-02"), Ok((day, 2 * day)));
    assert_eq!(interval("1970-01-01T00:01"), Ok((60_000_000, 120_000_000)));
    assert_eq!(interval("1970-01-01T00:01Z"), Ok((60_000_000, 120_000_000)));
    assert_eq!(interval("1970-01-01T00:00:01Z"), Ok((1_000_000, 2_000_000)));
    assert_eq!(interval("1970-01-01T00:00:00.5Z"), Ok((500_000, 600_000)));
    assert_eq!(interval("1970-01-01T00:00:00.123456Z"), Ok((123_456, 123_457)));
    assert_eq!(interval("1970-01-01T00:00:00.1234567890123Z"), Ok((123_456, 123_457)));
    assert_eq!(interval("1970-01-01T01:00:00+01:00"), Ok((0, 1_000_000)));
    assert_eq!(interval("1969-12-31T14:30:00-09:30"), Ok((0, 1_000_000)));
    assert_eq!(interval("9999"), Ok((253_370_764_800_000_000, 253_402_300_800_000_000)));
    assert_eq!(interval("1970-01-01T00:00:60Z"), Ok((60_000_000, 61_000_000)));
    let precision = |text: &str| text.parse::<Interval>().unwrap().precision;
    assert_eq!(precision("1970-01-01T00:00:00.50Z"), Precision::Fraction(2));
    assert!(precision("1970-01-01T00:00") < precision("1970-01-01T00:00:00"));
}

#[test]
fn what_does_not_exist_is_refused() {
    use InstantError::{Form, NoSuchDay, NoSuchTime, NoSuchZone, NotPrecise, OutOfRange};
    for (text, error) in [
        ("", Form),
        ("197", Form),
        ("19700", Form),
        ("1970-", Form),
        ("1970-1", Form),
        ("1970-01-1", Form),
        ("1970-01-01T", Form),
        ("1970-01T00:00:00Z", Form),
        ("1970-01-01T00", Form),
        ("1970-01-01T00:00:", Form),
        ("1970-01-01T00:00:00.Z", Form),
        ("1970-01-01T00:00:00z", Form),
        ("1970-01-01 00:00:00Z", Form),
        ("1970-01-01T00:00:00+0100", Form),
        ("1970-01-01Z", Form),
        ("-970-01-01", Form),
        ("+970", Form),
        ("1970-01-01T00:00:00ZZ", Form),
        ("\u{661}970", Form),
        (" 1970", Form),
        ("0000", NoSuchDay),
        ("1970-00", NoSuchDay),
        ("1970-13", NoSuchDay),
        ("1970-01-00", NoSuchDay),
        ("1970-02-29", NoSuchDay),
        ("1900-02-29", NoSuchDay),
        ("2000-02-30", NoSuchDay),
        ("2023-04-31", NoSuchDay),
        ("1970-01-01T24:00:00Z", NoSuchTime),
        ("1970-01-01T00:60:00Z", NoSuchTime),
        ("1970-01-01T00:00:61Z", NoSuchTime),
        ("1970-01-01T00:00:00+14:01", NoSuchZone),
        ("1970-01-01T00:00:00-15:00", NoSuchZone),
        ("1970-01-01T00:00:00+01:60", NoSuchZone),
    ] {
        assert_eq!(interval(text), Err(error), "for {text:?}");
        assert_eq!(instant(text), Err(error), "for {text:?}");
    }
    for text in ["1970", "1970-01", "1970-01-01", "1970-01-01T00:00Z", "1970-01-01T00:00:00"] {
        assert_eq!(instant(text), Err(NotPrecise), "for {text:?}");
    }
    assert_eq!(instant("0001-01-01T00:00:00+00:01"), Err(OutOfRange));
    assert_eq!(instant("9999-12-31T23:59:00-00:01"), Err(OutOfRange));
    assert_eq!(instant("9999-12-31T23:59:60Z"), Err(OutOfRange));
}
