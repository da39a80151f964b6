//! Values as bytes whose order is the order of the values, so that one table indexes all of them.
//!
//! A text ends with 00; inside of it, 00 and 01 are written as two bytes, so that the end is
//! never mistaken and the order stays. Systems and local targets are numbers from their tables.

mod positions;

use std::borrow::Cow;

use storage_api::{
    Circle, Coding, CodingTest, FIELDS, Interval, Key, NumberRange, Phrase, Reference, SystemTest, Test,
    Value, Words, is_below, sort_instant, sort_number, sort_text,
};

/// Finds the numbers that stand for systems and for resources of this store.
pub(crate) trait Names {
    /// The number of a system; `None` if it has none, so that nothing can have it.
    fn system(&mut self, system: &str) -> rusqlite::Result<Option<i64>>;

    /// The row of a resource; `None` if it has none.
    fn target(&mut self, key: &Key) -> rusqlite::Result<Option<i64>>;
}

const TOKEN: u8 = 1;
const TEXT: u8 = 2;
const LOCAL: u8 = 3;
const EXTERNAL: u8 = 4;
const DATE: u8 = 5;
const NUMBER: u8 = 6;
const QUANTITY: u8 = 7;
const URI: u8 = 8;
const COMPOSITE: u8 = 9;
const POSITION: u8 = 10;
/// Behind all others, because words are no value of which there is any.
const WORDS: u8 = 11;

/// Stands before a quantity's unit; a quantity without one ends there.
const UNIT: u8 = 1;

/// The bytes of a value; `None` if a name in it has no number.
pub(crate) fn encode(value: &Value, names: &mut impl Names) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(24);
    Ok(encode_into(&mut bytes, value, names)?.then_some(bytes))
}

fn encode_into(bytes: &mut Vec<u8>, value: &Value, names: &mut impl Names) -> rusqlite::Result<bool> {
    match value {
        Value::Token(coding) => {
            bytes.push(TOKEN);
            return push_coding(bytes, coding, names);
        }
        Value::Text { normal, original } => {
            bytes.push(TEXT);
            push_text(bytes, normal);
            push_escaped(bytes, original.as_bytes());
        }
        Value::Reference(Reference::Local(key)) => {
            let Some(res) = names.target(key)? else { return Ok(false) };
            push_local(bytes, res);
        }
        Value::Reference(Reference::External(text)) => {
            bytes.push(EXTERNAL);
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Date(span) => {
            bytes.push(DATE);
            bytes.extend(sort_instant(span.low));
            bytes.extend(sort_instant(span.high));
        }
        Value::Number(number) => {
            bytes.push(NUMBER);
            bytes.extend(sort_number(*number));
        }
        Value::Quantity { value, unit } => {
            bytes.push(QUANTITY);
            bytes.extend(sort_number(*value));
            if let Some(unit) = unit {
                bytes.push(UNIT);
                return push_coding(bytes, unit, names);
            }
        }
        Value::Uri(text) => {
            bytes.push(URI);
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Position(place) => {
            bytes.push(POSITION);
            bytes.extend(positions::encode(*place));
        }
        Value::Composite(parts) => {
            bytes.push(COMPOSITE);
            for part in parts {
                let Some(part) = encode(part, names)? else { return Ok(false) };
                push_escaped(bytes, &part);
                bytes.push(0);
            }
        }
        Value::Words(document) => {
            bytes.push(WORDS);
            for words in document {
                push_text(bytes, words.as_str());
            }
        }
    }
    Ok(true)
}

fn push_local(bytes: &mut Vec<u8>, res: i64) {
    bytes.push(LOCAL);
    push_number(bytes, res);
}

/// The bytes of a reference to a row.
pub(crate) fn local(res: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    push_local(&mut bytes, res);
    bytes
}

/// The row that a value refers to, if it is a local reference.
pub(crate) fn target_of(value: &[u8]) -> Option<i64> {
    let (length, digits) = value.strip_prefix(&[LOCAL])?.split_first()?;
    (usize::from(*length) == digits.len() && digits.len() <= 8)
        .then(|| digits.iter().fold(0, |number, digit| (number << 8) | i64::from(*digit)))
}

/// The text of a reference to elsewhere.
pub(crate) fn external_of(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.strip_prefix(&[EXTERNAL])?).ok()
}

/// The bytes of a reference to elsewhere.
pub(crate) fn external(text: &str) -> Vec<u8> {
    [&[EXTERNAL], text.as_bytes()].concat()
}

/// The text of a URI.
pub(crate) fn uri_of(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.strip_prefix(&[URI])?).ok()
}

