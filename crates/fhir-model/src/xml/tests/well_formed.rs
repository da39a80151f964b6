//! Documents that are no XML, or XML that is not read.

use super::*;

/// A Flag with something in it.
#[track_caller]
fn check_inside(marked: &str, kind: &XmlErrorKind, path: &str) {
    check_refused(&document("Flag", marked), kind, path);
}

#[test]
fn a_document_has_one_element() {
    check_refused("¦", &XmlErrorKind::NoElement, "");
    check_refused(" \n ¦", &XmlErrorKind::NoElement, "");
    check_refused("<!-- a -->¦", &XmlErrorKind::NoElement, "");
    check_refused("¦{}", &XmlErrorKind::Text, "");
    let flag = document("Flag", "");
    check_refused(&format!("{flag}¦{flag}"), &XmlErrorKind::TrailingContent, "");
    check_refused(&format!("{flag} ¦a"), &XmlErrorKind::TrailingContent, "");
    check_refused(&format!("{flag}¦&amp;"), &XmlErrorKind::TrailingContent, "");
    check_refused("<Flag xmlns='http://hl7.org/fhir'><code>¦", &XmlErrorKind::CutOff, "Flag.code");
}

#[test]
fn document_types_and_entities_are_refused() {
    let flag = document("Flag", "<code><text value='&a;'/></code>");
    for doctype in [
        "<!DOCTYPE Flag>",
        "<!doctype Flag>",
        "<!DOCTYPE Flag [<!ENTITY a 'b'>]>",
        "<!DOCTYPE Flag SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE Flag [<!ENTITY a SYSTEM 'http://127.0.0.1/'>]>",
        "<!DOCTYPE >",
    ] {
        check_refused(&format!("¦{doctype}{flag}"), &XmlErrorKind::Doctype, "");
        check_refused(&format!("<!-- -->¦{doctype}{flag}"), &XmlErrorKind::Doctype, "");
        check_inside(&format!("¦{doctype}"), &XmlErrorKind::Doctype, "Flag");
    }
    check_refused("¦<!DOCTYPE Flag [", &XmlErrorKind::Doctype, "");
    let unknown = |name: &str| XmlErrorKind::UnknownEntity(name.into());
    check_inside("<code><text value='a¦&b;'/></code>", &unknown("b"), "Flag.code.text");
    check_inside("<code><text value='¦&nbsp;'/></code>", &unknown("nbsp"), "Flag.code.text");
}

#[test]
fn references_name_characters() {
    let text = |raw: &str| {
        let tree = read(&document("Flag", &format!("<code><text value=\"{raw}\"/></code>")))?;
        Ok::<_, XmlError>(
            tree.get("code").and_then(|code| code.get("text")).and_then(Value::as_str).map(str::to_owned),
        )
    };
    for (raw, expected) in [
        ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
        ("&#65;&#x42;&#x1f642;&#0067;&#xA0;", "AB🙂C\u{a0}"),
        ("a&#9;b&#10;c&#13;d", "a\tb\nc\rd"),
        // White space as it is becomes spaces; a line break is one, however it is written.
        ("a\tb\nc\r\nd\re", "a b c d e"),
        ("&amp;amp;", "&amp;"),
    ] {
        assert_eq!(text(raw), Ok(Some(expected.to_owned())), "{raw}");
    }
    for raw in [
        "&#xD800;",
        "&#x110000;",
        "&#;",
        "&#x;",
        "&#+5;",
        "&#x-1;",
        "&#99999999999;",
        "&#XA;",
        "&;",
        "&1;",
        "&a:b;",
    ] {
        let marked = format!("<code><text value='ab¦{raw}'/></code>");
        check_inside(&marked, &XmlErrorKind::BadReference, "Flag.code.text");
    }
    for raw in ["&", "&amp", "& ;", "&a&amp;", "&#1 ;"] {
        let marked = format!("<code><text value='ab¦{raw}'/></code>");
        check_inside(&marked, &XmlErrorKind::Unclosed(Construct::Reference), "Flag.code.text");
    }
    for (raw, char) in [("&#0;", '\0'), ("&#7;", '\u{7}'), ("&#xFFFE;", '\u{FFFE}'), ("&#x1F;", '\u{1f}')] {
        let marked = format!("<code><text value='ab¦{raw}'/></code>");
        check_inside(&marked, &XmlErrorKind::ForbiddenCharacter(char), "Flag.code.text");
    }
}

#[test]
fn characters_are_those_of_xml() {
    for char in ['\0', '\u{1}', '\u{8}', '\u{b}', '\u{c}', '\u{e}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        for place in ["<!-- ¦@ -->", "<code><text value='a¦@'/></code>", "¦@"] {
            check_inside(&place.replace('@', &char.to_string()), &XmlErrorKind::ForbiddenCharacter(char), "");
        }
    }
    // Long enough that the search works on whole chunks, with what only looks suspicious.
    let innocent = "\u{fffd}\u{f8ff}é".repeat(40);
    check_inside(&format!("<!-- {innocent}¦\u{ffff} -->"), &XmlErrorKind::ForbiddenCharacter('\u{ffff}'), "");
    assert!(read(&document("Flag", &format!("<!-- {innocent} -->"))).is_ok());
    let mut bytes = document("Flag", "<code/>").into_bytes();
    bytes[40] = 0xFF;
    let error = parse(&bytes, R4, &Limits::default()).expect_err("it is not UTF-8");
    assert_eq!((error.kind, error.offset), (XmlErrorKind::InvalidUtf8, 40));
    for wide in [b"\xFF\xFE<\0F\0".as_slice(), b"\xFE\xFF\0<\0F"] {
        let error = parse(wide, R4, &Limits::default()).expect_err("it is UTF-16");
        assert_eq!((error.kind, error.offset), (XmlErrorKind::InvalidUtf8, 0));
    }
}

