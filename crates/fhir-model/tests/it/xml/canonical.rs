//! A second, independent reading of XML: what a document says, as lines that can be compared.

use quick_xml::Reader;
use quick_xml::escape::{resolve_html5_entity, resolve_xml_entity};
use quick_xml::events::{BytesStart, Event};

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// What an XML document or fragment says, one line per start tag, attribute, end tag and text.
///
/// It leaves out what has no meaning: comments, instructions, name space declarations and schema locations, the
/// order of attributes, references in place of characters, and, outside of narrative, white space.
pub(crate) fn canonical(xml: &str) -> Vec<String> {
    let mut canonical = Canonical::default();
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().expect("the document is well-formed") {
            Event::Start(tag) => canonical.start(&tag),
            Event::Empty(tag) => {
                canonical.start(&tag);
                canonical.end();
            }
            Event::End(_) => canonical.end(),
            Event::Text(text) => {
                let text = text.into_inner().replace("\r\n", "\n").replace('\r', "\n");
                canonical.text.push_str(&text);
            }
            Event::CData(text) => canonical.text.push_str(&text.into_inner()),
            Event::GeneralRef(reference) => {
                let resolved = reference.resolve_char_ref().expect("a number of a character");
                match resolved {
                    Some(char) => canonical.text.push(char),
                    None => canonical.text.push_str(named(&reference)),
                }
            }
            Event::Eof => return canonical.lines,
            _ => {}
        }
    }
}

#[derive(Default)]
struct Canonical {
    lines: Vec<String>,
    text: String,
    depth: usize,
    /// The depth that the narrative that is open starts at.
    narrative: Option<usize>,
}

impl Canonical {
    fn start(&mut self, tag: &BytesStart<'_>) {
        self.flush();
        self.depth += 1;
        let name = tag.local_name().as_ref().to_owned();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.expect("attributes are well-formed");
            let (key, value) = (attribute.key.as_ref(), decode(&attribute.value));
            let declares = key == "xmlns" || key.starts_with("xmlns:");
            let is_narrative = (declares && value == XHTML) || name == "div";
            if is_narrative && self.narrative.is_none() {
                self.narrative = Some(self.depth);
            }
            if !declares && !key.starts_with("xsi:") {
                attributes.push(format!("@{key}={value}"));
            }
        }
        attributes.sort();
        self.lines.push(format!("<{name}"));
        self.lines.append(&mut attributes);
    }

    fn end(&mut self) {
        self.flush();
        self.lines.push(">".to_owned());
        if self.narrative == Some(self.depth) {
            self.narrative = None;
        }
        self.depth -= 1;
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.narrative.is_some() && !text.is_empty() || !text.trim_ascii().is_empty() {
            self.lines.push(text);
        }
    }
}

/// The value of an attribute: white space becomes spaces, then references become characters.
fn decode(raw: &str) -> String {
    let raw = raw.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    let decoded = quick_xml::escape::unescape_with(&raw, |name| Some(named(name)));
    decoded.expect("references are well-formed").into_owned()
}

fn named(name: &str) -> &'static str {
    resolve_xml_entity(name).or_else(|| resolve_html5_entity(name)).expect("the entity is known")
}

#[test]
fn what_means_the_same_has_the_same_lines() {
    let plain = canonical(
        "<a xmlns='urn:f'><b y='&lt;2' x='1'/><div xmlns='http://www.w3.org/1999/xhtml'> c </div></a>",
    );
    let other = "<?xml version='1.0'?><f:a xmlns:f='urn:f'>\n <f:b x = '&#49;'\ny='&#60;2'></f:b><!-- --><div xmlns='http://www.w3.org/1999/xhtml'>&#32;<![CDATA[c]]> </div></f:a>";
    assert_eq!(canonical(other), plain);
    for different in [
        "<a><b y='&lt;2' x='2'/><div xmlns='http://www.w3.org/1999/xhtml'> c </div></a>",
        "<a><b y='&lt;2' x='1'/><div xmlns='http://www.w3.org/1999/xhtml'>c</div></a>",
        "<a><b y='&lt;2' x='1'><div xmlns='http://www.w3.org/1999/xhtml'> c </div></b></a>",
        "<a><b y='&lt;2' x='1'/>x<div xmlns='http://www.w3.org/1999/xhtml'> c </div></a>",
    ] {
        assert_ne!(canonical(different), plain, "{different}");
    }
}
