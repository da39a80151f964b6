#![doc = include_str!("../README.md")]

mod search;
mod state;
mod store;

pub use store::MemoryStore;
