#![doc = include_str!("../README.md")]

mod answer;
mod batch;
mod binary;
mod bundle;
mod capabilities;
mod conditional;
mod content;
mod counters;
mod create;
mod delete;
mod history;
mod idempotency;
mod ids;
mod limits;
mod patch;
mod perform;
mod present;
mod read;
mod request;
mod ruling;
mod search;
mod service;
mod subset;
mod transaction;
mod update;
mod validate;
mod vread;
mod write;

pub use answer::{About, Answer, Payload, VersionChange};
pub use counters::Counters;
pub use history::HistoryParameters;
pub use ids::{Entropy, Ids, SystemClock, SystemEntropy};
pub use limits::Limits;
pub use present::{Format, Presentation};
pub use request::{
    CapabilityMode, Content, Criteria, Encoding, Handling, Operation, Patch, PatchFormat, Preferences,
    Request,
};
pub use service::Service;
pub use subset::Subset;
pub use validate::Validation;
