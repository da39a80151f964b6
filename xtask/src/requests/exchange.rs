//! A connection that sends shots, and the judgement of what comes back.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use super::shot::{Asked, Expected, Shot};

/// A server that says nothing for so long hangs. Far above what it needs, far below its own limits for slow clients.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Answers by status.
pub(crate) type Statuses = BTreeMap<u16, u64>;

/// A client that keeps its connection while it may.
pub(crate) struct Exchange {
    address: SocketAddr,
    stream: Option<TcpStream>,
    /// Read but not used yet.
    ahead: Vec<u8>,
    /// The last entity tag seen, for conditions that hold.
    pub(crate) etag: Option<String>,
    pub(crate) statuses: Statuses,
}

/// An answer as it came.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Exchange {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, ahead: Vec::new(), etag: None, statuses: Statuses::new() }
    }

    /// Sends a shot and judges what comes back. An error is a fault of the server.
    pub(crate) fn send(&mut self, shot: &Shot) -> Result<()> {
        match &shot.expected {
            Expected::Each(asked) => self.each(&shot.bytes, asked),
            Expected::Answer => ensure_some(self.until_closed(&shot.bytes)?),
            Expected::End => self.until_closed(&shot.bytes).map(drop),
        }
    }

    fn each(&mut self, bytes: &[u8], asked: &[Asked]) -> Result<()> {
        self.connected()?.write_all(bytes).context("the server did not take the request")?;
        for request in asked {
            let answer =
                self.receive(request.method == "HEAD")?.context("no answer: the connection ended")?;
            self.note(&answer)?;
            judge(&answer, request).with_context(|| format!("{} to {request:?}", answer.describe()))?;
            if answer.closes() {
                self.stream = None;
                return Ok(());
            }
        }
        ensure!(self.ahead.is_empty(), "more than the answer came: {}", self.ahead.escape_ascii());
        Ok(())
    }

    /// Sends, says that nothing more comes, and reads until the server ends the connection: how many answers came.
    fn until_closed(&mut self, bytes: &[u8]) -> Result<usize> {
        // Half of a request on a connection of its own: what is left of it would spoil the next.
        self.stream = None;
        let stream = self.connected()?;
        // The server may end before all is sent, which the answers show.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        if bytes.starts_with(b"PRI * HTTP/2.0") {
            // Frames come back, which need not be understood: the connection has to end.
            while self.read()? {}
            self.stream = None;
            return Ok(0);
        }
        let mut answers = 0;
        // Only the first can be known to be a HEAD. Empty lines before a request count for nothing.
        while let Some(answer) =
            self.receive(answers == 0 && bytes.trim_ascii_start().starts_with(b"HEAD "))?
        {
            self.note(&answer)?;
            answers += 1;
        }
        self.stream = None;
        Ok(answers)
    }

    fn connected(&mut self) -> Result<&mut TcpStream> {
        if self.stream.is_none() {
            self.ahead.clear();
            let stream = TcpStream::connect(self.address).context("the server takes no connection")?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            self.stream = Some(stream);
        }
        self.stream.as_mut().context("no connection")
    }

    /// Counts an answer, remembers its tag, and refuses what no request may cause.
    fn note(&mut self, answer: &Answer) -> Result<()> {
        *self.statuses.entry(answer.status).or_default() += 1;
        if let Some(etag) = answer.field("etag") {
            self.etag = Some(etag.to_owned());
        }
        // An API of Spine says 501 of what it does not have; that is no failure.
        ensure!(answer.status < 500 || answer.status == 501, "{}", answer.describe());
        Ok(())
    }

    /// The next final answer; `None` where the connection ended before one began.
    fn receive(&mut self, is_head: bool) -> Result<Option<Answer>> {
        loop {
            let Some((mut answer, start)) = self.receive_head()? else { return Ok(None) };
            self.ahead.drain(..start);
            if (100..200).contains(&answer.status) {
                continue;
            }
            let length = match answer.field("content-length") {
                _ if is_head || matches!(answer.status, 204 | 304) => 0,
                Some(length) => length.parse().context("content-length")?,
                None => bail!("an answer whose end is not told: {}", answer.describe()),
            };
            while self.ahead.len() < length {
                ensure!(self.read()?, "half an answer: {}", answer.describe());
            }
            answer.body = self.ahead.drain(..length).collect();
            return Ok(Some(answer));
        }
    }

    fn receive_head(&mut self) -> Result<Option<(Answer, usize)>> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut fields);
            let parsed = head.parse(&self.ahead);
            match parsed.with_context(|| format!("no HTTP: {}", self.ahead.escape_ascii()))? {
                httparse::Status::Complete(end) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let fields =
                        head.headers.iter().map(|field| (field.name.to_lowercase(), text(field.value)));
                    let status = head.code.context("no status")?;
                    return Ok(Some((Answer { status, fields: fields.collect(), body: Vec::new() }, end)));
                }
                httparse::Status::Partial if self.read()? => {}
                httparse::Status::Partial if self.ahead.is_empty() => return Ok(None),
                httparse::Status::Partial => bail!("half a head: {}", self.ahead.escape_ascii()),
            }
        }
    }

    /// Reads what has come; false at the end of the connection.
    fn read(&mut self) -> Result<bool> {
        let mut buffer = [0; 8 * 1024];
        let stream = self.stream.as_mut().context("no connection")?;
        match stream.read(&mut buffer) {
            Ok(read) => {
                self.ahead.extend_from_slice(&buffer[..read]);
                Ok(read > 0)
            }
            // Where the server did not read all that was sent, its end comes as a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error).context("the server hangs"),
        }
    }
}

