//! The HTTP edge as clients see it.

mod bad_input;
mod client;
mod conditional;
mod edge;
mod failures;
mod harness;
mod history;
mod metadata;
mod mounts;
mod operations;
mod patch;
mod protocol;
mod search;
mod slow;
mod spine;
mod store_failures;
mod testscripts;
mod transcripts;
