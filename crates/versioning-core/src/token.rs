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

    /// Whether `bytes` are what [`print`](Self::print) gives for `token`.
    ///
    /// Compares while it prints: to build the print first and compare then takes longer than all
    /// the rest of a decision.
    pub(crate) fn prints(self, token: VersionToken, bytes: &[u8]) -> bool {
        match self {
            Self::Sequential => is_decimal(token.number.0, bytes),
            Self::Opaque => bytes == opaque(token.tag.0),
        }
    }
}

/// Digit by digit from the last: without a leading zero, all digits are used up with the number.
fn is_decimal(number: u64, bytes: &[u8]) -> bool {
    let mut rest = number;
    for (position, byte) in bytes.iter().enumerate().rev() {
        if u64::from(*byte) != u64::from(b'0') + rest % 10 {
            return false;
        }
        rest /= 10;
        if rest == 0 {
            return position == 0;
        }
    }
    false
}

/// Eight and four hex digits of the low 48 bits.
fn opaque(tag: u64) -> [u8; 13] {
    let mut printed = [b'-'; 13];
    printed[..8].copy_from_slice(&hex(tag >> 16));
    printed[9..].copy_from_slice(&hex(tag)[4..]);
    printed
}

/// The low 32 bits as hex digits, all eight at once: one digit to a byte, then `0` added to each,
/// and to those above nine the distance from `:` to `a`.
fn hex(number: u64) -> [u8; 8] {
    const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
    let number = number & 0xffff_ffff;
    let words = (number | number << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (words | words << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let above_nine = ((digits + 6 * EACH_BYTE) >> 4) & EACH_BYTE;
    let letters = above_nine * u64::from(b'a' - b':');
    (digits + u64::from(b'0') * EACH_BYTE + letters).to_be_bytes()
}

/// A printed version id: a legal FHIR `id` of at most 20 characters, held inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionId {
    bytes: [u8; 20],
    start: u8,
}

impl VersionId {
    // u64::MAX has 20 digits.
    const LEN_MAX: u8 = 20;

    fn decimal(number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let mut start = Self::LEN_MAX;
        let mut rest = number;
        loop {
            start -= 1;
            bytes[usize::from(start)] += (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Self { bytes, start };
            }
        }
    }

    fn opaque(tag: u64) -> Self {
        const START: u8 = VersionId::LEN_MAX - 13;
        let mut bytes = [b'0'; 20];
        bytes[usize::from(START)..].copy_from_slice(&opaque(tag));
        Self { bytes, start: START }
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
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

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
        assert_eq!(print(0x0123_4567_89ab), "01234567-89ab");
        assert_eq!(print(0xcdef_9a0f_a09f), "cdef9a0f-a09f");
    }

    /// The comparison that never builds the print agrees with the print.
    fn check_comparison(token: VersionToken, bytes: &[u8]) -> Result<(), TestCaseError> {
        for scheme in [VersionScheme::Sequential, VersionScheme::Opaque] {
            let expected = scheme.print(token).as_bytes() == bytes;
            prop_assert_eq!(scheme.prints(token, bytes), expected, "{:?} {:?} {:?}", scheme, token, bytes);
        }
        Ok(())
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..2_000_u64,
            any::<u64>(),
            Just(u64::MAX),
            (0..20_u32).prop_map(|power| 10_u64.pow(power))
        ]
    }

    proptest! {
        #[test]
        fn a_print_is_recognised(number in number(), tag: u64) {
            let token = token(number, tag);
            for scheme in [VersionScheme::Sequential, VersionScheme::Opaque] {
                prop_assert!(scheme.prints(token, scheme.print(token).as_bytes()));
            }
        }

        #[test]
        fn almost_a_print_is_not(number in number(), tag: u64, at in 0..21_usize, byte: u8, edit in 0..3_u8) {
            let token = token(number, tag);
            for scheme in [VersionScheme::Sequential, VersionScheme::Opaque] {
                let mut bytes = scheme.print(token).as_bytes().to_vec();
                let at = at % bytes.len();
                match edit {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
                check_comparison(token, &bytes)?;
                bytes.insert(0, b'0');
                check_comparison(token, &bytes)?;
            }
        }

        #[test]
        fn any_bytes_are_compared(number in number(), tag: u64, bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            check_comparison(token(number, tag), &bytes)?;
        }
    }
}
