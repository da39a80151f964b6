//! A client that writes exactly the bytes it is told to: no library between the test and the
//! wire repairs, merges or reorders anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Name and value, in order; values are bytes.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    fn names(&self, name: &str) -> bool {
        self.headers.iter().any(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if !self.names("host") {
            line("Host", b"server.example");
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !self.body.is_empty() && !self.names("content-length") && !self.names("transfer-encoding") {
            line("Content-Length", self.body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A response as it came.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> fhir_model::json::Value {
        fhir_model::json::parse(&self.body, &fhir_model::json::Limits::default()).expect("a JSON body")
    }

    /// The text of the first issue of an OperationOutcome.
    pub(crate) fn diagnostics(&self) -> String {
        let json = self.json();
        assert_eq!(json.get("resourceType").and_then(|value| value.as_str()), Some("OperationOutcome"));
        let issue = json.get("issue").and_then(|issues| issues.at(0)).expect("an issue");
        issue.get("diagnostics").and_then(|text| text.as_str()).expect("diagnostics").to_owned()
    }
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream }
    }

    pub(crate) fn send(&mut self, request: &Request) -> Response {
        self.stream.write_all(&request.bytes()).expect("write");
        self.receive(request.method == "HEAD")
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn receive(&mut self, head: bool) -> Response {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.read_more(&mut bytes);
        };
        let text = String::from_utf8(bytes[..end].to_vec()).expect("text headers");
        let mut lines = text.split("\r\n");
        let mut status = lines.next().expect("a status line").splitn(3, ' ').skip(1);
        let status_code = status.next().and_then(|code| code.parse().ok()).expect("a status");
        let reason = status.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap_or((line, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut response = Response { status: status_code, reason, headers, body: bytes[end + 4..].to_vec() };
        let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while !head && response.body.len() < length {
            let mut body = std::mem::take(&mut response.body);
            self.read_more(&mut body);
            response.body = body;
        }
        response
    }

    fn read_more(&mut self, bytes: &mut Vec<u8>) {
        let mut buffer = [0; 64 * 1024];
        let read = self.stream.read(&mut buffer).expect("read");
        assert_ne!(read, 0, "the server closed the connection");
        bytes.extend_from_slice(&buffer[..read]);
    }
}
