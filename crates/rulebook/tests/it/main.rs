//! What the rulebooks say, as a whole.

mod outcomes;
mod rows;
mod samples;
mod spine_codes;
