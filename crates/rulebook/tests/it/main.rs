//! What the rulebooks say, as a whole.

mod conflicts;
mod directory;
mod identifiers;
mod jwt;
mod outcomes;
mod readings;
mod rows;
mod samples;
mod spine_codes;
