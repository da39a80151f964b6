//! Narrative between string and element.

use super::*;

const OPEN: &str = r#"<div xmlns="http://www.w3.org/1999/xhtml">"#;

fn in_xml(div: &str) -> String {
    document("Basic", &format!(r#"<text><status value="generated"/>{div}</text>"#))
}

fn div_of(tree: &Value) -> Option<&str> {
    tree.get("text")?.get("div")?.as_str()
}

fn in_json(div: &str) -> Value {
    let mut tree = read_json(r#"{"resourceType":"Basic","text":{"status":"generated"}}"#);
    let text = tree.as_object_mut().and_then(|basic| basic.get_mut("text")).and_then(Value::as_object_mut);
    text.expect("there is a text").insert("div", div);
    tree
}

#[test]
fn a_narrative_is_kept_byte_by_byte() {
    for inside in [
        "",
        "plain",
        " \r\n\t two  spaces\r\n",
        "<p>a<br/>b<br />c<br></br></p>",
        "<p class='a \"b\"' style=\"x\n y\" xml:lang=\"en\">&amp;&lt;&gt;&quot;&apos;&#160;&#xA0;</p >",
        "<!-- a comment --><![CDATA[ <b> & ]]>",
        "<table  border = '1'><tr><td>愛 🙂</td></tr></table>",
        "<p xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:v=\"urn:x\">a</p>",
        "]] > ]]&gt;",
    ] {
        let div = format!("{OPEN}{inside}</div>");
        let tree = read(&in_xml(&div)).unwrap_or_else(|error| panic!("{div}: {error}"));
        assert_eq!(div_of(&tree), Some(div.as_str()));
        assert_eq!(written(&in_json(&div), R4), Ok(in_xml(&div)));
        assert_eq!(check_xml(in_xml(&div).as_bytes()), Ok(XmlRoundTrip::Faithful));
    }
    let empty = "<div xmlns='http://www.w3.org/1999/xhtml' class=''/>";
    assert_eq!(read(&in_xml(empty)).as_ref().map(div_of), Ok(Some(empty)));
    assert_eq!(written(&in_json(empty), R4), Ok(in_xml(empty)));
}

#[test]
fn a_narrative_from_xml_stands_alone() {
    for (document, expected) in [
        (
            "<f:Basic xmlns:f='http://hl7.org/fhir' xmlns='http://www.w3.org/1999/xhtml'><f:text><div a='b'><p/></div></f:text></f:Basic>",
            format!("<div xmlns=\"{XHTML_NAMESPACE}\" a=\"b\"><p/></div>"),
        ),
        (
            "<Basic xmlns='http://hl7.org/fhir' xmlns:h='http://www.w3.org/1999/xhtml'><text><h:div><h:p a='\"&amp;'>&lt;<!-- x --></h:p> </h:div></text></Basic>",
            format!("<div xmlns=\"{XHTML_NAMESPACE}\"><p a='\"&amp;'>&lt;<!-- x --></p> </div>"),
        ),
        (
            "<Basic xmlns='http://hl7.org/fhir'><text><h:div xmlns:h='http://www.w3.org/1999/xhtml'><p xmlns='http://www.w3.org/1999/xhtml'>a</p></h:div></text></Basic>",
            format!("<div xmlns=\"{XHTML_NAMESPACE}\"><p>a</p></div>"),
        ),
    ] {
        assert_eq!(read(document).as_ref().map(div_of), Ok(Some(expected.as_str())));
        assert_eq!(check_xml(document.as_bytes()), Ok(XmlRoundTrip::Faithful));
    }
}

#[test]
fn a_looser_narrative_from_json_is_put_right() {
    for (div, expected) in [
        ("<div>a</div>", "a</div>"),
        ("<div>a&nbsp;b&eacute;&amp;&#38;</div>", "a&#160;b&#233;&amp;&#38;</div>"),
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title='&copy; &lt;'/></div>",
            "<p title=\"&#169; &lt;\"/></div>",
        ),
        ("\n <div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>\t", "a</div>"),
        ("<div><p xmlns=\"http://www.w3.org/1999/xhtml\">a</p></div>", "<p>a</p></div>"),
    ] {
        assert_eq!(written(&in_json(div), R4), Ok(in_xml(&format!("{OPEN}{expected}"))), "{div}");
    }
}

#[test]
fn what_is_no_narrative_is_refused_from_xml() {
    let narrative = XmlErrorKind::Narrative;
    let wrong = |name: &str| XmlErrorKind::WrongNamespace { name: name.into(), expected: XHTML_NAMESPACE };
    for (inside, kind) in [
        ("¦<p xmlns='http://hl7.org/fhir'/>", wrong("p")),
        ("<p ¦a:b='c' xmlns:a='urn:x'/>", narrative(NarrativeFault::PrefixedAttribute)),
        ("¦<?a b?>", narrative(NarrativeFault::Instruction)),
        ("¦<1/>", narrative(NarrativeFault::BadName)),
        ("a¦&nbsp;", XmlErrorKind::UnknownEntity("nbsp".into())),
        ("<p a='¦&nbsp;'/>", XmlErrorKind::UnknownEntity("nbsp".into())),
        ("<p a='¦<'/>", XmlErrorKind::BadAttribute),
        ("<p ¦a=1/>", XmlErrorKind::BadAttribute),
        ("a¦]]>b", XmlErrorKind::CDataEndInText),
        ("¦&#0;", XmlErrorKind::ForbiddenCharacter('\0')),
        ("¦<!DOCTYPE a>", XmlErrorKind::Doctype),
        ("<p>¦</q>", XmlErrorKind::WrongEndTag { open: Some("p".into()), found: "q".into() }),
    ] {
        check_refused(&in_xml(&format!("{OPEN}{inside}</div>")), &kind, "Basic.text.div");
    }
    check_refused(
        &format!("<Basic xmlns='http://hl7.org/fhir'><text>{OPEN}<p>a¦"),
        &XmlErrorKind::CutOff,
        "Basic.text.div",
    );
}

#[test]
fn what_is_no_narrative_is_refused_from_json() {
    let narrative = XmlErrorKind::Narrative;
    for (div, kind, offset) in [
        ("", narrative(NarrativeFault::NotOneElement), 0),
        ("text", narrative(NarrativeFault::NotOneElement), 0),
        ("<p/>", narrative(NarrativeFault::NotADiv), 0),
        ("<div/><div/>", narrative(NarrativeFault::NotOneElement), 6),
        ("<div/>text", narrative(NarrativeFault::NotOneElement), 6),
        (
            "<div></div></text><active value='true'/><text>",
            XmlErrorKind::WrongEndTag { open: None, found: "text".into() },
            11,
        ),
        ("<div>", XmlErrorKind::CutOff, 5),
        ("<div>&nosuch;</div>", XmlErrorKind::UnknownEntity("nosuch".into()), 5),
        ("<?xml version='1.0'?><div/>", narrative(NarrativeFault::NotOneElement), 0),
        ("<!DOCTYPE div><div/>", XmlErrorKind::Doctype, 0),
        ("<div>\u{7}</div>", XmlErrorKind::ForbiddenCharacter('\u{7}'), 5),
        (
            "<div xmlns='http://hl7.org/fhir'/>",
            XmlErrorKind::WrongNamespace { name: "div".into(), expected: XHTML_NAMESPACE },
            0,
        ),
    ] {
        let error = written(&in_json(div), R4).expect_err(div);
        assert_eq!(error.path, "Basic.text.div");
        assert_eq!(error.kind, XmlWriteErrorKind::Narrative { kind: Box::new(kind), offset }, "{div}");
    }
}

#[test]
fn nesting_of_narrative_is_bounded() {
    let nested = |levels: usize| format!("{OPEN}{}{}</div>", "<p>".repeat(levels), "</p>".repeat(levels));
    let most = crate::json::DEPTH_CEILING - 1;
    assert_eq!(read(&in_xml(&nested(most))).as_ref().map(div_of), Ok(Some(nested(most).as_str())));
    let error = read(&in_xml(&nested(most + 1))).expect_err("it is nested too deeply");
    assert_eq!(error.kind, XmlErrorKind::TooDeep { depth_max: crate::json::DEPTH_CEILING });
    assert!(written(&in_json(&nested(most + 1)), R4).is_err());
}
