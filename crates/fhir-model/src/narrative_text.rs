//! What people read of a narrative.

use quick_xml::escape::resolve_html5_entity;

/// Elements that do not part words: `<b>bo</b>ne` is read as one. All others of a narrative do.
const INLINE: [&str; 23] = [
    "a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "kbd", "q", "s",
    "samp", "small", "span", "strong", "sub", "sup", "tt", "var",
];

/// A reference to a character is no longer than this, `&` and `;` apart.
const REFERENCE_BYTES_MAX: usize = 32;

/// The text of a narrative's `div` (FHIR, narrative): without markup and comments, with a space wherever an element
/// parts words, and with characters in place of references to them. What is no markup after all stays as it is written,
/// so any text may be asked.
///
/// ```
/// # use fhir_model::narrative_text;
/// let div = "<div><p>Left&nbsp;<b>bo</b>ne</p><!-- x --><table><tr><td>1 &lt; 2</td><td>caf&eacute;</td></tr></table></div>";
/// let text = narrative_text(div);
/// assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["Left", "bone", "1", "<", "2", "café"]);
/// ```
pub fn narrative_text(div: &str) -> String {
    let mut text = String::with_capacity(div.len() / 2);
    let mut rest = div;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = if from.starts_with('<') { markup(from, &mut text) } else { reference(from, &mut text) };
    }
    text.push_str(rest);
    text
}

/// Takes what begins with `<`.
fn markup<'a>(from: &'a str, text: &mut String) -> &'a str {
    if let Some(inside) = from.strip_prefix("<!--") {
        return inside.split_once("-->").map_or("", |(_, rest)| rest);
    }
    if let Some(inside) = from.strip_prefix("<![CDATA[") {
        let (inside, rest) = inside.split_once("]]>").unwrap_or((inside, ""));
        text.push_str(inside);
        return rest;
    }
    let name = from.trim_start_matches(['<', '/']);
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic() || "!?_".contains(letter)) {
        text.push('<');
        return from.get(1..).unwrap_or_default();
    }
    let name = name.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    if !INLINE.contains(&name) {
        text.push(' ');
    }
    behind_tag(from)
}

/// What follows a tag, whose attributes may have `>` in their values.
fn behind_tag(from: &str) -> &str {
    let mut quote = None;
    for (at, byte) in from.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'>') => return from.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

/// Takes what begins with `&`.
fn reference<'a>(from: &'a str, text: &mut String) -> &'a str {
    let behind = from.get(1..).unwrap_or_default();
    let end = behind.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
    if let Some((name, rest)) = end.and_then(|end| behind.split_at_checked(end)) {
        let rest = rest.get(1..).unwrap_or_default();
        let number = |digits: &str| match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        };
        let letter = name.strip_prefix('#').map(|digits| number(digits).and_then(char::from_u32));
        match (letter, resolve_html5_entity(name)) {
            (Some(Some(letter)), _) => {
                text.push(letter);
                return rest;
            }
            (None, Some(known)) => {
                text.push_str(known);
                return rest;
            }
            _ => {}
        }
    }
    text.push('&');
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_words_stay_apart() {
        for (div, text) in [
            ("", ""),
            ("plain", "plain"),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>", " a "),
            ("a<br/>b", "a b"),
            ("a<td title='x > y'>b", "a b"),
            ("x<sub>2</sub>", "x2"),
            ("a<!-- b -->c", "ac"),
            ("a<!-- b", "a"),
            ("<![CDATA[<p>]]>", "<p>"),
            ("1 < 2 & 3", "1 < 2 & 3"),
            ("a<p", "a "),
            ("&amp;&#65;&#x42;&#xZ;&unknown;&", "&AB&#xZ;&unknown;&"),
            ("&nbsp;&eacute;", "\u{a0}é"),
            ("&#1114112;", "&#1114112;"),
        ] {
            assert_eq!(narrative_text(div), text, "{div}");
        }
    }

    #[test]
    fn any_text_has_an_end() {
        proptest::proptest!(|(text in r#"[<>&;a"'/!#é\[\]-]{0,40}"#)| {
            proptest::prop_assert!(narrative_text(&text).len() <= 2 * text.len() + 1);
        });
    }
}
