//! hyper with nothing behind it: it answers every request with the same response.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// The word that makes this program such a server; a file with the response follows.
pub(crate) const COMMAND: &str = "bare-server";

/// A process that serves a response. Dropping it ends it.
pub(crate) struct Bare {
    child: Child,
    pub(crate) authority: String,
}

impl Bare {
    /// A process of its own with as many threads as Firelock has, so that the two are alike.
    pub(crate) fn start(response: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .arg(response)
            .stdout(Stdio::piped())
            .spawn()
            .context("start bare hyper")?;
        let mut authority = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut authority)?;
        ensure!(!authority.is_empty(), "bare hyper did not start");
        Ok(Self { child, authority: authority.trim().to_owned() })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the response in a file, as it was on the wire.
pub(crate) fn serve(file: &str) -> Result<()> {
    let response = read(&std::fs::read(file)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let response = response.clone();
            let answer = service_fn(move |_| {
                let response = response.clone();
                async { Ok::<_, Infallible>(response) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            let connection = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async {
                // A client that goes away is no failure of the server's.
                let _ = connection.await;
            });
        }
    })
}

/// Date and length are hyper's own to write.
fn read(bytes: &[u8]) -> Result<Response<Full<Bytes>>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let head = parsed.parse(bytes)?;
    ensure!(head.is_complete(), "the response is cut off");
    let mut response = Response::builder().status(StatusCode::from_u16(parsed.code.context("no status")?)?);
    for header in parsed.headers.iter() {
        if !["date", "content-length"].iter().any(|own| header.name.eq_ignore_ascii_case(own)) {
            response = response.header(header.name, header.value);
        }
    }
    Ok(response.body(Full::new(Bytes::copy_from_slice(&bytes[head.unwrap()..])))?)
}
