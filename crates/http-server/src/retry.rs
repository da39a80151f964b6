//! `X-Retry-On-Version-Conflict`, the header field by which clients of HAPI FHIR say how often a write that lost a race
//! is to be tried again: `retry; max-retries=N`.

use hyper::HeaderMap;
use rulebook::Failure;

const FIELD: &str = "x-retry-on-version-conflict";

/// How often a lost race is decided again at most, where the client says so. `retry` alone leaves that to the server.
/// A number that is too large to be kept counts as the largest that can be.
pub(crate) fn retries_max(headers: &HeaderMap) -> Result<Option<u16>, Failure> {
    let mut lines = headers.get_all(FIELD).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let line = line.to_str().ok().filter(|_| lines.next().is_none());
    read(line.ok_or(Failure::MalformedRetry)?)
}

fn read(line: &str) -> Result<Option<u16>, Failure> {
    let mut retries = false;
    let mut max = None;
    for part in line.split(';').map(str::trim) {
        match part.split_once('=') {
            None if part.eq_ignore_ascii_case("retry") && !retries => retries = true,
            Some((name, digits)) if name.trim().eq_ignore_ascii_case("max-retries") && max.is_none() => {
                max = Some(number(digits.trim()).ok_or(Failure::MalformedRetry)?);
            }
            _ => return Err(Failure::MalformedRetry),
        }
    }
    if retries { Ok(max) } else { Err(Failure::MalformedRetry) }
}

fn number(digits: &str) -> Option<u16> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn of(lines: &[&str]) -> Result<Option<u16>, Failure> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FIELD, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        retries_max(&headers)
    }

    #[test]
    fn every_form() {
        assert_eq!(of(&[]), Ok(None));
        for (line, expected) in [
            ("retry", None),
            ("retry; max-retries=5", Some(5)),
            ("retry;max-retries=0", Some(0)),
            ("max-retries=100; retry", Some(100)),
            (" Retry ; Max-Retries = 007 ", Some(7)),
            ("retry; max-retries=65536", Some(u16::MAX)),
            ("retry; max-retries=99999999999999999999", Some(u16::MAX)),
        ] {
            assert_eq!(of(&[line]), Ok(expected), "{line}");
        }
        for line in [
            "",
            "max-retries=5",
            "retry; max-retries=",
            "retry; max-retries=-1",
            "retry; max-retries=+1",
            "retry; max-retries=five",
            "retry; max-retries=\"5\"",
            "retry; max-retries",
            "retry, max-retries=5",
            "retry; retry",
            "retry; max-retries=1; max-retries=2",
            "retry; soon",
            "retry;",
            "true",
            "\u{e9}",
        ] {
            assert_eq!(of(&[line]), Err(Failure::MalformedRetry), "{line}");
        }
        assert_eq!(of(&["retry", "retry"]), Err(Failure::MalformedRetry));
    }
}
