//! Bodies: resources as they should be, and what may become of them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::chance::Chance;
use super::fields::media;

/// A body with the fields that describe it.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: Option<Vec<u8>>,
    pub(crate) encoding: Option<&'static str>,
}

/// A body for a type and an id: whole as often as not, otherwise changed in its structure or in its bytes.
pub(crate) fn body(chance: &mut Chance, kind: &str, id: &str) -> Body {
    let kind = if chance.percent(96) { kind } else { chance.one_of(&["Patient", "Flag", "Parameters", ""]) };
    let id = if chance.percent(95) { id } else { chance.one_of(&["a", "b", "other", "", "a b", "é"]) };
    let is_json = chance.percent(65);
    let mut bytes = if is_json { json_body(chance, kind, id) } else { xml_body(chance, kind, id) };
    match chance.below(100) {
        0..70 => {}
        70..90 => {
            for _ in 0..=chance.below(3) {
                scratch(chance, &mut bytes);
            }
        }
        90..93 => bytes.clear(),
        93..96 => bytes = nested(chance, is_json),
        96..98 => bytes = chance.line(300),
        _ => {
            let count = chance.below(2000);
            bytes = chance.bytes(count);
        }
    }
    let content_type = match chance.below(20) {
        0 => None,
        1 | 2 => Some(media(chance)),
        _ if is_json => Some(b"application/fhir+json".to_vec()),
        _ => Some(b"application/fhir+xml".to_vec()),
    };
    let encoding = encode(chance, &mut bytes);
    Body { bytes, content_type, encoding }
}

/// Packs a body, or only says so, or breaks what was packed.
pub(crate) fn encode(chance: &mut Chance, bytes: &mut Vec<u8>) -> Option<&'static str> {
    match chance.below(40) {
        0 => Some(chance.one_of(&["gzip", "br", "identity", "gzip, gzip", "", "deflate"])),
        1..4 => {
            let broken = chance.percent(25);
            // Writing to memory does not fail.
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
            *bytes = packed.unwrap_or_default();
            if broken {
                scratch(chance, bytes);
            }
            Some(chance.one_of(&["gzip", "gzip", "x-gzip", "GZIP"]))
        }
        _ => None,
    }
}

/// A resource as an object, whole for the types that can be written so briefly.
fn resource(chance: &mut Chance, kind: &str, id: &str) -> Value {
    let mut value = match kind {
        "Patient" => json!({
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Anna &amp; co</p></div>"},
            "contained": [{"resourceType": "Organization", "id": "o", "name": "Here"}],
            "extension": [{"url": "http://example.org/size", "valueDecimal": 1.50}],
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"}],
            "active": true,
            "name": [{"family": "Neal", "given": ["Anna", "B"],
                      "_given": [null, {"extension": [{"url": "http://example.org/x", "valueString": "y"}]}]}],
            "birthDate": "1970-01",
            "_birthDate": {"id": "bd"},
            "managingOrganization": {"reference": "#o"}
        }),
        "Observation" => json!({
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": "pulse"},
            "subject": {"reference": "Patient/a"},
            "effectiveDateTime": "2018-05-25T16:09:50.123+01:00",
            "valueQuantity": {"value": 72, "unit": "/min"}
        }),
        "Flag" => json!({
            "status": "active", "code": {"text": "Needs a ramp"}, "subject": {"reference": "Patient/a"}
        }),
        "Binary" => json!({"contentType": "text/plain", "data": "aGVsbG8=", "content": "aGVsbG8="}),
        "Bundle" => {
            json!({"type": "collection", "entry": [{"resource": {"resourceType": "Basic", "code": {"text": "x"}}}]})
        }
        _ => json!({"code": {"text": "anything"}, "subject": {"reference": "Patient/b"}}),
    };
    if kind == "Binary" {
        // STU3 has one, later versions the other.
        let other = chance.one_of(&["data", "content"]);
        remove(&mut value, other);
    }
    value["resourceType"] = kind.into();
    if !id.is_empty() {
        value["id"] = id.into();
    }
    value["language"] = format!("en-{}", chance.below(1000)).into();
    if chance.percent(30) {
        value["meta"] =
            json!({"versionId": "9", "lastUpdated": "2018-05-25T16:09:50Z", "tag": [{"code": "t"}]});
        let member = chance.one_of(&["versionId", "lastUpdated", "tag", "none"]);
        remove(&mut value["meta"], member);
    }
    value
}

