//! Which format a client gets, and which it may send (FHIR "Content Types and encodings",
//! RFC 9110 12.5.1).

use fhir_definitions::FhirVersion;
use fhir_service::{Encoding, Format, PatchFormat};
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use rulebook::{Failure, Rulebook};

/// What can be given and understood, for messages.
const fn offered(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::Stu3 => "application/fhir+json or application/fhir+xml; fhirVersion=3.0",
        FhirVersion::R4 => "application/fhir+json or application/fhir+xml; fhirVersion=4.0",
        FhirVersion::R4b => "application/fhir+json or application/fhir+xml; fhirVersion=4.3",
        FhirVersion::R5 => "application/fhir+json or application/fhir+xml; fhirVersion=5.0",
    }
}

/// The media types that mean FHIR: today's, the ones of DSTU2, and the generic ones.
const TYPES: [(Format, &[&str]); 2] = [
    (Format::Json, &["application/fhir+json", "application/json", "text/json", "application/json+fhir"]),
    (Format::Xml, &["application/fhir+xml", "application/xml", "text/xml", "application/xml+fhir"]),
];

/// The format that the client gets. `_format` overrides Accept; where neither asks for one, a
/// client that sends a format gets the same, and any other gets the API's usual one.
pub(crate) fn accepted(
    headers: &HeaderMap,
    format: Option<&str>,
    rulebook: &dyn Rulebook,
) -> Result<Format, Failure> {
    let version = rulebook.version();
    if let Some(format) = format {
        return asked_for(format, version);
    }
    let lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    let ranges: Vec<MediaType> =
        lines.iter().flat_map(|line| line.split(',')).filter_map(MediaType::parse).collect();
    let usual = sent(headers).unwrap_or(rulebook.default_format());
    if ranges.is_empty() {
        return Ok(usual);
    }
    let other = if usual == Format::Json { Format::Xml } else { Format::Json };
    let [(first, first_quality), (second, second_quality)] =
        [usual, other].map(|format| (format, quality(&ranges, format, version)));
    if first_quality > 0.0 && first_quality >= second_quality {
        Ok(first)
    } else if second_quality > 0.0 {
        Ok(second)
    } else {
        Err(not_acceptable(&lines.join(", "), version))
    }
}

/// What `_format` says, in full or in short.
fn asked_for(format: &str, version: FhirVersion) -> Result<Format, Failure> {
    // `application/fhir+json` arrives with a space where the plus was not encoded.
    let media = MediaType::parse(&format.trim().replace(' ', "+")).filter(|media| media.fits(version));
    let found = media.and_then(|media| match media.essence.as_str() {
        "json" => Some(Format::Json),
        "xml" => Some(Format::Xml),
        _ => media.format(),
    });
    found.ok_or_else(|| not_acceptable(format, version))
}

/// How much a client wants a format: the most specific range that covers it counts (RFC 9110
/// 12.5.1).
fn quality(ranges: &[MediaType], format: Format, version: FhirVersion) -> f32 {
    let covering = ranges.iter().filter(|range| range.covers(format) && range.fits(version));
    covering.max_by_key(|range| range.precision()).map_or(0.0, |range| range.quality)
}

/// The format that a body is said to have, if it is one of FHIR's.
fn sent(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    MediaType::parse(value)?.format()
}

/// Whether a difference is wanted as JSON Patch: Accept puts it before both of FHIR's formats, which are the usual ones.
pub(crate) fn wants_json_patch(headers: &HeaderMap, version: FhirVersion) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<MediaType> =
        lines.flat_map(|line| line.split(',')).filter_map(MediaType::parse).collect();
    let named = ranges.iter().find(|range| range.essence == JSON_PATCH);
    let fhir = quality(&ranges, Format::Json, version).max(quality(&ranges, Format::Xml, version));
    named.is_some_and(|named| named.quality > 0.0 && named.quality >= fhir)
}

