//! Cursors of searches: a place in a walk, bound to the search that it belongs to.
//!
//! `s2-PLACE-BEGAN-VALUES-CHECK`. The check covers the search too, so that a cursor that was altered, or that is used
//! with another search, is refused rather than misread. It is no secret: a cursor gives nothing that the search would not.

use storage_api::{Mark, Place, Seq, SortValue};

/// The form of cursors; one of another form is refused.
const FORM: &str = "s2";

/// A key without a value.
const NONE: &str = "~";

/// The cursor that continues a search behind a mark. `search` is the search as text.
pub(crate) fn write(mark: &Mark, search: &str) -> String {
    let values: Vec<String> = mark.values.iter().map(write_value).collect();
    let content = format!("{FORM}-{}-{}-{}", mark.place.0, mark.began.0, values.join("."));
    let check = check(&content, search);
    format!("{content}-{check:016x}")
}

/// A cursor is taken only in the spelling that [`write`] gives it, with as many values as the order has keys.
pub(crate) fn read(text: &str, search: &str, keys: usize) -> Option<Mark> {
    let parts: Vec<&str> = text.split('-').collect();
    let [FORM, place, began, values, _] = parts.as_slice() else { return None };
    let values = match *values {
        "" => Vec::new(),
        values => values.split('.').map(read_value).collect::<Option<_>>()?,
    };
    let mark = Mark { place: Place(place.parse().ok()?), began: Seq(began.parse().ok()?), values };
    (mark.values.len() == keys && write(&mark, search) == text).then_some(mark)
}

fn write_value(value: &SortValue) -> String {
    let Some(bytes) = value else { return NONE.to_owned() };
    // An empty value is not the same as none at all.
    bytes.iter().fold("x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn read_value(text: &str) -> Option<SortValue> {
    if text == NONE {
        return Some(None);
    }
    let digits = text.strip_prefix('x')?.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>().map(Some)
}

/// FNV-1a over both, with the bits mixed at the end.
fn check(content: &str, search: &str) -> u64 {
    let bytes = search.bytes().chain([0]).chain(content.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(values: Vec<SortValue>) -> Mark {
        Mark { place: Place(17), began: Seq(9), values }
    }

    #[test]
    fn cursors_come_back_as_they_were() {
        for values in [vec![], vec![None], vec![Some(vec![])], vec![Some(vec![0, 255]), None]] {
            let keys = values.len();
            let text = write(&mark(values.clone()), "/Patient?a=b");
            assert_eq!(read(&text, "/Patient?a=b", keys), Some(mark(values)));
            assert_eq!(read(&text, "/Patient?a=c", keys), None, "another search");
            assert_eq!(read(&text, "/Patient?a=b", keys + 1), None, "another order");
        }
    }

    #[test]
    fn every_change_of_a_letter_is_noticed() {
        let text = write(&mark(vec![Some(vec![1, 2]), None]), "q");
        for at in 0..text.len() {
            for letter in ["0", "1", "9", "a", "x", "~", ".", "-", "+", ""] {
                let altered = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
                assert_eq!(read(&altered, "q", 2).is_some(), altered == text, "{altered}");
            }
        }
        for bad in ["", "s1-17", "s2-17-9--0", "17", "s2", "s2----", "é"] {
            assert_eq!(read(bad, "q", 0), None, "{bad}");
        }
    }
}
