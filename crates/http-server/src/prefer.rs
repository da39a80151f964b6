//! The Prefer header field (RFC 7240, with the values FHIR adds).

use fhir_service::Preferences;
use hyper::HeaderMap;
use rulebook::Return;

/// Reads all Prefer lines. Preferences that are not understood are passed over, and the first
/// of two contradicting ones counts, as RFC 7240 section 2 asks.
pub(crate) fn preferences(headers: &HeaderMap) -> Preferences {
    let mut preferences = Preferences::default();
    let mut handling = None;
    for line in headers.get_all("prefer") {
        let Ok(line) = line.to_str() else { continue };
        for preference in line.split(',') {
            // Parameters of a preference come behind a semicolon; none is known. Popular clients
            // also separate preferences by semicolons, which is read as if it were a comma.
            for part in preference.split(';') {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "return" => preferences.returning = preferences.returning.or_else(|| returning(value)),
                    "handling" => handling = handling.or_else(|| strict(value)),
                    _ => {}
                }
            }
        }
    }
    preferences.strict = handling.unwrap_or(false);
    preferences
}

fn returning(value: &str) -> Option<Return> {
    [Return::Minimal, Return::Representation, Return::OperationOutcome]
        .into_iter()
        .find(|candidate| candidate.code().eq_ignore_ascii_case(value))
}

fn strict(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("strict") {
        Some(true)
    } else if value.eq_ignore_ascii_case("lenient") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn check(lines: &[&str], returning: Option<Return>, strict: bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", HeaderValue::from_str(line).unwrap());
        }
        assert_eq!(preferences(&headers), Preferences { returning, strict }, "{lines:?}");
    }

    #[test]
    fn every_form() {
        check(&[], None, false);
        check(&["return=minimal"], Some(Return::Minimal), false);
        check(&["return=representation"], Some(Return::Representation), false);
        check(&["return=OperationOutcome"], Some(Return::OperationOutcome), false);
        check(&["Return = \"operationoutcome\""], Some(Return::OperationOutcome), false);
        check(&["respond-async, return=minimal; foo, handling=strict"], Some(Return::Minimal), true);
        check(&["handling=lenient", "return=minimal"], Some(Return::Minimal), false);
        check(&["return=minimal", "return=representation"], Some(Return::Minimal), false);
        check(&["return=everything, return=minimal"], Some(Return::Minimal), false);
        check(&["handling=strict;return=representation"], Some(Return::Representation), true);
        check(&["return"], None, false);
    }
}
