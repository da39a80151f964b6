#![doc = include_str!("../README.md")]

mod answer;
mod batch;
mod binary;
mod blame;
mod bundle;
mod bundle_time;
mod capabilities;
mod conditional;
mod conflict;
mod content;
mod counters;
mod create;
mod cursor;
mod delete;
mod delete_several;
mod diff;
mod entry_admission;
mod full_text;
mod history;
mod idempotency;
mod ids;
mod index;
mod integrity;
mod limits;
mod looks;
mod narrative;
mod patch;
mod perform;
mod present;
mod read;
mod rebase;
mod request;
mod ruling;
mod search;
mod search_contained;
mod search_shape;
mod searchset;
mod service;
mod subset;
mod terminology;
mod transaction;
mod transaction_writes;
mod update;
mod validate;
mod vread;
mod write;

pub use answer::{About, Answer, Payload, VersionChange};
pub use counters::Counters;
pub use full_text::FullText;
pub use history::HistoryParameters;
pub use ids::{Entropy, Ids, SystemClock, SystemEntropy};
pub use index::{IndexProgress, Slice, StoredIndex};
pub use integrity::ReferentialIntegrity;
pub use limits::Limits;
pub use narrative::Narratives;
pub use present::{Format, Presentation};
pub use request::{
    CapabilityMode, Content, Criteria, DiffFormat, Encoding, Handling, Operation, Patch, PatchFormat,
    Preferences, Request, SearchScope,
};
pub use service::Service;
pub use subset::Subset;
pub use validate::Validation;
