#![doc = include_str!("../README.md")]

mod contained;
mod custom;
mod definition;
mod error;
mod extractor;
mod full_text;
mod gate;
mod normal;
mod outgoing;
mod parameters;
mod query;
mod terminology;
mod values;

pub use custom::{CustomError, CustomParameter, Defined};
pub use definition::Definition;
pub use error::ExtractError;
pub use extractor::Extractor;
pub use normal::normalised;
pub use outgoing::{Outgoing, REFERS, outgoing, outgoing_terms};
pub use parameters::{Component, Parameter, Parameters};
pub use query::{Met, Order, Problem, QueryError, Selection, Surroundings, Understood, wanted};
pub use terminology::{Terminology, Unlisted, Wanted};
