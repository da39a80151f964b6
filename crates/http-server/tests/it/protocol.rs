//! HTTP itself: framing, limits, targets and header fields.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_server::{Limits, Settings};

use crate::bad_input::{check_outcome, goes_on};
use crate::client::{Connection, Request, Response};
use crate::harness::TestServer;
use crate::mounts::{FHIR_PATHS, PATHS, default_mounts, parse};

/// Sends bytes as they are and reads one response.
#[track_caller]
pub(crate) fn raw(connection: &mut Connection, bytes: &[u8]) -> Response {
    connection.write(bytes).expect("write");
    connection.receive(false)
}

const CHUNKED: &str = "PUT /R4/Flag/a HTTP/1.1\r\nHost: server.example\r\nTransfer-Encoding: chunked\r\n\r\n";

/// 100 MB, announced or not: the client writes all of it and then reads why it was refused.
#[test]
fn a_body_that_is_too_large() {
    const MEGABYTES: usize = 100;
    let server = TestServer::start();
    for path in ["/STU3", "/spine/STU3"] {
        let mut connection = server.connect();
        let head = format!(
            "PUT {path}/Flag/a HTTP/1.1\r\nHost: server.example\r\nContent-Length: {}\r\n\r\n",
            MEGABYTES << 20
        );
        let block = vec![b' '; 1 << 20];
        connection.write(head.as_bytes()).expect("write");
        for _ in 0..MEGABYTES {
            connection.write(&block).expect("the server reads on");
        }
        check_outcome(&connection.receive(false), 413, &format!("100 MB announced on {path}"));

        let mut connection = server.connect();
        connection.write(CHUNKED.replace("/R4", path).as_bytes()).expect("write");
        let chunk = [b"100000\r\n".as_slice(), &block, b"\r\n"].concat();
        for _ in 0..MEGABYTES {
            connection.write(&chunk).expect("the server reads on");
        }
        connection.write(b"0\r\n\r\n").expect("write");
        check_outcome(&connection.receive(false), 413, &format!("100 MB in chunks on {path}"));
        goes_on(&mut server.connect(), path);
    }
}

