//! Pairs of JSON and XML that are the same resource.

use super::*;

/// The JSON is written as the XML and the XML reads as the JSON, byte by byte.
#[track_caller]
fn check(version: FhirVersion, json: &str, xml: &str) {
    let definitions = Definitions::of(version);
    let tree = parse(xml.as_bytes(), definitions, &Limits::default())
        .unwrap_or_else(|error| panic!("{xml}: {error}"));
    assert_eq!(tree.to_string(), json);
    assert_eq!(written(&read_json(json), definitions).as_deref(), Ok(xml));
    assert_eq!(check_xml(xml.as_bytes()), Ok(XmlRoundTrip::Faithful));
}

#[track_caller]
fn check_inside(resource_type: &str, json: &str, xml: &str) {
    let json = format!("{{\"resourceType\":\"{resource_type}\",{json}}}");
    check(FhirVersion::R4, &json, &document(resource_type, xml));
}

#[test]
fn a_resource_may_be_empty() {
    check(FhirVersion::Stu3, r#"{"resourceType":"Flag"}"#, r#"<Flag xmlns="http://hl7.org/fhir"/>"#);
}

#[test]
fn primitives_have_the_kind_of_their_type() {
    check_inside(
        "Observation",
        r#""id":"o","valueQuantity":{"value":1.50,"unit":"mg"}"#,
        r#"<id value="o"/><valueQuantity><value value="1.50"/><unit value="mg"/></valueQuantity>"#,
    );
    for digits in
        ["0", "-0", "-1.0", "0.000", "1e5", "1E+05", "-2.5e-300", "123456789012345678901234567890.10"]
    {
        check_inside(
            "Observation",
            &format!(r#""valueQuantity":{{"value":{digits}}}"#),
            &format!(r#"<valueQuantity><value value="{digits}"/></valueQuantity>"#),
        );
    }
    for (json, xml) in [
        (r#""active":true"#, r#"<active value="true"/>"#),
        (r#""active":false"#, r#"<active value="false"/>"#),
        (r#""multipleBirthInteger":2"#, r#"<multipleBirthInteger value="2"/>"#),
        (r#""multipleBirthBoolean":true"#, r#"<multipleBirthBoolean value="true"/>"#),
        (r#""photo":[{"size":0}]"#, r#"<photo><size value="0"/></photo>"#),
        (r#""photo":[{"data":"AAEC/+=="}]"#, r#"<photo><data value="AAEC/+=="/></photo>"#),
        (r#""telecom":[{"rank":1}]"#, r#"<telecom><rank value="1"/></telecom>"#),
        (r#""birthDate":"1970-01""#, r#"<birthDate value="1970-01"/>"#),
    ] {
        check_inside("Patient", json, xml);
    }
    // A 64-bit integer is a string in JSON.
    check(
        FhirVersion::R5,
        r#"{"resourceType":"Basic","extension":[{"url":"u","valueInteger64":"9007199254740993"}]}"#,
        &document("Basic", r#"<extension url="u"><valueInteger64 value="9007199254740993"/></extension>"#),
    );
}

#[test]
fn text_that_is_no_boolean_or_number_stays_text_for_the_validator() {
    for text in ["yes", "True", "1", "", " true"] {
        check_inside("Patient", &format!(r#""active":"{text}""#), &format!(r#"<active value="{text}"/>"#));
    }
    for text in ["a", "+1", "01", ".5", "5.", "1 ", "NaN", "0x1", ""] {
        check_inside(
            "Patient",
            &format!(r#""multipleBirthInteger":"{text}""#),
            &format!(r#"<multipleBirthInteger value="{text}"/>"#),
        );
    }
}

#[test]
fn text_survives_with_its_white_space_and_marks() {
    check_inside(
        "Flag",
        r#""code":{"text":"a  b\tc\nd\re 'f' \"g\" <h> & i; Zoë 愛 🙂"}"#,
        "<code><text value=\"a  b&#x9;c&#xA;d&#xD;e 'f' &quot;g&quot; &lt;h&gt; &amp; i; Zoë 愛 🙂\"/></code>",
    );
    check_inside("Flag", r#""code":{"text":""}"#, r#"<code><text value=""/></code>"#);
    check_inside(
        "Flag",
        "\"code\":{\"text\":\"\u{7f}\u{85}\u{2028}\u{fffd}\u{10ffff}\"}",
        "<code><text value=\"\u{7f}\u{85}\u{2028}\u{fffd}\u{10ffff}\"/></code>",
    );
}

#[test]
fn what_repeats_is_an_array() {
    check_inside(
        "Patient",
        r#""active":true,"name":[{"family":"A","given":["B","C"]},{"given":["D"]},{}]"#,
        concat!(
            r#"<active value="true"/><name><family value="A"/><given value="B"/><given value="C"/></name>"#,
            r#"<name><given value="D"/></name><name/>"#,
        ),
    );
}

#[test]
fn ids_and_extensions_stand_beside_primitives() {
    check_inside(
        "Patient",
        r#""birthDate":"1970","_birthDate":{"id":"b","extension":[{"url":"u","valueBoolean":false}]}"#,
        r#"<birthDate id="b" value="1970"><extension url="u"><valueBoolean value="false"/></extension></birthDate>"#,
    );
    check_inside("Patient", r#""_birthDate":{"id":"b"}"#, r#"<birthDate id="b"/>"#);
    // Not allowed, but not for the codec to judge.
    check_inside("Patient", r#""_birthDate":{}"#, r"<birthDate/>");
    // The id of a resource is a primitive, too.
    check_inside("Patient", r#""id":"p","_id":{"id":"i"}"#, r#"<id id="i" value="p"/>"#);
}

#[test]
fn ids_and_extensions_of_items_are_aligned_with_nulls() {
    for (json, xml) in [
        (r#""given":["a","b"]"#, r#"<given value="a"/><given value="b"/>"#),
        (r#""given":["a",null],"_given":[null,{"id":"i"}]"#, r#"<given value="a"/><given id="i"/>"#),
        (
            r#""given":[null,"b","c"],"_given":[{"id":"i"},null,{"id":"k"}]"#,
            r#"<given id="i"/><given value="b"/><given id="k" value="c"/>"#,
        ),
        (r#""_given":[{"id":"i"},{}]"#, r#"<given id="i"/><given/>"#),
        (
            r#""given":["a"],"_given":[{"extension":[{"url":"u","valueHumanName":{"given":["x"],"_given":[{"id":"y"}]}}]}]"#,
            r#"<given value="a"><extension url="u"><valueHumanName><given id="y" value="x"/></valueHumanName></extension></given>"#,
        ),
    ] {
        check_inside("Patient", &format!(r#""name":[{{{json}}}]"#), &format!("<name>{xml}</name>"));
    }
}

#[test]
fn ids_and_urls_of_elements_are_attributes() {
    check_inside(
        "Patient",
        r#""extension":[{"id":"e","url":"u&v","extension":[{"url":"w"}]}],"name":[{"id":"n","text":"t"}]"#,
        r#"<extension id="e" url="u&amp;v"><extension url="w"/></extension><name id="n"><text value="t"/></name>"#,
    );
}

#[test]
fn resources_stand_inside_resources() {
    check_inside(
        "Bundle",
        r#""type":"batch","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Flag"}}]}},{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome"}}}]"#,
        concat!(
            r#"<type value="batch"/><entry><resource><Parameters><parameter><name value="a"/><resource><Flag/></resource>"#,
            r#"</parameter></Parameters></resource></entry><entry><response><status value="200"/><outcome>"#,
            r"<OperationOutcome/></outcome></response></entry>",
        ),
    );
    check_inside(
        "List",
        r##""contained":[{"resourceType":"Flag","id":"f"},{"resourceType":"Patient","id":"p"}],"entry":[{"item":{"reference":"#f"}}]"##,
        concat!(
            r#"<contained><Flag><id value="f"/></Flag></contained><contained><Patient><id value="p"/></Patient></contained>"#,
            r##"<entry><item><reference value="#f"/></item></entry>"##,
        ),
    );
}

#[test]
fn choices_and_content_references_keep_their_place() {
    check_inside(
        "Observation",
        r#""effectivePeriod":{"start":"2020"},"component":[{"valueInteger":1},{"valueCodeableConcept":{"text":"x"}}]"#,
        concat!(
            r#"<effectivePeriod><start value="2020"/></effectivePeriod><component><valueInteger value="1"/></component>"#,
            r#"<component><valueCodeableConcept><text value="x"/></valueCodeableConcept></component>"#,
        ),
    );
    check_inside(
        "Questionnaire",
        r#""item":[{"linkId":"1","item":[{"linkId":"1.1","item":[{"linkId":"1.1.1"}]}]}]"#,
        r#"<item><linkId value="1"/><item><linkId value="1.1"/><item><linkId value="1.1.1"/></item></item></item>"#,
    );
}

#[test]
fn members_are_written_in_the_order_of_the_definition() {
    let json = r#"{"valueString":"v","code":{"text":"c","_text":{"id":"t"}},"_status":{"id":"s"},"status":"final","id":"o","resourceType":"Observation"}"#;
    let xml = document(
        "Observation",
        r#"<id value="o"/><status id="s" value="final"/><code><text id="t" value="c"/></code><valueString value="v"/>"#,
    );
    assert_eq!(written(&read_json(json), R4), Ok(xml.clone()));
    assert_eq!(read(&xml), Ok(read_json(json)));
}

#[test]
fn versions_differ_in_what_they_know() {
    let xml = document(
        "Flag",
        r#"<period><start value="2020"/></period><author><reference value="a/1"/></author>"#,
    );
    for version in FhirVersion::ALL {
        assert!(parse(xml.as_bytes(), Definitions::of(version), &Limits::default()).is_ok(), "{version}");
    }
    let only_stu3 = document("ProcedureRequest", "");
    let accepted = FhirVersion::ALL
        .map(|version| parse(only_stu3.as_bytes(), Definitions::of(version), &Limits::default()).is_ok());
    assert_eq!(accepted, [true, false, false, false]);
    // A list in one version, a single value in another.
    let category = document("Flag", r#"<category><text value="x"/></category>"#);
    for (version, json) in [
        (FhirVersion::Stu3, r#"{"resourceType":"Flag","category":{"text":"x"}}"#),
        (FhirVersion::R4, r#"{"resourceType":"Flag","category":[{"text":"x"}]}"#),
    ] {
        check(version, json, &category);
    }
}
