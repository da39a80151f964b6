//! HTTP/2 without TLS: the same answers, and limits of its own kind.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt, Full, StreamBody};
use http_server::Limits;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::bad_input::check_outcome;
use crate::client::{Request, Response};
use crate::harness::TestServer;
use crate::mounts::{PATHS, stale};

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A connection of a client.
struct Client {
    sender: SendRequest<Body>,
    ended: JoinHandle<()>,
}

impl Client {
    /// `window` is how much of an answer the client takes before it has looked at it.
    async fn open(server: &TestServer, window: u32) -> Self {
        let stream = TcpStream::connect(server.address).await.expect("connect");
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).initial_stream_window_size(window);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("a handshake");
        let ended = tokio::spawn(async move {
            // How it ends is the server's business.
            let _ = connection.await;
        });
        Self { sender, ended }
    }

    async fn begin(&self, request: &Request, body: Body) -> hyper::Result<hyper::Response<Incoming>> {
        let uri = format!("http://server.example{}", request.target);
        let mut built = hyper::Request::builder().method(request.method.as_str()).uri(uri);
        for (name, value) in &request.headers {
            built = built.header(name, value.as_slice());
        }
        self.sender.clone().send_request(built.body(body).expect("a request")).await
    }

    async fn send(&self, request: &Request) -> Response {
        let body = Full::new(Bytes::from(request.body.clone())).boxed_unsync();
        read(self.begin(request, body).await.expect("an answer")).await
    }

    /// Waits until the server has closed the connection.
    async fn closed(self) {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.ended);
        ended.await.expect("the server closes it").expect("a task");
    }
}

