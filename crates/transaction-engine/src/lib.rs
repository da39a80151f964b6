#![doc = include_str!("../README.md")]

mod bundle;
mod entry;
mod found_by;
mod links;
mod overlay;
mod plan;
mod prose;
mod response;
mod sent;
mod target;

pub use bundle::{BundleError, BundleRequest, Kind, Reading, check_bundle};
pub use entry::{Conditions, Entry, EntryError, Method, Problem};
pub use links::Links;
pub use overlay::{Overlay, Twice};
pub use plan::{Phase, Plan, PlanError};
pub use response::{ResponseEntry, ResponseWriter};
pub use sent::Sent;
pub use target::Target;
