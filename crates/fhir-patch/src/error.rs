//! The two ways in which a patch can be refused, told apart by their types.

use std::fmt;

/// The patch is none, whatever it would be applied to (HTTP 400).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed<Fault> {
    /// The operation that is wrong, from 0; none if the patch as a whole is.
    pub operation: Option<usize>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The patch is one, but it does not fit this document (HTTP 422). Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable<Refusal> {
    /// The operation that does not fit, from 0.
    pub operation: usize,
    /// The path in that operation, as the client wrote it.
    pub path: String,
    /// Why it does not fit.
    pub refusal: Refusal,
}

/// Longest part of a path or name that is repeated in a sentence, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// A text from a patch, cut to a length that fits a sentence.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("'{}...'", text.get(..end).unwrap_or_default()),
        None => format!("'{text}'"),
    }
}

impl<Fault: fmt::Display> fmt::Display for Malformed<Fault> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(operation) => write!(f, "operation {operation} (counted from 0): {}", self.fault),
            None => write!(f, "{}", self.fault),
        }
    }
}

impl<Refusal: fmt::Display> fmt::Display for NotApplicable<Refusal> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, path) = (self.operation, quoted(&self.path));
        write!(f, "operation {operation} (counted from 0), path {path}: {}", self.refusal)
    }
}

impl<Fault: fmt::Debug + fmt::Display> std::error::Error for Malformed<Fault> {}

impl<Refusal: fmt::Debug + fmt::Display> std::error::Error for NotApplicable<Refusal> {}
