//! The lines of an export: JSON, one for each version, and two kinds more at the end of a store.

use std::io::{self, Write};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use fhir_model::json::{Limits, Object, Value, parse, write_string};
use fhir_model::{Instant, Resource, ResourceKey, Splice, splice};
use storage_api::{
    Body, Key, Method, RequestId, Seq, StoredVersion, Timestamp, VersionNumber, VersionTag, VersionToken,
};

/// What a line says of a store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// A version, in commit order.
    Version(StoredVersion),
    /// A key was purged: its numbers up to this one are used, its versions up to there are gone.
    Floor(Key, u64),
    /// The last line of a store: how many versions there were. Without it the file is cut.
    End(u64),
}

impl Line {
    /// The whole line, its end included. `store` is the name of the store's folder.
    pub(crate) fn write(&self, store: &str, out: &mut impl Write) -> Result<()> {
        let mut text = b"{\"store\":".to_vec();
        write_string(store, &mut text);
        match self {
            Self::Version(version) => write_version(version, &mut text)?,
            Self::Floor(key, floor) => {
                write_key(key, &mut text);
                write!(text, ",\"floor\":{floor}")?;
            }
            Self::End(versions) => write!(text, ",\"versions\":{versions}")?,
        }
        text.extend_from_slice(b"}\n");
        Ok(out.write_all(&text)?)
    }

    /// A line and the store that it is of.
    pub(crate) fn parse(text: &[u8]) -> Result<(String, Self)> {
        // Twice what a body may have, because a line holds one.
        let limits = Limits { bytes_max: 1 << 28, depth_max: 102, nodes_max: 4_000_000 };
        let value = parse(text, &limits).map_err(|error| anyhow::anyhow!("{error}"))?;
        let Value::Object(mut line) = value else { bail!("a line is a JSON object") };
        let store = text_of(&line, "store")?.to_owned();
        if let Some(versions) = line.get("versions") {
            let versions = versions.as_number().and_then(fhir_model::json::Number::as_u64);
            return Ok((store, Self::End(versions.context("\"versions\" is no count")?)));
        }
        let (kind, id) = (text_of(&line, "type")?, text_of(&line, "id")?);
        ResourceKey::parse(kind, id).map_err(|error| anyhow::anyhow!("{kind}/{id}: {error}"))?;
        let key = Key::new(kind, id);
        if line.contains("floor") {
            let floor = number_of(&line, "floor")?;
            return Ok((store, Self::Floor(key, floor)));
        }
        let version = read_version(&mut line, &key).with_context(|| key.to_string())?;
        Ok((store, Self::Version(version)))
    }
}

fn write_key(key: &Key, text: &mut Vec<u8>) {
    text.extend_from_slice(b",\"type\":");
    write_string(&key.kind, text);
    text.extend_from_slice(b",\"id\":");
    write_string(&key.id, text);
}

fn write_version(version: &StoredVersion, text: &mut Vec<u8>) -> Result<()> {
    write_key(&version.key, text);
    let number = version.version.number.get();
    let request = u128::from_be_bytes(version.request.0);
    write!(
        text,
        ",\"number\":{number},\"tag\":\"{:016x}\",\"method\":\"{}\",\"at_us\":{},\"request\":\"{request:032x}\"",
        version.version.tag.0,
        method_name(version.method),
        version.at.0,
    )?;
    if let Some(body) = &version.body {
        text.extend_from_slice(b",\"body\":");
        let place = Splice::from_i64(body.splice);
        let at = Instant::from_micros(version.at.0);
        let spliced = place.and_then(|place| splice(&body.bytes, place, &number.to_string(), at));
        let spliced = spliced.map_err(|error| anyhow::anyhow!("{}: {error}", version.key))?;
        text.extend_from_slice(&spliced);
    }
    Ok(())
}

fn read_version(line: &mut Object, key: &Key) -> Result<StoredVersion> {
    let number = number_of(line, "number")?;
    ensure!((1..=i64::MAX.unsigned_abs()).contains(&number), "\"number\" is {number}");
    let tag = u64::from_str_radix(text_of(line, "tag")?, 16).context("\"tag\" is not hexadecimal")?;
    let request =
        u128::from_str_radix(text_of(line, "request")?, 16).context("\"request\" is not hexadecimal")?;
    let at = line.get("at_us").and_then(Value::as_number).and_then(fhir_model::json::Number::as_i64);
    let method = method_of(text_of(line, "method")?)?;
    let at = Timestamp(at.context("\"at_us\" is no number of microseconds")?);
    let body = line.remove("body").map(|body| read_body(body, key)).transpose()?;
    ensure!(body.is_none() == (method == Method::Delete), "exactly a DELETE has no \"body\"");
    Ok(StoredVersion {
        key: key.clone(),
        version: VersionToken { number: VersionNumber::new(number), tag: VersionTag(tag) },
        seq: Seq(0),
        at,
        previous_at: None,
        method,
        request: RequestId(request.to_be_bytes()),
        body,
    })
}

