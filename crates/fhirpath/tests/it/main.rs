//! Integration tests of `fhirpath`.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod functions;
mod harness;
mod hostile;
mod locations;
mod operators;
mod properties;
mod published;
mod suite;
mod xml;
