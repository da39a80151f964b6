//! The command line, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Durability, StoreKind};

/// A FHIR server that never loses an update.
///
/// Every write says which version it replaces, or is decided again against the newest one; a
/// stale client is refused and told what is current.
#[derive(Debug, Parser)]
#[command(name = "firelock", version)]
#[command(after_help = "Start here:\n  \
    firelock serve           (also what firelock does without a command)\n  \
    curl -i http://127.0.0.1:8080/R4/metadata\n\n\
    README.md walks through a conflict with curl.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the FHIR APIs over HTTP.
    Serve(ServeArguments),
    /// Print the configuration that `serve` would use with the same flags, as a file to start from.
    Config(ConfigArguments),
    /// Verify every version chain of a data folder, without changing anything.
    Check(CheckArguments),
}

/// Flags win over the configuration file, which wins over the defaults.
#[derive(Debug, Default, Args)]
#[command(after_help = "Without a configuration file these APIs are served:\n  \
    /STU3 /R4 /R4B /R5   plain FHIR of that version\n  \
    /spine/STU3          NHS Spine update rules: If-Match compulsory, 409 and 412\n\n\
    Signals: SIGTERM and SIGINT finish the requests that were accepted, then stop.")]
pub(crate) struct ServeArguments {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// URL under which clients reach the server, for Location, links and fullUrl
    /// [default: the Host header of each request]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Folder with the data; made if it does not exist [default: ./firelock-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where resources are kept: `memory` forgets everything at the end [default: sqlite]
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<StoreKind>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// `full`: an acknowledged write survives a power failure. `normal`: it survives a crash of
    /// the process, but a power failure may undo the last ones [default: full]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) durability: Option<Durability>,
    /// Certificate chain (PEM); with --tls-key the server speaks HTTPS only
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Authorities whose clients may connect (PEM): mutual TLS
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Origin whose pages may use the server, or * for all; may be repeated [default: none]
    #[arg(long = "cors", value_name = "ORIGIN")]
    pub(crate) cors: Vec<String>,
    /// Network whose X-Forwarded-Proto, -Host and -Prefix are believed; may be repeated
    /// [default: none]
    #[arg(long = "trusted-proxy", value_name = "NETWORK")]
    pub(crate) trusted_proxies: Vec<http_server::IpNet>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Folder with the data
    #[arg(long, value_name = "DIR", default_value = "./firelock-data")]
    pub(crate) data: PathBuf,
    /// Also look at the structure of every page of the files, which takes longer
    #[arg(long)]
    pub(crate) pages: bool,
}
