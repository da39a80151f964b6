//! Cross-origin requests from browsers (the Fetch standard's CORS protocol).
//!
//! Off unless origins are configured: without authentication, any page that a user visits could
//! otherwise read the records of a server on that user's machine.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// Without these a page cannot lock: it could not read the version it is to name.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Location, Last-Modified, Content-Location, Retry-After, X-Rebased-Onto, X-Request-Id",
);

/// Which origins may use the server from a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// None.
    #[default]
    Off,
    /// Every one.
    Any,
    /// These, compared as text: `https://app.example.org`.
    Origins(Vec<String>),
}

impl Cors {
    fn allows(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Off => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Origins(origins) => {
                let known = origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
                known.then(|| origin.clone())
            }
        }
    }

    /// Adds what a page from the request's origin needs to read the response.
    pub(crate) fn apply(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if *self == Self::Off {
            return;
        }
        response.append(VARY, HeaderValue::from_static("Origin"));
        let Some(allowed) = request.get(ORIGIN).and_then(|origin| self.allows(origin)) else { return };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// Adds the answer to a preflight, if this OPTIONS request is one.
    pub(crate) fn preflight(&self, request: &HeaderMap, methods: &str, response: &mut HeaderMap) {
        let asked = request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let allowed = request.get(ORIGIN).is_some_and(|origin| self.allows(origin).is_some());
        if !asked || !allowed {
            return;
        }
        if let Ok(methods) = HeaderValue::from_str(methods) {
            response.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(headers) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}
