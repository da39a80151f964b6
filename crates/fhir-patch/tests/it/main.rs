//! Integration tests of `fhir-patch`.

mod diff;
mod edits;
mod fhirpath_suite;
mod json_suite;
mod merge;
mod suites;
