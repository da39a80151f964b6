#![doc = include_str!("../README.md")]

mod equality;
mod error;
mod json_patch;
mod limits;
mod merge_patch;
mod pointer;

pub use error::{Malformed, NotApplicable};
pub use json_patch::{JsonOperation, JsonPatch, JsonPatchFault, JsonPatchRefusal};
pub use limits::{Exceeded, Limits};
pub use merge_patch::{MergePatch, MergePatchFault};
pub use pointer::{Pointer, PointerFault};