/// Whether `_format` names JSON Patch. A plus that was not encoded arrives as a space.
pub(crate) fn is_json_patch(format: &str) -> bool {
    format.trim().replace(' ', "+").eq_ignore_ascii_case(JSON_PATCH)
}

/// Whether Accept names a format of FHIR, so that a Binary is wanted as a resource.
pub(crate) fn names_fhir(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(MediaType::parse).any(|range| range.format().is_some())
}

/// What a body is written in: one of FHIR's formats in UTF-8 and of this FHIR version, or, where
/// native content has a place, anything else. A body without a type is read as JSON or XML by its
/// first byte.
pub(crate) fn content(
    headers: &HeaderMap,
    body: &[u8],
    version: FhirVersion,
    native: bool,
) -> Result<Encoding, Failure> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        let format = if body.trim_ascii_start().starts_with(b"<") { Format::Xml } else { Format::Json };
        return Ok(Encoding::Fhir(format));
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let media = MediaType::parse(&text);
    match media.as_ref().and_then(MediaType::format) {
        Some(format) if media.is_some_and(|media| media.fits(version) && media.charset_is_utf8()) => {
            Ok(Encoding::Fhir(format))
        }
        None if native && text.contains('/') => Ok(Encoding::Native(text.into_owned())),
        _ => Err(Failure::UnsupportedMediaType { sent: shortened(&text), offered: offered(version) }),
    }
}

const JSON_PATCH: &str = "application/json-patch+json";

/// The media types of patches, for `Accept-Patch` (RFC 5789 3.1).
pub(crate) const PATCH_TYPES: &str = "application/json-patch+json, application/merge-patch+json, \
    application/xml-patch+xml, application/fhir+json, application/fhir+xml";

