//! How fast Firelock is beside what bounds it, each figure with its limit in the same run.
//!
//! `cargo bench -p benches --bench limits [-- SECONDS [RESOURCES]]`
//!
//! The limit of writing is a loop that appends the same rows to SQLite, with nothing around it, at
//! the group size that the clients reach; the limit of reading over HTTP is bare hyper answering
//! the same bytes. Both sides take turns in short slices, so that a disk or a neighbour that
//! changes its mind meets both. The clients share the machine with what they measure.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are rounded anyway"
)]

mod bare;
mod clients;
mod http;
mod raw;
mod store;
#[path = "../../../xtask/src/load/wire.rs"]
mod wire;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How many resources are stored before anything is measured.
static RESOURCES: OnceLock<u64> = OnceLock::new();

fn resources() -> u64 {
    RESOURCES.get().copied().unwrap_or(10_000)
}

const SLICES: u32 = 8;

/// A little chance: xorshift64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// Something done so often in so much time.
#[derive(Clone, Copy, Default)]
struct Rate {
    done: u64,
    time: Duration,
}

impl Rate {
    fn add(&mut self, done: u64, began: Instant) {
        self.done += done;
        self.time += began.elapsed();
    }

    fn per_second(self) -> f64 {
        self.done as f64 / self.time.as_secs_f64()
    }
}

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [bare, response] = words.as_slice()
        && bare == bare::COMMAND
    {
        return bare::serve(response);
    }
    let seconds = words.first().map_or(Ok(4.0), |text| text.parse())?;
    if let Some(count) = words.get(1) {
        let _ = RESOURCES.set(count.parse()?);
    }
    let slice = Duration::from_secs_f64(seconds) / SLICES;
    // Not in the folder for temporary files, which may be in memory.
    let directory = tempfile::tempdir_in(".")?;
    println!("{} resources, {seconds} s per figure\n", resources());
    store::compare(directory.path(), slice)?;
    http::compare(directory.path(), slice)
}
