//! Requests as bytes on the wire, and what may be expected of the answers.

use super::body::{body, scratch};
use super::chance::Chance;
use super::fields::fields;
use super::patches::patch;
use super::target::target;

/// What is written to a connection at once.
pub(crate) struct Shot {
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
    /// Requests in it.
    pub(crate) requests: u64,
}

/// How a server has to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Every request is well-formed HTTP: as many answers, each fit for its request, and the
    /// connection stays unless an answer says otherwise.
    Each(Vec<Asked>),
    /// The first head is whole but what follows is not as it says: an answer at least, then an end.
    Answer,
    /// No HTTP: an answer or none, then an end.
    End,
}

/// A request that gets an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) path: String,
}

/// The next shot. `etag` is the last one that this connection saw.
pub(crate) fn shot(chance: &mut Chance, etag: Option<&str>) -> Shot {
    match chance.below(200) {
        0..180 => each(chance, etag, 1),
        180..188 => {
            let count = 2 + chance.below(4);
            each(chance, etag, count)
        }
        188..194 => ragged(chance, etag),
        _ => mutilated(chance, etag),
    }
}

/// Well-formed requests, several of them behind each other.
fn each(chance: &mut Chance, etag: Option<&str>, count: usize) -> Shot {
    let mut bytes = Vec::new();
    let mut asked = Vec::new();
    for _ in 0..count {
        let request = request(chance, etag);
        let framing = if chance.percent(10) { Framing::Chunks } else { Framing::Length };
        request.write(&mut bytes, framing, chance);
        asked.push(request.asked);
    }
    Shot { bytes, requests: asked.len() as u64, expected: Expected::Each(asked) }
}

/// A body that is not as long as its head says.
fn ragged(chance: &mut Chance, etag: Option<&str>) -> Shot {
    const LENGTHS: [&str; 12] = [
        "99999",
        "999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "+5",
        "0x10",
        "5, 5",
        "5, 6",
        "",
        "5 5",
        "1e3",
    ];
    const CHUNKS: [&str; 12] = [
        "zz\r\n",
        "-1\r\n\r\n",
        "5\r\nabc",
        "ffffffffffffffff\r\nabc",
        "fffffffffffffffffffff\r\nabc\r\n",
        "3\r\nabcdef\r\n0\r\n\r\n",
        "0\r\n",
        "0\r\nx: y",
        "3;ext=\"\r\nabc\r\n0\r\n\r\n",
        "\r\n",
        "3\nabc\n0\n\n",
        "0\r\nhost: trailer\r\n\r\n",
    ];
    let request = request(chance, etag);
    let framing = match chance.below(4) {
        0 => Framing::Said(format!("content-length: {}", chance.one_of(&LENGTHS)), Vec::new()),
        1 => Framing::Said(
            format!("content-length: {}", request.body.len().saturating_sub(1 + chance.below(5))),
            Vec::new(),
        ),
        2 => {
            let chunks = chance.one_of(&CHUNKS).as_bytes().to_vec();
            Framing::Said("transfer-encoding: chunked".to_owned(), chunks)
        }
        _ => {
            let both = [
                "transfer-encoding: chunked\r\ncontent-length: 3",
                "content-length: 3\r\ncontent-length: 4",
                "transfer-encoding: gzip, chunked",
                "transfer-encoding: chunked, identity",
                "transfer-encoding: x",
                "expect: 100-continue\r\ncontent-length: 7000",
                "expect: 200-never\r\ncontent-length: 3",
                "upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA",
            ];
            Framing::Said(chance.one_of(&both).to_owned(), Vec::new())
        }
    };
    let mut bytes = Vec::new();
    request.write(&mut bytes, framing, chance);
    Shot { bytes, requests: 1, expected: Expected::Answer }
}

