//! Integration tests of `fhir-patch`.

mod json_suite;
mod suites;