/// The bytes of a URI.
pub(crate) fn uri(text: &str) -> Vec<u8> {
    [&[URI], text.as_bytes()].concat()
}

/// The code of a token, in whichever system.
pub(crate) fn code_of(value: &[u8]) -> Option<String> {
    let code = value.strip_prefix(&[TOKEN])?.split(|byte| *byte == 0).next()?;
    String::from_utf8(unescape(code)).ok()
}

/// The name of a part that a value is: the code of a token without system.
pub(crate) fn name_of(value: &[u8]) -> Option<String> {
    let rest = value.strip_prefix(&[TOKEN])?;
    let is_alone = rest.iter().position(|byte| *byte == 0)? + 1 == rest.len();
    code_of(value).filter(|_| is_alone)
}

/// The encoded name of the part that a value belongs to, if it belongs to one: the value itself, or what a composite ends
/// with.
pub(crate) fn part_of(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(parts) = value.strip_prefix(&[COMPOSITE]).and_then(|parts| parts.strip_suffix(&[0])) else {
        return Cow::Borrowed(value);
    };
    Cow::Owned(unescape(parts.rsplit(|byte| *byte == 0).next().unwrap_or_default()))
}

/// Whether a value is words, which another index has.
pub(crate) fn is_words(value: &[u8]) -> bool {
    value.first() == Some(&WORDS)
}

/// The fields of a value, if it is words. There is nothing in them that is written otherwise.
pub(crate) fn fields(value: &[u8]) -> Option<[&str; FIELDS]> {
    let mut found = value.strip_prefix(&[WORDS])?.split(|byte| *byte == 0);
    let mut next = || core::str::from_utf8(found.next()?).ok();
    Some([next()?, next()?])
}

/// What a value is sorted by. `name` gives the text of a reference to a row.
pub(crate) fn sort_bytes<E>(
    value: &[u8],
    descending: bool,
    name: impl FnOnce(i64) -> Result<String, E>,
) -> Result<Option<Vec<u8>>, E> {
    let Some((tag, rest)) = value.split_first() else { return Ok(None) };
    let first = || unescape(rest.split(|byte| *byte == 0).next().unwrap_or_default());
    Ok(match *tag {
        TOKEN | TEXT => Some(sort_text(&first())),
        LOCAL => target_of(value).map(name).transpose()?.map(|name| sort_text(name.as_bytes())),
        EXTERNAL | URI => Some(sort_text(rest)),
        DATE => rest.get(if descending { 8..16 } else { 0..8 }).map(<[u8]>::to_vec),
        NUMBER | QUANTITY => rest.get(..8).map(<[u8]>::to_vec),
        _ => None,
    })
}

fn push_coding(bytes: &mut Vec<u8>, coding: &Coding, names: &mut impl Names) -> rusqlite::Result<bool> {
    push_text(bytes, &coding.code);
    if let Some(system) = &coding.system {
        let Some(number) = names.system(system)? else { return Ok(false) };
        push_number(bytes, number);
    }
    Ok(true)
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_escaped(bytes, text.as_bytes());
    bytes.push(0);
}

fn push_escaped(bytes: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            0 | 1 => bytes.extend([1, byte + 1]),
            _ => bytes.push(*byte),
        }
    }
}

/// The other way round.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            1 => text.extend(rest.next().map(|byte| byte.saturating_sub(1))),
            _ => text.push(*byte),
        }
    }
    text
}

/// A number without leading zeros behind its length.
fn push_number(bytes: &mut Vec<u8>, number: i64) {
    let all = number.to_be_bytes();
    let digits = &all[number.leading_zeros() as usize / 8..];
    bytes.push(u8::try_from(digits.len()).unwrap_or_default());
    bytes.extend_from_slice(digits);
}