/// A request whose head too is not spared.
fn mutilated(chance: &mut Chance, etag: Option<&str>) -> Shot {
    const STARTS: [&str; 10] = [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /R4/Patient/a HTTP/1.0\r\n\r\n",
        "GET /R4/Patient/a\r\n\r\n",
        "GET http://[::1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\n\r\n\r\nGET /R4/Patient/a HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /R4/metadata HTTP/9.9\r\nhost: a\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ];
    let mut bytes = Vec::new();
    if chance.percent(25) {
        bytes.extend_from_slice(chance.one_of(&STARTS).as_bytes());
        let count = chance.below(100);
        bytes.extend(chance.bytes(count));
    } else {
        let request = request(chance, etag);
        request.write(&mut bytes, Framing::Length, chance);
        for _ in 0..=chance.below(4) {
            // Mostly in the head, which bodies would otherwise shield by their size.
            let head = bytes.len().min(300);
            let tail = bytes.split_off(head);
            scratch(chance, &mut bytes);
            bytes.extend(tail);
        }
    }
    Shot { bytes, requests: 1, expected: Expected::End }
}

/// A request before it is framed.
struct Request {
    asked: Asked,
    fields: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// How the end of a body is told.
enum Framing {
    Length,
    Chunks,
    /// These lines, and before the body these bytes.
    Said(String, Vec<u8>),
}

fn request(chance: &mut Chance, etag: Option<&str>) -> Request {
    let target = target(chance);
    let mut fields = fields(chance, etag);
    let has_body = matches!(target.method, "PUT" | "POST" | "PATCH") || chance.percent(2);
    let mut bytes = Vec::new();
    if has_body {
        // A server may insist that a new resource has no id yet.
        let id = if target.method == "POST" && chance.percent(70) { "" } else { target.id };
        let body = if target.method == "PATCH" && chance.percent(90) {
            patch(chance, target.kind)
        } else {
            body(chance, target.kind, id)
        };
        fields.extend(body.content_type.map(|content_type| ("content-type", content_type)));
        fields.extend(body.encoding.map(|encoding| ("content-encoding", encoding.into())));
        bytes = body.bytes;
        if chance.below(20_000) == 0 {
            // Above what a server takes.
            bytes.resize(33 * 1024 * 1024, b' ');
        }
    }
    Request { asked: Asked { method: target.method, path: target.path }, fields, body: bytes }
}

impl Request {
    fn write(&self, bytes: &mut Vec<u8>, framing: Framing, chance: &mut Chance) {
        bytes.extend_from_slice(format!("{} {} HTTP/1.1\r\n", self.asked.method, self.asked.path).as_bytes());
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        match framing {
            Framing::Length => {
                if !self.body.is_empty() || matches!(self.asked.method, "PUT" | "POST") {
                    bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&self.body);
            }
            Framing::Chunks => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                let mut rest = self.body.as_slice();
                while !rest.is_empty() {
                    let size = if rest.len() > 100_000 { rest.len() } else { 1 + chance.below(rest.len()) };
                    let (chunk, after) = rest.split_at(size);
                    bytes.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                    rest = after;
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            Framing::Said(lines, before) => {
                bytes.extend_from_slice(lines.as_bytes());
                bytes.extend_from_slice(b"\r\n\r\n");
                bytes.extend_from_slice(&before);
                bytes.extend_from_slice(&self.body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_requests_and_another_does_not() {
        let shots = |seed, stream| -> Vec<Vec<u8>> {
            let mut chance = Chance::new(seed, stream);
            (0..200).map(|_| shot(&mut chance, Some("W/\"7\"")).bytes).collect()
        };
        assert_eq!(shots(1, 0), shots(1, 0));
        assert_ne!(shots(1, 0), shots(2, 0));
        assert_ne!(shots(1, 0), shots(1, 1));
    }

    /// What is expected to be answered like HTTP must be HTTP, or the harness would blame the server.
    #[test]
    fn what_counts_as_well_formed_is() {
        let mut chance = Chance::new(3, 0);
        for _ in 0..5_000 {
            let shot = shot(&mut chance, None);
            let Expected::Each(asked) = shot.expected else { continue };
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Request::new(&mut fields);
            let parsed = head.parse(&shot.bytes);
            assert!(
                matches!(parsed, Ok(httparse::Status::Complete(_))),
                "{parsed:?} {}",
                shot.bytes.escape_ascii()
            );
            assert_eq!((head.method, head.path), (Some(asked[0].method), Some(asked[0].path.as_str())));
        }
    }
}
