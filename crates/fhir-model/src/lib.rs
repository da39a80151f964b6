#![doc = include_str!("../README.md")]

pub mod json;

mod civil;
mod id;
mod instant;
mod reference;
mod splice;

pub use crate::id::{Id, IdError, ResourceKey, ResourceKeyError, TypeName, TypeNameError};
pub use crate::instant::{Instant, InstantError, Interval, Precision};
pub use crate::reference::{Reference, ReferenceError, Target};
pub use crate::splice::{Splice, SpliceError, StoredBody, StripError, splice, splice_into, strip};