fn remove(value: &mut Value, member: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(member);
    }
}

fn json_body(chance: &mut Chance, kind: &str, id: &str) -> Vec<u8> {
    let mut value = resource(chance, kind, id);
    if chance.percent(35) {
        for _ in 0..=chance.below(3) {
            bend(chance, &mut value);
        }
    }
    let text =
        if chance.percent(20) { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    let mut text = text.unwrap_or_default();
    match chance.below(60) {
        // What serde_json cannot hold: a name twice, and numbers as they are written.
        0 => text = text.replacen('{', "{\"id\":\"a\",", 1),
        1 => text = text.replacen(':', &format!(":{},\"x\":", chance.one_of(&NUMBERS)), 1),
        2 => text.insert(0, '\u{feff}'),
        3 => text = text.replacen("true", chance.one_of(&NUMBERS), 1),
        _ => {}
    }
    text.into_bytes()
}

const NUMBERS: [&str; 11] = [
    "1e999999999",
    "-0.00000",
    "1E+5",
    "00",
    "-",
    "1.",
    "0.1000000000000000000000000000000000001",
    "123456789012345678901234567890",
    "NaN",
    "\"\\ud800\"",
    "\"\\u0000\"",
];

/// Changes one place of a tree: takes a way down at random and puts something else at its end.
fn bend(chance: &mut Chance, value: &mut Value) {
    let deeper = chance.percent(75);
    match value {
        Value::Object(members) if deeper && !members.is_empty() => {
            let at = chance.below(members.len());
            if let Some(member) = members.values_mut().nth(at) {
                bend(chance, member);
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = chance.below(items.len());
            bend(chance, &mut items[at]);
        }
        Value::Object(members) if chance.percent(50) => {
            const NAMES: [&str; 12] = [
                "extension",
                "modifierExtension",
                "_id",
                "id",
                "resourceType",
                "contained",
                "valueString",
                "status",
                "reference",
                "",
                "fhir_comments",
                "é\u{0}",
            ];
            let other = odd_value(chance);
            members.insert(chance.one_of(&NAMES).to_owned(), other);
        }
        Value::Object(members) => {
            let at = chance.below(members.len());
            if let Some(name) = members.keys().nth(at).cloned() {
                members.remove(&name);
            }
        }
        Value::Array(items) if chance.percent(50) => items.extend(items.clone()),
        value => *value = odd_value(chance),
    }
}

fn odd_value(chance: &mut Chance) -> Value {
    match chance.below(15) {
        0 => Value::Null,
        1 => json!({}),
        2 => json!([]),
        3 => json!([null]),
        4 => json!(true),
        5 => json!(-1),
        6 => json!(1.5e300),
        7 => json!(""),
        8 => json!(" "),
        9 => json!("x".repeat(chance.below(5000))),
        10 => json!({"reference": "Patient/".repeat(20)}),
        11 => {
            json!([{"url": "http://example.org/x", "extension": [{"url": "y", "valueReference": {"reference": "#none"}}]}])
        }
        12 => json!({"resourceType": "Patient", "contained": [{"resourceType": "Bundle"}]}),
        13 => json!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"),
        _ => json!("\u{0}\u{1f}\u{fffe}\u{10ffff}"),
    }
}

fn xml_body(chance: &mut Chance, kind: &str, id: &str) -> Vec<u8> {
    let content = match kind {
        "Patient" => {
            "<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A <b>b</b></p></div></text>\
             <contained><Organization><id value=\"o\"/><name value=\"Here\"/></Organization></contained>\
             <extension url=\"http://example.org/size\"><valueDecimal value=\"1.50\"/></extension>\
             <active value=\"true\"/><name id=\"n\"><family value=\"Neal\"/><given value=\"Anna\"/></name>\
             <birthDate value=\"1970-01\"/><managingOrganization><reference value=\"#o\"/></managingOrganization>"
        }
        "Observation" => {
            "<status value=\"final\"/><code><text value=\"pulse\"/></code><subject><reference value=\"Patient/a\"/>\
             </subject><valueQuantity><value value=\"72.0\"/><unit value=\"/min\"/></valueQuantity>"
        }
        "Flag" => {
            "<status value=\"active\"/><code><text value=\"ramp\"/></code><subject><reference value=\"Patient/a\"/>\
             </subject>"
        }
        "Binary" => "<contentType value=\"text/plain\"/><data value=\"aGVsbG8=\"/>",
        "Bundle" => {
            "<type value=\"collection\"/><entry><resource><Basic><code><text value=\"x\"/></code></Basic></resource>\
             </entry>"
        }
        _ => "<code><text value=\"anything\"/></code>",
    };
    let language = chance.below(1000);
    let id = if id.is_empty() { String::new() } else { format!("<id value=\"{id}\"/>") };
    let mut text = format!(
        "<{kind} xmlns=\"http://hl7.org/fhir\">{id}<language value=\"en-{language}\"/>{content}</{kind}>"
    );
    if chance.percent(35) {
        for _ in 0..=chance.below(2) {
            bend_xml(chance, &mut text);
        }
    }
    text.into_bytes()
}

/// Puts something where a tag begins, or takes away from there on.
fn bend_xml(chance: &mut Chance, text: &mut String) {
    const PIECES: [&str; 22] = [
        "<!-- c -->",
        "<!-- -- -->",
        "<?pi x?>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]>",
        "&a;",
        "&#0;",
        "&#x1F525;",
        "&amp;",
        "<![CDATA[x]]>",
        "<![CDATA[",
        "<x/>",
        "<x xmlns=\"\"/>",
        "<f:status xmlns:f=\"http://hl7.org/fhir\" value=\"x\"/>",
        "<status/>",
        "<status value=\"a\" value=\"b\"/>",
        "<status value=\"a\">text</status>",
        "<extension url=\"a\"><extension url=\"b\"><valueString value=\"\"/></extension></extension>",
        "</x>",
        "<",
        "text",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><script/></div>",
    ];
    let starts: Vec<usize> = text.match_indices('<').map(|(at, _)| at).collect();
    if starts.is_empty() {
        return;
    }
    let at = chance.one_of(&starts);
    match chance.below(10) {
        0 => text.truncate(at),
        1 => {
            // A tag less.
            let end = text[at..].find('>').map_or(text.len(), |end| at + end + 1);
            text.replace_range(at..end, "");
        }
        2 => {
            // A part twice.
            let part = text[at..].to_owned();
            text.push_str(&part);
        }
        _ => text.insert_str(at, chance.one_of(&PIECES)),
    }
}

/// Deep, wide, or long.
fn nested(chance: &mut Chance, is_json: bool) -> Vec<u8> {
    let depth = chance.one_of(&[10, 60, 99, 100, 101, 1000, 20_000]);
    let (open, close, head, tail) = if is_json {
        match chance.below(3) {
            0 => ("[", "]", "", ""),
            1 => ("{\"extension\":[", "]}", "", ""),
            _ => ("{\"contained\":", "}", "{\"resourceType\":\"Patient\",\"x\":", "}"),
        }
    } else {
        ("<extension url=\"u\">", "</extension>", "<Patient xmlns=\"http://hl7.org/fhir\">", "</Patient>")
    };
    let whole = chance.percent(70);
    let close = if whole { close.repeat(depth) } else { String::new() };
    format!("{head}{}{close}{tail}", open.repeat(depth)).into_bytes()
}

/// Changes some bytes without knowing what they mean.
pub(crate) fn scratch(chance: &mut Chance, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = chance.below(bytes.len());
    let end = (at + 1 + chance.below(20)).min(bytes.len());
    match chance.below(7) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let part = bytes[at..end].to_vec();
            let times = 1 + chance.below(50);
            bytes.splice(at..at, part.repeat(times));
        }
        4 => {
            let part = chance.bytes(end - at);
            bytes.splice(at..end, part);
        }
        5 => {
            let part = bytes[at..end].to_vec();
            let to = chance.below(bytes.len());
            bytes.splice(to..to, part);
        }
        _ => {
            let part: &[u8] =
                chance.one_of(&[b"\0" as &[u8], b"\"", b"\\", b"\xff", b"{", b"]", b"<", b"&", b"\r\n"]);
            bytes.splice(at..at, part.iter().copied());
        }
    }
}
