//! Binary: content of any type, in its own form or wrapped as a resource (FHIR "Binary").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fhir_definitions::FhirVersion;
use fhir_model::json::{self, Object, Value};
use fhir_model::object;
use rulebook::Failure;

use crate::answer::Payload;
use crate::limits::Limits;

/// The resource type that native content is stored as.
pub(crate) const BINARY: &str = "Binary";

/// The element that holds the content.
const fn data_element(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::Stu3 => "content",
        FhirVersion::R4 | FhirVersion::R4b | FhirVersion::R5 => "data",
    }
}

/// Native content as a resource; `id` is that of the URL, if it has one.
pub(crate) fn wrap(content_type: &str, bytes: &[u8], id: Option<&str>, version: FhirVersion) -> Object {
    let mut binary = object! { "resourceType": BINARY };
    if let Some(id) = id {
        binary.insert("id", id);
    }
    binary.insert("contentType", content_type);
    binary.insert(data_element(version), STANDARD.encode(bytes));
    binary
}

/// Whether a text is a media type (RFC 9110 section 8.3.1), its parameters apart.
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The content of a stored Binary in its own form. What is not base64, or of no media type, is shown as the resource.
pub(crate) fn unwrap(resource: &Bytes, version: FhirVersion, limits: &Limits) -> Option<Payload> {
    let value = json::parse(resource, &limits.stored()).ok()?;
    let content_type = value.get("contentType").and_then(Value::as_str).filter(|text| is_media_type(text))?;
    let data = value.get(data_element(version)).and_then(Value::as_str).unwrap_or_default();
    // White space is allowed in base64Binary.
    let data: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(data).ok()?;
    Some(Payload::Native { content_type: content_type.to_owned(), bytes: bytes.into() })
}

/// Native content has a meaning only as a Binary.
pub(crate) fn not_a_resource(content_type: &str) -> Failure {
    Failure::UnsupportedMediaType {
        sent: content_type.chars().take(200).collect(),
        offered: "application/fhir+json or application/fhir+xml",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_unwrapped() {
        for version in FhirVersion::ALL {
            let bytes = b"\x00\xffnot text";
            let resource = Bytes::from(wrap("image/png", bytes, Some("a"), version).to_bytes());
            let native = unwrap(&resource, version, &Limits::default());
            let expected =
                Payload::Native { content_type: "image/png".to_owned(), bytes: Bytes::from_static(bytes) };
            assert_eq!(native, Some(expected));
        }
        let native = |content_type: &str, data: &str| {
            let resource = object! { "resourceType": BINARY, "contentType": content_type, "data": data };
            unwrap(&Bytes::from(resource.to_bytes()), FhirVersion::R4, &Limits::default())
        };
        assert_eq!(native("a/b", "?"), None);
        assert!(native("text/plain; charset=utf-8", "aGVsbG8=").is_some());
        for no_type in ["", "text", "text/", "/plain", "<div xmlns=\"http://a/b\">", "a b/c", "a/b/c"] {
            assert_eq!(native(no_type, "aGVsbG8="), None, "{no_type}");
        }
    }
}
