//! The public suite, the examples of the standard that it lacks, FHIR's own needs, and hostile input.

use std::path::Path;

use super::dom::Element;
use super::*;
use crate::limits::Exceeded;

fn document(text: &str) -> Document {
    read::read(text.as_bytes(), &Limits::default()).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

/// A document with every element that is empty written as one tag.
fn canonical(text: &str) -> String {
    let mut document = document(text);
    for node in 0..document.len() {
        if let Some(element) = document.element_mut(node) {
            element.is_one_tag = true;
        }
    }
    write::write(&document)
}

/// The result, or the name that the RFC has for the error.
fn patched(target: &str, diff: &str) -> Result<String, String> {
    let limits = Limits::default();
    let patch = XmlPatch::parse(diff.as_bytes(), &limits).map_err(|fault| fault.fault.code().to_owned())?;
    let patched =
        patch.apply(target.as_bytes(), &limits).map_err(|refused| refused.refusal.code().to_owned())?;
    Ok(canonical(&patched))
}

fn check(target: &str, diff: &str, expected: Result<&str, &str>) {
    let expected = expected.map(canonical).map_err(str::to_owned);
    assert_eq!(patched(target, diff), expected, "{target}\n{diff}");
}

#[test]
fn the_public_suite_passes_but_for_its_own_extension() {
    let name = "xml-patch-dnault/resources/com/github/dnault/xmlpatch/test/regression-test.xml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites").join(name);
    let Ok(suite) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: {name} is not beside the workspace");
        return;
    };
    let suite = document(&suite);
    let cases: Vec<&Element> = elements(&suite, suite.outermost().unwrap());
    let (mut passed, mut extended) = (0, 0);
    for case in cases {
        let part = |name: &str| {
            let nodes = case.children.iter().copied();
            nodes
                .into_iter()
                .find(|node| suite.element(*node).is_some_and(|part| part.name.local == name))
                .unwrap()
        };
        let inside = |node: NodeId| {
            let mut out = String::new();
            suite.children(node).iter().for_each(|child| write::write_node(&suite, *child, &mut out));
            out.trim().to_owned()
        };
        let mut diff = String::new();
        write::write_node(&suite, part("diff"), &mut diff);
        if diff.contains("msel=") {
            extended += 1;
            check(&inside(part("target")), &diff, Err("invalid-patch-directive"));
            continue;
        }
        let result = suite.element(part("result")).unwrap();
        let code = result.attributes.first().map(|error| error.raw.to_lowercase().replace('_', "-"));
        match &code {
            Some(code) => check(&inside(part("target")), &diff, Err(code)),
            None => check(&inside(part("target")), &diff, Ok(&inside(part("result")))),
        }
        passed += 1;
    }
    println!("{passed} cases pass, {extended} use an extension and are refused");
    assert_eq!((passed, extended), (37, 3));
}

fn elements(document: &Document, node: NodeId) -> Vec<&Element> {
    document.children(node).iter().filter_map(|child| document.element(*child)).collect()
}

const PATIENT: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="a"/>"#,
    r#"<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p title='"'>a &quot;b&quot;<br/>"#,
    r#"<b></b>&#xA0;&lt;</p></div></text>"#,
    r#"<identifier><system value="urn:a"/><value value="1"/></identifier>"#,
    r#"<identifier><system value="urn:b"/><value value="2"/></identifier><birthDate value="2000"/></Patient>"#,
);

