#![doc = include_str!("../README.md")]

mod error;
mod history;
mod key;
mod store;
mod write_set;

pub use error::StoreError;
pub use history::{HistoryPage, HistoryRequest, HistoryScope, Interval, Order};
pub use key::{Key, RequestId, Seq};
pub use store::{Answer, Body, Clock, Record, Store, StoredVersion, VersionSelector};
pub use versioning_core::{Current, Head, Timestamp, VersionNumber, VersionTag, VersionToken};
pub use write_set::{
    Commit, Committed, Guard, HeadGuard, IndexGeneration, Lost, Method, Now, Scope, VersionWrite, Write,
    WriteSet,
};
