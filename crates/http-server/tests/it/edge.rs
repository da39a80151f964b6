//! Browsers, compression and TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_server::{Cors, Settings, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts::{PATHS, default_mounts};

fn with(settings: Settings) -> TestServer {
    TestServer::with(&default_mounts(), settings)
}

fn preflight() -> Request {
    Request::new("OPTIONS", "/R4/Flag/a")
        .header("Origin", "https://app.example.org")
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "content-type, if-match")
}

#[test]
fn a_page_of_a_known_origin_may_read_the_tag_it_has_to_send_back() {
    let server = with(Settings {
        cors: Cors::Origins(vec!["https://app.example.org".to_owned()]),
        ..Settings::default()
    });
    let answer = server.send(&preflight());
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type, if-match"));
    assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("PUT")));

    let body = r#"{"resourceType":"Flag","id":"a","status":"active"}"#;
    let put = Request::put("/R4/Flag/a", body).header("Origin", "https://app.example.org");
    let answer = server.send(&put);
    assert_eq!(answer.status, 201);
    let exposed = answer.header("access-control-expose-headers").expect("exposed headers");
    assert!(exposed.contains("ETag") && exposed.contains("Location"), "{exposed}");

    let other = server.send(&Request::get("/R4/Flag/a").header("Origin", "https://evil.example"));
    assert_eq!(other.status, 200);
    assert_eq!(other.header("access-control-allow-origin"), None);
}

/// A page may send a transaction to every base, also where OPTIONS asks for the capabilities.
#[test]
fn a_page_may_post_to_a_base() {
    let server = with(Settings { cors: Cors::Any, ..Settings::default() });
    for path in PATHS {
        let answer = server.send(
            &Request::new("OPTIONS", path)
                .header("Origin", "https://app.example.org")
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "content-type"),
        );
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"), "{path}");
        let methods = answer.header("access-control-allow-methods").expect("methods");
        assert!(methods.contains("POST"), "{path}: {methods}");
    }
    let capabilities = server.send(&Request::new("OPTIONS", "/STU3"));
    assert_eq!(capabilities.text("resourceType"), "CapabilityStatement");
}

#[test]
fn without_configured_origins_no_page_may_read_anything() {
    let answer = TestServer::start().send(&preflight());
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
}

#[test]
fn gzip_goes_both_ways() {
    let server = TestServer::start();
    let text = "a ramp and a lift ".repeat(400);
    let body = format!(r#"{{"resourceType":"Flag","id":"a","status":"active","code":{{"text":"{text}"}}}}"#);
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(body.as_bytes()).expect("pack");
    let put = Request::put("/R4/Flag/a", packed.finish().expect("pack")).header("Content-Encoding", "gzip");
    assert_eq!(server.send(&put).status, 201);

    let plain = server.send(&Request::get("/R4/Flag/a"));
    assert_eq!(plain.header("content-encoding"), None);
    let packed = server.send(&Request::get("/R4/Flag/a").header("Accept-Encoding", "gzip"));
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len() / 4);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);

    let broken = Request::put("/R4/Flag/a", "not gzip").header("Content-Encoding", "gzip");
    assert_eq!(server.send(&broken).status, 400);
    let unknown = Request::put("/R4/Flag/a", "x").header("Content-Encoding", "br");
    assert_eq!(server.send(&unknown).status, 415);
}

/// A certificate with its key, signed by an authority of the test's own.
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

fn identity(authority: &CertifiedIssuer<'static, KeyPair>) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    Identity { certificate: certificate.der().clone(), key }
}

/// A connection over TLS by which these protocols are offered.
fn over_tls(
    server: &TestServer,
    authority: &CertificateDer<'static>,
    client: Option<&Identity>,
    protocols: &[&[u8]],
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::try_from(identity.key.serialize_der()).expect("a key");
            config.with_client_auth_cert(vec![identity.certificate.clone()], key).expect("a client")
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    Ok(StreamOwned::new(connection, TcpStream::connect(server.address)?))
}

/// One GET over TLS; an error where the server ends the connection.
fn get_over_tls(
    server: &TestServer,
    authority: &CertificateDer<'static>,
    client: Option<&Identity>,
) -> std::io::Result<String> {
    let mut stream = over_tls(server, authority, client, &[])?;
    stream.write_all(b"GET /R4/Flag/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn tls_files(folder: &Path, server: &Identity, clients: Option<&CertificateDer<'static>>) -> TlsFiles {
    let pem = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("write");
        path
    };
    let certificate =
        |der: &CertificateDer<'static>| pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec()));
    TlsFiles {
        certificates: pem("server.pem", certificate(&server.certificate)),
        key: pem("server.key", server.key.serialize_pem()),
        client_authorities: clients.map(|clients| pem("clients.pem", certificate(clients))),
    }
}

#[test]
fn tls_and_mutual_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = authority();
    let root = authority.der().clone();
    let server = identity(&authority);

    let files = tls_files(folder.path(), &server, None);
    let open = with(Settings { tls: Some(files), ..Settings::default() });
    assert!(get_over_tls(&open, &root, None).expect("an answer").starts_with("HTTP/1.1 404"));
    // A client that offers HTTP/2 gets it: the first frame is the server's SETTINGS (RFC 9113 3.4).
    let mut stream = over_tls(&open, &root, None, &[b"http/1.1", b"h2"]).expect("a connection");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("write");
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).expect("a frame");
    assert_eq!((stream.conn.alpn_protocol(), frame[3]), (Some(b"h2".as_slice()), 4));
    drop(stream);
    drop(open);

    let files = tls_files(folder.path(), &server, Some(&root));
    let mutual = with(Settings { tls: Some(files), ..Settings::default() });
    let client = identity(&authority);
    assert!(get_over_tls(&mutual, &root, Some(&client)).expect("an answer").starts_with("HTTP/1.1 404"));
    assert!(get_over_tls(&mutual, &root, None).is_err(), "a client without a certificate gets no answer");
    let stranger = identity(&self::authority());
    assert!(get_over_tls(&mutual, &root, Some(&stranger)).is_err(), "nor does one of another authority");
}