/// The Patient with the diff applied, without what is the same in all of them.
fn check_fhir(diff: &str, expected: Result<&str, &str>) {
    let rest = |text: String| text.split_once("</text>").unwrap().1.replace("</Patient>", "");
    let diff = format!(r#"<diff xmlns:f="http://hl7.org/fhir" xmlns="http://hl7.org/fhir">{diff}</diff>"#);
    assert_eq!(
        patched(PATIENT, &diff).map(rest),
        expected.map(str::to_owned).map_err(str::to_owned),
        "{diff}"
    );
}

#[test]
fn resources() {
    let both = r#"<identifier><system value="urn:a"/><value value="1"/></identifier><identifier><system value="urn:b"/><value value="2"/></identifier>"#;
    check_fhir(
        r#"<replace sel="/f:Patient/f:birthDate/@value">2001</replace>"#,
        Ok(&format!(r#"{both}<birthDate value="2001"/>"#)),
    );
    check_fhir(r#"<remove sel="Patient/birthDate"/>"#, Ok(both));
    check_fhir(
        r#"<remove sel="*/f:identifier[f:system/@value='urn:a']"/> <!-- one --> <remove sel="//birthDate"/>"#,
        Ok(r#"<identifier><system value="urn:b"/><value value="2"/></identifier>"#),
    );
    check_fhir(
        r#"<remove sel="Patient/identifier[2]"/><add sel="Patient/birthDate" pos="before"><gender value="male"/></add>"#,
        Ok(
            r#"<identifier><system value="urn:a"/><value value="1"/></identifier><gender value="male"/><birthDate value="2000"/>"#,
        ),
    );
    check_fhir(
        r#"<add sel="Patient/birthDate" type="@id">b</add><remove sel="Patient/gender"/>"#,
        Err("unlocated-node"),
    );
    check_fhir(r#"<remove sel="Patient/identifier"/>"#, Err("unlocated-node"));
    check_fhir(r#"<remove sel="x:Patient/identifier"/>"#, Err("invalid-namespace-prefix"));
    // Without a name space in the patch, names are in none.
    let plain = patched(PATIENT, r#"<diff><remove sel="Patient/birthDate"/></diff>"#);
    assert_eq!(plain, Err("unlocated-node".into()));
}

#[test]
fn what_is_not_touched_stays_as_it_is_written() {
    let limits = Limits::default();
    let patch = br#"<patch xmlns="urn:ietf:rfc:7351"/>"#;
    let same = XmlPatch::parse(patch, &limits).unwrap().apply(PATIENT.as_bytes(), &limits).unwrap();
    assert_eq!(same, PATIENT.replace(r#"'"'"#, r#""&quot;""#));
    let patch = br#"<p:patch xmlns:p="urn:ietf:rfc:7351" xmlns="http://hl7.org/fhir"><p:remove sel="Patient/id"/></p:patch>"#;
    let patched = XmlPatch::parse(patch, &limits).unwrap().apply(PATIENT.as_bytes(), &limits).unwrap();
    assert_eq!(patched, same.replace(r#"<id value="a"/>"#, ""));
}

#[test]
fn name_spaces_of_what_is_added() {
    // FHIR's default name space is used, no prefix of the patch needed.
    check_fhir(
        r#"<replace sel="Patient/identifier[1]"><f:active value="true"/></replace><remove sel="Patient/identifier"/>"#,
        Ok(r#"<active value="true"/><birthDate value="2000"/>"#),
    );
    // What is in none must not fall into the default one.
    check(
        r#"<a xmlns="urn:a"><b/></a>"#,
        r#"<diff xmlns:p="urn:a"><add sel="p:a"><c><p:d/></c></add></diff>"#,
        Ok(r#"<a xmlns="urn:a"><b/><c xmlns=""><p:d xmlns:p="urn:a"/></c></a>"#),
    );
    // A prefix that means something else there is declared anew, without changing what its neighbours mean.
    check(
        r#"<p:a xmlns:p="urn:a"/>"#,
        r#"<diff xmlns:p="urn:b" xmlns:q="urn:a"><add sel="q:a"><q:c p:x="1" q:y="2"/></add></diff>"#,
        Ok(r#"<p:a xmlns:p="urn:a"><p:c xmlns:ns1="urn:b" ns1:x="1" p:y="2"/></p:a>"#),
    );
    // Attributes never are in the default one.
    check(
        r#"<a xmlns="urn:a"/>"#,
        r#"<diff xmlns:p="urn:a"><add sel="p:a" type="@p:x">1</add><add sel="p:a" type="@x">2</add></diff>"#,
        Ok(r#"<a xmlns="urn:a" xmlns:p="urn:a" p:x="1" x="2"/>"#),
    );
    check(r#"<a/>"#, r#"<diff><add sel="a" type="@xml:lang">en</add></diff>"#, Ok(r#"<a xml:lang="en"/>"#));
}

#[test]
fn declarations() {
    let target = r#"<a xmlns:p="urn:p"><p:b/><c xmlns:p="urn:q"><p:d/></c></a>"#;
    check(
        target,
        r#"<diff><replace sel="a/namespace::p">urn:r</replace></diff>"#,
        Ok(r#"<a xmlns:p="urn:r"><p:b/><c xmlns:p="urn:q"><p:d/></c></a>"#),
    );
    check(
        target,
        r#"<diff xmlns:r="urn:r"><replace sel="a/namespace::p">urn:r</replace><remove sel="a/r:b"/></diff>"#,
        Ok(r#"<a xmlns:p="urn:r"><c xmlns:p="urn:q"><p:d/></c></a>"#),
    );
    check(target, r#"<diff><remove sel="a/namespace::p"/></diff>"#, Err("invalid-namespace-prefix"));
    check(
        target,
        r#"<diff xmlns:p="urn:p"><remove sel="a/p:b"/><remove sel="a/namespace::p"/></diff>"#,
        Ok(r#"<a><c xmlns:p="urn:q"><p:d/></c></a>"#),
    );
    check(
        target,
        r#"<diff xmlns:p="urn:p"><add sel="a/p:b" type="namespace::p">urn:x</add></diff>"#,
        Err("invalid-namespace-prefix"),
    );
    check(
        target,
        r#"<diff><add sel="a" type="namespace::p">urn:x</add></diff>"#,
        Err("invalid-patch-directive"),
    );
    check(target, r#"<diff><replace sel="a/namespace::p"> </replace></diff>"#, Err("invalid-namespace-uri"));
    check(
        target,
        r#"<diff><add sel="a" type="namespace::xml">urn:x</add></diff>"#,
        Err("invalid-namespace-prefix"),
    );
}

#[test]
fn texts_comments_and_instructions() {
    check(
        "<a>one</a>",
        "<diff><add sel='a'> two</add><replace sel='a/text()[1]'>x &amp; y</replace></diff>",
        Ok("<a>x &amp; y</a>"),
    );
    check(
        "<a>b<c/>d</a>",
        "<diff><remove sel='a/c'/><replace sel='a/text()'>e</replace></diff>",
        Ok("<a>e</a>"),
    );
    check("<a>]]<c/>></a>", "<diff><remove sel='a/c'/></diff>", Ok("<a>]]&gt;</a>"));
    check("<a>]]<c/>&gt;</a>", "<diff><remove sel='a/c'/></diff>", Ok("<a>]]&gt;</a>"));
    check(
        "<a>]]<c/></a>",
        "<diff><replace sel='a/c'><d/></replace><add sel='a/d' pos='after'><![CDATA[<>]]></add></diff>",
        Ok("<a>]]<d/>&lt;></a>"),
    );
    check("<a><!--b--></a>", "<diff><remove sel='a/comment()'/></diff>", Ok("<a/>"));
    check("<a/>", "<diff><add sel='a' pos='after'> <!--b--><?c d?> </add></diff>", Ok("<a/><!--b--><?c d?>"));
    check("<a/>", "<diff><add sel='a' pos='after'><b/></add></diff>", Err("invalid-root-element-operation"));
    check("<a/>", "<diff><replace sel='a'><b/></replace><add sel='b'><c/></add></diff>", Ok("<b><c/></b>"));
    check(
        "<a><b/></a>",
        "<diff><add sel='a/b' pos='prepend'>x</add><add sel='a/b' pos='prepend'>y</add></diff>",
        Ok("<a><b>yx</b></a>"),
    );
    check("<a b='1'/>", "<diff><add sel='a/@b'>x</add></diff>", Err("invalid-node-types"));
    check("<a>x</a>", "<diff><add sel='a/text()'><b/></add></diff>", Err("invalid-node-types"));
    check("<a>x</a>", "<diff><add sel='a/text()' pos='before'><b/></add></diff>", Ok("<a><b/>x</a>"));
    check("<a b='1'/>", "<diff><add sel='a' type='@b'>2</add></diff>", Err("invalid-patch-directive"));
    check(
        "<a b='1'/>",
        "<diff><replace sel='a/@b'>x\"&#10;\ty</replace></diff>",
        Ok("<a b='x&quot;&#10;&#9;y'/>"),
    );
}

#[test]
fn selectors() {
    let target = r#"<a><b id="x"><c>1</c></b><b id="y"><c>2</c><d/></b><e><b id="z"/></e></a>"#;
    let select = |sel: &str| {
        let limits = Limits::default();
        let document = document(target);
        let patch = XmlPatch::parse(format!(r#"<diff><remove sel="{sel}"/></diff>"#).as_bytes(), &limits);
        let patch = patch.map_err(|fault| fault.fault.to_string())?;
        let size = crate::limits::Size { nodes: 0, bytes: 0, depth: 0 };
        let mut budget = crate::limits::Budget::new(&limits, size).unwrap();
        let found = select::select(&patch.operations[0].selector, &document, &mut budget).unwrap();
        let ids = found.iter().map(|found| match found {
            select::Found::Node(node) => document.element(*node).map_or("text".to_owned(), |element| {
                element.attributes.first().map_or(element.name.local.clone(), |id| id.raw.clone())
            }),
            other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
        });
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        Ok::<_, String>(ids.join(" "))
    };
    for (sel, expected) in [
        ("a", "a"),
        ("/a/b", "x y"),
        ("a/*", "e x y"),
        ("//b", "x y z"),
        ("a//b", "x y z"),
        ("//b[1]", "x z"),
        ("a/b[2]", "y"),
        ("a/b[02]", "y"),
        ("a/b[0]", ""),
        ("a/b[99999999999999999999999]", ""),
        ("a/b[@id='y']", "y"),
        ("a/b[ @id = 'y' ]", "y"),
        ("a/b[c='2']", "y"),
        ("a/b[c/text()='1']", "x"),
        ("a/b/c[.='2']", "c"),
        ("a/b[@id='y'][1]", "y"),
        ("a/b[2][@id='x']", ""),
        ("a/*[b/@id='z']", "e"),
        ("a/b/c/text()", "text text"),
        ("a/b/@id", "Attribute Attribute"),
        ("a/comment()", ""),
        ("a/processing-instruction('x')", ""),
        ("//d/namespace::p", ""),
        ("b", ""),
    ] {
        assert_eq!(select(sel).as_deref(), Ok(expected), "{sel}");
    }
    for sel in [
        "",
        "/",
        "a/",
        "a//",
        "a[",
        "a[]",
        "a[1",
        "a[b]",
        "a[b=]",
        "a[b='c]",
        "@a/b",
        "a/text()/b",
        "a | b",
        "a[1] ",
        "..",
        "a/.",
        "id('x')",
        "p:a",
        "a/node()",
        "@a[1]",
        "child::a",
        "a[position()=1]",
    ] {
        assert!(select(sel).is_err(), "{sel}");
    }
    assert_eq!(
        XmlPatch::parse(br#"<diff><remove sel="id('x')/a"/></diff>"#, &Limits::default())
            .unwrap_err()
            .fault
            .code(),
        "unsupported-id-function"
    );
}

#[test]
fn what_is_no_patch() {
    let fault = |text: &str| XmlPatch::parse(text.as_bytes(), &Limits::default()).unwrap_err();
    for (text, operation, code) in [
        ("<diff>", None, "invalid-diff-format"),
        ("", None, "invalid-diff-format"),
        ("<changes/>", None, "invalid-diff-format"),
        ("<!DOCTYPE diff [<!ENTITY a 'b'>]><diff/>", None, "invalid-entity-declaration"),
        ("<diff>&a;</diff>", None, "invalid-diff-format"),
        ("<diff><p:add sel='a'/></diff>", None, "invalid-namespace-prefix"),
        ("<diff>text</diff>", Some(0), "invalid-diff-format"),
        ("<diff><remove sel='a'/><change sel='a'/></diff>", Some(1), "invalid-diff-format"),
        ("<diff><remove/></diff>", Some(0), "invalid-diff-format"),
        ("<diff><remove sel='a'>b</remove></diff>", Some(0), "invalid-diff-format"),
        ("<diff><remove sel='a' ws='all'/></diff>", Some(0), "invalid-attribute-value"),
        ("<diff><remove sel='a' pos='after'/></diff>", Some(0), "invalid-patch-directive"),
        ("<diff><add sel='a' pos='inside'>b</add></diff>", Some(0), "invalid-attribute-value"),
        ("<diff><add sel='a' type='b'>b</add></diff>", Some(0), "invalid-attribute-value"),
        ("<diff><add sel='a' type='@xmlns:p'>b</add></diff>", Some(0), "invalid-attribute-value"),
        ("<diff><add sel='a' type='@b' pos='after'>b</add></diff>", Some(0), "invalid-node-types"),
        ("<diff><add sel='a' type='@b'><c/></add></diff>", Some(0), "invalid-node-types"),
        ("<diff><add sel='a'/></diff>", Some(0), "invalid-node-types"),
        ("<diff xmlns:x='urn:x'><x:add sel='a'>b</x:add></diff>", Some(0), "invalid-diff-format"),
        ("<diff a='1' a='2'/>", None, "invalid-diff-format"),
        ("<diff a='<'/>", None, "invalid-diff-format"),
        ("<diff>]]></diff>", None, "invalid-diff-format"),
        ("<diff><!-- a -- b --></diff>", None, "invalid-diff-format"),
        ("<diff>&#1;</diff>", None, "invalid-diff-format"),
        ("<diff xmlns:p=''/>", None, "invalid-diff-format"),
        ("<diff/><diff/>", None, "invalid-diff-format"),
    ] {
        let found = fault(text);
        assert_eq!((found.operation, found.fault.code()), (operation, code), "{text}: {found}");
        assert!(!found.to_string().is_empty());
    }
    let bytes = XmlPatch::parse(b"<diff>\xff</diff>", &Limits::default()).unwrap_err().fault;
    let markup = MarkupFault { kind: MarkupFaultKind::InvalidUtf8, offset: 6 };
    assert_eq!(bytes, XmlPatchFault::Markup(markup));
}

#[test]
fn limits_hold() {
    let refusal = |target: &str, diff: &str, limits: &Limits| {
        XmlPatch::parse(diff.as_bytes(), &Limits::default())
            .unwrap()
            .apply(target.as_bytes(), limits)
            .unwrap_err()
    };
    let limits = Limits { depth_max: 5, ..Limits::default() };
    let deeper = "<add sel='//a'><b><b><a/></b></b></add><replace sel='a//a'><c><a/></c></replace>";
    let refused =
        refusal("<a/>", &format!("<diff>{deeper}{}</diff>", deeper.replace("//a", "//c/a")), &limits);
    assert_eq!(refused.operation, 2);
    assert_eq!(refused.refusal, XmlPatchRefusal::Exceeded(Exceeded::Depth { depth_max: 5 }));

    let deep = "<a>".repeat(6) + &"</a>".repeat(6);
    let refused = refusal(&deep, "<diff><remove sel='a'/></diff>", &limits);
    let kind = MarkupFaultKind::Exceeded(Exceeded::Depth { depth_max: 5 });
    assert!(matches!(refused.refusal, XmlPatchRefusal::Document(fault) if fault.kind == kind));
    let endless = "<a>".repeat(100_000);
    assert!(XmlPatch::parse(endless.as_bytes(), &Limits::default()).is_err());

    let limits = Limits { nodes_max: 10, ..Limits::default() };
    let add = "<add sel='a'><b/><c/></add>".repeat(5);
    let refused = refusal("<a/>", &format!("<diff>{add}</diff>"), &limits);
    assert_eq!(refused.refusal, XmlPatchRefusal::Exceeded(Exceeded::Nodes { nodes_max: 10 }));

    let limits = Limits { bytes_max: 100, ..Limits::default() };
    let add = format!("<diff><add sel='a'>{}</add></diff>", "x".repeat(200));
    assert_eq!(
        refusal("<a/>", &add, &limits).refusal,
        XmlPatchRefusal::Exceeded(Exceeded::Bytes { bytes_max: 100 })
    );

    let limits = Limits { steps_max: 10_000, ..Limits::default() };
    let wide = format!("<a>{}</a>", "<b><c/></b>".repeat(1_000));
    let search = "<remove sel=\"//b[c='x']//c[.='y']\"/>".repeat(2);
    assert_eq!(refusal(&wide, &format!("<diff>{search}</diff>"), &limits).refusal, XmlPatchRefusal::NotFound);
    let search = "<add sel='//b[500]'>x</add>".repeat(10);
    assert_eq!(
        refusal(&wide, &format!("<diff>{search}</diff>"), &limits).refusal,
        XmlPatchRefusal::Exceeded(Exceeded::Steps { steps_max: 10_000 })
    );
    let limits = Limits { operations_max: 1, ..Limits::default() };
    let fault =
        XmlPatch::parse(b"<diff><remove sel='a'/><remove sel='a'/></diff>", &limits).unwrap_err().fault;
    assert_eq!(fault, XmlPatchFault::TooManyOperations { operations_max: 1 });
}
