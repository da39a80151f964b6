//! What a version is called: a counter that orders, a random tag that identifies, and the
//! scheme that prints one of them for clients.

use core::fmt;

/// Position of a version in its resource's history: 1, 2, 3, … without gaps, never used twice
/// for one key, not even after a purge (the key keeps its floor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionNumber(u64);

impl VersionNumber {
    /// No version yet: the floor of a key that never existed.
    pub const NONE: Self = Self(0);
    /// The number of a resource's first version.
    pub const FIRST: Self = Self(1);

    /// A version number from its integer.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number that the next version gets. Saturates at `u64::MAX`, which a store that
    /// counts in commits never reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 64 random bits drawn when a version is planned and stored with it. After a restore from a
/// backup a counter may be given out again; a tag is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionTag(pub u64);

/// Everything that names one version of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionToken {
    /// Order within the resource.
    pub number: VersionNumber,
    /// Identity across restores.
    pub tag: VersionTag,
}

/// Which part of a [`VersionToken`] clients see as `versionId` and in `ETag`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VersionScheme {
    /// The counter in decimal: `3`.
    #[default]
    Sequential,
    /// 48 bits of the tag as eight and four hex digits: `25777f7d-27bc`, the form the NHS
    /// Spine pages show.
    Opaque,
}

impl VersionScheme {
    /// The version id of `token` under this scheme. Never allocates.
    pub fn print(self, token: VersionToken) -> VersionId {
        match self {
            Self::Sequential => VersionId::decimal(token.number.0),
            Self::Opaque => VersionId::opaque(token.tag.0),
        }
    }
}

/// A printed version id: a legal FHIR `id` of at most 20 characters, held inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionId {
    bytes: [u8; 20],
    start: u8,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl VersionId {
    // u64::MAX has 20 digits.
    const LEN_MAX: u8 = 20;

    fn decimal(mut number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let mut start = Self::LEN_MAX;
        loop {
            start -= 1;
            bytes[usize::from(start)] = DIGITS[(number % 10) as usize];
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { bytes, start }
    }

    fn opaque(tag: u64) -> Self {
        const LEN: u8 = 13;
        let mut bytes = [b'-'; 20];
        let start = Self::LEN_MAX - LEN;
        let mut rest = tag;
        for position in (0..LEN).rev().filter(|position| *position != 8) {
            bytes[usize::from(start + position)] = DIGITS[(rest & 0xf) as usize];
            rest >>= 4;
        }
        Self { bytes, start }
    }

    /// The id as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits, hex letters and a hyphen are ever written.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn token(number: u64, tag: u64) -> VersionToken {
        VersionToken { number: VersionNumber(number), tag: VersionTag(tag) }
    }

    #[test]
    fn sequential_prints_the_counter() {
        for number in [0, 1, 9, 10, 12_345, u64::MAX] {
            assert_eq!(VersionScheme::Sequential.print(token(number, 7)).to_string(), number.to_string());
        }
    }

    #[test]
    fn opaque_prints_the_low_48_bits_of_the_tag() {
        let print = |tag| VersionScheme::Opaque.print(token(1, tag)).to_string();
        assert_eq!(print(0x2577_7f7d_27bc), "25777f7d-27bc");
        assert_eq!(print(0xffff_2577_7f7d_27bc), "25777f7d-27bc");
        assert_eq!(print(0), "00000000-0000");
    }
}
