#![doc = include_str!("../README.md")]

mod body;
mod conditional;
mod handler;
mod limits;
mod negotiate;
mod opening;
mod prefer;
mod query;
mod response;
mod route;
mod server;

pub use limits::Limits;
pub use server::{Mount, Server, Settings};
