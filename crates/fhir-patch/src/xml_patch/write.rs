//! From a tree to text.

use super::dom::{Content, Document, NodeId, ROOT};

/// What a document starts with that had an XML declaration.
const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// Prints a document.
pub(super) fn write(document: &Document) -> String {
    let mut out = String::with_capacity(document.bytes * 2);
    if document.has_declaration {
        out.push_str(DECLARATION);
    }
    for child in document.children(ROOT) {
        write_node(document, *child, &mut out);
    }
    out
}

/// Prints one node with everything inside.
pub(super) fn write_node(document: &Document, node: NodeId, out: &mut String) {
    let markup = |out: &mut String, start: &str, text: &str, end: &str| {
        out.push_str(start);
        out.push_str(text);
        out.push_str(end);
    };
    match document.content(node) {
        // Two texts that were joined can spell the end of a CDATA section, which must not stand in text.
        Some(Content::Text(raw)) if raw.contains("]]>") => out.push_str(&raw.replace("]]>", "]]&gt;")),
        Some(Content::Text(raw)) => out.push_str(raw),
        Some(Content::Comment(text)) => markup(out, "<!--", text, "-->"),
        Some(Content::Instruction(text)) => markup(out, "<?", text, "?>"),
        Some(Content::Element(element)) => {
            let name = element.name.qualified();
            out.push('<');
            out.push_str(&name);
            for declared in &element.declarations {
                let attribute = if declared.prefix.is_empty() {
                    "xmlns".into()
                } else {
                    format!("xmlns:{}", declared.prefix)
                };
                write_attribute(&attribute, &quick_xml::escape::escape(&*declared.uri), out);
            }
            for attribute in &element.attributes {
                write_attribute(&attribute.name.qualified(), &attribute.raw, out);
            }
            if element.children.is_empty() && element.is_one_tag {
                out.push_str("/>");
                return;
            }
            out.push('>');
            for child in &element.children {
                write_node(document, *child, out);
            }
            markup(out, "</", &name, ">");
        }
        Some(Content::Document(_)) | None => {}
    }
}

/// Writes a value that was between quotes of either kind.
fn write_attribute(name: &str, raw: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    if raw.contains('"') {
        out.push_str(&raw.replace('"', "&quot;"));
    } else {
        out.push_str(raw);
    }
    out.push('"');
}
