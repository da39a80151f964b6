//! Accepting connections, and stopping without losing what was accepted.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fhir_service::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::Limits;
use crate::opening::Opening;
use crate::traffic::Traffic;

/// An API at a path.
#[derive(Clone)]
pub struct Mount {
    /// The path, with a slash at its start and none at its end.
    pub path: String,
    /// What answers there.
    pub service: Service,
}

/// What a server is told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The URL that clients see before a mount's path, without a slash at its end. Where there
    /// is none, the Host of each request is used.
    pub base_url: Option<String>,
    /// Limits.
    pub limits: Limits,
}

/// An HTTP server over mounts.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) fallback: Service,
    pub(crate) base_url: Option<String>,
    pub(crate) local_authority: String,
    pub(crate) limits: Limits,
    pub(crate) traffic: Traffic,
}

impl Server {
    /// Takes a listener that is bound. `fallback` words what is outside every mount.
    ///
    /// # Errors
    /// If the listener cannot tell its address.
    pub fn new(
        listener: TcpListener,
        mut mounts: Vec<Mount>,
        fallback: Service,
        settings: Settings,
    ) -> io::Result<Self> {
        // The longest path first, so that a mount below another is found.
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        let local_authority = listener.local_addr()?.to_string();
        let Settings { base_url, limits } = settings;
        let shared = Arc::new(Shared {
            mounts,
            fallback,
            base_url,
            local_authority,
            limits,
            traffic: Traffic::default(),
        });
        Ok(Self { listener, shared })
    }

    /// Serves until `shutdown` resolves, then finishes the requests that were accepted, for at
    /// most [`Limits::shutdown_time_max`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let limits = self.shared.limits;
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&permits).acquire_owned().await.ok();
                (self.listener.accept().await, permit)
            };
            tokio::select! {
                () = &mut shutdown => break,
                (accepted, permit) = accepted => match accepted {
                    Ok((stream, _)) => self.connection(stream, &graceful, permit),
                    Err(error) => {
                        // Most often too many open files: give connections time to end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(self.listener);
        if tokio::time::timeout(limits.shutdown_time_max, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time and were dropped");
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        graceful: &GracefulShutdown,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) {
        // A failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&self.shared);
        let handle = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.handle(request).await) }
        });
        let builder = builder(&self.shared.limits);
        let stream = Opening::new(stream, self.shared.limits.header_time_max);
        let connection = builder.serve_connection(TokioIo::new(stream), handle).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(permit);
        });
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    // Above this the protocol layer refuses by itself, without an outcome. It wants 8 KiB at least.
    let header_section_bytes_max = limits.header_bytes_max.saturating_add(limits.uri_bytes_max);
    let buffer_bytes_max = header_section_bytes_max.saturating_mul(4).max(8 * 1024);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        .max_buf_size(buffer_bytes_max)
        .max_headers(256);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(buffer_bytes_max).unwrap_or(u32::MAX));
    builder
}
