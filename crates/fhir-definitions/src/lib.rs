#![doc = include_str!("../README.md")]

mod resource_types;
mod version;

pub use resource_types::{is_resource_type, resource_types};
pub use version::{FhirVersion, UnknownFhirVersion};
