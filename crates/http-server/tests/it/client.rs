//! A client that writes exactly the bytes it is told to: no library between the test and the
//! wire repairs, merges or reorders anything.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use fhir_model::json::{self, Limits, Value};

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

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A PUT of JSON.
    pub(crate) fn put(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("PUT", target).header("Content-Type", "application/fhir+json").body(body)
    }

    /// A POST of JSON.
    pub(crate) fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self { method: "POST".to_owned(), ..Self::put(target, body) }
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn if_match(self, value: impl AsRef<[u8]>) -> Self {
        self.header("If-Match", value)
    }

    /// Only if there is nothing yet.
    pub(crate) fn if_none_match(self) -> Self {
        self.header("If-None-Match", "*")
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    fn names(&self, name: &str) -> bool {
        self.headers.iter().any(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
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

    /// The ETag, which the answer must have.
    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no ETag in {self:?}")).to_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        json::parse(&self.body, &Limits::default()).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The text at a path of names and indexes in the body: `issue.0.code`.
    #[track_caller]
    pub(crate) fn text(&self, path: &str) -> String {
        text_at(&self.json(), path).unwrap_or_else(|| panic!("no {path} in {}", self.body_text()))
    }

    /// The diagnostics of an outcome's first issue.
    #[track_caller]
    pub(crate) fn diagnostics(&self) -> String {
        assert_eq!(self.text("resourceType"), "OperationOutcome");
        self.text("issue.0.diagnostics")
    }

    pub(crate) fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The server says that it closes the connection.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// The value at a path of names and indexes.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| match step.parse() {
        Ok(index) => value.at(index),
        Err(_) => value.get(step),
    })
}

/// The text at a path of names and indexes.
pub(crate) fn text_at(value: &Value, path: &str) -> Option<String> {
    at(value, path).and_then(|value| value.as_str()).map(str::to_owned)
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Read but not yet used: the beginning of the next response.
    ahead: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
        stream.set_write_timeout(Some(Duration::from_secs(30))).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) fn send(&mut self, request: &Request) -> Response {
        self.stream.write_all(&request.bytes()).expect("write");
        self.receive(request.method == "HEAD")
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Tells the server that nothing more is sent, unless it has gone already.
    pub(crate) fn finish_writing(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    #[track_caller]
    pub(crate) fn receive(&mut self, head: bool) -> Response {
        self.try_receive(head).expect("a response")
    }

    /// The next response; an error if the server closed the connection instead.
    pub(crate) fn try_receive(&mut self, head: bool) -> io::Result<Response> {
        let end = loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.read_more()?;
        };
        let rest = self.ahead.split_off(end + 4);
        let section = std::mem::replace(&mut self.ahead, rest);
        let mut response = read_head(&section[..end])?;
        let bodiless = head || matches!(response.status, 100 | 204 | 304);
        let length = match response.header("content-length") {
            Some(length) if !bodiless => length.parse().map_err(|_| invalid("content-length"))?,
            _ => 0,
        };
        while self.ahead.len() < length {
            self.read_more()?;
        }
        let rest = self.ahead.split_off(length);
        response.body = std::mem::replace(&mut self.ahead, rest);
        Ok(response)
    }

    /// Reads until these bytes came.
    #[track_caller]
    pub(crate) fn read_until(&mut self, bytes: &[u8]) {
        while !self.ahead.windows(bytes.len()).any(|window| window == bytes) {
            self.read_more().expect("more bytes");
        }
    }

    /// Whether the server has closed the connection, or does so within the read timeout.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 1];
        match self.stream.read(&mut buffer) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.ahead.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }
}

fn read_head(section: &[u8]) -> io::Result<Response> {
    let text = std::str::from_utf8(section).map_err(|_| invalid("header section"))?;
    let mut lines = text.split("\r\n");
    let mut status = lines.next().unwrap_or_default().splitn(3, ' ').skip(1);
    let code = status.next().and_then(|code| code.parse().ok()).ok_or_else(|| invalid("status line"))?;
    let reason = status.next().unwrap_or_default().to_owned();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok(Response { status: code, reason, headers, body: Vec::new() })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