fn read_body(body: Value, key: &Key) -> Result<Body> {
    let resource = Resource::from_value(body).map_err(|error| anyhow::anyhow!("\"body\": {error}"))?;
    ensure!(
        resource.resource_type().as_str() == key.kind && resource.id() == Some(key.id.as_str()),
        "\"body\" is another resource"
    );
    let stored = resource.stored_body().map_err(|error| anyhow::anyhow!("\"body\": {error}"))?;
    Ok(Body { bytes: Bytes::from(stored.bytes), splice: stored.splice.to_i64() })
}

fn text_of<'a>(line: &'a Object, name: &str) -> Result<&'a str> {
    line.get(name).and_then(Value::as_str).with_context(|| format!("a line has a text {name:?}"))
}

fn number_of(line: &Object, name: &str) -> Result<u64> {
    let number = line.get(name).and_then(Value::as_number).and_then(fhir_model::json::Number::as_u64);
    number.with_context(|| format!("a line has a number {name:?}"))
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn method_of(name: &str) -> Result<Method> {
    let methods = [Method::Post, Method::Put, Method::Patch, Method::Delete];
    let found = methods.into_iter().find(|method| method_name(*method) == name);
    found.with_context(|| format!("{name:?} is none of POST, PUT, PATCH, DELETE"))
}

/// Reads lines one by one; each is told with its number in the file.
pub(crate) fn each(
    mut source: impl io::BufRead,
    mut take: impl FnMut(u64, String, Line) -> Result<()>,
) -> Result<()> {
    let (mut text, mut number) = (Vec::new(), 0_u64);
    loop {
        text.clear();
        number += 1;
        if source.read_until(b'\n', &mut text)? == 0 {
            return Ok(());
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let parsed = Line::parse(&text).and_then(|(store, line)| take(number, store, line));
        parsed.with_context(|| format!("line {number}"))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(body: Option<&str>) -> StoredVersion {
        let key = Key::new("Basic", "a");
        StoredVersion {
            body: body.map(|body| {
                let value = parse(body.as_bytes(), &Limits::default()).unwrap();
                read_body(value, &key).unwrap()
            }),
            key,
            version: VersionToken { number: VersionNumber::new(7), tag: VersionTag(0x25_777f) },
            seq: Seq(0),
            at: Timestamp(1_527_264_590_123_456),
            previous_at: None,
            method: if body.is_some() { Method::Patch } else { Method::Delete },
            request: RequestId([9; 16]),
        }
    }

    #[test]
    fn every_line_reads_as_it_was_written() {
        let key = Key::new("Basic", "a");
        let lines = [
            Line::Version(version(None)),
            Line::Version(version(Some(r#"{"resourceType":"Basic","id":"a"}"#))),
            Line::Version(version(Some(
                r#"{"resourceType":"Basic","id":"a","meta":{"tag":[{"code":"x"}]},"extension":[{"url":"u","valueDecimal":1.50}]}"#,
            ))),
            Line::Floor(key, 3),
            Line::End(4),
        ];
        for line in lines {
            let mut text = Vec::new();
            line.write("spine-STU3", &mut text).unwrap();
            assert_eq!(text.split(|byte| *byte == b'\n').count(), 2);
            assert_eq!(Line::parse(&text).unwrap(), ("spine-STU3".to_owned(), line));
        }
    }

    #[test]
    fn the_body_of_a_line_says_its_version() {
        let mut text = Vec::new();
        Line::Version(version(Some(r#"{"resourceType":"Basic","id":"a"}"#))).write("R4", &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(r#""meta":{"versionId":"7","lastUpdated":"2018-05-25T"#), "{text}");
    }

    #[test]
    fn lines_that_say_nothing_are_named() {
        let version = r#""store":"R4","type":"Basic","id":"a","number":1,"tag":"1","method":"PUT","at_us":1,"request":"1""#;
        for (text, expected) in [
            ("[]", "a JSON object"),
            ("{}", "\"store\""),
            ("{\"store\":\"R4\"}", "\"type\""),
            ("{\"store\":\"R4\",\"versions\":-1}", "no count"),
            ("{\"store\":\"R4\",\"type\":\"Basic\",\"id\":\"a b\",\"floor\":1}", "Basic/a b"),
            (&format!("{{{version}}}"), "exactly a DELETE"),
            (&format!("{{{version},\"body\":1}}"), "\"body\""),
            (
                &format!("{{{version},\"body\":{{\"resourceType\":\"Basic\",\"id\":\"b\"}}}}"),
                "another resource",
            ),
            (&format!("{{{}}}", version.replace("PUT", "GET")), "none of POST"),
            (&format!("{{{}}}", version.replace("\"number\":1", "\"number\":0")), "\"number\" is 0"),
        ] {
            let error = format!("{:#}", Line::parse(text.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
