//! The parser: recursive descent over checked UTF-8, bounded by [`Limits`].

use std::ops::Range;

use super::error::{Expected, Found, JsonError, JsonErrorKind};
use super::limits::{DEPTH_CEILING, Limits};
use super::location;
use super::number::Number;
use super::object::Object;
use super::scan::{plain_end, scan_number, space_end};
use super::text::Text;
use super::value::Value;

/// Objects with at most this many members are searched for duplicate names pair by pair.
const PAIRWISE_MAX: usize = 12;

/// The word that is quoted in an error is cut after this many characters.
const WORD_CHARS_MAX: usize = 16;

/// Reads one JSON document (RFC 8259).
///
/// Refused, beyond what the grammar refuses: invalid UTF-8, a byte order mark, a member name that
/// stands twice in an object, an escaped half of a surrogate pair, anything after the document, and
/// whatever exceeds `limits`.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    parse_document(bytes, limits, None).map_err(|fault| located(bytes, *fault))
}

/// Reads one JSON document as [`parse`] does, but passes every value at `path` through `part` as soon as it is read,
/// with the place of its text, and keeps in the tree what `part` gives back: a document of thousands of resources is
/// never held as one tree.
///
/// `path` has the names of members from the outermost object on; arrays on the way are entered.
///
/// ```
/// use fhir_model::json::{Limits, Value, parse_parts};
///
/// let text = br#"{"entry": [{"resource": {"resourceType": "List"}}, {}]}"#;
/// let mut found = Vec::new();
/// let rest = parse_parts(text, &Limits::default(), &["entry", "resource"], &mut |place, value| {
///     found.push((&text[place], value));
///     Value::Null
/// });
/// assert_eq!(rest.unwrap().to_bytes(), br#"{"entry":[{"resource":null},{}]}"#);
/// assert_eq!(found[0].0, br#"{"resourceType": "List"}"#);
/// ```
pub fn parse_parts(
    bytes: &[u8],
    limits: &Limits,
    path: &[&str],
    part: &mut dyn FnMut(Range<usize>, Value) -> Value,
) -> Result<Value, JsonError> {
    let parts = Parts { path, reached: Some(0), part };
    parse_document(bytes, limits, Some(parts)).map_err(|fault| located(bytes, *fault))
}

/// The error with its place worked out.
#[cold]
fn located(bytes: &[u8], fault: Fault) -> JsonError {
    let (line, column) = location::line_and_column(bytes, fault.offset);
    let path = location::path(bytes, fault.offset);
    JsonError { kind: fault.kind, offset: fault.offset, line, column, path }
}

/// What is taken out of a document while it is read.
struct Parts<'p> {
    path: &'p [&'p str],
    /// How many names of the path lead to what is being read; nothing beside the path.
    reached: Option<usize>,
    part: &'p mut dyn FnMut(Range<usize>, Value) -> Value,
}

impl Parts<'_> {
    /// Goes into a member, and gives what was reached before it.
    fn enter(&mut self, name: &str) -> Option<usize> {
        let before = self.reached;
        self.reached =
            before.filter(|reached| self.path.get(*reached) == Some(&name)).map(|reached| reached + 1);
        before
    }

    /// Comes out of a member that was read.
    fn leave(&mut self, before: Option<usize>, place: Range<usize>, value: Value) -> Value {
        let at_end = self.reached == Some(self.path.len());
        self.reached = before;
        if at_end { (self.part)(place, value) } else { value }
    }
}

/// A fault before its place is worked out. Boxed, so that a result is no larger than a value.
struct Fault {
    kind: JsonErrorKind,
    offset: usize,
}

type Parsed<T> = Result<T, Box<Fault>>;

#[cold]
fn fault<T>(kind: JsonErrorKind, offset: usize) -> Parsed<T> {
    Err(Box::new(Fault { kind, offset }))
}

fn parse_document(bytes: &[u8], limits: &Limits, parts: Option<Parts<'_>>) -> Parsed<Value> {
    if bytes.len() > limits.bytes_max {
        return fault(JsonErrorKind::TooLarge { bytes: bytes.len(), bytes_max: limits.bytes_max }, 0);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return fault(JsonErrorKind::InvalidUtf8, error.valid_up_to()),
    };
    if text.starts_with('\u{FEFF}') {
        return fault(JsonErrorKind::ByteOrderMark, 0);
    }
    let mut parser = Parser::new(text, limits);
    parser.parts = parts;
    parser.skip_space();
    let value = parser.value(Expected::Value)?;
    parser.skip_space();
    match parser.found() {
        Found::End => Ok(value),
        found @ Found::Char(_) => fault(JsonErrorKind::TrailingData(found), parser.at),
    }
}

struct Parser<'a, 'p> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    depth_max: usize,
    nodes: usize,
    nodes_max: usize,
    // Items and members of everything that is open, innermost last: each array and object takes
    // its own part when it closes, in a vector of exactly its size.
    items: Vec<Value>,
    members: Vec<(Text, Value)>,
    name_offsets: Vec<usize>,
    decoded: String,
    parts: Option<Parts<'p>>,
}

