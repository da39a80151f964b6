//! What commands tell of what they did.

use std::fmt::Arguments;
use std::io::{Write, stdout};

/// A line on the standard output. Nobody may be reading, which is no reason to stop in the middle of a command.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(format_args!($($text)*))
    };
}

pub(crate) fn line(text: Arguments<'_>) {
    // It goes out at once, as scripts wait for some of them.
    let mut out = stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
