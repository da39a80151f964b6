#![doc = include_str!("../README.md")]

mod body;
mod conditional;
mod handler;
mod limits;
mod metrics;
mod negotiate;
mod opening;
mod operations;
mod prefer;
mod query;
mod response;
mod route;
mod server;
mod traffic;

pub use limits::Limits;
pub use server::{Mount, Server, Settings};
