//! The property that fuzzing and the property tests share.

use super::limits::Limits;
use super::parser::parse;

/// What [`check_round_trip`] found in order.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundTrip {
    /// The input is no document within the default limits.
    Refused,
    /// It was read, and printing and reading it again changed nothing.
    Faithful,
}

/// What [`check_round_trip`] found to be wrong.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundTripFault {
    /// The place of a refusal lies outside of the input.
    PlaceOutside,
    /// What was printed cannot be read.
    Unreadable,
    /// Reading what was printed gives another tree.
    TreeDiffers,
    /// Printing is not the input without its white space.
    BytesDiffer,
    /// Printing with indentation changes more than white space.
    PrettyDiffers,
}

/// For any input: reading does not panic, and what is read is printed faithfully. Called by the
/// fuzz target `json_tree` and by the property tests; not meant for other code.
#[doc(hidden)]
pub fn check_round_trip(input: &[u8]) -> Result<RoundTrip, RoundTripFault> {
    let limits = Limits::default();
    let tree = match parse(input, &limits) {
        Ok(tree) => tree,
        Err(error) if error.offset > input.len() || error.to_string().is_empty() => {
            return Err(RoundTripFault::PlaceOutside);
        }
        Err(_) => return Ok(RoundTrip::Refused),
    };
    let printed = tree.to_bytes();
    if printed != without_space(input) {
        return Err(RoundTripFault::BytesDiffer);
    }
    match parse(&printed, &limits) {
        Ok(again) if again == tree => {}
        Ok(_) => return Err(RoundTripFault::TreeDiffers),
        Err(_) => return Err(RoundTripFault::Unreadable),
    }
    let mut pretty = Vec::new();
    tree.write_pretty(&mut pretty);
    if without_space(&pretty) != printed {
        return Err(RoundTripFault::PrettyDiffers);
    }
    Ok(RoundTrip::Faithful)
}

/// A document without the white space between its tokens, by the dumbest means that do.
fn without_space(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in document {
        if in_string || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            out.push(byte);
        }
        if byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && byte == b'\\' && !escaped;
    }
    out
}
