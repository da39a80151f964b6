//! The HTTP edge as clients see it.

#[macro_use]
mod passed_on;

mod bad_input;
mod bundle_failures;
mod bundles;
mod cancelled;
mod client;
mod conditional;
mod diff;
mod edge;
mod failures;
mod flags;
mod harness;
mod history;
mod http2;
mod metadata;
mod mounts;
mod nrl;
mod operations;
mod outcomes;
mod patch;
mod patch_failures;
mod pointers;
mod protocol;
mod rebase;
mod retries;
mod safe_retry;
mod search;
mod searchsets;
mod slow;
mod spine;
mod spine_profiles;
mod store_failures;
mod testscripts;
mod tokens;
mod transcripts;
