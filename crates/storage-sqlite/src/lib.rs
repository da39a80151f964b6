#![doc = include_str!("../README.md")]

mod connection;
mod error;
mod folder;
mod group;
mod history;
mod lock;
mod options;
mod pool;
mod queue;
mod reader;
mod recovery;
mod rows;
mod schema;
mod store;
mod symbols;
mod writer;

pub use error::OpenError;
pub use options::{Durability, Options};
pub use store::SqliteStore;
