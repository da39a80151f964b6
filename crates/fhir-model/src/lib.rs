#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod json;
pub mod xml;

mod civil;
mod codes;
mod id;
mod instant;
mod narrative_text;
mod outcome;
mod reference;
mod resource;
mod splice;

pub use crate::codes::UnknownCode;
pub use crate::id::{Id, IdError, ResourceKey, ResourceKeyError, TypeName, TypeNameError};
pub use crate::instant::{Instant, InstantError, Interval, Precision};
pub use crate::narrative_text::narrative_text;
pub use crate::outcome::{Coding, Details, Issue, IssueSeverity, IssueType, OperationOutcome};
pub use crate::reference::{Reference, ReferenceError, Target};
pub use crate::resource::{MetaCoding, Resource, ResourceError};
pub use crate::splice::{Splice, SpliceError, StoredBody, StripError, splice, splice_into, strip};
