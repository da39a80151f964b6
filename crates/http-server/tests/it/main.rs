//! The HTTP edge as clients see it.

mod bad_input;
mod client;
mod conditional;
mod diff;
mod edge;
mod failures;
mod harness;
mod history;
mod metadata;
mod mounts;
mod operations;
mod patch;
mod patch_failures;
mod protocol;
mod rebase;
mod slow;
mod spine;
mod store_failures;
mod transcripts;
