//! The four conditional request fields of RFC 9110 section 13.1, read from header bytes.

use alloc::vec::Vec;
use core::fmt;

use crate::date::{HttpDate, parse_http_date};
use crate::tag::{EntityTag, TAGS_MAX, TagSet};
use crate::{VersionScheme, VersionToken};

/// The conditional request fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// If-Match, RFC 9110 13.1.1.
    IfMatch,
    /// If-None-Match, RFC 9110 13.1.2.
    IfNoneMatch,
    /// If-Modified-Since, RFC 9110 13.1.3.
    IfModifiedSince,
    /// If-Unmodified-Since, RFC 9110 13.1.4.
    IfUnmodifiedSince,
}

impl Field {
    /// All four.
    pub const ALL: [Self; 4] =
        [Self::IfMatch, Self::IfNoneMatch, Self::IfModifiedSince, Self::IfUnmodifiedSince];

    /// The field name as the RFC writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IfMatch => "If-Match",
            Self::IfNoneMatch => "If-None-Match",
            Self::IfModifiedSince => "If-Modified-Since",
            Self::IfUnmodifiedSince => "If-Unmodified-Since",
        }
    }
}

/// How forgiving the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// GET or HEAD. A bare token (`3` for `W/"3"`) is read as a tag, and a date field without a
    /// date, or with several that differ, is ignored: a wrong answer to a read costs nothing.
    Read,
    /// Any method that writes: strict, and If-Modified-Since does not apply (RFC 9110 13.1.3).
    Write,
    /// A write that accepts bare tokens as tags.
    LenientWrite,
}

/// Why a field cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// No tag in it.
    Empty,
    /// An opening quote was expected.
    NotQuoted,
    /// The closing quote is missing.
    Unterminated,
    /// A byte that no entity tag may contain.
    BadByte(u8),
    /// Something other than a comma follows a tag.
    NoComma,
    /// `*` stands beside other values.
    AnyAmongOthers,
    /// More than [`TAGS_MAX`] tags.
    TooMany,
    /// Not an HTTP-date.
    NotADate,
    /// A date field sent twice with different values.
    Repeated,
}

/// A malformed field. It is an error and never read as "absent": a client that sent a
/// precondition must not get an unconditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// What is wrong.
    pub problem: Problem,
    /// Offset of the problem in its line, in bytes.
    pub offset: usize,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.field.name();
        match self.problem {
            Problem::Empty => write!(f, "{name} is empty"),
            Problem::NotQuoted => write!(f, "{name}: the tag at byte {} is not in quotes", self.offset),
            Problem::Unterminated => {
                write!(f, "{name}: the tag at byte {} has no closing quote", self.offset)
            }
            Problem::BadByte(byte) => {
                write!(f, "{name}: byte {byte:#04x} at {} cannot stand in a tag", self.offset)
            }
            Problem::NoComma => write!(f, "{name}: tags are separated by commas; see byte {}", self.offset),
            Problem::AnyAmongOthers => write!(f, "{name}: * stands alone, not beside tags"),
            Problem::TooMany => write!(f, "{name} names more than {TAGS_MAX} tags"),
            Problem::NotADate => write!(f, "{name} is not an HTTP-date"),
            Problem::Repeated => write!(f, "{name} is sent twice with different dates"),
        }?;
        match self.field {
            Field::IfMatch | Field::IfNoneMatch => {
                write!(f, "; write it as {name}: W/\"<versionId>\", as the ETag header shows it")
            }
            Field::IfModifiedSince | Field::IfUnmodifiedSince => {
                write!(f, "; write it as {name}: Fri, 25 May 2018 16:09:50 GMT")
            }
        }
    }
}

impl core::error::Error for FieldError {}

/// Collects the lines of the four fields; [`finish`](Self::finish) gives the [`Precondition`].
///
/// A field may come in several lines: they count as one list (RFC 9110 5.3).
#[derive(Clone, Debug)]
pub struct ConditionalFields {
    usage: Usage,
    precondition: Precondition,
    // Set once a line of the field was seen, so that a field without a tag is noticed.
    seen: [bool; 4],
    // A date field that RFC 9110 says to ignore: no date, or several that differ.
    modified_since_unusable: bool,
    unmodified_since_unusable: bool,
}

impl ConditionalFields {
    /// No line seen yet.
    pub fn new(usage: Usage) -> Self {
        Self {
            usage,
            precondition: Precondition::default(),
            seen: [false; 4],
            modified_since_unusable: false,
            unmodified_since_unusable: false,
        }
    }

    /// Takes one header line, without its name. After an error the whole request is malformed:
    /// nothing that was collected may be used.
    pub fn line(&mut self, field: Field, value: &[u8]) -> Result<(), FieldError> {
        self.seen[field as usize] = true;
        match field {
            Field::IfMatch => tag_line(field, value, self.usage, &mut self.precondition.if_match),
            Field::IfNoneMatch => tag_line(field, value, self.usage, &mut self.precondition.if_none_match),
            Field::IfModifiedSince => {
                self.modified_since_line(value);
                Ok(())
            }
            Field::IfUnmodifiedSince => self.unmodified_since_line(value),
        }
    }

