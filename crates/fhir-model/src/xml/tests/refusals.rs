//! Resources that the definitions do not allow, and limits.

use super::*;

#[track_caller]
fn check_inside(marked: &str, kind: &XmlErrorKind, path: &str) {
    check_refused(&document("Observation", marked), kind, path);
}

#[test]
fn unknown_elements_are_named_with_their_place() {
    let unknown = |name: &str, parent: &str, hint| XmlErrorKind::UnknownElement {
        name: name.into(),
        parent: parent.into(),
        hint,
    };
    for (marked, kind, path) in [
        ("¦<foo/>", unknown("foo", "Observation", ElementHint::None), "Observation"),
        (
            "\n <!-- é -->\n <code>¦<é/></code>",
            unknown("é", "CodeableConcept", ElementHint::None),
            "Observation.code",
        ),
        (
            "<component/><component>¦<unit/></component>",
            unknown("unit", "Observation.component", ElementHint::None),
            "Observation.component[1]",
        ),
        ("¦<value value='1'/>", unknown("value", "Observation", ElementHint::Choice), "Observation"),
        (
            "<extension>¦<url value='u'/></extension>",
            unknown("url", "Extension", ElementHint::Attribute),
            "Observation.extension[0]",
        ),
        (
            "<status value='a'>¦<code/></status>",
            unknown("code", "code", ElementHint::None),
            "Observation.status",
        ),
        (
            "¦<resourceType value='x'/>",
            unknown("resourceType", "Observation", ElementHint::None),
            "Observation",
        ),
        ("¦<_status/>", unknown("_status", "Observation", ElementHint::None), "Observation"),
        (
            "<contained><Flag>¦<value/></Flag></contained>",
            unknown("value", "Flag", ElementHint::None),
            "Observation.contained[0]",
        ),
    ] {
        check_inside(marked, &kind, path);
    }
    let error = read(&document("Observation", "<value value='1'/>")).expect_err("a choice needs its type");
    assert_eq!(
        error.to_string(),
        "line 1, column 42 (at Observation): Observation has no element 'value': it is a choice of types, add the type to the name, as in valueString"
    );
}

#[test]
fn unknown_attributes_are_named_with_their_place() {
    let unknown = |name: &str, is_element| XmlErrorKind::UnknownAttribute { name: name.into(), is_element };
    for (marked, kind, path) in [
        ("<code ¦value='1'/>", unknown("value", false), "Observation.code"),
        ("<code ¦text='1'/>", unknown("text", true), "Observation.code"),
        ("<code id='1' ¦url='1'/>", unknown("url", false), "Observation.code"),
        ("<status value='a' ¦x='1'/>", unknown("x", false), "Observation.status"),
        ("<status ¦xml:lang='en' value='a'/>", unknown("xml:lang", false), "Observation.status"),
        ("<contained ¦id='a'><Flag/></contained>", unknown("id", false), "Observation.contained[0]"),
        ("<contained><Flag ¦id='a'/></contained>", unknown("id", true), "Observation.contained[0]"),
    ] {
        check_inside(marked, &kind, path);
    }
    check_refused("<Flag xmlns='http://hl7.org/fhir' ¦id='1'/>", &unknown("id", true), "Flag");
}

#[test]
fn elements_stand_in_the_order_of_the_definition() {
    let late =
        |name: &str, before: &str| XmlErrorKind::OutOfOrder { name: name.into(), before: before.into() };
    check_inside("<code/>¦<status value='a'/>", &late("status", "code"), "Observation");
    check_inside("<component/>¦<issued/>", &late("issued", "component"), "Observation");
    check_inside("<category/><code/>¦<category/>", &late("category", "code"), "Observation");
    check_inside("<code><text value='a'/>¦<coding/></code>", &late("coding", "text"), "Observation.code");
}

#[test]
fn elements_repeat_only_where_they_may() {
    let repeated = |name: &str| XmlErrorKind::Repeated(name.into());
    check_inside("<code/>¦<code/>", &repeated("code"), "Observation");
    check_inside("<code><text/>¦<text/></code>", &repeated("text"), "Observation.code");
    // Two types of one choice are for the validator, as in JSON; one type twice is not.
    let both = document("Observation", "<valueString value='a'/><valueInteger value='1'/>");
    assert!(read(&both).is_ok());
    check_inside(
        "<valueString value='a'/><valueInteger value='1'/>¦<valueString value='b'/>",
        &repeated("valueString"),
        "Observation",
    );
}

#[test]
fn text_belongs_into_attributes() {
    for marked in
        ["¦a", "<code/> ¦a ", "<status>¦final</status>", "¦<![CDATA[ ]]>", "¦&amp;", "<code>¦&#32;</code>"]
    {
        let path = match marked {
            _ if marked.contains("<status>") => "Observation.status",
            _ if marked.contains("<code>") => "Observation.code",
            _ => "Observation",
        };
        check_inside(marked, &XmlErrorKind::Text, path);
    }
}