/// The bodies of all requests together have a bound, too; what waits for a slow client takes part of it.
#[test]
fn bodies_that_are_too_large_together() {
    const MAX: usize = 10_000;
    let server = TestServer::limited(|limits| limits.bodies_bytes_max = MAX);
    let flag = |id: &str, length: usize| {
        format!(r#"{{"resourceType":"Flag","id":"{id}","status":"{}"}}"#, "x".repeat(length))
    };
    let first = flag("a", MAX * 2);
    let mut slow = server.connect();
    let head = format!(
        "PUT /R4/Flag/a HTTP/1.1\r\nHost: server.example\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        first.len()
    );
    assert_eq!(raw(&mut slow, head.as_bytes()).status, 100);
    let (some, rest) = first.as_bytes().split_at(MAX - 100);
    slow.write(some).expect("write");
    // As soon as the server has read it, there is no room for another one.
    let put = Request::put("/R4/Flag/b", flag("b", 200));
    let refused =
        (0..10_000).map(|_| server.send(&put)).find(|answer| answer.status >= 300).expect("refused");
    check_outcome(&refused, 503, "the second");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(flag("b", 5000).as_bytes()).expect("pack");
    let packed = packed.finish().expect("pack");
    assert!(packed.len() < 100, "{}", packed.len());
    let packed = Request::put("/R4/Flag/b", packed).header("Content-Encoding", "gzip");
    check_outcome(&server.send(&packed), 503, "one that is large when it is unpacked");
    assert_eq!(server.send(&Request::get("/R4/Flag/a")).status, 404, "who sends nothing goes on");
    // The only one may have what a single one may have.
    assert_eq!(raw(&mut slow, rest).status, 201);
    assert!(server.send(&put).status < 300);
    assert_eq!(server.send(&packed).status, 200);
}

/// A client that asks first is told without having to send anything.
#[test]
fn expect_100_continue() {
    let server = TestServer::limited(|limits| limits.body_bytes_max = 1000);
    let request = |target: &str, length: usize, more: &str| {
        format!(
            "PUT {target} HTTP/1.1\r\nHost: server.example\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    let started = Instant::now();
    for (target, length, status) in
        [("/R4/Flag/a", 5000, 413), ("/R4/Flagg/a", 500, 404), ("/R4/_history", 500, 405)]
    {
        let mut connection = server.connect();
        let answer = raw(&mut connection, request(target, length, "").as_bytes());
        check_outcome(&answer, status, &format!("{target} asking first"));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "nobody waited for a body");
    let mut connection = server.connect();
    let body = r#"{"resourceType":"Flag","id":"a"}"#;
    let go_on = raw(&mut connection, request("/R4/Flag/a", body.len(), "").as_bytes());
    assert_eq!(go_on.status, 100);
    assert_eq!(raw(&mut connection, body.as_bytes()).status, 201);
    goes_on(&mut connection, "/R4");
}

/// A refusal that comes before the body is read can be read all the same.
#[test]
fn a_large_body_where_it_is_refused_early() {
    let server = TestServer::start();
    let body = vec![b' '; 8 << 20];
    for path in PATHS {
        for (method, below, status) in [
            ("PUT", "/Flagg/a", 404),
            ("PUT", "/nothing", 404),
            ("PATCH", "/metadata", 405),
            ("POST", "/Flag/a", 405),
        ] {
            let mut connection = server.connect();
            let answer = connection.send(&Request::new(method, &format!("{path}{below}")).body(&body));
            check_outcome(&answer, status, &format!("{method} {path}{below}"));
            goes_on(&mut connection, path);
        }
    }
    let mut connection = server.connect();
    check_outcome(
        &connection.send(&Request::new("PUT", "/nowhere").body(&body)),
        404,
        "outside of every mount",
    );
    let mut connection = server.connect();
    let options = connection.send(&Request::new("OPTIONS", "/R4/Flag").body(&body));
    assert_eq!(options.status, 204);
}

/// A body where none has a meaning is read and passed over, on the same connection.
#[test]
fn a_body_on_methods_that_need_none() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let mut connection = server.connect();
        assert_eq!(connection.send(&Request::get(&target).body("ignored")).status, 200, "{path}");
        let chunked = format!(
            "GET {target} HTTP/1.1\r\nHost: server.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        assert_eq!(raw(&mut connection, chunked.as_bytes()).status, 200, "{path}");
        assert_eq!(
            connection.send(&Request::delete(&target).if_match(&etag).body("{")).status,
            204,
            "{path}"
        );
        goes_on(&mut connection, path);
    }
}

/// A request counts when it is whole: what was cut off changes nothing.
#[test]
fn a_body_that_is_cut_off() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let id = target.rsplit('/').next().unwrap();
        let body = format!(r#"{{"resourceType":"Flag","id":"{id}","status":"inactive"}}"#);
        for (method, framing) in [
            ("PUT", "Content-Length: 500"),
            ("DELETE", "Content-Length: 500"),
            ("PUT", "Transfer-Encoding: chunked"),
        ] {
            let sent = if framing.starts_with("Content") {
                body.clone()
            } else {
                format!("{:x}\r\n{body}\r\n", body.len())
            };
            let mut connection = server.connect();
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: server.example\r\nIf-Match: {etag}\r\n{framing}\r\n\r\n"
            );
            connection.write(format!("{head}{sent}").as_bytes()).expect("write");
            connection.finish_writing();
            // The client may be gone; if it still listens it is told.
            if let Ok(answer) = connection.try_receive(false) {
                check_outcome(&answer, 400, &format!("{method} {framing} {path}"));
            }
        }
        assert_eq!(server.send(&Request::get(&target)).etag(), etag, "{path}: nothing was written");
    }
}

