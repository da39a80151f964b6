//! Choices that a seed repeats.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// A stream of choices.
pub(crate) struct Chance(StdRng);

impl Chance {
    /// One of the streams of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        // An odd factor spreads neighbouring numbers; two streams of one seed never coincide.
        Self(StdRng::seed_from_u64(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number below `bound`; 0 where nothing is below it.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Text that can stand in a header line: visible ASCII, spaces, and bytes above ASCII.
    pub(crate) fn line(&mut self, length_max: usize) -> Vec<u8> {
        let mut bytes = self.bytes(1 + length_max / 2);
        bytes.truncate(self.below(length_max + 1));
        for byte in &mut bytes {
            if *byte < b' ' || *byte == 0x7f {
                *byte = b'"';
            }
        }
        bytes
    }
}
