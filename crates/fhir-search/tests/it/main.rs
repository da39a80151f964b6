//! Integration tests of `fhir-search`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contained;
mod custom;
mod full_text;
mod golden;
mod queries;
mod terms;
