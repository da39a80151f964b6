//! Documents that are made to exhaust a server: it refuses them, stays small, and goes on.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::process::Server;

const GIBIBYTE: u64 = 1 << 30;

/// What the process may hold at any time, in KiB. A body may have 32 MiB, and is held once as it came and once as what
/// it was unpacked to.
const PEAK_KIB_MAX: u64 = 256 * 1024;

/// A post of XML whose body is written by `send`; the status that comes back.
fn post(server: &Server, headers: &str, send: impl FnOnce(&mut TcpStream) -> io::Result<()>) -> u16 {
    let mut stream = TcpStream::connect(&server.address).expect("the server is there");
    let head = format!(
        "POST /R4/Basic HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\
         Content-Type: application/fhir+xml\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    send(&mut stream).unwrap();
    let mut line = String::new();
    let mut answer = BufReader::new(stream);
    answer.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
    // A server that cut the connection off would not have finished its answer.
    answer.read_to_end(&mut Vec::new()).unwrap();
    status
}

fn post_whole(server: &Server, headers: &str, body: &[u8]) -> u16 {
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    post(server, &headers, |stream| stream.write_all(body))
}

/// The most that the process ever held, in KiB; none where the system does not tell.
fn peak_kib(server: &Server) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The beginning of a resource whose next bytes are in an attribute.
const ATTRIBUTE: &[u8] = b"<Basic xmlns=\"http://hl7.org/fhir\"><code><text value=\"";

/// An attribute of so many mebibytes, packed: a file of gzip may have several parts, of which the same one comes again
/// and again.
fn packed_attribute(mebibytes: usize) -> Vec<u8> {
    let pack = |plain: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(plain).unwrap();
        packed.finish().unwrap()
    };
    let part = pack(&vec![b'a'; 1 << 20]);
    [pack(ATTRIBUTE), part.repeat(mebibytes), pack(b"\"/></code></Basic>")].concat()
}

fn nested(open: &str, close: &str, levels: usize) -> Vec<u8> {
    let document = format!(
        "<Basic xmlns=\"http://hl7.org/fhir\">{}{}</Basic>",
        open.repeat(levels),
        close.repeat(levels)
    );
    document.into_bytes()
}

fn laughs() -> Vec<u8> {
    let entities: Vec<String> = (1..40)
        .map(|level| format!("<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10)))
        .collect();
    format!(
        "<!DOCTYPE Basic [<!ENTITY l0 'ha'>{}]><Basic xmlns='http://hl7.org/fhir'><code><text value='&l39;'/></code></Basic>",
        entities.concat()
    )
    .into_bytes()
}

#[test]
fn what_would_exhaust_the_server_is_refused_and_costs_little() {
    let server = Server::with(&["--store".as_ref(), "memory".as_ref()]);
    // An attribute of a gibibyte. Who asks first is told at once.
    let announced = format!("Content-Length: {GIBIBYTE}\r\nExpect: 100-continue\r\n");
    assert_eq!(post(&server, &announced, |_| Ok(())), 413);
    // Who says nothing of its size is told when it is too large.
    let chunks = |stream: &mut TcpStream| {
        write!(stream, "{:x}\r\n", ATTRIBUTE.len())?;
        stream.write_all(ATTRIBUTE)?;
        let chunk = vec![b'a'; 1 << 20];
        for _ in 0..64 {
            write!(stream, "\r\n{:x}\r\n", chunk.len())?;
            stream.write_all(&chunk)?;
        }
        stream.write_all(b"\r\n0\r\n\r\n")
    };
    assert_eq!(post(&server, "Transfer-Encoding: chunked\r\n", chunks), 413);
    // Packed, it is small until somebody unpacks it.
    let packed = packed_attribute(1024);
    assert!(packed.len() < 16 << 20, "{}", packed.len());
    assert_eq!(post_whole(&server, "Content-Encoding: gzip\r\n", &packed), 413);
    // As much as a body may have, and much more than a string may have.
    let packed = packed_attribute(31);
    assert_eq!(post_whole(&server, "Content-Encoding: gzip\r\n", &packed), 422);
    // Entities that unfold, and depth in places of all kinds.
    assert_eq!(post_whole(&server, "", &laughs()), 400);
    let extension = "<extension url=\"http://example.org/x\">";
    for (open, close) in [
        (extension, "</extension>"),
        ("<contained>", "</contained>"),
        ("<unknown>", "</unknown>"),
        ("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">", "</div></text>"),
    ] {
        assert_eq!(post_whole(&server, "", &nested(open, close, 200_000)), 400, "{open}");
        assert_eq!(post_whole(&server, "", &nested(open, "", 200_000)), 400, "{open} without an end");
    }
    let spans = format!(
        "<Basic xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">{}",
        "<b>".repeat(1_000_000)
    );
    assert_eq!(post_whole(&server, "", spans.as_bytes()), 400);
    let attributes: Vec<String> = (0..500_000).map(|number| format!(" a{number}=\"\"")).collect();
    assert_eq!(post_whole(&server, "", format!("<Basic{}/>", attributes.concat()).as_bytes()), 400);
    let fine = b"<Basic xmlns=\"http://hl7.org/fhir\"><code><text value=\"still here\"/></code></Basic>";
    assert_eq!(post_whole(&server, "", fine), 201);
    match peak_kib(&server) {
        Some(peak) => assert!(peak < PEAK_KIB_MAX, "the server held {peak} KiB"),
        None => drop(writeln!(io::stderr(), "SKIPPED: this system does not tell what a process held")),
    }
}
