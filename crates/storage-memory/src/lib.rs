#![doc = include_str!("../README.md")]

mod state;
mod store;

pub use store::MemoryStore;