/// A test on encoded values: where in the index they lie, and which of those there pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Nothing passes: a name has no number.
    Never,
    /// These bytes.
    Exact(Vec<u8>),
    /// Bytes that begin like this.
    Prefix(Vec<u8>),
    /// Any value.
    Any,
    /// A coding behind these bytes, of any code, whose system has this number; an empty one is none.
    System(Vec<u8>, Vec<u8>),
    /// A text with this in its normalised form.
    Contains(Vec<u8>),
    /// A text whose normalised form ends like this.
    Ends(Vec<u8>),
    /// A URI that is this one or lies below it.
    Below(Vec<u8>),
    /// A date that lies between these ends.
    Date([u8; 8], [u8; 8]),
    /// A date whose first moment lies between the first two, and its last between the others.
    Span([[u8; 8]; 4]),
    /// A number between these, both included.
    Number([u8; 8], [u8; 8]),
    /// The same with a unit.
    Quantity([u8; 8], [u8; 8], Option<Box<Pattern>>),
    /// A URI with these bytes somewhere.
    UriContains(Vec<u8>),
    /// A position in a circle.
    Near(Circle),
    /// A composite whose parts pass.
    Composite(Vec<Pattern>),
    /// A text whose normalised form has this phrase.
    TextWords(Phrase),
    /// Words that have it.
    Words(Phrase),
}

impl Pattern {
    /// The pattern that passes for the encodings of exactly the values that pass `test`.
    pub(crate) fn of(test: &Test, names: &mut impl Names) -> rusqlite::Result<Self> {
        let exact =
            |value: Value, names| encode(&value, names).map(|bytes| bytes.map_or(Self::Never, Self::Exact));
        Ok(match test {
            Test::Present => Self::Any,
            Test::Token(test) => Self::coding(vec![TOKEN], test, names)?,
            Test::TextPrefix(start) => {
                let mut bytes = vec![TEXT];
                push_escaped(&mut bytes, start.as_bytes());
                Self::Prefix(bytes)
            }
            Test::TextContains(part) => Self::Contains(part.as_bytes().to_vec()),
            Test::TextEnds(end) => Self::Ends(end.as_bytes().to_vec()),
            Test::TextIs(normal) => {
                let mut bytes = vec![TEXT];
                push_text(&mut bytes, normal);
                Self::Prefix(bytes)
            }
            Test::TextWords(phrase) => Self::TextWords(phrase.clone()),
            Test::Words(phrase) => Self::Words(phrase.clone()),
            Test::UriBelow(above) => Self::Below(above.as_bytes().to_vec()),
            Test::Span { low, high } => {
                let ends = |span: &Interval| [sort_instant(span.low), sort_instant(span.high)];
                let ([a, b], [c, d]) = (ends(low), ends(high));
                Self::Span([a, b, c, d])
            }
            Test::Text { normal, original } => {
                exact(Value::Text { normal: normal.clone(), original: original.clone() }, names)?
            }
            Test::Reference(reference) => exact(Value::Reference(reference.clone()), names)?,
            Test::ReferencePrefix(start) => Self::Prefix(external(start)),
            Test::Uri(uri) => exact(Value::Uri(uri.clone()), names)?,
            Test::Date(span) => Self::Date(sort_instant(span.low), sort_instant(span.high)),
            Test::Number(range) => {
                let (low, high) = ends(range);
                Self::Number(low, high)
            }
            Test::Quantity { value, unit } => {
                let (low, high) = ends(value);
                let unit = unit.as_ref().map(|unit| Self::coding(vec![UNIT], unit, names)).transpose()?;
                Self::Quantity(low, high, unit.map(Box::new))
            }
            Test::UriContains(part) => Self::UriContains(part.as_bytes().to_vec()),
            Test::Near(circle) => Self::Near(*circle),
            Test::Composite(tests) => {
                let parts = tests.iter().map(|test| Self::of(test, names)).collect::<Result<_, _>>()?;
                Self::Composite(parts)
            }
        })
    }

    fn coding(mut start: Vec<u8>, test: &CodingTest, names: &mut impl Names) -> rusqlite::Result<Self> {
        let Some(code) = &test.code else { return Self::of_system(start, test, names) };
        push_text(&mut start, code);
        Ok(match &test.system {
            SystemTest::Any => Self::Prefix(start),
            SystemTest::None => Self::Exact(start),
            SystemTest::Is(system) => match names.system(system)? {
                Some(number) => {
                    push_number(&mut start, number);
                    Self::Exact(start)
                }
                None => Self::Never,
            },
        })
    }

