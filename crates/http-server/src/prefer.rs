//! The Prefer header field (RFC 7240, with the values FHIR adds).

use fhir_service::{Handling, Preferences};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use rulebook::Return;

use crate::response::PREFERENCE_APPLIED;

/// Reads all Prefer lines. Preferences that are not understood are passed over, and the first
/// of two contradicting ones counts, as RFC 7240 section 2 asks.
pub(crate) fn preferences(headers: &HeaderMap) -> Preferences {
    let mut preferences = Preferences::default();
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
                    "handling" => preferences.handling = preferences.handling.or_else(|| handling(value)),
                    "rebase" => preferences.rebase |= matches!(value, "" | "true"),
                    _ => {}
                }
            }
        }
    }
    preferences
}

/// Adds the handling that was followed to `Preference-Applied`, behind what stands there.
pub(crate) fn add_handling(headers: &mut HeaderMap, handling: Option<Handling>) {
    if let Some(handling) = handling {
        let applied = headers.get(PREFERENCE_APPLIED).and_then(|applied| applied.to_str().ok());
        let before = applied.map(|applied| format!("{applied}, ")).unwrap_or_default();
        if let Ok(value) = HeaderValue::try_from(format!("{before}handling={}", handling.code())) {
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

fn returning(value: &str) -> Option<Return> {
    [Return::Minimal, Return::Representation, Return::OperationOutcome]
        .into_iter()
        .find(|candidate| candidate.code().eq_ignore_ascii_case(value))
}

fn handling(value: &str) -> Option<Handling> {
    [Handling::Strict, Handling::Lenient]
        .into_iter()
        .find(|candidate| candidate.code().eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], returning: Option<Return>, handling: Option<Handling>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", HeaderValue::from_str(line).unwrap());
        }
        let expected = Preferences { returning, handling, rebase: false };
        assert_eq!(preferences(&headers), expected, "{lines:?}");
    }

    #[test]
    fn rebase_is_asked_for_by_name() {
        for (line, expected) in [
            ("rebase", true),
            ("return=OperationOutcome, Rebase", true),
            ("rebase=true; return=minimal", true),
            ("rebase=false", false),
            ("rebased", false),
            ("return=rebase", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("prefer", HeaderValue::from_str(line).unwrap());
            assert_eq!(preferences(&headers).rebase, expected, "{line}");
        }
    }

    #[test]
    fn every_form() {
        check(&[], None, None);
        check(&["return=minimal"], Some(Return::Minimal), None);
        check(&["return=representation"], Some(Return::Representation), None);
        check(&["return=OperationOutcome"], Some(Return::OperationOutcome), None);
        check(&["Return = \"operationoutcome\""], Some(Return::OperationOutcome), None);
        check(
            &["respond-async, return=minimal; foo, handling=strict"],
            Some(Return::Minimal),
            Some(Handling::Strict),
        );
        check(&["handling=lenient", "return=minimal"], Some(Return::Minimal), Some(Handling::Lenient));
        check(&["return=minimal", "return=representation"], Some(Return::Minimal), None);
        check(&["return=everything, return=minimal"], Some(Return::Minimal), None);
        check(
            &["handling=Strict;return=representation"],
            Some(Return::Representation),
            Some(Handling::Strict),
        );
        check(&["return"], None, None);
        check(&["handling=sometimes, handling=lenient, handling=strict"], None, Some(Handling::Lenient));
    }
}
