//! Why a resource cannot be made findable.

use core::fmt;

use compact_str::CompactString;
use fhirpath::EvalError;

/// A search parameter that cannot be evaluated on a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractError {
    /// The code of the parameter.
    pub parameter: CompactString,
    /// What went wrong.
    pub error: EvalError,
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "search parameter {}: {}", self.parameter, self.error)
    }
}

impl core::error::Error for ExtractError {}