async fn read(response: hyper::Response<Incoming>) -> Response {
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Response {
        status: parts.status.as_u16(),
        reason: String::new(),
        headers: headers.collect(),
        body: body.collect().await.expect("the whole body").to_bytes().to_vec(),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

const WINDOW: u32 = 65_535;

fn flag(id: &str, length: usize) -> String {
    format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{}"}}"#, "x".repeat(length))
}

#[test]
fn a_conflict_on_one_connection() {
    let server = TestServer::start();
    runtime().block_on(async {
        let client = Client::open(&server, WINDOW).await;
        for path in PATHS {
            let (target, etag) = server.flag(path);
            let id = target.rsplit('/').next().expect("an id");
            let put = Request::put(&target, flag(id, 1)).if_match(&etag);
            let first = client.send(&put).await;
            assert!(first.status == 200, "{path}: {}", first.body_text());
            check_outcome(&client.send(&put).await, stale(path), path);
            assert_eq!(client.send(&Request::get(&target)).await.etag(), first.etag(), "{path}");
            // The authority of the request is what its answers name.
            let history = client.send(&Request::get("/R4/Flag/_history")).await;
            assert!(history.text("link.0.url").starts_with("http://server.example/R4"), "{path}");
        }
    });
}

/// Many streams at once: each has its own answer, and of updates of one version one wins.
#[test]
fn streams_race_like_connections() {
    const STREAMS: usize = 150;
    let server = TestServer::start();
    let (target, etag) = server.flag("/R4");
    let id = target.rsplit('/').next().expect("an id");
    runtime().block_on(async {
        let client = Client::open(&server, WINDOW).await;
        let requests: Vec<Request> =
            (0..STREAMS).map(|n| Request::put(&target, flag(id, n + 1)).if_match(&etag)).collect();
        let answers: FuturesUnordered<_> = requests.iter().map(|request| client.send(request)).collect();
        let mut statuses: Vec<u16> = answers.map(|answer| answer.status).collect().await;
        statuses.sort_unstable();
        assert_eq!((statuses[0], statuses[1], statuses[STREAMS - 1]), (200, 412, 412));
    });
}

#[test]
fn what_is_too_large_is_refused_as_over_http_1() {
    let server = TestServer::limited(|limits| limits.body_bytes_max = 10_000);
    let limits = Limits::default();
    runtime().block_on(async {
        let client = Client::open(&server, WINDOW).await;
        let put = Request::put("/R4/Flag/a", "");
        let too_large = Full::new(Bytes::from(flag("a", 20_000))).boxed_unsync();
        check_outcome(&read(client.begin(&put, too_large).await.expect("an answer")).await, 413, "announced");
        let chunks =
            futures_util::stream::iter((0..20).map(|_| Ok(Frame::data(Bytes::from(vec![b' '; 1000])))));
        let chunks = StreamBody::new(chunks).boxed_unsync();
        check_outcome(
            &read(client.begin(&put, chunks).await.expect("an answer")).await,
            413,
            "not announced",
        );
        let long = Request::get(&format!("/R4/Flag?q={}", "q".repeat(limits.uri_bytes_max)));
        check_outcome(&client.send(&long).await, 414, "the URL");
        let filled = Request::get("/R4/metadata").header("X-Fill", "x".repeat(limits.header_bytes_max));
        check_outcome(&client.send(&filled).await, 431, "the fields");
        assert_eq!(client.send(&Request::get("/R4/metadata")).await.status, 200, "the connection goes on");
    });
}

/// Slow on purpose: a body that does not come is waited for as long as over HTTP/1.1.
#[test]
fn a_body_that_stalls_on_a_stream() {
    let server = TestServer::limited(|limits| limits.body_time_max = Duration::from_millis(200));
    runtime().block_on(async {
        let client = Client::open(&server, WINDOW).await;
        let never = StreamBody::new(futures_util::stream::pending()).boxed_unsync();
        let answer = client.begin(&Request::put("/R4/Flag/a", ""), never).await.expect("an answer");
        check_outcome(&read(answer).await, 408, "a stalled body");
        assert_eq!(client.send(&Request::get("/R4/metadata")).await.status, 200, "other streams go on");
    });
}

/// Slow on purpose: a connection without a request is closed, whether or not there was one before.
#[test]
fn connections_of_http_2_that_are_idle() {
    let server = TestServer::limited(|limits| limits.header_time_max = Duration::from_millis(300));
    runtime().block_on(async {
        let started = Instant::now();
        let unused = Client::open(&server, WINDOW).await;
        let used = Client::open(&server, WINDOW).await;
        for _ in 0..3 {
            assert_eq!(used.send(&Request::get("/R4/Flag/a")).await.status, 404);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unused.closed().await;
        used.closed().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    });
}

/// A client whose window stays closed is disconnected, and its place is free again. One that is slow is not.
#[test]
fn a_client_that_never_opens_its_window() {
    let server = TestServer::limited(|limits| {
        limits.connections_max = 1;
        limits.send_time_max = Duration::from_millis(500);
    });
    assert_eq!(server.send(&Request::put("/R4/Flag/a", flag("a", 1 << 20))).status, 201);
    assert_eq!(server.send(&Request::put("/R4/Flag/b", flag("b", 10_000))).status, 201);
    let get = Request::get("/R4/Flag/a");
    runtime().block_on(async {
        let client = Client::open(&server, 1000).await;
        let slow = client.begin(&get, Full::default().boxed_unsync()).await.expect("the head");
        let mut body = slow.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.expect("a slow reader gets all").data_ref().map_or(0, Bytes::len);
        }
        assert!(bytes > 1 << 20);
        // Kept, and never looked at.
        let other = Request::get("/R4/Flag/b");
        let stuck = client.begin(&other, Full::default().boxed_unsync()).await.expect("the head");
        let started = Instant::now();
        client.closed().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        drop(stuck);
        assert_eq!(server.send(&Request::get("/R4/Flag/never")).status, 404, "there is room again");
    });
}

/// What is under way is finished after a stop, and the client is told to begin nothing more.
#[test]
fn a_stop_finishes_streams() {
    let mut server = TestServer::start();
    runtime().block_on(async {
        let client = Client::open(&server, WINDOW).await;
        let (sender, receiver) = later();
        let body = StreamBody::new(receiver).boxed_unsync();
        let request = Request::put("/R4/Flag/a", "");
        let answer = client.begin(&request, body);
        let stop = async {
            // The head is on its way; another stream that is answered comes behind it.
            assert_eq!(client.send(&Request::get("/R4/Flag/a")).await.status, 404);
            server.stop();
            let whole = Ok(Frame::data(Bytes::from(flag("a", 1))));
            sender.send(whole).expect("the body is wanted");
        };
        let (answer, ()) = tokio::join!(answer, stop);
        assert_eq!(read(answer.expect("an answer")).await.status, 201);
        client.closed().await;
    });
    server.wait();
}

/// A piece of a body.
type Piece = Result<Frame<Bytes>, std::convert::Infallible>;

/// A body of one piece that comes later.
fn later() -> (tokio::sync::oneshot::Sender<Piece>, impl futures_util::Stream<Item = Piece>) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let stream = futures_util::stream::once(async move { receiver.await.expect("a frame") });
    (sender, stream)
}