#[test]
fn the_declaration_stands_first_and_says_utf_8() {
    let flag = document("Flag", "");
    for good in [
        "<?xml version=\"1.0\"?>",
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<?xml version='1.0' encoding='Utf-8' standalone='no' ?>\r\n",
        "<?xml\tversion = '1.0'\nencoding = 'us-ascii'?>",
    ] {
        assert!(read(&format!("{good}{flag}")).is_ok(), "{good}");
    }
    for bad in [
        "¦<?xml version='1.1'?>",
        "¦<?xml?>",
        "¦<?xml encoding='UTF-8'?>",
        "¦<?xml encoding='UTF-8' version='1.0'?>",
        "¦<?xml version='1.0' version='1.0'?>",
        "¦<?xml version='1.0' more='1'?>",
        "¦<?xml version='1.0'encoding='UTF-8'?>",
        "¦<?xml version='1.0' standalone='maybe'?>",
        " ¦<?xml version='1.0'?>",
        "<!-- -->¦<?xml version='1.0'?>",
    ] {
        check_refused(&format!("{bad}{flag}"), &XmlErrorKind::BadDeclaration, "");
    }
    check_inside("¦<?xml version='1.0'?>", &XmlErrorKind::BadDeclaration, "Flag");
    let foreign = XmlErrorKind::ForeignEncoding("ISO-8859-1".into());
    check_refused(&format!("¦<?xml version='1.0' encoding='ISO-8859-1'?>{flag}"), &foreign, "");
}

#[test]
fn tags_match() {
    let wrong =
        |open: &str, found: &str| XmlErrorKind::WrongEndTag { open: Some(open.into()), found: found.into() };
    check_inside("<code>¦</text>", &wrong("code", "text"), "Flag.code");
    check_inside("<code>¦</code a='b'>", &wrong("code", "code a='b'"), "Flag.code");
    let closed = XmlErrorKind::WrongEndTag { open: None, found: "Flag".into() };
    check_refused("<Flag xmlns='http://hl7.org/fhir'></Flag >¦</Flag>", &closed, "");
    check_refused("¦</a>", &XmlErrorKind::WrongEndTag { open: None, found: "a".into() }, "");
}

#[test]
fn tags_and_sections_end() {
    for (marked, construct, path) in [
        ("¦<code", Construct::Tag, "Flag"),
        ("¦<", Construct::Tag, "Flag"),
        ("¦<code a='b", Construct::AttributeValue, "Flag"),
        ("¦<code a=\"b", Construct::AttributeValue, "Flag"),
        ("¦<!-- a --", Construct::Comment, "Flag"),
        ("¦<![CDATA[ ]]", Construct::CData, "Flag"),
        ("¦<?a ?", Construct::Instruction, "Flag"),
        ("¦&amp", Construct::Reference, "Flag"),
    ] {
        let open = format!("<Flag xmlns='http://hl7.org/fhir'>{marked}");
        check_refused(&open, &XmlErrorKind::Unclosed(construct), path);
    }
}

#[test]
fn attributes_are_well_formed() {
    for inside in [
        "<code ¦id/>",
        "<code ¦id=/>",
        "<code ¦id=a/>",
        "<code ¦='a'/>",
        "<code ¦1='a'/>",
        "<code ¦a:b:c='a'/>",
        "<code id='a'¦url='b'/>",
        "<code id='a'¦/ >",
        "<code ¦é·@='a'/>",
        "<code ¦/ >",
    ] {
        check_inside(inside, &XmlErrorKind::BadAttribute, "Flag");
    }
    check_inside("<code><text value='a¦<b'/></code>", &XmlErrorKind::BadAttribute, "Flag.code.text");
    check_inside("<code id='a' ¦id='b'/>", &XmlErrorKind::DuplicateAttribute("id".into()), "Flag");
}

#[test]
fn markup_is_known() {
    check_inside("¦<!ELEMENT a>", &XmlErrorKind::BadMarkup, "Flag");
    check_inside("¦<?XML a?>", &XmlErrorKind::BadMarkup, "Flag");
    check_inside("¦<?1?>", &XmlErrorKind::BadMarkup, "Flag");
    check_inside("<!-- ¦-- -->", &XmlErrorKind::HyphensInComment, "Flag");
    check_inside("<!-- a ¦--->", &XmlErrorKind::HyphensInComment, "Flag");
}

#[test]
fn attributes_and_name_spaces_are_bounded() {
    let many = |count: usize, make: fn(usize) -> String| (0..count).map(make).collect::<Vec<_>>().join(" ");
    let attributes = many(ATTRIBUTES_MAX, |index| format!("a{index}='x'"));
    check_inside(&format!("<code {attributes} ¦more='x'/>"), &XmlErrorKind::TooManyAttributes, "Flag");
    let declarations = many(NAMESPACES_MAX, |index| format!("xmlns:a{index}='x'"));
    let last = declarations.rfind("xmlns").unwrap_or_default();
    let (most, rest) = declarations.split_at(last);
    check_inside(&format!("<code {most}¦{rest}/>"), &XmlErrorKind::TooManyNamespaces, "Flag");
    // The same again costs nothing, and what has ended is free.
    let again = format!("<identifier {most}/>").repeat(3);
    assert!(read(&document("Flag", &again)).is_ok());
}
