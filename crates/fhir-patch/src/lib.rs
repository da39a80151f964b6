#![doc = include_str!("../README.md")]

mod changes;
mod diff;
mod edit;
mod elements;
mod equality;
mod error;
mod fhirpath_patch;
mod json_patch;
mod limits;
mod merge;
mod merge_patch;
mod path;
mod pointer;
mod xml_patch;

pub use changes::changed_elements;
pub use diff::{NotExpressible, NotExpressibleReason, fhirpath_diff, json_diff};
pub use error::{Malformed, NotApplicable};
pub use fhirpath_patch::{FhirPathPatch, FhirPathPatchFault, FhirPathPatchRefusal, PartFault};
pub use json_patch::{JsonOperation, JsonPatch, JsonPatchFault, JsonPatchRefusal};
pub use limits::{Exceeded, Limits};
pub use merge::{Overlap, merge};
pub use merge_patch::{MergePatch, MergePatchFault};
pub use path::{ElementPath, PathStep};
pub use pointer::{Pointer, PointerFault};
pub use xml_patch::{
    MarkupFault, MarkupFaultKind, SelectorFault, SelectorFaultKind, XmlPatch, XmlPatchFault, XmlPatchRefusal,
};
