//! From two versions of a resource to the patch that makes the second of the first.

mod fhirpath;
mod json;
pub(crate) mod list;
pub(crate) mod pairing;

pub use self::fhirpath::{NotExpressible, NotExpressibleReason, fhirpath_diff};
pub use self::json::json_diff;
