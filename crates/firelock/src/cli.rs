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
    /// Write all stores of a data folder into one file, while the server runs or not.
    Backup(BackupArguments),
    /// Make a data folder from a backup.
    Restore(RestoreArguments),
    /// Show how a search is answered, and what a conditional write with the same criteria would touch.
    Explain(ExplainArguments),
    /// Remove a resource with its history for good.
    Purge(PurgeArguments),
    /// Write stores as text, a line of JSON for each version.
    Export(ExportArguments),
    /// Read a store from an export.
    Import(ImportArguments),
}

/// Flags win over the configuration file, which wins over the defaults.
#[derive(Debug, Default, Args)]
#[command(after_help = "Without a configuration file these APIs are served:\n  \
    /STU3 /R4 /R4B /R5   plain FHIR of that version\n  \
    /spine/STU3          NHS Spine update rules: If-Match compulsory, 409 and 412\n  \
    /flags/STU3          the Reasonable Adjustment Flag API\n  \
    /nrl/STU3            the National Record Locator\n\n\
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
    /// Keep everything in memory, load a small data set and print commands to try on it
    #[arg(long, conflicts_with_all = ["data", "store"])]
    pub(crate) demo: bool,
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

#[derive(Debug, Args)]
#[command(after_help = "The backup is one state of each store: everything that was acknowledged before the \
    command began.\nThe file appears under its name when it is whole and on the disk.\n\n\
    To use it: firelock restore FILE --data DIR")]
pub(crate) struct BackupArguments {
    /// File to write; must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder with the data
    #[arg(long, value_name = "DIR", default_value = "./firelock-data")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "The checksum of the file is verified before anything is written, and the stores \
    are checked before they are put in place.\n\n\
    What was written after the backup is lost, but clients may still hold the version ids of it. So that \
    none of these ids comes back for another content, every resource gets a version like its newest, with a \
    number that is higher by --margin. Choose more than the number of times that any resource can have \
    changed since the backup. Resources that were created since are not known to it: if somebody creates them \
    anew under their ids, they begin with version 1.")]
pub(crate) struct RestoreArguments {
    /// File that `firelock backup` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder to make; must be empty if it exists
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// How far version numbers are raised; 0 for a copy without a change, if nothing was written after
    /// the backup
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    pub(crate) margin: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "The server must be stopped. The resource is gone with every version, as if it had \
    never been, except that its version numbers are not used again. Backups and exports made before still \
    have it.")]
pub(crate) struct PurgeArguments {
    /// Resource to remove, such as Patient/example
    #[arg(value_name = "TYPE/ID")]
    pub(crate) resource: String,
    /// Path of the API that it belongs to, such as /R4
    #[arg(long, value_name = "PATH")]
    pub(crate) mount: String,
    /// Folder with the data
    #[arg(long, value_name = "DIR", default_value = "./firelock-data")]
    pub(crate) data: PathBuf,
    /// Do it; without this the command only says what would be removed
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Versions come in commit order, while the server runs or not: everything that was \
    acknowledged before the command began.\nClaims of idempotency keys are not exported; a backup has them.\n\n\
    To use it: firelock import FILE --data DIR --mount PATH")]
pub(crate) struct ExportArguments {
    /// File to write, which must not exist; - for the standard output
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder with the data
    #[arg(long, value_name = "DIR", default_value = "./firelock-data")]
    pub(crate) data: PathBuf,
    /// Path of the one API whose store is exported, such as /R4 [default: all]
    #[arg(long, value_name = "PATH")]
    pub(crate) mount: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "The server must be stopped. The store must be empty, and becomes the one that was \
    exported, with its version numbers, tags and times, or stays as it is.\n\n\
    With --append the store keeps what it has, and each line becomes a new version of its resource, one \
    commit each, with the number and the time that come next. If that fails, the versions before the fault \
    stay, and the message says how to go on behind them.")]
pub(crate) struct ImportArguments {
    /// File that `firelock export` wrote; - for the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder with the data
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Path of the API that the versions will belong to, such as /R4
    #[arg(long, value_name = "PATH")]
    pub(crate) mount: String,
    /// Path of the API that they were exported from [default: the same]
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<String>,
    /// Add to what is there, as new versions
    #[arg(long)]
    pub(crate) append: bool,
    /// Leave out the first lines of the file
    #[arg(long, value_name = "LINES", default_value_t = 0, requires = "append")]
    pub(crate) skip: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "The server may run. Nothing is changed.\n\n\
    firelock explain 'Observation?code=8867-4&subject=Patient/1' --mount /R4")]
pub(crate) struct ExplainArguments {
    /// A search as in a URL, with parameters that select: result parameters have no meaning here
    #[arg(value_name = "TYPE?QUERY")]
    pub(crate) search: String,
    /// Path of the API, such as /R4
    #[arg(long, value_name = "PATH")]
    pub(crate) mount: String,
    /// Folder with the data [default: ./firelock-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file (TOML), where the API is not one of those that are there without one
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How many of the resources found are named
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) limit: usize,
}
