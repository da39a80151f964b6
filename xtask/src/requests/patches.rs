//! Patches of every format, as they should be, and what may become of them.

use serde_json::json;

use super::body::{Body, encode, scratch};
use super::chance::Chance;
use super::fields::media;

/// Paths as JSON Pointer, FHIRPath and XPath write them: some are there, some cannot be, some are none.
const PLACES: [[&str; 3]; 8] = [
    ["/status", "status", "f:status/@value"],
    ["/active", "active", "f:active"],
    ["/name/0/family", "name[0].family", "f:name[1]/f:family/@value"],
    ["/name/-", "name", "f:name"],
    ["/meta/versionId", "meta.versionId", "f:meta/f:versionId/@value"],
    ["/id", "id", "f:id/@value"],
    ["/identifier/0", "identifier.where(system = 'x').first()", "f:identifier[f:system/@value='x']"],
    ["status", "name[", "f:name[["],
];

/// A patch of a type, or something like it.
pub(crate) fn patch(chance: &mut Chance, kind: &str) -> Body {
    let format = chance.below(5);
    let mut bytes = match format {
        0 => json_patch(chance),
        1 => {
            json!({chance.one_of(&["status", "active", "gender", "id", "meta"]): value(chance), "name": null})
                .to_string()
        }
        2 => xml_patch(chance, kind),
        3 => fhirpath_patch(chance, kind),
        _ => fhirpath_patch_in_xml(chance, kind),
    }
    .into_bytes();
    if chance.percent(20) {
        scratch(chance, &mut bytes);
    }
    let types = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/xml-patch+xml",
        "application/fhir+json",
        "application/fhir+xml",
    ];
    let content_type = match chance.below(20) {
        0 => None,
        1 => Some(media(chance)),
        2 => Some(chance.one_of(&types).into()),
        _ => Some(types[format].into()),
    };
    let encoding = encode(chance, &mut bytes);
    Body { bytes, content_type, encoding }
}

fn value(chance: &mut Chance) -> serde_json::Value {
    match chance.below(7) {
        0 => json!("active"),
        1 => json!(true),
        2 => json!(null),
        3 => json!([{ "family": "L" }]),
        4 => json!({ "versionId": "9", "tag": [{ "code": "SUBSETTED" }] }),
        5 => json!(1e300),
        _ => json!("x".repeat(chance.below(200))),
    }
}

fn json_patch(chance: &mut Chance) -> String {
    let operation = |chance: &mut Chance| {
        json!({
            "op": chance.one_of(&["add", "replace", "remove", "test", "move", "copy", "nothing"]),
            "path": chance.one_of(&PLACES)[0],
            "from": chance.one_of(&PLACES)[0],
            "value": value(chance),
        })
    };
    let count = chance.below(4);
    (0..count).map(|_| operation(chance)).collect::<serde_json::Value>().to_string()
}

fn xml_patch(chance: &mut Chance, kind: &str) -> String {
    let operation = chance.one_of(&["add", "replace", "remove", "nothing"]);
    let (place, content) =
        (chance.one_of(&PLACES)[2], chance.one_of(&["active", "<f:active value=\"true\"/>", ""]));
    let position =
        chance.one_of(&["", " pos=\"after\"", " pos=\"before\"", " type=\"@value\"", " ws=\"both\""]);
    format!(
        "<diff xmlns:f=\"http://hl7.org/fhir\"><{operation} sel=\"f:{kind}/{place}\"{position}>{content}</{operation}></diff>"
    )
}

/// Kind and path of one operation of a FHIRPath Patch, with a name and an index that not every kind has.
fn fhirpath_operation(chance: &mut Chance, kind: &str) -> [String; 4] {
    let operation = chance.one_of(&["add", "insert", "delete", "replace", "move", "nothing"]);
    let path = match chance.below(4) {
        0 => kind.to_owned(),
        _ => format!("{kind}.{}", chance.one_of(&PLACES)[1]),
    };
    let name = chance.one_of(&["active", "name", "status", "none"]);
    [operation.to_owned(), path, name.to_owned(), chance.one_of(&["0", "1", "-1", "99"]).to_owned()]
}

fn fhirpath_patch(chance: &mut Chance, kind: &str) -> String {
    let [operation, path, name, index] = fhirpath_operation(chance, kind);
    let index: i64 = index.parse().unwrap_or_default();
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": operation},
        {"name": "path", "valueString": path},
        {"name": "name", "valueString": name},
        {"name": "index", "valueInteger": index},
        {"name": "value", "valueString": "active"},
    ]}]})
    .to_string()
}

fn fhirpath_patch_in_xml(chance: &mut Chance, kind: &str) -> String {
    let [operation, path, name, index] = fhirpath_operation(chance, kind);
    let part = |part: &str, element: &str, value: &str| {
        format!("<part><name value=\"{part}\"/><{element} value=\"{value}\"/></part>")
    };
    let parts = [
        part("type", "valueCode", &operation),
        part("path", "valueString", &path),
        part("name", "valueString", &name),
        part("index", "valueInteger", &index),
        part("value", "valueBoolean", "true"),
    ];
    format!(
        "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"operation\"/>{}</parameter></Parameters>",
        parts.concat()
    )
}
