#![doc = include_str!("../README.md")]

mod append;
mod blobs;
mod caches;
mod check;
mod checkpoint;
mod connection;
mod encoding;
mod error;
mod folder;
mod group;
mod history;
mod layout;
mod lock;
mod matching;
mod metrics;
mod options;
mod pool;
mod position;
mod queue;
mod reader;
mod recovery;
mod report;
mod rows;
mod schema;
mod shared;
mod store;
mod symbols;
mod term_index;
mod writer;

pub use check::check;
pub use error::OpenError;
pub use metrics::Metrics;
pub use options::{Durability, Options};
pub use report::{CheckDepth, CheckFault, CheckProgress, CheckReport, Problem};
pub use store::SqliteStore;
