//! Integration tests of `fhirpath`.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod published;
mod suite;
mod xml;
