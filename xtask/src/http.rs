//! A small HTTP/1.1 client for the harnesses: one kept connection, JSON in and out.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection to a server.
pub(crate) struct Client {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Bytes,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its end shows in the next request.
        tokio::spawn(connection);
        Ok(Self { host: address.to_string(), sender })
    }

    /// One request; headers as name and value.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(target).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body.into()))?).await?;
        let header = |response: &Response<_>, name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let status = response.status().as_u16();
        let etag = header(&response, "etag");
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Reply { status, etag, body })
    }

    /// A GET whose body is JSON.
    pub(crate) async fn get_json(&mut self, target: &str) -> Result<(Reply, serde_json::Value)> {
        let reply = self.send(Method::GET, target, &[], Bytes::new()).await?;
        let json =
            serde_json::from_slice(&reply.body).with_context(|| format!("GET {target}: {}", reply.status))?;
        Ok((reply, json))
    }
}
