//! The program as its users run it: processes, files, and HTTP between them.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod audit;
mod backups;
mod exports;
mod messages;
mod process;
mod purges;
mod transactions;
