//! The HTTP edge as clients see it.

mod client;
mod failures;
mod harness;
mod mounts;
mod spine;
mod transcripts;
