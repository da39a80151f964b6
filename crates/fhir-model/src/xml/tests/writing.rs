//! Trees that XML cannot hold, and layout.

use super::*;
use crate::json::{DEPTH_CEILING, Kind, Object};

#[track_caller]
fn check_unwritable(json: &str, kind: XmlWriteErrorKind, path: &str) {
    let error = written(&read_json(json), R4).expect_err(json);
    assert_eq!(error, XmlWriteError { kind, path: path.into() }, "for {json}");
}

#[track_caller]
fn check_inside(json: &str, kind: XmlWriteErrorKind, path: &str) {
    check_unwritable(&format!(r#"{{"resourceType":"Patient",{json}}}"#), kind, path);
}

#[test]
fn what_is_no_resource_is_refused() {
    let none = |found: Option<&str>| XmlWriteErrorKind::NotAResource {
        found: found.map(str::to_owned),
        version: FhirVersion::R4,
    };
    check_unwritable("{}", none(None), "");
    check_unwritable(r#"{"resourceType":1}"#, none(None), "");
    check_unwritable(r#"{"resourceType":"Flock"}"#, none(Some("Flock")), "");
    check_unwritable(r#"{"resourceType":"DomainResource"}"#, none(Some("DomainResource")), "");
    check_inside(r#""contained":[{"id":"a"}]"#, none(None), "Patient.contained[0]");
    let mut out = Vec::new();
    let error = from_json(b"[]", R4, &Limits::default(), &mut out).expect_err("an array is no resource");
    let kind = XmlWriteErrorKind::NotAResource { found: None, version: FhirVersion::R4 };
    assert_eq!(error, FromJsonError::Write(XmlWriteError { kind, path: String::new() }));
    assert!(matches!(from_json(b"[", R4, &Limits::default(), &mut out), Err(FromJsonError::Read(_))));
}

#[test]
fn unknown_members_are_refused() {
    let unknown = |name: &str, parent: &str| XmlWriteErrorKind::UnknownMember {
        name: name.into(),
        parent: parent.into(),
    };
    for (json, name, parent, path) in [
        (r#""foo":1"#, "foo", "Patient", "Patient.foo"),
        (r#""_foo":{}"#, "_foo", "Patient", "Patient._foo"),
        (r#""value":1"#, "value", "Patient", "Patient.value"),
        (
            r#""name":[{},{"resourceType":"Flag"}]"#,
            "resourceType",
            "HumanName",
            "Patient.name[1].resourceType",
        ),
        (r#""contact":[{"x":[]}]"#, "x", "Patient.contact", "Patient.contact[0].x"),
        (r#""fhir_comments":["a"]"#, "fhir_comments", "Patient", "Patient.fhir_comments"),
        (r#""_active":{"extension":[{"x":1}]}"#, "x", "Extension", "Patient.active.extension[0].x"),
    ] {
        check_inside(json, unknown(name, parent), path);
    }
}

#[test]
fn comments_of_stu3_are_not_written() {
    let json = r#"{"resourceType":"Flag","fhir_comments":["a"],"status":"active","_status":{"fhir_comments":["b"]}}"#;
    let xml = document("Flag", r#"<status value="active"/>"#);
    assert_eq!(written(&read_json(json), Definitions::of(FhirVersion::Stu3)), Ok(xml));
}

#[test]
fn values_have_the_kind_that_the_definition_says() {
    let wrong = |expected, found| XmlWriteErrorKind::WrongKind { expected, found };
    for (json, kind, path) in [
        (r#""active":1"#, wrong("a boolean", Kind::Number), "Patient.active"),
        (r#""active":"true""#, wrong("a boolean", Kind::String), "Patient.active"),
        (r#""active":{}"#, wrong("a boolean", Kind::Object), "Patient.active"),
        (r#""multipleBirthInteger":"1""#, wrong("a number", Kind::String), "Patient.multipleBirthInteger"),
        (r#""birthDate":1970"#, wrong("a string", Kind::Number), "Patient.birthDate"),
        (r#""maritalStatus":"x""#, wrong("an object", Kind::String), "Patient.maritalStatus"),
        (r#""_active":1"#, wrong("an object", Kind::Number), "Patient.active"),
        (r#""name":[{"id":1}]"#, wrong("a string", Kind::Number), "Patient.name[0].id"),
        (r#""contained":["x"]"#, wrong("an object", Kind::String), "Patient.contained[0]"),
        (r#""text":{"div":1}"#, wrong("a string", Kind::Number), "Patient.text.div"),
    ] {
        check_inside(json, kind, path);
    }
}

#[test]
fn arrays_stand_where_elements_repeat() {
    let shape = |is_list| XmlWriteErrorKind::WrongShape { is_list };
    for (json, kind, path) in [
        (r#""name":{}"#, shape(true), "Patient.name"),
        (r#""name":[[{}]]"#, shape(false), "Patient.name[0]"),
        (r#""active":[true]"#, shape(false), "Patient.active"),
        (r#""_active":[{}]"#, shape(false), "Patient.active"),
        (r#""maritalStatus":[{}]"#, shape(false), "Patient.maritalStatus"),
        (r#""name":[{"_given":{}}]"#, shape(true), "Patient.name[0].given"),
        (r#""name":[]"#, XmlWriteErrorKind::EmptyArray, "Patient.name"),
        (r#""name":[{"given":["a"],"_given":[]}]"#, XmlWriteErrorKind::EmptyArray, "Patient.name[0].given"),
    ] {
        check_inside(json, kind, path);
    }
}

#[test]
fn an_empty_object_beside_a_value_is_refused() {
    check_inside(r#""active":true,"_active":{}"#, XmlWriteErrorKind::EmptyExtra, "Patient.active");
    let json = r#""name":[{"given":[null,"a"],"_given":[{},{}]}]"#;
    check_inside(json, XmlWriteErrorKind::EmptyExtra, "Patient.name[0].given[1]");
}

#[test]
fn nulls_need_something_beside_them() {
    for (json, path) in [
        (r#""active":null"#, "Patient.active"),
        (r#""active":null,"_active":null"#, "Patient.active"),
        (r#""name":[null]"#, "Patient.name[0]"),
        (r#""name":[{"given":["a",null],"_given":[{"id":"i"}]}]"#, "Patient.name[0].given[1]"),
        (r#""maritalStatus":null"#, "Patient.maritalStatus"),
        (r#""text":{"div":null}"#, "Patient.text.div"),
    ] {
        check_inside(json, XmlWriteErrorKind::Null, path);
    }
    // Arrays of different length are filled up.
    let json = r#"{"resourceType":"Patient","name":[{"given":["a"],"_given":[null,{"id":"i"}]}]}"#;
    let xml = document("Patient", r#"<name><given value="a"/><given id="i"/></name>"#);
    assert_eq!(written(&read_json(json), R4), Ok(xml));
}

#[test]
fn what_is_no_primitive_has_nothing_beside_it() {
    for (json, path) in [
        (r#""_name":[{}]"#, "Patient.name[0]"),
        (r#""name":[{"_id":{"extension":[]}}]"#, "Patient.name[0].id"),
        (r#""extension":[{"url":"u","_url":{}}]"#, "Patient.extension[0].url"),
        (r#""text":{"div":"<div/>","_div":{}}"#, "Patient.text.div"),
        (r#""_active":{"value":true}"#, "Patient.active.value"),
        (r#""_contained":[{}]"#, "Patient.contained[0]"),
    ] {
        check_inside(json, XmlWriteErrorKind::Extra, path);
    }
}

#[test]
fn characters_that_xml_forbids_are_named() {
    for (escape, char) in
        [("\\u0000", '\0'), ("\\u0007", '\u{7}'), ("\\uFFFE", '\u{fffe}'), ("\\uffff", '\u{ffff}')]
    {
        let json = format!(r#""name":[{{"text":"a long text in front of it, {escape}"}}]"#);
        check_inside(&json, XmlWriteErrorKind::ForbiddenCharacter(char), "Patient.name[0].text");
    }
}

#[test]
fn pretty_has_one_element_per_line() {
    let json = r#"{"resourceType":"Patient","contained":[{"resourceType":"Flag"}],"text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a\n</p></div>"},"name":[{"id":"n","given":["a","b"]}]}"#;
    let mut out = Vec::new();
    let tree = read_json(json);
    write_pretty(tree.as_object().expect("an object"), R4, &mut out).expect("it can be written");
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Patient xmlns=\"http://hl7.org/fhir\">
  <text>
    <status value=\"empty\"/>
    <div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a\n</p></div>
  </text>
  <contained>
    <Flag/>
  </contained>
  <name id=\"n\">
    <given value=\"a\"/>
    <given value=\"b\"/>
  </name>
</Patient>";
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert_eq!(parse(&out, R4, &Limits::default()), Ok(tree));
}

#[test]
fn nesting_is_bounded_without_a_parser() {
    let nested = |levels: usize| {
        let mut extension = Object::new();
        for _ in 0..levels {
            let mut outer = Object::new();
            outer.insert("extension", Value::Array(vec![extension.into()]));
            extension = outer;
        }
        extension.insert("resourceType", "Basic");
        Value::Object(extension)
    };
    let deepest = nested(DEPTH_CEILING / 2 - 1);
    assert!(written(&deepest, R4).is_ok());
    let error = written(&nested(3 * DEPTH_CEILING), R4).expect_err("no parser gives this");
    assert_eq!(error.kind, XmlWriteErrorKind::TooDeep);
    assert!(error.path.len() < 1_000 && error.path.ends_with("..."), "{}", error.path);
}
