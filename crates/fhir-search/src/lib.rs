#![doc = include_str!("../README.md")]

mod error;
mod extractor;
mod gate;
mod normal;
mod parameters;
mod query;
mod terminology;
mod values;

pub use error::ExtractError;
pub use extractor::Extractor;
pub use normal::normalised;
pub use parameters::{Component, Parameter, Parameters};
pub use query::{Problem, QueryError, Selection, Surroundings, Understood, wanted};
pub use terminology::{Terminology, Unlisted, Wanted};
