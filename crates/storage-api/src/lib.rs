#![doc = include_str!("../README.md")]

mod error;
mod history;
mod index;
mod key;
mod metrics;
mod order;
mod position;
mod query;
mod search;
mod store;
mod term;
mod words;
mod write_set;

pub use error::StoreError;
pub use history::{HistoryPage, HistoryRequest, HistoryScope, Interval, Order};
pub use index::{Index, IndexGeneration};
pub use key::{Key, RequestId, Seq};
pub use metrics::{Counter, Distribution, Histogram, Metric, MetricValue};
pub use order::{
    SORT_BYTES_MAX, SortBy, SortKey, SortValue, compare_marks, sort_instant, sort_number, sort_seq,
    sort_text, sort_value, sorted_number,
};
pub use position::{Circle, Position};
pub use query::{
    Alone, Candidate, Clause, CodingTest, Condition, NumberRange, Others, Query, SystemTest, Test, is_below,
    matches,
};
pub use search::{Direction, INCLUDED_MAX, Include, Mark, Named, Place, SearchPage, SearchRequest, names};
pub use store::{Answer, Body, Clock, Record, Store, StoredVersion, VersionSelector};
pub use term::{Coding, Number, Reference, Term, Value};
pub use versioning_core::{Current, Head, Timestamp, VersionNumber, VersionTag, VersionToken};
pub use words::{Document, FIELDS, Phrase, Words};
pub use write_set::{
    Commit, Committed, Guard, HeadGuard, Lost, Method, Now, REFERRING_MAX, Referrals, Scope, VersionWrite,
    Write, WriteSet,
};
