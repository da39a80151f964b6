#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod attempt;
mod current;
mod date;
mod decide;
mod fields;
mod policy;
mod tag;
mod token;

pub use attempt::{Attempt, Committing, Effect, Loading, Preparing, Reply, WriteOperation};
pub use current::{Current, Head, Timestamp};
pub use date::{HttpDate, parse_http_date};
pub use decide::{Change, Content, Decision, Expect, Intent, Refusal, decide};
pub use fields::{ConditionalFields, Field, FieldError, Precondition, Problem, Usage};
pub use policy::{IdenticalUpdate, IfMatchPolicy, LockPolicy, NoCurrentVersion, UpdateCreate};
pub use tag::{EntityTag, TAGS_MAX, TagSet};
pub use token::{VersionId, VersionNumber, VersionScheme, VersionTag, VersionToken};

#[doc(hidden)]
pub use fields::check_fields;
