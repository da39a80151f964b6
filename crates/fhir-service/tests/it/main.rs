//! Integration tests of `fhir-service`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod full_text;
mod index;
mod integrity;
mod transactions;
