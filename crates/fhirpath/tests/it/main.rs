//! Integration tests of `fhirpath`.

mod suite;
mod xml;