#[test]
fn framing_that_is_broken() {
    let server = TestServer::start();
    for (what, sent) in [
        ("a chunk size that is none", format!("{CHUNKED}zz\r\n")),
        ("a chunk longer than it says", format!("{CHUNKED}2\r\nabcdef\r\n")),
        (
            "two lengths",
            "PUT /R4/Flag/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"
                .to_owned(),
        ),
        (
            "a length that is none",
            "PUT /R4/Flag/a HTTP/1.1\r\nHost: h\r\nContent-Length: -2\r\n\r\n{}".to_owned(),
        ),
        ("a space before the colon", "GET /R4/metadata HTTP/1.1\r\nHost : h\r\n\r\n".to_owned()),
        ("a header line that is none", "GET /R4/metadata HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n".to_owned()),
        ("a version that is none", "GET /R4/metadata HTTP/9.9\r\nHost: h\r\n\r\n".to_owned()),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n".to_owned()),
        ("words", "hello, is this a database?\r\n\r\n".to_owned()),
        ("a bare line feed in a field", "GET /R4/metadata HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n".to_owned()),
    ] {
        let mut connection = server.connect();
        connection.write(sent.as_bytes()).expect("write");
        connection.finish_writing();
        if let Ok(answer) = connection.try_receive(false) {
            assert_eq!(answer.status, 400, "{what}: {}", answer.body_text());
        }
        assert!(connection.is_closed(), "{what}: such a connection is not used again");
    }
    goes_on(&mut server.connect(), "/R4");
}

#[test]
fn sections_and_targets_over_the_limit() {
    let server = TestServer::start();
    let limits = Limits::default();
    for path in PATHS {
        let (target, _) = server.flag(path);
        let mut connection = server.connect();
        let filled = |bytes: usize| Request::get(&target).header("X-Fill", "x".repeat(bytes));
        assert_eq!(connection.send(&filled(limits.header_bytes_max - 200)).status, 200, "{path}");
        check_outcome(&connection.send(&filled(limits.header_bytes_max)), 431, path);
        let lines = (0..200).fold(Request::get(&target), |request, index| {
            request.header(&format!("X-{index}"), "x".repeat(limits.header_bytes_max / 200))
        });
        check_outcome(&connection.send(&lines), 431, path);
        let long = |bytes: usize| Request::get(&format!("{target}?q={}", "q".repeat(bytes)));
        assert_eq!(connection.send(&long(limits.uri_bytes_max - 200)).status, 200, "{path}");
        check_outcome(&connection.send(&long(limits.uri_bytes_max)), 414, path);
        let long_id = Request::get(&format!("{path}/Flag/{}", "a".repeat(limits.uri_bytes_max)));
        check_outcome(&connection.send(&long_id), 414, path);
        goes_on(&mut connection, path);
    }
    // Far beyond the limit the protocol layer refuses by itself.
    for request in [
        Request::get("/R4/metadata").header("X-Fill", "x".repeat(1 << 20)),
        (0..1000)
            .fold(Request::get("/R4/metadata"), |request, index| request.header(&format!("X-{index}"), "")),
        Request::get(&format!("/R4/metadata?{}", "q".repeat(100_000))),
    ] {
        let mut connection = server.connect();
        let _ = connection.write(&request.bytes());
        if let Ok(answer) = connection.try_receive(false) {
            assert!([414, 431].contains(&answer.status), "{}", answer.status);
        }
    }
    goes_on(&mut server.connect(), "/R4");
}

#[test]
fn methods_that_do_not_exist() {
    let server = TestServer::start();
    for path in PATHS {
        let mut connection = server.connect();
        for method in ["TRACE", "BREW", "get", "PROPFIND", "X-VERY-LONG-METHOD-NAME-THAT-GOES-ON-AND-ON"] {
            let answer = connection.send(&Request::new(method, &format!("{path}/Flag/a")));
            check_outcome(&answer, 405, &format!("{method} on {path}"));
            let patch = if path.starts_with("/spine") { "" } else { "PATCH, " };
            let allow = format!("GET, HEAD, PUT, {patch}DELETE, OPTIONS");
            assert_eq!(answer.header("allow"), Some(allow.as_str()), "{path}");
        }
        goes_on(&mut connection, path);
    }
    let mut connection = server.connect();
    let answer = raw(&mut connection, b"CONNECT server.example:443 HTTP/1.1\r\nHost: server.example\r\n\r\n");
    check_outcome(&answer, 404, "CONNECT");
}

