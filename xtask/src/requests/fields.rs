//! Header fields: conditions, preferences, formats, and what else a client may send.

use super::chance::Chance;

/// A header line.
pub(crate) type Field = (&'static str, Vec<u8>);

/// The fields of a request without those that frame its body. `etag` is the last one seen.
pub(crate) fn fields(chance: &mut Chance, etag: Option<&str>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    // RFC 9112 3.2 wants exactly one.
    match chance.below(200) {
        0 => {}
        1 => fields.extend([("host", b"one".to_vec()), ("host", b"two".to_vec())]),
        2 => fields.push(("host", chance.line(40))),
        _ => fields.push(("host", b"fuzz.example:8080".to_vec())),
    }
    if chance.percent(30) {
        fields.push(("if-match", tags(chance, etag)));
    }
    if chance.percent(10) {
        fields.push(("if-none-match", tags(chance, etag)));
    }
    if chance.percent(3) {
        // A second line of a list field.
        fields.push((chance.one_of(&["if-match", "if-none-match"]), tags(chance, etag)));
    }
    if chance.percent(5) {
        fields.push((chance.one_of(&["if-modified-since", "if-unmodified-since"]), date(chance)));
    }
    if chance.percent(15) {
        fields.push(("prefer", prefer(chance)));
    }
    if chance.percent(8) {
        fields.push(("idempotency-key", idempotency_key(chance)));
    }
    if chance.percent(25) {
        fields.push(("accept", media(chance)));
    }
    if chance.percent(15) {
        let encodings = ["gzip", "gzip;q=0", "*", "br", "gzip;q=x", "identity;q=0, *;q=0", ""];
        fields.push(("accept-encoding", chance.one_of(&encodings).into()));
    }
    if chance.percent(10) {
        fields.push(other(chance));
    }
    fields
}

/// The list of an If-Match or If-None-Match.
fn tags(chance: &mut Chance, etag: Option<&str>) -> Vec<u8> {
    const TAGS: [&str; 22] = [
        "W/\"1\"",
        "W/\"1\"",
        "W/\"2\"",
        "W/\"3\"",
        "\"1\"",
        "*",
        "W/\"4\", W/\"5\",W/\"6\"",
        "W/\"0\"",
        "1",
        "W/1",
        "w/\"1\"",
        "\"",
        "\"\"",
        "W/\"",
        "*, W/\"1\"",
        ",",
        "",
        "W/\"25777f7d-27bc\"",
        "W/\"1\" W/\"2\"",
        "W/\"99999999999999999999999\"",
        "\"a\\\"b\"",
        "W/\"01\"",
    ];
    match (chance.below(100), etag) {
        (0..70, Some(etag)) => etag.as_bytes().to_vec(),
        (0..92, _) => chance.one_of(&TAGS).into(),
        (92..94, _) => "W/\"1\", ".repeat(chance.below(300)).into_bytes(),
        _ => chance.line(60),
    }
}

fn date(chance: &mut Chance) -> Vec<u8> {
    const DATES: [&str; 9] = [
        "Fri, 25 May 2018 16:09:50 GMT",
        "Sun, 06 Nov 2094 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Fri, 31 Feb 2018 16:09:50 GMT",
        "Fri, 25 May 2018 16:09:50 +0100",
        "2018-05-25T16:09:50Z",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "0",
    ];
    if chance.percent(90) { chance.one_of(&DATES).into() } else { chance.line(40) }
}

fn prefer(chance: &mut Chance) -> Vec<u8> {
    const PREFERENCES: [&str; 13] = [
        "return=minimal",
        "return=representation",
        "return=OperationOutcome",
        "return=",
        "return=\"minimal",
        "handling=strict",
        "handling=lenient",
        "handling=strict, return=minimal",
        "respond-async",
        "rebase",
        "return=OperationOutcome, rebase=true",
        "return=minimal; return=representation;;;,,,",
        "=",
    ];
    if chance.percent(92) { chance.one_of(&PREFERENCES).into() } else { chance.line(60) }
}

/// Few keys, so that they are used again, for the same and for other requests.
fn idempotency_key(chance: &mut Chance) -> Vec<u8> {
    match chance.below(20) {
        0 => Vec::new(),
        1 => chance.line(40),
        2 => vec![b'k'; 256],
        3 => b"\"quoted\"".to_vec(),
        _ => format!("key-{}", chance.below(200)).into_bytes(),
    }
}

/// A media type or a list of them, for Accept and Content-Type.
pub(crate) fn media(chance: &mut Chance) -> Vec<u8> {
    const TYPES: [&str; 22] = [
        "application/fhir+json",
        "application/fhir+json",
        "application/fhir+xml",
        "application/fhir+xml",
        "application/json",
        "text/xml; charset=utf-8",
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+xml; fhirVersion=3.0",
        "application/fhir+json; fhirVersion=9.9",
        "application/fhir+json; charset=iso-8859-1",
        "*/*",
        "application/*;q=0.5, text/*;q=0.1",
        "text/html",
        "application/pdf",
        "application/fhir+json;q=0",
        "application/fhir+xml;q=NaN, */*;q=-1",
        "application/json-patch+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=\"",
        "APPLICATION/JSON;;;=;",
        "/",
        "",
    ];
    if chance.percent(95) { chance.one_of(&TYPES).into() } else { chance.line(60) }
}

/// A field that has nothing to do with what is asked, or is much too large.
fn other(chance: &mut Chance) -> Field {
    match chance.below(13) {
        0 => ("x-request-id", chance.line(80)),
        1 => ("x-correlation-id", chance.line(400)),
        2 => ("x-forwarded-host", chance.line(30)),
        3 => ("x-forwarded-proto", b"javascript".to_vec()),
        4 => ("origin", b"https://evil.example".to_vec()),
        5 => ("access-control-request-method", b"PUT".to_vec()),
        6 => ("authorization", chance.line(100)),
        7 => ("cookie", vec![b'c'; chance.below(40_000)]),
        8 => ("range", b"bytes=0-1".to_vec()),
        9 => ("x-http-method-override", b"DELETE".to_vec()),
        10 => ("x-retry-on-version-conflict", b"retry; max-retries=99999999999".to_vec()),
        11 => ("if-none-exist", b"identifier=a|b".to_vec()),
        _ => ("x-empty", Vec::new()),
    }
}
