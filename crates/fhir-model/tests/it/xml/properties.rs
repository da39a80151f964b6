//! The codec on generated input.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Object, Value};
use fhir_model::xml::{self, XmlRoundTrip, check_xml};
use proptest::prelude::*;

use super::canonical::canonical;
use super::examples::difference;
use super::generate::resource;

fn write(resource: &Object, version: FhirVersion) -> Vec<u8> {
    let mut out = Vec::new();
    xml::write(resource, Definitions::of(version), &mut out).expect("generated resources can be written");
    out
}

/// The same resource with the members of each object in another order.
fn shuffled(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shuffled).collect(),
        Value::Object(object) => {
            let mut members: Vec<(&str, Value)> =
                object.iter().map(|(name, value)| (name, shuffled(value))).collect();
            members.sort_by_key(|(name, _)| (name.len(), *name));
            members.into_iter().collect::<Object>().into()
        }
        other => other.clone(),
    }
}

/// A document with one byte removed, replaced or put in, or with a piece of another document put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let tokens = prop::sample::select(vec![
        "<",
        ">",
        "/>",
        "</",
        "\"",
        "'",
        "=",
        "&",
        ";",
        "&#",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml ",
        "<?",
        "?>",
        "<!DOCTYPE a>",
        "xmlns=\"\"",
        " xmlns:a=\"b\"",
        "a:",
        "<div>",
        "</div>",
        "<extension url=\"u\"/>",
        " id=\"i\"",
        " value=\"1\"",
        "\u{0}",
        "\u{FEFF}",
        "é",
        "<contained>",
        "<Flag/>",
    ]);
    (resource(), any::<prop::sample::Index>(), any::<u8>(), tokens, 0..6_u8).prop_map(
        |((version, resource), index, byte, token, how)| {
            let mut bytes = write(&resource, version);
            let at = index.index(bytes.len());
            match how {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, token.bytes())),
            }
            bytes
        },
    )
}

/// Tokens of XML in any order, inside of a resource.
fn token_soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "<code>",
        "</code>",
        "<code/>",
        "<status value='a'/>",
        "<category/>",
        "<text>",
        "</text>",
        "<text value='&lt;'/>",
        "<div xmlns='http://www.w3.org/1999/xhtml'>",
        "</div>",
        "<p>",
        "</p>",
        "&amp;",
        "&nbsp;",
        " ",
        "a",
        "<!-- -->",
        "<![CDATA[a]]>",
        "<?a?>",
        "<extension url='u'>",
        "</extension>",
        "<valueString value='x'>",
        "</valueString>",
        "<contained>",
        "</contained>",
        "<Flag>",
        "</Flag>",
        "<f:code xmlns:f='http://hl7.org/fhir'/>",
        "<identifier id='a'/>",
    ]);
    prop::collection::vec(token, 0..12).prop_map(|tokens| {
        format!("<Flag xmlns='http://hl7.org/fhir'>{}</Flag>", tokens.concat()).into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_resource_survives_xml((version, resource) in resource()) {
        let definitions = Definitions::of(version);
        let tree = Value::Object(resource);
        let written = write(tree.as_object().unwrap(), version);
        let read = xml::parse(&written, definitions, &Limits::default());
        let read = read.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(difference(&read, &tree, ""), None);
        // The order of members is free in JSON and means nothing in XML.
        let other = shuffled(&tree);
        prop_assert_eq!(&write(other.as_object().unwrap(), version), &written);
        let mut pretty = Vec::new();
        xml::write_pretty(tree.as_object().unwrap(), definitions, &mut pretty).unwrap();
        prop_assert_eq!(canonical(&String::from_utf8(pretty).unwrap()), canonical(&String::from_utf8(written.clone()).unwrap()));
        prop_assert_eq!(check_xml(&written), Ok(XmlRoundTrip::Faithful));
    }

    #[test]
    fn damaged_documents_do_no_harm(bytes in damaged()) {
        check_xml(&bytes).map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
    }

    #[test]
    fn nearly_xml_does_no_harm(bytes in token_soup()) {
        check_xml(&bytes).map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check_xml(&bytes).map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
    }

    #[test]
    fn any_json_is_written_or_refused(text in crate::generate::document()) {
        let mut out = Vec::new();
        let r4 = Definitions::of(FhirVersion::R4);
        let written = xml::from_json(text.as_bytes(), r4, &Limits::default(), &mut out);
        prop_assert_eq!(written.is_ok(), !out.is_empty());
    }
}
