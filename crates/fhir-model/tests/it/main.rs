//! Properties of the crate as a whole, on generated trees, hostile bytes, the project's fixtures
//! and, where they are present, the official examples.

mod examples;
mod generate;
mod json;
mod splice;
mod xml;
