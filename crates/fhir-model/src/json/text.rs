//! Strings, with the escapes they were written with.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use compact_str::CompactString;

/// A JSON string: its decoded text, and its written form where that differs from ours.
///
/// Text of up to 24 bytes is stored in place. Equality, order and hash look at the decoded text
/// only. A string that was written with escapes that our writer would not choose (`\u00e9`, `\/`)
/// also keeps what was written, so that printing gives the same bytes.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Plain(CompactString),
    // Boxed: rare outside of some narratives, and must not make every other string larger.
    Escaped(Box<Escaped>),
}

#[derive(Clone)]
struct Escaped {
    text: CompactString,
    written: Box<str>,
}

impl Text {
    /// A text as the parser read it; `written` is what stood between the quotes.
    pub(super) fn with_written(text: &str, written: &str) -> Self {
        Self(Repr::Escaped(Box::new(Escaped { text: text.into(), written: written.into() })))
    }

    /// The decoded text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Plain(text) => text.as_str(),
            Repr::Escaped(escaped) => escaped.text.as_str(),
        }
    }

    /// What stood between the quotes, where our writer would have written it differently.
    pub fn written(&self) -> Option<&str> {
        match &self.0 {
            Repr::Plain(_) => None,
            Repr::Escaped(escaped) => Some(&escaped.written),
        }
    }

    /// The decoded text alone; the written form is given up.
    pub fn into_compact(self) -> CompactString {
        match self.0 {
            Repr::Plain(text) => text,
            Repr::Escaped(escaped) => escaped.text,
        }
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self(Repr::Plain(CompactString::new(text)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Plain(CompactString::from(text)))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<CompactString> for Text {
    fn from(text: CompactString) -> Self {
        Self(Repr::Plain(text))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

// Sound because `Eq`, `Ord` and `Hash` below are those of the decoded text.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
