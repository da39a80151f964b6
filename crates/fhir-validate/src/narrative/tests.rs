//! What a `div` may hold, beyond the cases in `tests/it/cases/narrative.txt`.

use proptest::prelude::*;

use super::*;

fn rules(inside: &str) -> Vec<Rule> {
    let div = format!("<div xmlns=\"{XHTML}\">a{inside}</div>");
    faults_in(&div).into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn links_with_a_scheme_that_runs_something_are_found_in_every_disguise() {
    for link in [
        "javascript:x",
        "JAVASCRIPT:x",
        " javascript:x",
        "&#1;javascript:x",
        "java\nscript:x",
        "java&#x09;script:x",
        "&#106;avascript:x",
        "javascript&#58;x",
        "vbscript:x",
        "data:text/html,x",
        "data:image/svg+xml,x",
    ] {
        let found = rules(&format!("<a href=\"{link}\">b</a>"));
        // A control character has no place in XML, however it is written.
        let expected =
            if link.starts_with("&#1;") { Rule::NarrativeMalformed } else { Rule::NarrativeActive };
        assert_eq!(found, [expected], "{link}");
    }
    for link in
        ["http://a.org/javascript:x", "mailto:a@b.org", "#javascript", "a/b.html", "tel:1", "urn:oid:1.2"]
    {
        assert_eq!(rules(&format!("<a href=\"{link}\">b</a>")), [], "{link}");
    }
    assert_eq!(rules("<img src=\"data:IMAGE/png;base64,AA==\" alt=\"x\"/>"), []);
    assert_eq!(rules("<img src=\"data: image/png;base64,AA==\" alt=\"x\"/>"), []);
    assert_eq!(rules("<img src=\"data:text/html,x\" alt=\"x\"/>"), [Rule::NarrativeActive]);
}

#[test]
fn styles_may_decorate_but_not_load_or_run() {
    for style in [
        "width: expression(x)",
        "w:e\\xpression(x)",
        "background: url(javascript:x)",
        "-moz-binding: url(x)",
        "behavior: url(x)",
    ] {
        assert_eq!(rules(&format!("<p style=\"{style}\">b</p>")), [Rule::NarrativeActive], "{style}");
    }
    for style in [
        "color: red",
        "background-image: url(tbl_bck1.png)",
        "font: 10px 'behavior'",
        "width: calc(100% - 1px)",
    ] {
        assert_eq!(rules(&format!("<p style=\"{style}\">b</p>")), [], "{style}");
    }
}

#[test]
fn characters_that_xml_cannot_hold_are_refused_however_they_are_written() {
    for text in
        ["\u{1}", "\u{FFFE}", "&#0;", "&#xFFFF;", "&#xD800;", "&#x110000;", "&#;", "&#x;", "&#+9;", "&;"]
    {
        assert_eq!(rules(text), [Rule::NarrativeMalformed], "{text:?}");
    }
    assert_eq!(rules("\t\r\n\u{e9}\u{1F600}&#xE9;&#9;&amp;&lt;&gt;&quot;&apos;"), []);
}

#[test]
fn many_attributes_and_many_faults_are_cut_short() {
    let attributes: Vec<String> = (0..ATTRIBUTES).map(|number| format!(" a{number}=\"\"")).collect();
    assert_eq!(rules(&format!("<p{}>b</p>", attributes.concat())).last(), Some(&Rule::NarrativeMalformed));
    let elements: Vec<String> = (0..100).map(|number| format!("<e{number}/>")).collect();
    assert_eq!(rules(&elements.concat()).len(), FAULTS_MAX);
}

/// More than one tag may have.
const ATTRIBUTES: usize = 65;

proptest! {
    /// Pieces of XML in any order neither panic nor pass if a dumb scan finds what may never pass.
    #[test]
    fn soup_of_tags(pieces in prop::collection::vec(prop::sample::select(vec![
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">", "</div>", "<p>", "</p>", "<br/>", "a", "&amp;", "&", ";", "<", ">",
        "<script>", "</script>", " onclick=\"x\"", "<!--", "-->", "<![CDATA[", "]]>", "<?x?>", "<!DOCTYPE a>", "\"", "'", "=", " ",
        "<img src=\"a\"/>", "\u{1}", "\u{e9}",
    ]), 0..12)) {
        let text = pieces.concat();
        let faults = faults_in(&text);
        prop_assert!(faults.iter().all(|fault| !fault.message.is_empty()));
        if faults.is_empty() {
            prop_assert!(text.trim_start().starts_with("<div") || text.trim_start().starts_with("<!--"), "{text:?}");
            prop_assert_eq!(text.matches("<p>").count() , text.matches("</p>").count());
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        faults_in(&text);
        rules(&text);
    }
}
