//! Under which URL a client sees the server: told by configuration, by a proxy that is trusted,
//! or by the client's own Host.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use ipnet::IpNet;

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Over TLS.
    pub(crate) secure: bool,
}

/// How the public URL is found.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) base_url: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) local_authority: String,
}

impl Origin {
    /// The URL before the path of a mount, without a slash at its end.
    pub(crate) fn url(&self, parts: &Parts, peer: Peer) -> String {
        if let Some(base) = &self.base_url {
            return base.clone();
        }
        // On a socket of both families, one of IPv4 is written as one of IPv6.
        let address = peer.address.to_canonical();
        let forwarded = self.trusted_proxies.iter().any(|net| net.contains(&address));
        let header = |name| if forwarded { first_value(&parts.headers, name) } else { None };
        let scheme = match header("x-forwarded-proto") {
            Some("https") => "https",
            Some("http") => "http",
            _ if peer.secure => "https",
            _ => "http",
        };
        let own = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = header("x-forwarded-host").or(parts.uri.authority().map(Authority::as_str)).or(own);
        let authority = authority.filter(|host| host.parse::<Authority>().is_ok());
        let prefix = header("x-forwarded-prefix").filter(|prefix| is_path(prefix)).unwrap_or_default();
        let authority = authority.unwrap_or(&self.local_authority);
        format!("{scheme}://{authority}{}", prefix.trim_end_matches('/'))
    }
}

/// The first value of a list that proxies append to: what the client asked the outermost one.
fn first_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(',').next().unwrap_or(value).trim())
}

fn is_path(prefix: &str) -> bool {
    prefix.starts_with('/')
        && !prefix.starts_with("//")
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], trusted: &[&str], secure: bool, expected: &str) {
        for address in ["10.1.2.3", "::ffff:10.1.2.3"] {
            check_from(address, headers, trusted, secure, expected);
        }
    }

    fn check_from(address: &str, headers: &[(&str, &str)], trusted: &[&str], secure: bool, expected: &str) {
        let mut request = hyper::Request::builder().uri("/R4/Flag");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let origin = Origin {
            base_url: None,
            trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            local_authority: "127.0.0.1:8080".to_owned(),
        };
        let peer = Peer { address: address.parse().unwrap(), secure };
        assert_eq!(origin.url(&parts, peer), expected, "{headers:?}");
    }

    #[test]
    fn forwarded_fields_count_from_trusted_proxies_only() {
        let forwarded = [
            ("host", "inside:8080"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "fhir.example.org"),
            ("x-forwarded-prefix", "/trust/"),
        ];
        check(&forwarded, &["10.0.0.0/8"], false, "https://fhir.example.org/trust");
        check(&forwarded, &["192.168.0.0/16"], false, "http://inside:8080");
        check(&forwarded, &[], true, "https://inside:8080");
    }

    #[test]
    fn what_is_no_authority_or_path_is_passed_over() {
        check(&[], &[], false, "http://127.0.0.1:8080");
        check(&[("host", "a b")], &[], false, "http://127.0.0.1:8080");
        check(
            &[("host", "h"), ("x-forwarded-prefix", "//evil.example"), ("x-forwarded-proto", "gopher")],
            &["10.0.0.0/8"],
            false,
            "http://h",
        );
    }
}
