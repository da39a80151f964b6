use std::cmp::Ordering;

use super::calendar::{civil_from_days, days_from_civil};
use super::*;

#[test]
fn every_day_from_1800_to_2200_survives_the_calendar() {
    let (first, last) = (days_from_civil(1800, 1, 1), days_from_civil(2200, 12, 31));
    assert_eq!(days_from_civil(1970, 1, 1), 0);
    let mut previous = (1799, 12, 31);
    for days in first..=last {
        let here = civil_from_days(days);
        assert_eq!(days_from_civil(here.0, here.1, here.2), days);
        assert!(here > previous);
        previous = here;
    }
    assert_eq!(previous, (2200, 12, 31));
}

#[test]
fn text_that_is_a_moment_prints_as_it_was_read() {
    for text in [
        "2015",
        "2015-02",
        "2015-02-28",
        "2016-02-29",
        "2015-02-04T14",
        "2015-02-04T14:34",
        "2015-02-04T14:34:28",
        "2015-02-04T14:34:28.1",
        "2015-02-04T14:34:28.123456789Z",
        "2015-02-04T14:34-05:30",
        "0001-01-01",
        "9999-12-31",
    ] {
        assert_eq!(DateTime::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "215",
        "20155",
        "0000",
        "2015-",
        "2015-13",
        "2015-00",
        "2015-02-29",
        "2015-2-1",
        "2015-02-04T24",
        "2015-02-04T14:60",
        "2015-02-04T14:34:61",
        "2015-02-04T14:34.5",
        "2015-02-04T14:34:28.",
        "2015-02-04T14+15:00",
        "2015-02T14",
        "2015-02-04T14:34:28Zx",
        "2015-02-04T14+0200",
        "x015",
        "2015-02-04Z",
    ] {
        assert_eq!(DateTime::parse(text), None, "for {text}");
    }
}

#[test]
fn comparison_is_open_where_precision_is() {
    use Ordering::{Equal, Greater, Less};
    for (left, right, order) in [
        ("2012", "2012", Some(Equal)),
        ("2012", "2013", Some(Less)),
        ("2012", "2012-01", None),
        ("2012-04-15", "2012-04-15T10:00:00", None),
        ("2012-04-15T10", "2012-04-15T10:30", None),
        ("2012-04-15T10:00:00", "2012-04-15T10:00:00.0", Some(Equal)),
        ("2012-04-15T10:00:00", "2012-04-15T10:00:00.001", Some(Less)),
        ("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", Some(Equal)),
        ("2012-04-15T15:00:00Z", "2012-04-15T15:00:00", None),
        ("2012-04-15T15:00:00Z", "2012-04-14T00:00:00", Some(Greater)),
        ("2012-04-15T15:00:00", "2012-04-17T15:00:00Z", Some(Less)),
    ] {
        let (left, right) = (DateTime::parse(left).unwrap(), DateTime::parse(right).unwrap());
        assert_eq!(left.compare(right), order, "{left} and {right}");
        assert_eq!(right.compare(left), order.map(Ordering::reverse), "{right} and {left}");
    }
}
