//! The HTTP edge as clients see it.

mod bad_input;
mod bundles;
mod client;
mod conditional;
mod diff;
mod edge;
mod failures;
mod flags;
mod harness;
mod history;
mod metadata;
mod mounts;
mod nrl;
mod operations;
mod patch;
mod patch_failures;
mod pointers;
mod protocol;
mod rebase;
mod search;
mod slow;
mod spine;
mod store_failures;
mod testscripts;
mod tokens;
mod transcripts;
