//! Accepting connections, and stopping without losing what was accepted.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fhir_service::Service;
use hyper::Version;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::Limits;
use crate::audit::Audit;
use crate::body::Bodies;
use crate::cors::Cors;
use crate::opening::Opening;
use crate::origin::{Origin, Peer};
use crate::sending::Sending;
use crate::streams::{Streams, Verdict};
use crate::tls::{TlsError, TlsFiles};
use crate::traffic::Traffic;

/// So many requests that leave a record are carried out at once.
const RECORDING_MAX: u32 = 64 * 1024;

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
    /// Networks whose `X-Forwarded-Proto`, `-Host` and `-Prefix` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which origins may use the server from a page.
    pub cors: Cors,
    /// TLS; without it the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Limits.
    pub limits: Limits,
    /// Where a record of every request to an API that is audited goes.
    pub audit: Option<Arc<dyn Audit>>,
}

/// An HTTP server over mounts.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
}

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) fallback: Service,
    pub(crate) origin: Origin,
    pub(crate) cors: Cors,
    pub(crate) limits: Limits,
    pub(crate) traffic: Traffic,
    pub(crate) bodies: Bodies,
    pub(crate) audit: Option<Arc<dyn Audit>>,
    /// One permit for each request that leaves a record and is not done yet.
    pub(crate) recording: Arc<Semaphore>,
}

impl Server {
    /// Takes a listener that is bound. `fallback` words what is outside every mount.
    ///
    /// # Errors
    /// If the listener cannot tell its address, or the TLS files cannot be used.
    pub fn new(
        listener: TcpListener,
        mut mounts: Vec<Mount>,
        fallback: Service,
        settings: Settings,
    ) -> Result<Self, StartError> {
        // The longest path first, so that a mount below another is found.
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        let local_authority = listener.local_addr()?.to_string();
        let Settings { base_url, trusted_proxies, cors, tls, limits, audit } = settings;
        let origin = Origin { base_url, trusted_proxies, local_authority };
        let (traffic, bodies) = (Traffic::default(), Bodies::default());
        let recording = Arc::new(Semaphore::new(RECORDING_MAX as usize));
        let shared = Shared { mounts, fallback, origin, cors, limits, traffic, bodies, audit, recording };
        let shared = Arc::new(shared);
        let tls = tls.map(|files| files.acceptor()).transpose()?;
        Ok(Self { listener, tls, shared })
    }

    /// Serves until `shutdown` resolves, then finishes the requests that were accepted, for at
    /// most [`Limits::shutdown_time_max`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let limits = self.shared.limits;
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        // Every connection keeps a receiver for as long as it is there.
        let (stop, _) = watch::channel(());
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&permits).acquire_owned().await.ok();
                (self.listener.accept().await, permit)
            };
            tokio::select! {
                () = &mut shutdown => break,
                (accepted, permit) = accepted => match accepted {
                    Ok((stream, address)) => self.accept(stream, address.ip(), stop.subscribe(), permit),
                    Err(error) => {
                        // Most often too many open files: give connections time to end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(self.listener);
        // Where there is no connection, nobody listens.
        let _ = stop.send(());
        let done = async {
            stop.closed().await;
            // Requests whose clients are gone.
            let _ = self.shared.recording.acquire_many(RECORDING_MAX).await;
        };
        if tokio::time::timeout(limits.shutdown_time_max, done).await.is_err() {
            tracing::warn!("some requests did not end in time and were dropped");
        }
    }

    /// Serves a connection in a task of its own, behind TLS if there is any.
    fn accept(
        &self,
        stream: TcpStream,
        address: IpAddr,
        stop: watch::Receiver<()>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        // A failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&self.shared);
        match self.tls.clone() {
            None => {
                let peer = Peer { address, secure: false };
                tokio::spawn(connection(shared, stream, peer, stop, permit));
            }
            Some(acceptor) => {
                tokio::spawn(async move {
                    let handshake = acceptor.accept(stream);
                    match tokio::time::timeout(shared.limits.header_time_max, handshake).await {
                        Ok(Ok(stream)) => {
                            let peer = Peer { address, secure: true };
                            connection(shared, stream, peer, stop, permit).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%error, %address, "no TLS handshake"),
                        Err(_) => tracing::debug!(%address, "the TLS handshake took too long"),
                    }
                });
            }
        }
    }
}

async fn connection<S>(
    shared: Arc<Shared>,
    stream: S,
    peer: Peer,
    mut stop: watch::Receiver<()>,
    permit: Option<OwnedSemaphorePermit>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = shared.limits;
    let streams = Streams::new(&limits);
    let opening = Sending::new(stream, limits.send_time_max);
    let opening = Opening::new(opening, limits.header_time_max, streams.clone());
    let watched = streams.clone();
    let handle = service_fn(move |request: hyper::Request<_>| {
        let shared = Arc::clone(&shared);
        let handled = (request.version() == Version::HTTP_2).then(|| watched.begin());
        async move {
            let response = shared.serve(request, peer).await;
            Ok::<_, Infallible>(match handled {
                Some(handled) => handled.answer(response),
                None => response,
            })
        }
    });
    let connection = builder(&limits).serve_connection(TokioIo::new(opening), handle).into_owned();
    let mut connection = pin!(connection);
    let mut look = pin!(sleep(limits.header_time_max.min(limits.send_time_max)));
    let (mut stopping, mut closing) = (false, false);
    let ended = loop {
        // The protocol layer itself has an eye on clients of HTTP/1.1.
        let time_to_look =
            poll_fn(|task| if streams.are_spoken() { look.as_mut().poll(task) } else { Poll::Pending });
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            _ = stop.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = time_to_look => match streams.judge(Instant::now()) {
                Verdict::Wait(until) => look.as_mut().reset(until),
                // It is told first, so that a request that is on its way is sent elsewhere.
                Verdict::Idle if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    streams.rest();
                    look.as_mut().reset(Instant::now());
                }
                verdict @ (Verdict::Idle | Verdict::Stuck) => {
                    tracing::debug!(?verdict, address = %peer.address, "connection closed");
                    break Ok(());
                }
            },
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    drop(permit);
}

/// Why a server cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The listener.
    Listener(io::Error),
    /// The TLS files.
    Tls(TlsError),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Listener(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener(error) => write!(f, "the listener: {error}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    // Above this the protocol layer refuses by itself, without an outcome. It wants 8 KiB at least.
    let header_section_bytes_max = limits.header_bytes_max.saturating_add(limits.uri_bytes_max);
    let buffer_bytes_max = header_section_bytes_max.saturating_mul(4).max(8 * 1024);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        // A client that says it sends no more still waits for its answer; without this a request
        // that is being handled would be dropped, and a write be done without a word.
        .half_close(true)
        .max_buf_size(buffer_bytes_max)
        .max_headers(limits.header_fields_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(buffer_bytes_max).unwrap_or(u32::MAX));
    builder
}