#[test]
fn a_place_for_a_resource_holds_one_resource() {
    let unknown = |name: &str| XmlErrorKind::UnknownResource { name: name.into(), version: FhirVersion::R4 };
    check_inside("¦<contained/>", &XmlErrorKind::ResourceMissing, "Observation.contained[0]");
    check_inside(
        "¦<contained> <!-- --> </contained>",
        &XmlErrorKind::ResourceMissing,
        "Observation.contained[0]",
    );
    check_inside(
        "<contained><Flag/>¦<Flag/></contained>",
        &XmlErrorKind::SecondResource,
        "Observation.contained[0]",
    );
    check_inside("<contained>¦<Flock/></contained>", &unknown("Flock"), "Observation.contained[0]");
    for name in ["Flock", "flag", "Resource", "DomainResource", "HumanName", "string", "System.String"] {
        check_refused(&format!("¦<{name} xmlns='http://hl7.org/fhir'/>"), &unknown(name), "");
    }
}

#[test]
fn elements_are_in_their_name_space() {
    let wrong = |name: &str, expected| XmlErrorKind::WrongNamespace { name: name.into(), expected };
    check_refused("¦<Flag/>", &wrong("Flag", FHIR_NAMESPACE), "Flag");
    check_refused("¦<Flag xmlns='http://hl7.org/fhir/'/>", &wrong("Flag", FHIR_NAMESPACE), "Flag");
    check_refused(
        "¦<f:Flag xmlns:f='urn:x' xmlns='http://hl7.org/fhir'/>",
        &wrong("f:Flag", FHIR_NAMESPACE),
        "Flag",
    );
    check_inside("¦<code xmlns=''/>", &wrong("code", FHIR_NAMESPACE), "Observation");
    check_inside("<text>¦<div/></text>", &wrong("div", XHTML_NAMESPACE), "Observation.text");
    check_inside(
        "<text>¦<status xmlns='http://www.w3.org/1999/xhtml'/></text>",
        &wrong("status", FHIR_NAMESPACE),
        "Observation.text",
    );
    check_inside("¦<x:code/>", &XmlErrorKind::UndeclaredPrefix("x".into()), "Observation");
    check_inside("¦<:code/>", &XmlErrorKind::UndeclaredPrefix(String::new()), "Observation");
    check_inside("<code ¦x:id='a'/>", &XmlErrorKind::UndeclaredPrefix("x".into()), "Observation.code");
    for declaration in [
        "xmlns:a=''",
        "xmlns:xml='urn:x'",
        "xmlns:xmlns='urn:x'",
        "xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns:a='http://www.w3.org/XML/1998/namespace'",
    ] {
        check_inside(&format!("<code ¦{declaration}/>"), &XmlErrorKind::BadNamespace, "Observation");
    }
}

#[test]
fn prefixes_schema_locations_comments_and_instructions_mean_nothing() {
    let plain = read(&document("Flag", "<status value='active'/><code id='c'/>")).expect("it is a Flag");
    for same in [
        "<f:Flag xmlns:f='http://hl7.org/fhir'><f:status value='active'/><f:code id='c'></f:code></f:Flag>",
        "<Flag xmlns='&#x68;ttp://hl7.org/fhir'><status value='active'/><f:code xmlns:f='http://hl7.org/fhir' id='c'/></Flag>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<!-- a --><?b c?><Flag xmlns='http://hl7.org/fhir' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='http://hl7.org/fhir ../flag.xsd'><!-- < & --><status value='active' xmlns:x='urn:x'/><?d?>\r\n<code  id = 'c' >\t</code ></Flag>\n<!-- e --><?f?>",
        "\u{FEFF}<Flag xmlns='http://hl7.org/fhir'><status value='active'/><code id='c'/></Flag>",
    ] {
        assert_eq!(read(same).as_ref(), Ok(&plain), "{same}");
    }
}

#[test]
fn offsets_count_a_byte_order_mark_and_columns_do_not() {
    let error = read("\u{FEFF}<Flag xmlns='http://hl7.org/fhir'><x/></Flag>").expect_err("x is unknown");
    assert_eq!((error.offset, error.line, error.column), (3 + 34, 1, 35));
}

#[test]
fn limits_are_those_of_the_json_form() {
    // Objects and arrays are levels; every value is one, the type of the resource and nulls included.
    let xml = document("Patient", r#"<name><given value="a"/><given id="b"/></name>"#);
    let (depth, nodes) = (5, 11);
    assert_eq!(
        read(&xml).map(|tree| tree.to_string()).as_deref(),
        Ok(r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"b"}]}]}"#)
    );
    let limited = |bytes_max, depth_max, nodes_max| {
        parse(xml.as_bytes(), R4, &Limits { bytes_max, depth_max, nodes_max }).map_err(|error| error.kind)
    };
    let bytes = xml.len();
    assert!(limited(bytes, depth, nodes).is_ok());
    assert_eq!(limited(bytes - 1, depth, nodes), Err(XmlErrorKind::TooLarge { bytes, bytes_max: bytes - 1 }));
    assert_eq!(limited(bytes, depth - 1, nodes), Err(XmlErrorKind::TooDeep { depth_max: depth - 1 }));
    assert_eq!(limited(bytes, depth, nodes - 1), Err(XmlErrorKind::TooManyNodes { nodes_max: nodes - 1 }));
    assert_eq!(check_xml(xml.as_bytes()), Ok(XmlRoundTrip::Faithful));
}
