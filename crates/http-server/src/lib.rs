#![doc = include_str!("../README.md")]

mod admission;
mod audit;
mod body;
mod compression;
mod conditional;
mod cors;
mod criteria;
mod handler;
mod limits;
mod metrics;
mod negotiate;
mod opening;
mod operations;
mod origin;
mod prefer;
mod prepare;
mod query;
mod response;
mod retry;
mod route;
mod sending;
mod server;
mod streams;
mod tls;
mod traffic;

pub use audit::{Audit, AuditRecord};
pub use cors::Cors;
pub use ipnet::IpNet;
pub use limits::Limits;
pub use server::{Mount, Server, Settings, StartError};
pub use tls::{TlsError, TlsFiles};
