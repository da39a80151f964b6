//! Which format a client gets, and which it may send (FHIR "Content Types and encodings",
//! RFC 9110 12.5.1).

use fhir_definitions::FhirVersion;
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use rulebook::Failure;

/// What can be given and understood, for messages.
const fn offered(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::Stu3 => "application/fhir+json; fhirVersion=3.0",
        FhirVersion::R4 => "application/fhir+json; fhirVersion=4.0",
        FhirVersion::R4b => "application/fhir+json; fhirVersion=4.3",
        FhirVersion::R5 => "application/fhir+json; fhirVersion=5.0",
    }
}

/// The media types that mean FHIR as JSON: today's, the one of DSTU2, and the generic ones.
const JSON_TYPES: [&str; 4] =
    ["application/fhir+json", "application/json", "text/json", "application/json+fhir"];

/// Checks that the client takes JSON. `_format` overrides Accept.
pub(crate) fn check_accept(
    headers: &HeaderMap,
    format: Option<&str>,
    version: FhirVersion,
) -> Result<(), Failure> {
    if let Some(format) = format {
        // `application/fhir+json` arrives with a space where the plus was not encoded.
        let media = MediaType::parse(&format.trim().replace(' ', "+"));
        let short = media.as_ref().is_some_and(|media| media.essence == "json");
        return match media {
            Some(media) if (short || media.is_json()) && media.fits(version) => Ok(()),
            _ => Err(not_acceptable(format, version)),
        };
    }
    let lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    let ranges: Vec<MediaType> =
        lines.iter().flat_map(|line| line.split(',')).filter_map(MediaType::parse).collect();
    let accepted = |range: &MediaType| range.quality > 0.0 && range.covers_json() && range.fits(version);
    if ranges.is_empty() || ranges.iter().any(accepted) {
        Ok(())
    } else {
        Err(not_acceptable(&lines.join(", "), version))
    }
}

/// Checks that a body is JSON of this FHIR version in UTF-8. A body without a type is read as
/// JSON: there is nothing else it could be.
pub(crate) fn check_content_type(headers: &HeaderMap, version: FhirVersion) -> Result<(), Failure> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let understood = MediaType::parse(&text)
        .is_some_and(|media| media.is_json() && media.fits(version) && media.charset_is_utf8());
    if understood {
        Ok(())
    } else {
        Err(Failure::UnsupportedMediaType { sent: shortened(&text), offered: offered(version) })
    }
}

fn not_acceptable(asked: &str, version: FhirVersion) -> Failure {
    Failure::NotAcceptable { asked: shortened(asked), offered: offered(version) }
}

/// What a client sent, short enough to send back.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// A media type or range with the parameters that matter here.
struct MediaType {
    essence: String,
    fhir_version: Option<String>,
    charset: Option<String>,
    quality: f32,
}

impl MediaType {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        if essence.is_empty() {
            return None;
        }
        let mut media = Self { essence, fhir_version: None, charset: None, quality: 1.0 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "fhirversion" => media.fhir_version = Some(value.to_owned()),
                "charset" => media.charset = Some(value.to_ascii_lowercase()),
                "q" => media.quality = value.parse().unwrap_or(1.0),
                _ => {}
            }
        }
        Some(media)
    }

    fn is_json(&self) -> bool {
        JSON_TYPES.contains(&self.essence.as_str())
    }

    fn covers_json(&self) -> bool {
        self.is_json() || ["*/*", "application/*", "text/*"].contains(&self.essence.as_str())
    }

    /// A `fhirVersion` parameter, where there is one, names the version of the mount.
    fn fits(&self, version: FhirVersion) -> bool {
        self.fhir_version
            .as_deref()
            .is_none_or(|asked| asked == version.mime_version() || asked == version.number())
    }

    fn charset_is_utf8(&self) -> bool {
        self.charset.as_deref().is_none_or(|charset| charset == "utf-8" || charset == "utf8")
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn accept(lines: &[&str], format: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        check_accept(&headers, format, FhirVersion::Stu3).is_ok()
    }

    #[test]
    fn accept_takes_what_covers_json() {
        for fine in [
            "application/fhir+json",
            "application/json",
            "application/fhir+json; fhirVersion=3.0",
            "*/*",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "application/fhir+xml, application/fhir+json;q=0.1",
        ] {
            assert!(accept(&[fine], None), "{fine}");
        }
        for refused in [
            "application/fhir+xml",
            "application/fhir+json; fhirVersion=4.0",
            "image/png",
            "application/json;q=0",
        ] {
            assert!(!accept(&[refused], None), "{refused}");
        }
        assert!(accept(&[], None));
        assert!(accept(&["image/png", "application/json"], None));
    }

    #[test]
    fn what_is_offered_fits() {
        for version in FhirVersion::ALL {
            let media = MediaType::parse(offered(version)).unwrap();
            assert!(media.is_json() && media.fhir_version.is_some() && media.fits(version));
        }
    }

    #[test]
    fn format_overrides_accept() {
        assert!(accept(&["application/fhir+xml"], Some("json")));
        assert!(accept(&["application/fhir+xml"], Some("application/fhir json")));
        assert!(!accept(&["application/fhir+json"], Some("xml")));
        assert!(!accept(&[], Some("")));
    }

    #[test]
    fn a_body_is_json_in_utf8_of_the_right_version() {
        let check = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            check_content_type(&headers, FhirVersion::R4).is_ok()
        };
        assert!(check("application/fhir+json; charset=UTF-8; fhirVersion=4.0"));
        assert!(check("text/json"));
        assert!(!check("application/fhir+json; charset=iso-8859-1"));
        assert!(!check("application/fhir+json; fhirVersion=5.0"));
        assert!(!check("text/plain"));
        assert!(check_content_type(&HeaderMap::new(), FhirVersion::R4).is_ok());
    }
}