#[test]
fn targets_in_absolute_form() {
    let server = TestServer::start();
    let mut connection = server.connect();
    let body = r#"{"resourceType":"Flag"}"#;
    let answer = connection.send(&Request::post("http://other.example:8080/R4/Flag", body));
    assert_eq!(answer.status, 201);
    // RFC 9112 3.2.2: the target counts, not the Host field.
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("http://other.example:8080/R4/Flag/"), "{location}");
    let target = location.split("/_history").next().unwrap();
    assert_eq!(connection.send(&Request::get(target)).status, 200);
}

/// A public base URL stands in everything that names a resource, whatever the Host says.
#[test]
fn a_base_url_that_is_set() {
    let base_url = Some("https://fhir.example/api".to_owned());
    let server = TestServer::with(&default_mounts(), Settings { base_url, ..Settings::default() });
    for path in FHIR_PATHS {
        let body = r#"{"resourceType":"Flag","id":"a"}"#;
        let created = server.send(&Request::put(&format!("{path}/Flag/a"), body));
        let resource = format!("https://fhir.example/api{path}/Flag/a");
        assert_eq!(created.header("location"), Some(format!("{resource}/_history/1").as_str()));
        let history = server.send(&Request::get(&format!("{path}/Flag/a/_history")));
        assert_eq!(history.text("entry.0.fullUrl"), resource);
        assert_eq!(history.text("link.0.url"), format!("{resource}/_history?_count=100"));
        let metadata = server.send(&Request::get(&format!("{path}/metadata")));
        assert_eq!(metadata.text("implementation.url"), format!("https://fhir.example/api{path}"));
    }
}

/// RFC 9112 3.2: a request of HTTP/1.1 has exactly one Host, and it is a host.
#[test]
fn hosts_that_are_none() {
    let server = TestServer::start();
    for path in PATHS {
        for host in
            ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: http://a/\r\n", "Host: \"><script>\r\n"]
        {
            let mut connection = server.connect();
            let answer =
                raw(&mut connection, format!("GET {path}/metadata HTTP/1.1\r\n{host}\r\n").as_bytes());
            check_outcome(&answer, 400, &format!("{path} {host:?}"));
        }
    }
    for host in ["Host: [::1]:8080\r\n", "Host: a.example\r\n", "Host:\r\n"] {
        let mut connection = server.connect();
        let answer = raw(&mut connection, format!("GET /R4/metadata HTTP/1.1\r\n{host}\r\n").as_bytes());
        assert_eq!(answer.status, 200, "{host:?}");
    }
}

#[test]
fn http_1_0() {
    let server = TestServer::start();
    let mut connection = server.connect();
    let answer = raw(&mut connection, b"GET /R4/Flag/never HTTP/1.0\r\n\r\n");
    check_outcome(&answer, 404, "HTTP/1.0");
    assert!(connection.is_closed());
    let mut connection = server.connect();
    let body = r#"{"resourceType":"Flag","id":"a"}"#;
    let put = format!("PUT /R4/Flag/a HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = raw(&mut connection, put.as_bytes());
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.header("location"),
        Some(format!("http://{}/R4/Flag/a/_history/1", server.address).as_str())
    );
}

