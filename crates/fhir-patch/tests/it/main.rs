//! Integration tests of `fhir-patch`.

mod fhirpath_suite;
mod json_suite;
mod suites;
