//! Integration tests of `fhir-patch`.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod diff;
mod edits;
mod fhirpath_suite;
mod hostile;
mod json_suite;
mod merge;
mod suites;
mod xml;