    /// Any code, of one system, of none, or of whatever.
    fn of_system(start: Vec<u8>, test: &CodingTest, names: &mut impl Names) -> rusqlite::Result<Self> {
        Ok(match &test.system {
            SystemTest::Any => Self::Prefix(start),
            SystemTest::None => Self::System(start, Vec::new()),
            SystemTest::Is(system) => names.system(system)?.map_or(Self::Never, |number| {
                let mut bytes = Vec::new();
                push_number(&mut bytes, number);
                Self::System(start, bytes)
            }),
        })
    }

    /// From where to where the values lie that can pass; the end is excluded.
    pub(crate) fn range(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        Some(match self {
            Self::Never => return None,
            Self::Exact(bytes) => (bytes.clone(), [bytes, &[0][..]].concat()),
            Self::Prefix(bytes) => (bytes.clone(), successor(bytes.clone())),
            Self::Any => (vec![0], vec![WORDS]),
            Self::System(start, _) => (start.clone(), successor(start.clone())),
            Self::Contains(_) | Self::Ends(_) | Self::TextWords(_) => (vec![TEXT], vec![TEXT + 1]),
            Self::Words(_) => (vec![WORDS], vec![WORDS + 1]),
            Self::Below(above) => {
                let bytes = [&[URI], &above[..]].concat();
                (bytes.clone(), successor(bytes))
            }
            Self::Date(low, high) | Self::Span([low, high, _, _]) => between(DATE, low, high),
            Self::Number(low, high) => between(NUMBER, low, high),
            Self::Quantity(low, high, _) => between(QUANTITY, low, high),
            Self::UriContains(_) => (vec![URI], vec![URI + 1]),
            Self::Near(_) => (vec![POSITION], vec![POSITION + 1]),
            Self::Composite(parts) => match parts.first() {
                None => (vec![COMPOSITE], vec![COMPOSITE, 0]),
                Some(first) => {
                    let (low, high) = first.range()?;
                    let part = |end: &[u8]| {
                        let mut bytes = vec![COMPOSITE];
                        push_escaped(&mut bytes, end);
                        bytes
                    };
                    (part(&low), part(&high))
                }
            },
        })
    }

    /// Whether its range holds little else than what passes.
    pub(crate) fn is_narrow(&self) -> bool {
        match self {
            Self::Any
            | Self::System(..)
            | Self::Contains(_)
            | Self::Ends(_)
            | Self::UriContains(_)
            | Self::TextWords(_)
            | Self::Near(_)
            | Self::Below(_) => false,
            Self::Composite(parts) => parts.first().is_some_and(Self::is_narrow),
            _ => true,
        }
    }

    /// The same as several ranges, where they leave more out.
    pub(crate) fn ranges(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Self::Near(circle) = self else { return self.range().into_iter().collect() };
        let tagged = |end: Vec<u8>| [&[POSITION], &end[..]].concat();
        let ranges = positions::ranges(circle).into_iter();
        ranges.map(|(low, high)| (tagged(low), successor(tagged(high)))).collect()
    }

    /// Whether everything in the [`range`](Self::range) passes.
    pub(crate) fn is_range(&self) -> bool {
        match self {
            Self::Exact(_) | Self::Prefix(_) | Self::Any | Self::Number(..) | Self::Quantity(_, _, None) => {
                true
            }
            Self::Never
            | Self::System(..)
            | Self::Contains(_)
            | Self::Ends(_)
            | Self::TextWords(_)
            | Self::Words(_)
            | Self::Below(_)
            | Self::Date(..)
            | Self::Span(_)
            | Self::Quantity(_, _, Some(_))
            | Self::Near(_)
            | Self::UriContains(_)
            | Self::Composite(_) => false,
        }
    }

