//! A lean HTTP/1.1 connection: it shares the machine with the server it measures, so it does as
//! little as it can per request.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Header fields that are looked at; more are passed over.
const HEADERS_MAX: usize = 64;

/// A kept connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What matters of a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The beginning of the body, for messages.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(500).collect()
    }
}

impl Wire {
    pub(crate) async fn connect(authority: &str) -> Result<Self> {
        let stream =
            TcpStream::connect(authority).await.with_context(|| format!("connect to {authority}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0 })
    }

    /// Sends a whole request and reads its response.
    pub(crate) async fn send(&mut self, request: &[u8], wants_body: bool) -> Result<Seen> {
        self.stream.write_all(request).await?;
        let (mut seen, head, length) = loop {
            if let Some(parsed) = self.head()? {
                break parsed;
            }
            self.fill().await?;
        };
        let end = match length {
            Length::Exactly(length) => {
                while self.filled < head + length {
                    self.fill().await?;
                }
                if wants_body {
                    seen.body = self.buffer[head..head + length].to_vec();
                }
                head + length
            }
            Length::Chunked => self.chunks(head, wants_body.then_some(&mut seen.body)).await?,
        };
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        Ok(seen)
    }

    async fn fill(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            ensure!(self.buffer.len() < 64 * 1024 * 1024, "a response above 64 MiB");
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        ensure!(read > 0, "the server closed the connection");
        self.filled += read;
        Ok(())
    }

    fn head(&self) -> Result<Option<(Seen, usize, Length)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&self.buffer[..self.filled])? else {
            return Ok(None);
        };
        let status = response.code.context("no status")?;
        let mut seen = Seen { status, ..Seen::default() };
        let mut length = Length::Exactly(0);
        for header in response.headers.iter() {
            let text = || String::from_utf8_lossy(header.value);
            if header.name.eq_ignore_ascii_case("content-length") {
                length = Length::Exactly(text().trim().parse().context("content-length")?);
            } else if header.name.eq_ignore_ascii_case("etag") {
                seen.etag = Some(text().into_owned());
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
        Ok(Some((seen, head, length)))
    }

    /// Reads chunks up to the last one; gives where the response ends in the buffer.
    async fn chunks(&mut self, head: usize, mut body: Option<&mut Vec<u8>>) -> Result<usize> {
        let mut at = head;
        loop {
            let (start, length) = loop {
                match httparse::parse_chunk_size(&self.buffer[at..self.filled]) {
                    Ok(httparse::Status::Complete((used, length))) => {
                        break (at + used, usize::try_from(length)?);
                    }
                    Ok(httparse::Status::Partial) => self.fill().await?,
                    Err(_) => bail!("a chunk without a size"),
                }
            };
            let end = start + length + 2;
            while self.filled < end {
                self.fill().await?;
            }
            if length == 0 {
                return Ok(end);
            }
            if let Some(body) = &mut body {
                body.extend_from_slice(&self.buffer[start..start + length]);
            }
            at = end;
        }
    }
}

enum Length {
    Exactly(usize),
    Chunked,
}
