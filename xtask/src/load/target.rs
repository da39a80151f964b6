//! Where requests go, and the bytes of a request.

use std::cell::Cell;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::report::mib;
use crate::server::{self, Server};

/// The base of a FHIR API.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) authority: String,
    /// The path of the base, with a slash in front and none behind.
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").context("--target begins with http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { authority: authority.to_owned(), path })
    }

    /// A GET; `place` is what stands behind the base.
    pub(crate) fn get(&self, place: &str) -> Vec<u8> {
        let Self { authority, path } = self;
        format!("GET {path}{place} HTTP/1.1\r\nhost: {authority}\r\naccept: application/fhir+json\r\n\r\n")
            .into_bytes()
    }

    /// A request with a body, which wants a short answer.
    pub(crate) fn send(&self, method: &str, place: &str, body: &str) -> Vec<u8> {
        let Self { authority, path } = self;
        format!(
            "{method} {path}{place} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/fhir+json\r\n\
             accept: application/fhir+json\r\nprefer: return=minimal\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// Which server to measure.
#[derive(clap::Args, Clone)]
pub(crate) struct Choice {
    /// Base URL of a FHIR API; without it a server is built and started on an empty folder
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Use an optimised build of the server that is started
    #[arg(long)]
    pub(crate) release: bool,
}

/// A server that runs already, or one of our own.
pub(crate) struct Served {
    pub(crate) target: Target,
    own: Option<Own>,
}

struct Own {
    server: Server,
    /// Kept as long as the server runs.
    _data: TempDir,
    /// What was resident when its peak was forgotten.
    before: Cell<u64>,
}

impl Served {
    /// `path` is the base of a server that is started.
    pub(crate) fn start(choice: &Choice, path: &str) -> Result<Self> {
        if let Some(url) = &choice.target {
            return Ok(Self { target: Target::parse(url)?, own: None });
        }
        let binary = server::build(choice.release)?;
        let data = tempfile::tempdir()?;
        let server = Server::start(&binary, data.path(), &[])?;
        let target = Target { authority: server.address.to_string(), path: path.to_owned() };
        let own = Own { server, _data: data, before: Cell::new(0) };
        Ok(Self { target, own: Some(own) })
    }

    /// Is it ours, and was it empty at the start?
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Measures the peak of the server's memory from now on, where the system lets us.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        if let Some(own) = &self.own {
            server::forget_peak(own.server.id());
            own.before.set(server::peak(own.server.id())?);
        }
        Ok(())
    }

    /// The peak of the server's memory beside the size of the largest Bundle.
    #[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
    pub(crate) fn memory(&self, largest: usize) -> Result<String> {
        let largest = u64::try_from(largest)?.max(1);
        let Some(own) = &self.own else {
            return Ok(format!(
                "largest Bundle {:.1} MiB; the memory of a server that runs elsewhere is not seen",
                mib(largest)
            ));
        };
        let peak = server::peak(own.server.id())?;
        let more = peak.saturating_sub(own.before.get());
        Ok(format!(
            "largest Bundle {:.1} MiB, peak memory of the server (VmHWM) {:.1} MiB: {:.1} times its size; {:.1} MiB \
             more than before: {:.1} times",
            mib(largest),
            mib(peak),
            peak as f64 / largest as f64,
            mib(more),
            more as f64 / largest as f64
        ))
    }
}