    /// Whether an encoded value passes.
    pub(crate) fn passes(&self, value: &[u8]) -> bool {
        match self {
            Self::Never => false,
            Self::Exact(bytes) => value == bytes,
            Self::Prefix(bytes) => value.starts_with(bytes),
            Self::Any => !is_words(value),
            Self::System(start, number) => value.strip_prefix(&start[..]).is_some_and(|rest| {
                let end = rest.iter().position(|byte| *byte == 0);
                end.and_then(|end| rest.get(end + 1..)).is_some_and(|system| system == number)
            }),
            Self::Contains(part) => value.strip_prefix(&[TEXT]).is_some_and(|rest| {
                let normal = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                part.is_empty() || unescape(normal).windows(part.len()).any(|window| window == part)
            }),
            Self::Ends(end) => value.strip_prefix(&[TEXT]).is_some_and(|rest| {
                unescape(rest.split(|byte| *byte == 0).next().unwrap_or_default()).ends_with(end)
            }),
            Self::TextWords(phrase) => value.strip_prefix(&[TEXT]).is_some_and(|rest| {
                let normal = unescape(rest.split(|byte| *byte == 0).next().unwrap_or_default());
                core::str::from_utf8(&normal)
                    .is_ok_and(|normal| phrase.is_in(&[Words::of(normal), Words::default()]))
            }),
            Self::Words(phrase) => fields(value).is_some_and(|fields| phrase.is_in_fields(fields)),
            Self::Below(above) => value.strip_prefix(&[URI]).is_some_and(|uri| is_below(above, uri)),
            Self::Span([a, b, c, d]) => split(value, DATE).is_some_and(|(from, rest)| {
                let to = <&[u8; 8]>::try_from(rest);
                a <= from && from <= b && to.is_ok_and(|to| c <= to && to <= d)
            }),
            Self::Date(low, high) => split(value, DATE).is_some_and(|(from, rest)| {
                low <= from && <&[u8; 8]>::try_from(rest).is_ok_and(|to| from <= to && to <= high)
            }),
            Self::Number(low, high) => {
                split(value, NUMBER).is_some_and(|(number, _)| low <= number && number <= high)
            }
            Self::Quantity(low, high, unit) => split(value, QUANTITY).is_some_and(|(number, rest)| {
                low <= number && number <= high && unit.as_ref().is_none_or(|unit| unit.passes(rest))
            }),
            Self::UriContains(part) => value
                .strip_prefix(&[URI])
                .is_some_and(|uri| part.is_empty() || uri.windows(part.len()).any(|window| window == part)),
            Self::Near(circle) => value
                .strip_prefix(&[POSITION])
                .and_then(positions::decode)
                .is_some_and(|place| circle.contains(place)),
            Self::Composite(patterns) => {
                let Some((&COMPOSITE, rest)) = value.split_first() else { return false };
                // Every part ends with 00, so splitting leaves something empty behind the last.
                let mut parts: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
                parts.pop();
                parts.len() == patterns.len()
                    && parts.iter().zip(patterns).all(|(part, pattern)| pattern.passes(&unescape(part)))
            }
        }
    }
}

fn ends(range: &NumberRange) -> ([u8; 8], [u8; 8]) {
    (sort_number(range.low), sort_number(range.high))
}

fn between(tag: u8, low: &[u8; 8], high: &[u8; 8]) -> (Vec<u8>, Vec<u8>) {
    let tagged = |end: &[u8; 8]| [&[tag], &end[..]].concat();
    (tagged(low), successor(tagged(high)))
}

/// The first bytes that come after everything that begins with these. They begin with a tag, so
/// there is always a byte that can be raised.
fn successor(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

/// The eight bytes behind a tag, and what follows.
fn split(value: &[u8], tag: u8) -> Option<(&[u8; 8], &[u8])> {
    value.strip_prefix(&[tag])?.split_first_chunk()
}

/// An entry of the index: the parameter's number and the encoded value.
pub(crate) type Entry = (i64, Vec<u8>);

/// Entries in one run of bytes, as a version row keeps them.
pub(crate) fn pack(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (param, value) in entries {
        push_varint(&mut bytes, param.unsigned_abs());
        push_varint(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
    }
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// The entries of a version row; `None` if the bytes are damaged.
pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let param = i64::try_from(take_varint(&mut bytes)?).ok()?;
        let len = usize::try_from(take_varint(&mut bytes)?).ok()?;
        let (value, rest) = bytes.split_at_checked(len)?;
        entries.push((param, value.to_vec()));
        bytes = rest;
    }
    Some(entries)
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
