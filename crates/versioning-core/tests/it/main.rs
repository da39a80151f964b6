//! The tests of the lock core: its decision table, its parser, its concurrency.

mod domain;
mod explorer;
mod fields;
mod golden;
mod no_alloc;
mod table;
