//! gzip in both directions (RFC 9110 8.4 and 12.5.3).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Body;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use rulebook::Failure;

use crate::response::take_body;

/// Smaller bodies are sent as they are: they fit one packet.
const BYTES_MIN: u64 = 1400;

/// What can be taken apart, for messages.
const OFFERED: &str = "gzip or no Content-Encoding";

/// The body as it was before its Content-Encoding. What it grows to is bounded like any body.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, bytes_max: usize) -> Result<Bytes, Failure> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(body) };
    let name = String::from_utf8_lossy(encoding.as_bytes()).trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => inflate(&body, bytes_max),
        _ => Err(Failure::UnsupportedMediaType { sent: name.chars().take(80).collect(), offered: OFFERED }),
    }
}

fn inflate(body: &[u8], bytes_max: usize) -> Result<Bytes, Failure> {
    let mut plain = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let mut bounded = MultiGzDecoder::new(body).take(bytes_max as u64 + 1);
    bounded.read_to_end(&mut plain).map_err(|_| Failure::BodyIncomplete)?;
    if plain.len() > bytes_max { Err(Failure::BodyTooLarge { max: bytes_max }) } else { Ok(plain.into()) }
}

/// Compresses a response if the client takes gzip and it is worth it.
pub(crate) fn encode(request: &HeaderMap, response: &mut Response<Full<Bytes>>) {
    let worth_it = response.body().size_hint().lower() >= BYTES_MIN;
    if !worth_it || !accepts_gzip(request) || response.headers().contains_key(CONTENT_ENCODING) {
        return;
    }
    let Some(plain) = take_body(response.body_mut()) else { return };
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    // Writing to memory does not fail; if it did, the plain body is as good.
    let packed = encoder.write_all(&plain).and_then(|()| encoder.finish());
    match packed {
        Ok(packed) => {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = Full::from(packed);
        }
        Err(_) => *response.body_mut() = Full::from(plain),
    }
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let lines = request.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = parts.any(|part| {
            let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn packed(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn a_body_is_unpacked_up_to_the_limit() {
        let gzip = headers(CONTENT_ENCODING, "gzip");
        let plain = vec![b'x'; 1000];
        assert_eq!(decode(&gzip, packed(&plain), 1000), Ok(Bytes::from(plain)));
        assert_eq!(decode(&gzip, packed(&[0; 1001]), 1000), Err(Failure::BodyTooLarge { max: 1000 }));
        // A small body that unpacks to a huge one costs no more than the limit.
        let bomb = packed(&vec![0; 20_000_000]);
        assert_eq!(decode(&gzip, bomb, 1000), Err(Failure::BodyTooLarge { max: 1000 }));
        assert_eq!(decode(&gzip, Bytes::from_static(b"plain"), 1000), Err(Failure::BodyIncomplete));
        let brotli = decode(&headers(CONTENT_ENCODING, "br"), Bytes::new(), 1000);
        assert!(matches!(brotli, Err(Failure::UnsupportedMediaType { .. })));
    }

    #[test]
    fn clients_that_take_gzip_get_it_for_large_bodies() {
        for (accept, size, expected) in [
            ("gzip", 5000, true),
            ("br, GZIP;q=0.5", 5000, true),
            ("*", 5000, true),
            ("gzip;q=0", 5000, false),
            ("br", 5000, false),
            ("gzip", 100, false),
        ] {
            let mut response = Response::new(Full::from(vec![b'x'; size]));
            encode(&headers(ACCEPT_ENCODING, accept), &mut response);
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), expected, "{accept} {size}");
        }
    }
}