    fn modified_since_line(&mut self, value: &[u8]) {
        if self.usage != Usage::Read {
            return;
        }
        if date_line(value, &mut self.precondition.if_modified_since).is_err() {
            self.modified_since_unusable = true;
        }
    }

    fn unmodified_since_line(&mut self, value: &[u8]) -> Result<(), FieldError> {
        match date_line(value, &mut self.precondition.if_unmodified_since) {
            Err(_) if self.usage == Usage::Read => {
                self.unmodified_since_unusable = true;
                Ok(())
            }
            read => {
                read.map_err(|problem| FieldError { field: Field::IfUnmodifiedSince, problem, offset: 0 })
            }
        }
    }

    /// The precondition that all lines together state.
    pub fn finish(self) -> Result<Precondition, FieldError> {
        let mut precondition = self.precondition;
        for (field, tags) in
            [(Field::IfMatch, &precondition.if_match), (Field::IfNoneMatch, &precondition.if_none_match)]
        {
            if self.seen[field as usize] && tags.is_none() {
                return Err(FieldError { field, problem: Problem::Empty, offset: 0 });
            }
        }
        if self.modified_since_unusable {
            precondition.if_modified_since = None;
        }
        if self.unmodified_since_unusable {
            precondition.if_unmodified_since = None;
        }
        Ok(precondition)
    }
}

/// What a client demands of the current version before its request is carried out. The
/// default demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_field_names, reason = "the fields are named as the standard names them")]
pub struct Precondition {
    if_match: Option<TagSet>,
    if_none_match: Option<TagSet>,
    if_modified_since: Option<HttpDate>,
    if_unmodified_since: Option<HttpDate>,
}

impl Precondition {
    /// Nothing is demanded.
    pub const NONE: Self =
        Self { if_match: None, if_none_match: None, if_modified_since: None, if_unmodified_since: None };

    /// The same with If-Match.
    #[must_use]
    pub fn with_if_match(mut self, tags: TagSet) -> Self {
        self.if_match = Some(tags);
        self
    }

    /// The same with If-None-Match.
    #[must_use]
    pub fn with_if_none_match(mut self, tags: TagSet) -> Self {
        self.if_none_match = Some(tags);
        self
    }

    /// The same with If-Modified-Since.
    #[must_use]
    pub fn with_if_modified_since(mut self, date: HttpDate) -> Self {
        self.if_modified_since = Some(date);
        self
    }

    /// The same with If-Unmodified-Since.
    #[must_use]
    pub fn with_if_unmodified_since(mut self, date: HttpDate) -> Self {
        self.if_unmodified_since = Some(date);
        self
    }

    /// If-Match, if sent.
    pub fn if_match(&self) -> Option<&TagSet> {
        self.if_match.as_ref()
    }

    /// If-None-Match, if sent.
    pub fn if_none_match(&self) -> Option<&TagSet> {
        self.if_none_match.as_ref()
    }

    /// If-Modified-Since, if sent and usable.
    pub fn if_modified_since(&self) -> Option<HttpDate> {
        self.if_modified_since
    }

    /// If-Unmodified-Since, if sent.
    pub fn if_unmodified_since(&self) -> Option<HttpDate> {
        self.if_unmodified_since
    }

    /// Whether nothing is demanded.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether If-Match is there and names versions. `*` names none.
    pub fn names_a_version(&self) -> bool {
        matches!(self.if_match, Some(TagSet::Tags { .. }))
    }

    /// Whether If-Match names this version.
    pub fn names(&self, version: VersionToken, scheme: VersionScheme) -> bool {
        self.if_match.as_ref().is_some_and(|tags| tags.names(version, scheme))
    }
}

/// Takes the date of one line; every line of a field has to say the same.
fn date_line(line: &[u8], known: &mut Option<HttpDate>) -> Result<(), Problem> {
    let date = parse_http_date(line).ok_or(Problem::NotADate)?;
    match known.replace(date) {
        Some(earlier) if earlier != date => Err(Problem::Repeated),
        _ => Ok(()),
    }
}

