//! The order of what is found: by values that bytes stand for.

use core::cmp::Ordering;

use compact_str::CompactString;

use crate::{Interval, Number, Reference, Seq, Term, Timestamp, Value};

/// One key of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// What is compared.
    pub by: SortBy,
    /// Whether large values come first. What has no value comes last either way.
    pub descending: bool,
}

/// What an order compares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// The values of any of these parameters: the lowest of a resource, or the highest where large
    /// values come first.
    Params(Vec<CompactString>),
    /// The id.
    Id,
    /// When the newest version was committed.
    Updated,
}

/// A value in an order, as bytes that compare as it does; `None` where there is none.
pub type SortValue = Option<Vec<u8>>;

/// Longer texts are compared by so many bytes.
pub const SORT_BYTES_MAX: usize = 64;

impl SortKey {
    /// The order of two values.
    pub fn compare(&self, left: &SortValue, right: &SortValue) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
            (left, right) => left.is_none().cmp(&right.is_none()),
        }
    }

    /// The value of a version with these terms.
    pub fn value_of(&self, id: &str, seq: Seq, terms: &[Term]) -> SortValue {
        match &self.by {
            SortBy::Id => Some(sort_text(id.as_bytes())),
            SortBy::Updated => Some(sort_seq(seq)),
            SortBy::Params(params) => {
                let own = terms.iter().filter(|term| params.contains(&term.param));
                self.choose(own.filter_map(|term| sort_value(&term.value, self.descending)))
            }
        }
    }

    /// Of several values the one that counts.
    pub fn choose(&self, values: impl Iterator<Item = Vec<u8>>) -> SortValue {
        if self.descending { values.max() } else { values.min() }
    }
}

/// The order of two places in a walk: by values, then by place.
pub fn compare_marks<P: Ord>(
    order: &[SortKey],
    (left, left_place): (&[SortValue], P),
    (right, right_place): (&[SortValue], P),
) -> Ordering {
    let keys = order.iter().zip(left.iter().zip(right));
    let by_value = keys.map(|(key, (left, right))| key.compare(left, right)).find(|order| order.is_ne());
    by_value.unwrap_or_else(|| left_place.cmp(&right_place))
}

/// The bytes of a value. Composites, positions and words have no order.
pub fn sort_value(value: &Value, descending: bool) -> Option<Vec<u8>> {
    Some(match value {
        Value::Token(coding) => sort_text(coding.code.as_bytes()),
        Value::Text { normal, .. } => sort_text(normal.as_bytes()),
        Value::Reference(Reference::Local(key)) => sort_text(key.to_string().as_bytes()),
        Value::Reference(Reference::External(text)) | Value::Uri(text) => sort_text(text.as_bytes()),
        Value::Date(Interval { low, high }) => sort_instant(if descending { *high } else { *low }).to_vec(),
        Value::Number(value) | Value::Quantity { value, .. } => sort_number(*value).to_vec(),
        Value::Composite(_) | Value::Position(_) | Value::Words(_) => return None,
    })
}

/// The bytes of a text, cut to [`SORT_BYTES_MAX`].
pub fn sort_text(text: &[u8]) -> Vec<u8> {
    text.get(..SORT_BYTES_MAX).unwrap_or(text).to_vec()
}

/// The bytes of a place in the commit order.
pub fn sort_seq(seq: Seq) -> Vec<u8> {
    seq.0.to_be_bytes().to_vec()
}

const SIGN: u64 = 1 << 63;

/// The bytes of an instant.
pub fn sort_instant(instant: Timestamp) -> [u8; 8] {
    (instant.0.cast_unsigned() ^ SIGN).to_be_bytes()
}

/// The bytes of a number. Those of negative numbers are turned over, so that larger ones come first.
pub fn sort_number(number: Number) -> [u8; 8] {
    let bits = number.get().to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    ordered.to_be_bytes()
}

/// The number that these bytes stand for; `None` if they stand for none.
pub fn sorted_number(bytes: [u8; 8]) -> Option<Number> {
    let ordered = u64::from_be_bytes(bytes);
    Number::new(f64::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered ^ SIGN }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> Vec<u8> {
        sort_number(Number::new(value).unwrap()).to_vec()
    }

    #[test]
    fn bytes_compare_as_values_do() {
        for pair in [-1e300, -2.0, -0.5, 0.0, 0.5, 1e300].windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
            let back = sorted_number(number(pair[0]).try_into().unwrap());
            assert_eq!(back, Number::new(pair[0]), "{pair:?}");
        }
        for pair in [i64::MIN, -1, 0, 1, i64::MAX].windows(2) {
            assert!(sort_instant(Timestamp(pair[0])) < sort_instant(Timestamp(pair[1])), "{pair:?}");
        }
        assert!(sort_seq(Seq(255)) < sort_seq(Seq(256)));
    }

    #[test]
    fn what_has_no_value_comes_last_either_way() {
        for descending in [false, true] {
            let key = SortKey { by: SortBy::Id, descending };
            assert_eq!(key.compare(&None, &Some(vec![9])), Ordering::Greater);
            assert_eq!(key.compare(&Some(vec![9]), &None), Ordering::Less);
            assert_eq!(key.compare(&None, &None), Ordering::Equal);
            let expected = if descending { Ordering::Greater } else { Ordering::Less };
            assert_eq!(key.compare(&Some(vec![1]), &Some(vec![2])), expected);
        }
    }

    #[test]
    fn the_lowest_value_counts_and_the_highest_where_large_ones_come_first() {
        let term = |param: &str, value: f64| Term::new(param, Value::Number(Number::new(value).unwrap()));
        let terms = [term("p", 3.0), term("p", 1.0), term("q", 7.0), term("r", 0.0)];
        let by = || SortBy::Params(vec!["p".into(), "q".into()]);
        let value = |descending| SortKey { by: by(), descending }.value_of("id", Seq(1), &terms);
        assert_eq!((value(false), value(true)), (Some(number(1.0)), Some(number(7.0))));
        let none = SortKey { by: SortBy::Params(vec!["s".into()]), descending: false };
        assert_eq!(none.value_of("id", Seq(1), &terms), None);
    }

    #[test]
    fn ties_are_broken_by_place() {
        let order = [SortKey { by: SortBy::Id, descending: true }];
        let at = |value: u8| vec![Some(vec![value])];
        assert_eq!(compare_marks(&order, (&at(1), 5), (&at(1), 6)), Ordering::Less);
        assert_eq!(compare_marks(&order, (&at(1), 5), (&at(2), 4)), Ordering::Greater);
    }
}
