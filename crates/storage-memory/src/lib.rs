#![doc = include_str!("../README.md")]

mod search;
mod snapshot;
mod state;
mod store;

pub use store::MemoryStore;
