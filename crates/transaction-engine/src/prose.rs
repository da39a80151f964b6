//! Where texts for people name what they link to.

use std::ops::Range;

/// The values of `href` and `src` in XHTML, whatever their quotes. Comments and texts have none.
pub(crate) fn links_in_xhtml(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = find(text, at, "<") {
        at = match text.get(start..) {
            Some(rest) if rest.starts_with("<!--") => behind(text, start, "-->"),
            Some(rest) if rest.starts_with("<![CDATA[") => behind(text, start, "]]>"),
            Some(rest) if rest.starts_with("<?") => behind(text, start, "?>"),
            _ => attributes(text, start + 1, &mut found),
        };
    }
    found
}

/// Collects the links of one tag and gives the place behind it.
fn attributes(text: &str, start: usize, found: &mut Vec<Range<usize>>) -> usize {
    let bytes = text.as_bytes();
    let mut name = start..start;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'>' => return at + 1,
            quote @ (b'"' | b'\'') => {
                let Some(length) =
                    bytes.get(at + 1..).and_then(|rest| rest.iter().position(|byte| byte == quote))
                else {
                    return text.len();
                };
                if text.get(name.clone()).is_some_and(|name| matches!(name, "href" | "src")) {
                    found.push(at + 1..at + 1 + length);
                }
                at += 1 + length;
                name = at..at;
            }
            // Between a name and its value.
            b'=' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ if name.end == at && !name.is_empty() => name.end = at + 1,
            _ => name = at..at + 1,
        }
        at += 1;
    }
    at
}

/// The destinations of links, images and link definitions in Markdown, without their angle brackets and titles.
/// Autolinks are left out: they cannot hold a relative URL.
pub(crate) fn links_in_markdown(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    // A label is looked at once a line: a long line may have as many brackets as characters.
    let (mut line, mut seen, mut is_first) = (0, 0, true);
    while let Some(start) = find(text, at, "]") {
        at = start + 1;
        let passed = text.get(seen..start).unwrap_or_default();
        if let Some(newline) = passed.rfind('\n') {
            (line, is_first) = (seen + newline + 1, true);
        }
        seen = start;
        let rest = text.get(at..).unwrap_or_default();
        let is_definition = std::mem::take(&mut is_first)
            && rest.starts_with(':')
            && is_label_of_definition(text.get(line..start).unwrap_or_default());
        if !rest.starts_with('(') && !is_definition {
            continue;
        }
        let inside = rest.get(1..).unwrap_or_default();
        let trimmed = inside.trim_start();
        at += 1 + inside.len() - trimmed.len();
        let length = match trimmed.strip_prefix('<') {
            Some(bracketed) => {
                at += 1;
                bracketed.find(['>', '\n'])
            }
            None => trimmed.find(|char: char| char.is_whitespace() || char == ')' && !is_definition),
        };
        let end = at + length.unwrap_or_else(|| text.len().saturating_sub(at));
        found.push(at..end);
        at = end;
    }
    found
}

/// Whether the beginning of a line is `[label`.
fn is_label_of_definition(line: &str) -> bool {
    line.trim_start().strip_prefix('[').is_some_and(|label| !label.is_empty() && !label.contains(['[', ']']))
}

/// Puts other texts in places that do not overlap and stand in their order; `None` if nothing changes.
pub(crate) fn replace(
    text: &str,
    places: Vec<Range<usize>>,
    mut other: impl FnMut(&str) -> Option<String>,
) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        let Some(replaced) = text.get(place.clone()).and_then(&mut other) else { continue };
        out.push_str(text.get(done..place.start)?);
        out.push_str(&replaced);
        done = place.end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

/// The place behind the next `what`, or the end.
fn behind(text: &str, from: usize, what: &str) -> usize {
    find(text, from, what).map_or(text.len(), |at| at + what.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xhtml(text: &str) -> Vec<&str> {
        links_in_xhtml(text).into_iter().map(|place| &text[place]).collect()
    }

    fn markdown(text: &str) -> Vec<&str> {
        links_in_markdown(text).into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn links_of_tags_and_nothing_else() {
        assert_eq!(xhtml(r#"<div><a href="1">href="2"</a><img src='3' alt="src='4'"/></div>"#), ["1", "3"]);
        assert_eq!(xhtml("<a\n href\t=\n'1'\ttitle=\"2\"><img alt='' src = \"3\" /></a>"), ["1", "3"]);
        assert_eq!(xhtml(r#"<a data-href="1" hrefs="2" xsrc="3" href="é"></a>"#), ["é"]);
        assert_eq!(
            xhtml(r#"<!-- <a href="1"> --><![CDATA[<a href="2">]]><?x href="3"?><a href="4>"/>"#),
            ["4>"]
        );
        assert_eq!(xhtml(r#"<a href="">"#), [""]);
        for broken in
            ["<", "<a", "<a href", "<a href=", "<a href=\"", "<a href=\"1", "<!-- href=\"1\"", "a < b"]
        {
            assert_eq!(xhtml(broken), Vec::<&str>::new(), "{broken}");
        }
    }

    #[test]
    fn destinations_of_markdown() {
        assert_eq!(markdown("[a](1) ![b](2 \"3\") [c]( <4 5> 'x')(6) <7:8> [d] (9)"), ["1", "2", "4 5"]);
        assert_eq!(markdown("[1]: a\n  [2]: <b>  \"t\"\nx [3]: c\n[é]:d"), ["a", "b", "d"]);
        assert_eq!(markdown("[![a](1)](2)"), ["1", "2"]);
        assert_eq!(markdown("x]\n[1]: a\n[2] [3]: b\n[4](\nc\n[5]: d"), ["a", "c", "d"]);
        for broken in ["]", "](", "](<", "[]:"] {
            assert_eq!(markdown(broken).concat(), "", "{broken}");
        }
        assert_eq!(markdown("](é"), ["é"]);
    }

    /// Looking back to the start of the line at every bracket would take hours.
    #[test]
    fn one_long_line_is_read_once() {
        for text in ["]:".repeat(500_000), format!("[{}", "]:".repeat(500_000)), "<a ".repeat(500_000)] {
            assert!(markdown(&text).len() < 2);
            assert!(xhtml(&text).is_empty());
        }
    }

    #[test]
    fn replacing_keeps_the_rest() {
        let text = "<a href='1'/>é<a href='2'/>";
        let other = |what: &str| (what == "2").then(|| "zwei".to_owned());
        assert_eq!(replace(text, links_in_xhtml(text), other).unwrap(), "<a href='1'/>é<a href='zwei'/>");
        assert_eq!(replace(text, links_in_xhtml(text), |_| None), None);
    }
}
