//! How much one document may ask of the parser.

/// The deepest nesting that [`Limits::depth_max`] can allow.
///
/// Printing, comparing and dropping a tree follow its nesting on the stack; this bound keeps all
/// of them safe on a thread with 2 MiB of stack, in unoptimised builds too. A larger
/// `depth_max` counts as this one.
pub const DEPTH_CEILING: usize = 512;

/// Limits on one document, checked while it is parsed.
///
/// ```
/// use fhir_model::json::{JsonErrorKind, Limits, parse};
///
/// let limits = Limits { depth_max: 2, ..Limits::default() };
/// assert!(parse(b"[[1]]", &limits).is_ok());
/// let refused = parse(b"[[[1]]]", &limits).unwrap_err();
/// assert_eq!(refused.kind, JsonErrorKind::TooDeep { depth_max: 2 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the input in bytes; checked before anything is read.
    pub bytes_max: usize,
    /// Objects and arrays open at one place; the outermost counts as 1. At most [`DEPTH_CEILING`].
    pub depth_max: usize,
    /// Values in the document: every object, array, string, number, boolean and null.
    /// A value with its name takes 56 bytes of memory, besides the text of strings longer than 24
    /// bytes or with escapes; while a document is read, up to three times that.
    pub nodes_max: usize,
}

impl Default for Limits {
    /// 32 MiB, 100 levels, 2 million values: every official FHIR example that is not a Bundle of
    /// the specification's own definitions stays far below.
    fn default() -> Self {
        Self { bytes_max: 32 * 1024 * 1024, depth_max: 100, nodes_max: 2_000_000 }
    }
}