/// Requests sent without waiting are answered one after the other, in their order.
#[test]
fn pipelined_requests() {
    let server = TestServer::start();
    let mut connection = server.connect();
    let put = |status: &str| {
        Request::put("/R4/Flag/a", format!(r#"{{"resourceType":"Flag","id":"a","status":"{status}"}}"#))
    };
    let requests = [
        (put("active"), 201),
        (put("inactive").if_match("W/\"1\""), 200),
        (put("active").if_match("W/\"1\""), 412),
        (Request::new("HEAD", "/R4/Flag/a"), 200),
        (Request::get("/nowhere"), 404),
        (put("active").if_match("oops"), 400),
        (Request::delete("/R4/Flag/a").if_match("W/\"2\""), 204),
        (Request::get("/R4/Flag/a"), 410),
    ];
    let bytes: Vec<u8> = requests.iter().flat_map(|(request, _)| request.bytes()).collect();
    connection.write(&bytes).expect("write");
    for (request, status) in &requests {
        let answer = connection.receive(request.method == "HEAD");
        assert_eq!(answer.status, *status, "{} {}", request.method, request.target);
    }
    goes_on(&mut connection, "/R4");
}

#[test]
fn request_ids() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, _) = server.flag(path);
        let ask = |name: &str, value: &str| server.send(&Request::get(&target).header(name, value));
        // Echoed where it can be an id, made where it cannot.
        assert_eq!(ask("X-Request-Id", "4711-a.b").header("x-request-id"), Some("4711-a.b"), "{path}");
        for bad in ["", "a b", "a\"b", "<script>", &"a".repeat(65)] {
            let made = ask("X-Request-Id", bad).header("x-request-id").expect("an id").to_owned();
            assert!(made != bad && made.len() == 36, "{path}: {made}");
        }
        let made = |answer: Response| answer.header("x-request-id").expect("an id").to_owned();
        let (one, two) =
            (made(server.send(&Request::get(&target))), made(server.send(&Request::get("/nowhere"))));
        assert_ne!(one, two, "{path}");
        assert_eq!(
            ask("X-Correlation-Id", "any text: 7").header("x-correlation-id"),
            Some("any text: 7"),
            "{path}"
        );
        assert_eq!(server.send(&Request::get(&target)).header("x-correlation-id"), None, "{path}");
    }
    let refused = server.send(&Request::get("/spine/STU3/Flag/never").header("X-Request-Id", "trace-7"));
    assert_eq!(refused.text("id"), "trace-7", "Spine traces its outcomes by the same id");
}

/// What is said of caching holds of every answer.
#[test]
fn header_fields_of_every_answer() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        for request in [
            Request::get(&target),
            Request::get(&target).header("If-None-Match", &etag),
            Request::get("/nowhere"),
            Request::delete(&target).if_match("\"x\""),
            Request::delete(&target).if_match(&etag),
        ] {
            let answer = server.send(&request);
            assert_eq!(answer.header("cache-control"), Some("private, no-cache"), "{path}");
            assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"), "{path}");
        }
    }
}

/// HEAD answers what GET answers, length included, without content.
#[test]
fn head_is_get_without_content() {
    let server = TestServer::start();
    for path in PATHS {
        let (target, etag) = server.flag(path);
        let not_modified = Request::get(&target).header("If-None-Match", &etag);
        let metadata = Request::get(&format!("{path}/metadata"));
        let mut connection = server.connect();
        for get in [
            Request::get(&target),
            not_modified,
            metadata,
            Request::get(&format!("{path}/Flag/never")),
            Request::get("/nowhere"),
        ] {
            let get = get.header("X-Request-Id", "same");
            let head = Request { method: "HEAD".to_owned(), ..get.clone() };
            let (get, head) = (connection.send(&get), connection.send(&head));
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
            let fields = |answer: &Response| {
                let mut fields = answer.headers.clone();
                fields.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
                fields.sort();
                fields
            };
            assert_eq!(fields(&head), fields(&get), "{path}");
        }
    }
}

/// A client may close its side as soon as it has sent its request, which does not end the request.
#[test]
fn a_client_that_sends_no_more_gets_its_answer() {
    // Two requests wait for each other in the store, so the end of the first is seen while it is handled.
    let server = TestServer::gated(parse("/R4 R4"), 2);
    let mut first = server.connect();
    first.write(&Request::get("/R4/Flag/a").bytes()).expect("write");
    first.finish_writing();
    std::thread::sleep(Duration::from_millis(100));
    check_outcome(&server.send(&Request::get("/R4/Flag/a")), 404, "the second");
    check_outcome(&first.receive(false), 404, "the first");
    assert!(first.is_closed(), "nothing more can come on this connection");
}
