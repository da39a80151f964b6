//! The validator on small resources with one fault each, on every official example, on mutations of valid resources,
//! and on hostile input.

mod allocations;
mod cases;
mod examples;
mod hostile;
mod mutations;
mod severities;
