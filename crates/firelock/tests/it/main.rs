//! The program as its users run it: processes, files, and HTTP between them.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod audit;
mod backups;
mod costly;
mod demo;
mod documentation;
mod explains;
mod exports;
mod hostile;
mod indexes;
mod messages;
mod process;
mod profiles;
mod purges;
mod records;
mod references;
mod repeats;
mod replacements;
mod stores;
mod transactions;
mod words;
