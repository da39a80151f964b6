//! Integration tests of `transaction-engine`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod links;
mod overlay;
mod plan;