/// Adds the tags of one line to what the lines before it gave.
fn tag_line(field: Field, line: &[u8], usage: Usage, tags: &mut Option<TagSet>) -> Result<(), FieldError> {
    let mut list = TagList { line, offset: 0, bare_tokens: usage != Usage::Write };
    let error = |problem, offset| FieldError { field, problem, offset };
    while let Some(item) = list.next().map_err(|(problem, offset)| error(problem, offset))? {
        match (tags.as_mut(), item) {
            (None, Item::Any) => *tags = Some(TagSet::Any),
            (None, Item::Tag { weak, opaque }) => *tags = Some(TagSet::one(EntityTag::new(weak, opaque))),
            (Some(TagSet::Tags { more, .. }), Item::Tag { weak, opaque }) => {
                if more.len() + 1 >= TAGS_MAX {
                    return Err(error(Problem::TooMany, list.offset));
                }
                more.push(EntityTag::new(weak, opaque));
            }
            (Some(_), _) => return Err(error(Problem::AnyAmongOthers, list.offset)),
        }
    }
    Ok(())
}

/// Borrowed, so that a tag is built where it stays: moving it costs more than reading it.
enum Item<'a> {
    Any,
    Tag { weak: bool, opaque: &'a [u8] },
}

/// The comma-separated list of one line (RFC 9110 5.6.1): empty elements are passed over.
struct TagList<'a> {
    line: &'a [u8],
    offset: usize,
    bare_tokens: bool,
}

impl<'a> TagList<'a> {
    fn next(&mut self) -> Result<Option<Item<'a>>, (Problem, usize)> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b',')) {
            self.offset += 1;
        }
        let start = self.offset;
        let item = match self.peek() {
            None => return Ok(None),
            Some(b'*') => {
                self.offset += 1;
                Item::Any
            }
            Some(b'"') => Item::Tag { weak: false, opaque: self.quoted()? },
            Some(b'W') if self.line[start..].starts_with(b"W/\"") => {
                self.offset += 2;
                Item::Tag { weak: true, opaque: self.quoted()? }
            }
            Some(_) if self.bare_tokens => self.bare()?,
            Some(_) => return Err((Problem::NotQuoted, start)),
        };
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.offset += 1;
        }
        match self.peek() {
            None | Some(b',') => Ok(Some(item)),
            Some(_) => Err((Problem::NoComma, self.offset)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.offset).copied()
    }

    /// `"` *etagc `"`, with the offset on the opening quote.
    fn quoted(&mut self) -> Result<&'a [u8], (Problem, usize)> {
        let start = self.offset + 1;
        let rest = &self.line[start..];
        let length = rest.iter().position(|byte| !is_etagc(*byte)).unwrap_or(rest.len());
        self.offset = start + length;
        match rest.get(length) {
            None => return Err((Problem::Unterminated, start - 1)),
            Some(b'"') => {}
            Some(byte) => return Err((Problem::BadByte(*byte), self.offset)),
        }
        self.offset += 1;
        Ok(&rest[..length])
    }

    /// A FHIR id without quotes, with or without `W/`.
    fn bare(&mut self) -> Result<Item<'a>, (Problem, usize)> {
        let weak = self.line[self.offset..].starts_with(b"W/");
        self.offset += if weak { 2 } else { 0 };
        let start = self.offset;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') {
            self.offset += 1;
        }
        if self.offset == start {
            return Err((Problem::NotQuoted, start));
        }
        Ok(Item::Tag { weak, opaque: &self.line[start..self.offset] })
    }
}

/// Whether a byte may stand between the quotes of an entity tag.
const fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// What the header fuzz target and its property test both assert of any bytes, read as lines
/// that end with a line feed: reading ends; what strict reading accepts, lenient reading and one
/// line with all of the list accept as the same, and its print is read back as the same.
#[doc(hidden)]
pub fn check_fields(bytes: &[u8]) {
    use alloc::string::ToString;

    let read = |field, usage, bytes: &[u8]| {
        let mut fields = ConditionalFields::new(usage);
        bytes.split(|byte| *byte == b'\n').try_for_each(|line| fields.line(field, line))?;
        fields.finish()
    };
    for field in Field::ALL {
        let for_a_read = read(field, Usage::Read, bytes);
        let lenient = read(field, Usage::LenientWrite, bytes);
        let Ok(precondition) = read(field, Usage::Write, bytes) else { continue };
        assert_eq!(lenient.as_ref(), Ok(&precondition));
        let tags = match field {
            Field::IfMatch => &precondition.if_match,
            Field::IfNoneMatch => &precondition.if_none_match,
            Field::IfModifiedSince | Field::IfUnmodifiedSince => continue,
        };
        assert_eq!(for_a_read.as_ref(), Ok(&precondition));
        let Some(tags) = tags else { panic!("{} was sent and is absent", field.name()) };
        assert!(tags.tags().count() <= TAGS_MAX);
        let joined: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect();
        assert_eq!(read(field, Usage::Write, &joined).as_ref(), Ok(&precondition));
        // Print escapes bytes outside ASCII, backslashes and apostrophes.
        let is_plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | b'\'');
        if tags.tags().all(|tag| tag.opaque().iter().all(is_plain)) {
            assert_eq!(read(field, Usage::Write, tags.to_string().as_bytes()).as_ref(), Ok(&precondition));
        }
    }
}