/// What a patch is written in. It always says so: the same JSON means different changes.
pub(crate) fn patch(headers: &HeaderMap, rulebook: &dyn Rulebook) -> Result<PatchFormat, Failure> {
    let version = rulebook.version();
    let free = rulebook.patches_freely();
    let text =
        headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    let offered = if free { PATCH_TYPES } else { offered(version) };
    let unsupported = || Failure::UnsupportedMediaType { sent: shortened(&text), offered };
    let media = MediaType::parse(&text).filter(MediaType::charset_is_utf8).ok_or_else(unsupported)?;
    match media.essence.as_str() {
        JSON_PATCH if free => Ok(PatchFormat::Json),
        "application/merge-patch+json" if free => Ok(PatchFormat::Merge),
        "application/xml-patch+xml" if free => Ok(PatchFormat::Xml),
        essence if (essence.contains("fhir") || !free) && media.fits(version) => {
            media.format().map(PatchFormat::FhirPath).ok_or_else(unsupported)
        }
        _ => Err(unsupported()),
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

    /// The format of FHIR that this names.
    fn format(&self) -> Option<Format> {
        let named = |types: &[&str]| types.contains(&self.essence.as_str());
        TYPES.into_iter().find(|(_, types)| named(types)).map(|(format, _)| format)
    }

    fn covers(&self, format: Format) -> bool {
        self.format() == Some(format) || ["*/*", "application/*", "text/*"].contains(&self.essence.as_str())
    }

    /// A type is more precise than a range, and a range than everything.
    fn precision(&self) -> u8 {
        match self.essence.as_str() {
            "*/*" => 0,
            essence if essence.ends_with("/*") => 1,
            _ => 2,
        }
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
    use rulebook::{FhirRulebook, LockSettings};

    use super::*;

    fn plain(version: FhirVersion) -> FhirRulebook {
        FhirRulebook::new(version, LockSettings::of(version))
    }

    fn accept(lines: &[&str], format: Option<&str>) -> Option<Format> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        accepted(&headers, format, &plain(FhirVersion::Stu3)).ok()
    }

    #[test]
    fn accept_chooses_a_format() {
        for (line, expected) in [
            ("application/fhir+json", Some(Format::Json)),
            ("application/json", Some(Format::Json)),
            ("application/fhir+json; fhirVersion=3.0", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(Format::Json)),
            ("application/fhir+xml", Some(Format::Xml)),
            ("text/xml", Some(Format::Xml)),
            ("application/fhir+xml, application/fhir+json;q=0.1", Some(Format::Xml)),
            ("application/fhir+xml;q=0.1, application/fhir+json", Some(Format::Json)),
            ("*/*;q=0.1, application/xml", Some(Format::Xml)),
            ("application/fhir+json;q=0, */*", Some(Format::Xml)),
            ("application/fhir+json; fhirVersion=4.0", None),
            ("image/png", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(accept(&[line], None), expected, "{line}");
        }
        assert_eq!(accept(&[], None), Some(Format::Json));
        assert_eq!(accept(&["image/png", "application/json"], None), Some(Format::Json));
    }

    #[test]
    fn a_difference_as_json_patch_is_asked_for_by_name() {
        for (line, expected) in [
            ("application/json-patch+json", true),
            ("application/json-patch+json, application/fhir+json;q=0.9", true),
            ("application/json-patch+json, */*", true),
            ("application/json-patch+json;q=0.5, application/fhir+xml", false),
            ("application/json-patch+json;q=0", false),
            ("application/fhir+json", false),
            ("*/*", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(line).unwrap())]);
            assert_eq!(wants_json_patch(&headers, FhirVersion::R4), expected, "{line}");
        }
    }

    #[test]
    fn who_asks_for_nothing_gets_what_he_sends() {
        let headers =
            |value: &str| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(value).unwrap())]);
        let got = |value| accepted(&headers(value), None, &plain(FhirVersion::R4)).ok();
        assert_eq!(got("application/fhir+xml"), Some(Format::Xml));
        assert_eq!(got("text/plain"), Some(Format::Json));
    }

    #[test]
    fn what_is_offered_fits() {
        for version in FhirVersion::ALL {
            let (json, xml) = offered(version).split_once(" or ").unwrap();
            assert_eq!(MediaType::parse(json).unwrap().format(), Some(Format::Json));
            let xml = MediaType::parse(xml).unwrap();
            assert!(xml.format() == Some(Format::Xml) && xml.fhir_version.is_some() && xml.fits(version));
        }
    }

    #[test]
    fn format_overrides_accept() {
        assert_eq!(accept(&["application/fhir+xml"], Some("json")), Some(Format::Json));
        assert_eq!(accept(&["application/fhir+xml"], Some("application/fhir json")), Some(Format::Json));
        assert_eq!(accept(&["application/fhir+json"], Some("xml")), Some(Format::Xml));
        assert_eq!(accept(&[], Some("")), None);
        assert_eq!(accept(&[], Some("turtle")), None);
    }

    #[test]
    fn a_body_is_fhir_in_utf8_of_the_right_version() {
        let check = |value: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(value).unwrap())]);
            content(&headers, b"", FhirVersion::R4, false).ok()
        };
        assert_eq!(
            check("application/fhir+json; charset=UTF-8; fhirVersion=4.0"),
            Some(Encoding::Fhir(Format::Json))
        );
        assert_eq!(check("text/json"), Some(Encoding::Fhir(Format::Json)));
        assert_eq!(check("application/xml+fhir"), Some(Encoding::Fhir(Format::Xml)));
        assert_eq!(check("application/fhir+json; charset=iso-8859-1"), None);
        assert_eq!(check("application/fhir+xml; fhirVersion=5.0"), None);
        assert_eq!(check("text/plain"), None);
        let untyped = |body| content(&HeaderMap::new(), body, FhirVersion::R4, false);
        assert_eq!(untyped(b"{}"), Ok(Encoding::Fhir(Format::Json)));
        assert_eq!(untyped(b" <Flag/>"), Ok(Encoding::Fhir(Format::Xml)));
        let png = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("image/png"))]);
        assert!(content(&png, b"", FhirVersion::R4, false).is_err());
        assert_eq!(content(&png, b"", FhirVersion::R4, true), Ok(Encoding::Native("image/png".to_owned())));
    }
}