impl<'a> Parser<'a, '_> {
    fn new(text: &'a str, limits: &Limits) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            depth_max: limits.depth_max.min(DEPTH_CEILING),
            nodes: 0,
            nodes_max: limits.nodes_max,
            items: Vec::new(),
            members: Vec::new(),
            name_offsets: Vec::new(),
            decoded: String::new(),
            parts: None,
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        // Most often there is none, or it starts a run: the test here keeps the call off the way.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.at = space_end(self.bytes, self.at);
        }
    }

    /// The character here. `at` always stands on the border of one.
    fn found(&self) -> Found {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(char) => Found::Char(char),
            None => Found::End,
        }
    }

    #[cold]
    fn unexpected<T>(&self, expected: Expected) -> Parsed<T> {
        fault(JsonErrorKind::Unexpected { expected, found: self.found() }, self.at)
    }

    /// The value here, after white space. `expected` is what to say if there is none.
    fn value(&mut self, expected: Expected) -> Parsed<Value> {
        if self.nodes == self.nodes_max {
            return fault(JsonErrorKind::TooManyNodes { nodes_max: self.nodes_max }, self.at);
        }
        self.nodes += 1;
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) if byte.is_ascii_alphabetic() => self.word(),
            _ => self.unexpected(expected),
        }
    }

    fn enter(&mut self) -> Parsed<()> {
        if self.depth >= self.depth_max {
            return fault(JsonErrorKind::TooDeep { depth_max: self.depth_max }, self.at);
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    fn array(&mut self) -> Parsed<Value> {
        self.enter()?;
        let first = self.items.len();
        let mut expected = Expected::ValueOrArrayEnd;
        if self.peek() != Some(b']') {
            loop {
                let item = self.value(expected)?;
                self.items.push(item);
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break,
                    _ => return self.unexpected(Expected::CommaOrArrayEnd),
                }
                self.skip_space();
                expected = Expected::Value;
            }
        }
        self.leave();
        Ok(Value::Array(self.items.drain(first..).collect()))
    }

    fn object(&mut self) -> Parsed<Value> {
        self.enter()?;
        let first = self.members.len();
        let mut expected = Expected::MemberNameOrObjectEnd;
        if self.peek() != Some(b'}') {
            loop {
                self.member(expected)?;
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break,
                    _ => return self.unexpected(Expected::CommaOrObjectEnd),
                }
                self.skip_space();
                expected = Expected::MemberName;
            }
        }
        self.leave();
        self.check_distinct(first)?;
        self.name_offsets.truncate(first);
        Ok(Value::Object(Object::from_distinct(self.members.drain(first..).collect())))
    }

    fn member(&mut self, expected: Expected) -> Parsed<()> {
        if self.peek() != Some(b'"') {
            return self.unexpected(expected);
        }
        let name_offset = self.at;
        let name = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.unexpected(Expected::Colon);
        }
        self.at += 1;
        self.skip_space();
        let value = match self.parts.as_mut().map(|parts| parts.enter(name.as_str())) {
            None => self.value(Expected::Value)?,
            Some(before) => self.part_or_value(before)?,
        };
        // Together, so that the two always have the same length where an object ends.
        self.members.push((name, value));
        self.name_offsets.push(name_offset);
        Ok(())
    }

    /// The value of a member while parts are taken out.
    fn part_or_value(&mut self, before: Option<usize>) -> Parsed<Value> {
        let start = self.at;
        let value = self.value(Expected::Value)?;
        let place = start..self.at;
        Ok(match &mut self.parts {
            Some(parts) => parts.leave(before, place, value),
            None => value,
        })
    }

    /// Refuses the object whose members start at `first` if a name stands in it twice.
    fn check_distinct(&self, first: usize) -> Parsed<()> {
        let members = self.members.get(first..).unwrap_or_default();
        let repeated =
            if members.len() <= PAIRWISE_MAX { repeated_in_few(members) } else { repeated_in_many(members) };
        match repeated {
            None => Ok(()),
            Some(index) => {
                let name = members.get(index).map_or_else(String::new, |(name, _)| name.to_string());
                let offset = self.name_offsets.get(first + index).copied().unwrap_or(self.at);
                fault(JsonErrorKind::DuplicateKey(name), offset)
            }
        }
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.at;
        match scan_number(self.bytes, start) {
            Ok(end) => {
                self.at = end;
                Ok(Value::Number(Number::from_checked(self.slice(start, end))))
            }
            Err((number_fault, at)) => fault(JsonErrorKind::BadNumber(number_fault), at),
        }
    }

    fn word(&mut self) -> Parsed<Value> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let value = match rest.get(..length) {
            Some(b"true") => Value::Bool(true),
            Some(b"false") => Value::Bool(false),
            Some(b"null") => Value::Null,
            _ => {
                let word = self.slice(self.at, self.at + length.min(WORD_CHARS_MAX));
                return fault(JsonErrorKind::BadWord(word.to_owned()), self.at);
            }
        };
        self.at += length;
        Ok(value)
    }

    /// The input between two places that are borders of characters.
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The string that starts here.
    #[inline]
    fn string(&mut self) -> Parsed<Text> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Text::from(self.slice(start, end)))
            }
            _ => self.string_with_escapes(start, end),
        }
    }

    /// The string whose text starts at `start` and is plain up to `plain`.
    fn string_with_escapes(&mut self, start: usize, plain: usize) -> Parsed<Text> {
        self.decoded.clear();
        let mut ours = true;
        let mut run = start;
        let mut at = plain;
        loop {
            let rest = self.slice(run, at);
            self.decoded.push_str(rest);
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = self.escape(at)?;
                    self.decoded.push(escape.char);
                    ours &= escape.ours;
                    run = escape.end;
                    at = plain_end(self.bytes, run);
                }
                Some(&control) => return fault(JsonErrorKind::ControlCharacter(control), at),
                None => return fault(JsonErrorKind::UnterminatedString, start - 1),
            }
        }
        self.at = at + 1;
        if ours {
            return Ok(Text::from(self.decoded.as_str()));
        }
        Ok(Text::with_written(&self.decoded, self.slice(start, at)))
    }

    /// The escape whose backslash is at `at`.
    fn escape(&self, at: usize) -> Parsed<Escape> {
        let (char, ours) = match self.bytes.get(at + 1) {
            Some(b'"') => ('"', true),
            Some(b'\\') => ('\\', true),
            Some(b'n') => ('\n', true),
            Some(b'r') => ('\r', true),
            Some(b't') => ('\t', true),
            Some(b'b') => ('\u{8}', true),
            Some(b'f') => ('\u{C}', true),
            Some(b'/') => ('/', false),
            Some(b'u') => return self.unicode_escape(at),
            _ => return self.bad_escape(at),
        };
        Ok(Escape { char, end: at + 2, ours })
    }

    /// The escape `\uXXXX`, or two of them that form a surrogate pair.
    fn unicode_escape(&self, at: usize) -> Parsed<Escape> {
        let Some((unit, lower_case)) = self.hex_unit(at + 2) else { return self.bad_escape(at) };
        if let Some(char) = char::from_u32(u32::from(unit)) {
            // Our writer escapes control characters only, and some of them in the short form.
            let short = matches!(unit, 0x08 | 0x09 | 0x0A | 0x0C | 0x0D);
            return Ok(Escape { char, end: at + 6, ours: unit < 0x20 && !short && lower_case });
        }
        let second = match self.bytes.get(at + 6..at + 8) {
            Some(b"\\u") => self.hex_unit(at + 8).map(|(unit, _)| unit),
            _ => None,
        };
        match second.and_then(|second| char::decode_utf16([unit, second]).next()) {
            Some(Ok(char)) => Ok(Escape { char, end: at + 12, ours: false }),
            _ => fault(JsonErrorKind::LoneSurrogate(unit), at),
        }
    }

    /// Four hexadecimal digits, and whether they are in lower case.
    fn hex_unit(&self, at: usize) -> Option<(u16, bool)> {
        let digits = self.bytes.get(at..at + 4)?;
        let mut unit = 0;
        for &digit in digits {
            let value = char::from(digit).to_digit(16)?;
            unit = unit << 4 | u16::try_from(value).ok()?;
        }
        Some((unit, !digits.iter().any(u8::is_ascii_uppercase)))
    }

    #[cold]
    fn bad_escape(&self, at: usize) -> Parsed<Escape> {
        let mut end = at + 1;
        if self.bytes.get(end) == Some(&b'u') {
            // Name the character that should have been a digit.
            end += 1;
            end += self.bytes.iter().skip(end).take(3).take_while(|byte| byte.is_ascii_hexdigit()).count();
        }
        let found = self.text.get(end..).and_then(|rest| rest.chars().next()).map_or(Found::End, Found::Char);
        fault(JsonErrorKind::BadEscape(found), at)
    }
}

/// One decoded escape.
struct Escape {
    char: char,
    /// The place after it.
    end: usize,
    /// Whether our writer would write it like this.
    ours: bool,
}

/// The index of the first member whose name stood before.
fn repeated_in_few(members: &[(Text, Value)]) -> Option<usize> {
    members.iter().enumerate().skip(1).find_map(|(index, (name, _))| {
        let before = members.get(..index).unwrap_or_default();
        before.iter().any(|(other, _)| other == name).then_some(index)
    })
}

/// The same in n log n, so that an object with a million members cannot stall the server.
fn repeated_in_many(members: &[(Text, Value)]) -> Option<usize> {
    let mut names: Vec<(&str, usize)> =
        members.iter().enumerate().map(|(index, (name, _))| (name.as_str(), index)).collect();
    names.sort_unstable();
    let mut previous = None;
    let mut first = None;
    for (name, index) in names {
        if previous == Some(name) && first.is_none_or(|first| index < first) {
            first = Some(index);
        }
        previous = Some(name);
    }
    first
}
