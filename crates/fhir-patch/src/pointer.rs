//! JSON Pointer (RFC 6901).

use std::fmt;
use std::str::FromStr;

/// A place in a JSON document: the names and indexes that lead to it.
///
/// ```
/// use fhir_patch::Pointer;
///
/// let pointer: Pointer = "/name/0/a~1b".parse().unwrap();
/// assert_eq!(pointer.tokens(), ["name", "0", "a/b"]);
/// assert_eq!(pointer.to_string(), "/name/0/a~1b");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    tokens: Vec<String>,
}

/// Why a text is no JSON Pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerFault {
    /// It is not empty and does not start with a slash.
    NoSlash,
    /// A tilde that is not followed by 0 or 1.
    BadEscape,
    /// More than [`Pointer::TOKENS_MAX`] tokens: no document is so deep.
    TooLong,
}

impl Pointer {
    /// The most tokens that a pointer may have.
    pub const TOKENS_MAX: usize = fhir_model::json::DEPTH_CEILING;

    /// The names and indexes, without escapes.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The tokens but the last, and the last; none for the whole document.
    pub(crate) fn split_last(&self) -> Option<(&[String], &str)> {
        self.tokens.split_last().map(|(last, rest)| (rest, last.as_str()))
    }

    /// Whether the other place lies inside this one.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.tokens.len() < other.tokens.len() && other.tokens.starts_with(&self.tokens)
    }

    /// The same place, one step further.
    pub(crate) fn push(&mut self, token: impl Into<String>) {
        self.tokens.push(token.into());
    }

    /// Takes the last step back.
    pub(crate) fn pop(&mut self) {
        self.tokens.pop();
    }
}

impl FromStr for Pointer {
    type Err = PointerFault;

    fn from_str(text: &str) -> Result<Self, PointerFault> {
        let Some(rest) = text.strip_prefix('/') else {
            return if text.is_empty() { Ok(Self::default()) } else { Err(PointerFault::NoSlash) };
        };
        if rest.bytes().filter(|byte| *byte == b'/').count() >= Self::TOKENS_MAX {
            return Err(PointerFault::TooLong);
        }
        let tokens = rest.split('/').map(unescaped).collect::<Result<_, _>>()?;
        Ok(Self { tokens })
    }
}

fn unescaped(token: &str) -> Result<String, PointerFault> {
    let mut parts = token.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (char, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return Err(PointerFault::BadEscape),
        };
        out.push(char);
        out.push_str(rest);
    }
    Ok(out)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_tokens(&self.tokens, f)
    }
}

fn write_tokens(tokens: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for token in tokens {
        write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
    }
    Ok(())
}

/// Prints tokens as a pointer.
pub(crate) fn pointer_text(tokens: &[String]) -> String {
    Pointer { tokens: tokens.to_vec() }.to_string()
}

impl fmt::Display for PointerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "a JSON Pointer is empty or starts with a slash",
            Self::BadEscape => "a tilde in a JSON Pointer is written ~0, and ~1 is a slash",
            Self::TooLong => "a JSON Pointer has at most 512 parts",
        })
    }
}

impl std::error::Error for PointerFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_of_the_standard() {
        for (text, tokens) in [
            ("", &[] as &[&str]),
            ("/foo", &["foo"]),
            ("/foo/0", &["foo", "0"]),
            ("/", &[""]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("/ //", &[" ", "", ""]),
        ] {
            let pointer: Pointer = text.parse().unwrap();
            assert_eq!(pointer.tokens(), tokens, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pointer() {
        assert_eq!("a".parse::<Pointer>(), Err(PointerFault::NoSlash));
        assert_eq!("/~".parse::<Pointer>(), Err(PointerFault::BadEscape));
        assert_eq!("/~2".parse::<Pointer>(), Err(PointerFault::BadEscape));
        assert_eq!("/a/~x".parse::<Pointer>(), Err(PointerFault::BadEscape));
        assert!("/".repeat(Pointer::TOKENS_MAX).parse::<Pointer>().is_ok());
        assert_eq!("/".repeat(Pointer::TOKENS_MAX + 1).parse::<Pointer>(), Err(PointerFault::TooLong));
    }

    #[test]
    fn one_place_inside_another() {
        let pointer = |text: &str| text.parse::<Pointer>().unwrap();
        assert!(pointer("/a").contains(&pointer("/a/b")));
        assert!(pointer("").contains(&pointer("/a")));
        assert!(!pointer("/a").contains(&pointer("/a")));
        assert!(!pointer("/a").contains(&pointer("/ab")));
    }
}
