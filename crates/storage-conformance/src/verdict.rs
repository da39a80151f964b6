//! What a check says.

use core::fmt;

use storage_api::StoreError;

/// What a store does that it must not, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Fault {}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(format!("the store failed: {error}"))
    }
}

/// Nothing, or what is wrong.
pub type Verdict = Result<(), Fault>;

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Fault(format!($($words)+)));
        }
    };
}

/// Fails the check unless both are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($words:tt)+) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            let what = format!($($words)+);
            return Err($crate::verdict::Fault(format!("{what}: {left:?} instead of {right:?}")));
        }
    }};
}

pub(crate) use {ensure, ensure_eq};
