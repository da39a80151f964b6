//! A disk that can lose its power: what the server did to its files is recorded by a preloaded library, and from
//! the record follows what a disk may hold that kept what was synced and any part of the rest.

mod folder;
mod log;
mod model;
mod preload;
mod survival;
#[cfg(test)]
mod tests;

pub(crate) use model::FailedSync;
pub(crate) use preload::{Faulty, Preload, Recorder};
pub(crate) use survival::Survival;
