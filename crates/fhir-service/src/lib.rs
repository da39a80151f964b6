#![doc = include_str!("../README.md")]

mod answer;
mod capabilities;
mod content;
mod counters;
mod create;
mod delete;
mod history;
mod idempotency;
mod ids;
mod limits;
mod read;
mod request;
mod service;
mod update;
mod vread;
mod write;

pub use answer::{Answer, Payload};
pub use counters::Counters;
pub use history::HistoryParameters;
pub use ids::{Entropy, Ids, SystemClock, SystemEntropy};
pub use limits::Limits;
pub use request::{CapabilityMode, Handling, Operation, Preferences, Request};
pub use service::Service;
