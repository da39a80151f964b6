#![doc = include_str!("../README.md")]

mod connection;
mod encoding;
mod error;
mod group;
mod history;
mod lock;
mod matching;
mod options;
mod pool;
mod queue;
mod reader;
mod rows;
mod schema;
mod store;
mod symbols;
mod term_index;
mod writer;

pub use error::OpenError;
pub use options::{Durability, Options};
pub use store::SqliteStore;
