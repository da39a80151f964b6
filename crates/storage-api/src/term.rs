//! What a resource can be found by: a parameter and one typed value of it.

use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

use compact_str::CompactString;

use crate::{Document, Interval, Key, Position};

/// One value that a version is found by. The terms of a version are a sorted set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The name of the parameter, unique within the store whatever the kind.
    pub param: CompactString,
    /// The value.
    pub value: Value,
}

impl Term {
    /// A term from its parts.
    pub fn new(param: impl Into<CompactString>, value: Value) -> Self {
        Self { param: param.into(), value }
    }
}

/// The value of a [`Term`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A code, perhaps in a system.
    Token(Coding),
    /// A text: as it is compared, and as it was written.
    Text {
        /// Normalised by the caller (case, accents, white space).
        normal: CompactString,
        /// As it stands in the resource.
        original: CompactString,
    },
    /// A reference.
    Reference(Reference),
    /// A span of time, both ends included.
    Date(Interval),
    /// A number.
    Number(Number),
    /// A number with a unit.
    Quantity {
        /// How many.
        value: Number,
        /// Of what.
        unit: Option<Coding>,
    },
    /// A URI, compared as it is.
    Uri(CompactString),
    /// A place on the earth.
    Position(Position),
    /// Values that belong together, one per component of the parameter.
    Composite(Vec<Value>),
    /// The words of all its texts. They are found by [`Test::Words`](crate::Test::Words) alone.
    Words(Document),
}

/// A code in a system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coding {
    /// The code.
    pub code: CompactString,
    /// The system; `None` where there is none.
    pub system: Option<CompactString>,
}

/// Where a reference points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// To a key of the same store, whether something is stored there or not.
    Local(Key),
    /// Elsewhere.
    External(CompactString),
}

/// A finite number with a total order.
#[derive(Clone, Copy, Debug)]
pub struct Number(f64);

impl Number {
    /// `None` for infinities and NaN. Negative zero becomes zero.
    pub fn new(value: f64) -> Option<Self> {
        // Adding zero turns -0 into 0, so that equal numbers are one term.
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_finite_and_have_one_zero() {
        assert_eq!(Number::new(-0.0), Number::new(0.0));
        assert_eq!(Number::new(f64::NAN), None);
        assert_eq!(Number::new(f64::INFINITY), None);
        assert!(Number::new(-1.5) < Number::new(-1.0));
        assert_eq!(Number::new(2.5).map(Number::get), Some(2.5));
    }
}
