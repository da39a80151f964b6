#![doc = include_str!("../README.md")]

mod bench;
mod broken;
mod checks;
mod clock;
mod differential;

mod faulty;
mod harness;
mod linear;
mod operations;
mod record;
mod verdict;

pub use broken::{BrokenStore, Flaw};
pub use checks::{CHECKS, Check, run, run_check};
pub use clock::ManualClock;

pub use differential::compare;
pub use faulty::{FaultyStore, Loss};
pub use harness::{Harness, Instance};
pub use linear::check_linearizable;
pub use record::{Event, Operation, Recorder, Recording};
pub use verdict::{Fault, Verdict};
