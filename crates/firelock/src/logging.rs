//! Logs: for people on a terminal, as JSON otherwise. Both go to stderr.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts logging. `FIRELOCK_LOG` sets what is logged, in the syntax of tracing's filters.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("FIRELOCK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
