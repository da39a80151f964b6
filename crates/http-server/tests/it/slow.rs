//! Clients that are slow or stop in the middle, and a server that stops.

use std::time::{Duration, Instant};

use crate::bad_input::{check_outcome, goes_on};
use crate::client::{Connection, Request};
use crate::harness::TestServer;
use crate::mounts::PATHS;
use crate::protocol::raw;

/// Slow on purpose: each of these would hold a connection for ever.
#[test]
fn clients_that_never_finish_a_header_section() {
    let server = TestServer::limited(|limits| limits.header_time_max = Duration::from_millis(200));
    let beginnings: [&[u8]; 6] =
        [b"", b"P", b"PRI * HTTP/2.0\r\n", b"GET /R4/meta", b"GET / HTTP/1.1\r\nHost: h\r\n", b"\r\n"];
    let started = Instant::now();
    let mut connections: Vec<Connection> = beginnings
        .iter()
        .map(|beginning| {
            let mut connection = server.connect();
            connection.write(beginning).expect("write");
            connection
        })
        .collect();
    for (connection, beginning) in connections.iter_mut().zip(beginnings) {
        assert!(connection.is_closed(), "{:?}", beginning.escape_ascii().to_string());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // One that sends a byte now and then gains nothing by it.
    let mut connection = server.connect();
    let started = Instant::now();
    for byte in b"GET /R4/metadata HTTP/1.1\r\nHost: server.example\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaa" {
        if connection.write(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(connection.is_closed() && started.elapsed() < Duration::from_secs(5));
    goes_on(&mut server.connect(), "/R4");
}

/// A connection is kept for a next request for as long as that has time to arrive.
#[test]
fn connections_that_are_idle() {
    let server = TestServer::limited(|limits| limits.header_time_max = Duration::from_millis(300));
    let mut connection = server.connect();
    for _ in 0..3 {
        goes_on(&mut connection, "/R4");
        std::thread::sleep(Duration::from_millis(100));
    }
    let started = Instant::now();
    assert!(connection.is_closed() && started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_stalls() {
    let server = TestServer::limited(|limits| limits.body_time_max = Duration::from_millis(200));
    for path in PATHS {
        let (target, etag) = server.flag(path);
        for (method, framing, sent) in [
            ("PUT", "Content-Length: 100", "{\"resourceType\""),
            ("PUT", "Transfer-Encoding: chunked", "5\r\n{\"res\r\n"),
            ("DELETE", "Content-Length: 100", ""),
            ("GET", "Content-Length: 1", ""),
        ] {
            let started = Instant::now();
            let mut connection = server.connect();
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: server.example\r\nIf-Match: {etag}\r\n{framing}\r\n\r\n"
            );
            let answer = raw(&mut connection, format!("{head}{sent}").as_bytes());
            check_outcome(&answer, 408, &format!("{method} {framing} on {path}"));
            assert!(started.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(server.send(&Request::get(&target)).etag(), etag, "{path}: nothing was written");
    }
    // Refused before its body is read: it is waited for no longer than that.
    let mut connection = server.connect();
    let answer =
        raw(&mut connection, b"PUT /nowhere HTTP/1.1\r\nHost: server.example\r\nContent-Length: 9\r\n\r\n");
    check_outcome(&answer, 404, "a stalled body that nobody wants");
}

/// A client that asks for much and takes nothing is disconnected, and its place is free again.
#[test]
fn a_client_that_never_reads() {
    const LENGTH: usize = 8 << 20;
    const ANSWERS: usize = 4;
    let server = TestServer::limited(|limits| {
        limits.connections_max = 1;
        limits.send_time_max = Duration::from_millis(500);
    });
    let body = format!(r#"{{"resourceType":"Flag","id":"a","status":"{}"}}"#, "x".repeat(LENGTH));
    let get = Request::get("/R4/Flag/a").bytes();
    let mut reader = server.connect();
    assert_eq!(reader.send(&Request::put("/R4/Flag/a", body)).status, 201);
    // Who reads with pauses, but reads, gets all.
    for _ in 0..ANSWERS {
        reader.write(&get).expect("write");
        std::thread::sleep(Duration::from_millis(200));
        assert!(reader.receive(false).body.len() > LENGTH);
    }
    // More than fits between the two, and nobody takes it.
    reader.write(&get.repeat(ANSWERS)).expect("write");
    let started = Instant::now();
    goes_on(&mut server.connect(), "/R4");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let taken = (0..ANSWERS).take_while(|_| reader.try_receive(false).is_ok()).count();
    assert!(taken < ANSWERS, "all was sent, so nobody waited");
}

/// A request that the server has taken up gets its answer after the stop; new connections do not.
#[test]
fn a_stop_finishes_what_was_accepted() {
    let mut server = TestServer::start();
    let body = r#"{"resourceType":"Flag","id":"a"}"#;
    let mut connection = server.connect();
    let mut idle = server.connect();
    goes_on(&mut idle, "/R4");
    // `100 Continue` says that the request is being handled: it waits for its body.
    let head = format!(
        "PUT /R4/Flag/a HTTP/1.1\r\nHost: server.example\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(raw(&mut connection, head.as_bytes()).status, 100);
    server.stop();
    assert!(idle.is_closed(), "a connection without a request is closed at once");
    let answer = raw(&mut connection, body.as_bytes());
    assert_eq!((answer.status, answer.etag().as_str()), (201, "W/\"1\""));
    assert!(connection.is_closed());
    server.wait();
    assert!(std::net::TcpStream::connect(server.address).is_err(), "nobody listens any more");
}

/// A stop waits for no one longer than it says.
#[test]
fn a_stop_has_an_end() {
    let mut server = TestServer::limited(|limits| limits.shutdown_time_max = Duration::from_millis(200));
    let mut connection = server.connect();
    let head = b"PUT /R4/Flag/a HTTP/1.1\r\nHost: server.example\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(raw(&mut connection, head).status, 100);
    let started = Instant::now();
    server.stop();
    server.wait();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
