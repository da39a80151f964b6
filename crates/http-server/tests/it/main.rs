//! The HTTP edge as clients see it.

mod client;
mod harness;
mod operations;
mod transcripts;
