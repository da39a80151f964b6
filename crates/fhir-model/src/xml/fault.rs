//! A fault on its way up, before its place is worked out.

use std::fmt::Write as _;

use super::error::XmlErrorKind;

/// Longest quotation from the input, in characters.
const QUOTE_CHARS_MAX: usize = 64;
/// A path stops growing beyond this many bytes.
const PATH_BYTES_MAX: usize = 512;

/// Boxed in [`Parsed`], so that a result is no larger than a value.
pub(super) struct Fault {
    pub(super) kind: XmlErrorKind,
    pub(super) offset: usize,
    pub(super) trail: Trail,
}

/// The steps to a place, innermost first: they are added while the fault unwinds, so that what is right pays nothing.
#[derive(Default)]
pub(super) struct Trail(Vec<Step>);

struct Step {
    name: Box<str>,
    index: Option<usize>,
}

pub(super) type Parsed<T> = Result<T, Box<Fault>>;

#[cold]
pub(super) fn fault<T>(kind: XmlErrorKind, offset: usize) -> Parsed<T> {
    Err(Box::new(Fault { kind, offset, trail: Trail::default() }))
}

impl Trail {
    /// Adds the step above those that are there. A list has an index.
    #[cold]
    pub(super) fn push(&mut self, name: &str, index: Option<usize>) {
        self.0.push(Step { name: name.into(), index });
    }

    /// The location, such as `Flag.code.coding[1]`.
    pub(super) fn render(&self) -> String {
        let mut path = String::new();
        for step in self.0.iter().rev() {
            if path.len() > PATH_BYTES_MAX {
                path.push_str("...");
                break;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step.name);
            if let Some(index) = step.index {
                let _ = write!(path, "[{index}]");
            }
        }
        path
    }
}

/// A part of the input for an error: cut if it is long.
pub(super) fn quote(part: &str) -> String {
    match part.char_indices().nth(QUOTE_CHARS_MAX) {
        None => part.to_owned(),
        Some((end, _)) => [part.get(..end).unwrap_or_default(), "..."].concat(),
    }
}