fn ensure_some(answers: usize) -> Result<()> {
    ensure!(answers > 0, "the connection ended without an answer");
    Ok(())
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    fn closes(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body before it was packed.
    fn plain(&self) -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        match self.field("content-encoding") {
            Some("gzip") => drop(GzDecoder::new(self.body.as_slice()).read_to_end(&mut plain)?),
            Some(other) => bail!("content-encoding {other}"),
            None => plain.clone_from(&self.body),
        }
        Ok(plain)
    }

    fn describe(&self) -> String {
        let body: String = self.body.escape_ascii().to_string().chars().take(1000).collect();
        format!("{} {:?} {body}", self.status, self.fields)
    }
}

/// What every answer to well-formed HTTP has to be.
fn judge(answer: &Answer, asked: &Asked) -> Result<()> {
    ensure!(answer.field("x-request-id").is_some() || is_for_operators(asked), "no X-Request-Id");
    if asked.method == "HEAD" {
        return Ok(());
    }
    let body = answer.plain()?;
    let content_type = answer.field("content-type").unwrap_or_default();
    // A Binary that was read is in the format and form that somebody gave it once.
    let is_native =
        answer.status == 200 && asked.path.contains("/Binary/") && !content_type.contains("fhir+");
    let is_json = content_type.contains("json");
    if is_json && !is_native {
        let value: serde_json::Value = serde_json::from_slice(&body).context("a body that is no JSON")?;
        let is_patch = content_type.contains("json-patch") && value.is_array();
        ensure!(is_patch || value["resourceType"].is_string(), "a body that is no resource");
    } else if content_type.contains("xml") && !is_native {
        let text = body.trim_ascii();
        ensure!(text.starts_with(b"<") && text.ends_with(b">"), "a body that is no XML");
    }
    if answer.status >= 400 {
        let names_outcome = body.windows(16).take(200).any(|window| window == b"OperationOutcome");
        ensure!(names_outcome && !content_type.is_empty(), "a refusal without an outcome");
    }
    match answer.status {
        201 => ensure!(
            answer.field("location").is_some() && answer.field("etag").is_some(),
            "201 without a place"
        ),
        405 => ensure!(answer.field("allow").is_some(), "405 without Allow"),
        304 => ensure!(answer.field("etag").is_some(), "304 without ETag"),
        _ => {}
    }
    Ok(())
}

fn is_for_operators(asked: &Asked) -> bool {
    ["/healthz", "/readyz", "/metrics"].iter().any(|path| asked.path.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, fields: &[(&str, &str)], body: &str, expected: Option<&str>) {
        check_at("/R4/Flag/a", status, fields, body, expected);
    }

    fn check_at(path: &str, status: u16, fields: &[(&str, &str)], body: &str, expected: Option<&str>) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let fields = fields.iter().map(owned).collect();
        let answer = Answer { status, fields, body: body.as_bytes().to_vec() };
        let asked = Asked { method: "PUT", path: path.to_owned() };
        let judged = judge(&answer, &asked).err().map(|error| error.to_string());
        assert_eq!(judged.as_deref(), expected, "{status} {body}");
    }

    #[test]
    fn answers_that_are_not_as_they_should_be_are_found() {
        let (id, json) = (("x-request-id", "r"), ("content-type", "application/fhir+json"));
        let outcome = r#"{"resourceType":"OperationOutcome"}"#;
        check(400, &[id, json], outcome, None);
        check(204, &[id], "", None);
        check(400, &[json], outcome, Some("no X-Request-Id"));
        check(400, &[id], "", Some("a refusal without an outcome"));
        check(400, &[id, json], r#"{"resourceType":"Flag"}"#, Some("a refusal without an outcome"));
        check(200, &[id, json], "{", Some("a body that is no JSON"));
        check(200, &[id, json], "[]", Some("a body that is no resource"));
        check(200, &[id, ("content-type", "text/xml")], "{}", Some("a body that is no XML"));
        check(405, &[id, json], outcome, Some("405 without Allow"));
        check(304, &[id], "", Some("304 without ETag"));
        check(201, &[id, ("etag", "W/\"1\"")], "", Some("201 without a place"));
        check_at("/R4/Binary/a", 200, &[id, json], "[]", Some("a body that is no resource"));
        let patch = ("content-type", "application/json-patch+json");
        check_at("/R4/Binary/a", 200, &[id, patch], "hello", None);
        check_at("/R4/Flag/a", 200, &[id, patch], "hello", Some("a body that is no JSON"));
    }
}
